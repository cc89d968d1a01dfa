"""Programs of manual section 8, one module each."""
