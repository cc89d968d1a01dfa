"""sievec(8): compile a Sieve script.

It runs as who calls it, as the original's does, so that files outside of the mail server can be compiled too.
"""

from __future__ import annotations

import os
import stat
import sys

import click

from libcyrus import tool
from libcyrus.base import files
from libcyrus.config import Config
from libcyrus.errors import Fatal
from sieve.compiler import compile_script, rules
from sieve.errors import ScriptErrors

_FAILED = 1
_MODE = 0o644


@click.command("sievec")
@tool.config_option
@click.argument("script", type=click.Path(path_type=str), metavar="<filename>")
@click.argument("output", type=click.Path(path_type=str), metavar="<outputfile>")
@click.argument("_rest", nargs=-1, metavar="")
def sievec(config_file: str | None, script: str, output: str, _rest: tuple[str, ...]) -> int:
    """Compile the Sieve script <filename> ("-" for standard input) to bytecode in <outputfile>."""
    try:
        text = sys.stdin.buffer.read() if script == "-" else files.read_all(script)
    except OSError:
        return _fail(f"Unable to open {script} for reading")
    try:
        config = Config.load(config_file, "sievec")
    except Fatal as error:
        return _fail(f"Fatal error: {error} ({error.code})\r")
    try:
        bytecode = compile_script(text, rules(config))
    except ScriptErrors as error:
        return _fail(f"Unable to parse script: script errors:\r\n{error.report}")
    try:
        _write(output, bytecode)
    except OSError:
        return _fail("couldn't open bytecode output file")
    return os.EX_OK


def _write(path: str, data: bytes) -> None:
    """Put the bytecode there at once: whoever runs the old one meanwhile never sees half of the new one."""
    try:
        regular = stat.S_ISREG(os.stat(path).st_mode)
    except FileNotFoundError:
        # a missing directory is not made
        regular = os.path.isdir(os.path.dirname(path) or os.curdir)
    if regular:
        files.replace(os.path.realpath(path), data, mode=_MODE)
        return
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        files.write_all(fd, data)
    finally:
        os.close(fd)


def _fail(text: str) -> int:
    sys.stderr.write(text + "\n")
    return _FAILED


main = tool.main(sievec, usage_code=_FAILED)
