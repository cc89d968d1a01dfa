"""Running scripts: ``interpreter.run`` makes outcomes of a program, a message and a host."""
