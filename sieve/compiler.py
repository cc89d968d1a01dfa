"""A script's text to bytecode: the call for daemons and programs."""

from __future__ import annotations

from libcyrus import options as opt
from libcyrus.config import Config
from sieve import extensions
from sieve.bytecode.emit import emit
from sieve.bytecode.reader import MAX_SIZE
from sieve.errors import ScriptError, ScriptErrors
from sieve.parser import Rules, parse


def rules(config: Config) -> Rules:
    """What ``config`` says on scripts."""
    return Rules(
        extensions.offered(config),
        config[opt.rfc3028_strict],
        config[opt.sieve_vacation_min_response],
        config[opt.sieve_vacation_max_response],
    )


def compile_script(text: bytes, rules: Rules) -> bytes:
    """The bytecode of a script, which anybody can load. Raises ScriptErrors."""
    bytecode = emit(parse(text, rules))
    if len(bytecode) > MAX_SIZE:
        raise ScriptErrors([ScriptError(1, 1, "script too large")])
    return bytecode
