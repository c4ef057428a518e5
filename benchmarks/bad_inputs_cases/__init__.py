"""Wrong inputs by subject; every module without a leading ``_`` holds a tuple ``CASES`` of ``bad_inputs.Case``."""
