"""The built-in faults."""
