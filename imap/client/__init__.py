"""Client programs, one module each."""
