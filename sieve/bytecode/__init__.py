"""Sieve bytecode: the compiled form of scripts, in the original's format. ``opcodes`` draws the layout."""
