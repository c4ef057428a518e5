"""Results as people see them: on a terminal, and as files."""
