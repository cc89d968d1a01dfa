"""The Sieve language: grammar, bytecode, interpreter. Knows no mail store."""
