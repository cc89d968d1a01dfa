"""The Sieve language (RFC 5228): grammar, bytecode, interpreter. Knows no mail store and no socket.

From text to actions, one module a step::

    lexer        bytes of a script -> tokens with line and column
    parser       tokens -> tree; recovers at ";" and "{", so that all errors come in one go
    tree         what a script says: If, Action, Test with their arguments
    tags         declared arguments of commands: which tags, what they need, what they exclude
    commands/*   one module a command:  its arguments and the checks on them
    test_commands/*  the same for tests
    checks       rules on values: addresses, headers, flags, UTF-8, mailboxes, patterns
    extensions   names of extensions, which ones a configuration offers, what ``require`` enables
    errors       ScriptError (line, column, text); BytecodeError
    compiler     compile_script(): text -> bytecode, the one call that daemons and programs need

    bytecode/opcodes   numbers and argument shapes of format 0x1F
    bytecode/emit      tree -> bytes
    bytecode/reader    bytes, believed in nothing -> instructions with their positions
    bytecode/program   instructions -> Program: what the interpreter runs; old forms made new
                       (arguments: theirs, checked; actions, conditions: what a Program is made of)
    bytecode/listing   instructions -> what sieved(8) prints
    bytecode/regenerate  instructions -> a script, sieved -s; phrases: its words

    scripts/*    a user's scripts on disk: put, get, activate (also for timsieved and autocreate)
    sievec, sieved     the two programs

For who runs scripts: ``program.load(data) -> Program``; immutable, so it may be
kept as long as the file of the bytecode has the same identity. For who takes
scripts from users: ``compiler.compile_script(text, offered=...)`` returns bytecode or
raises ``ScriptErrors``, whose ``text`` is what the original tells a client.
"""
