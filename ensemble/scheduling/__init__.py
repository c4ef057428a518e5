"""Many trainings on one machine: what is to run, and running it."""
