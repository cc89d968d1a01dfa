"""sieved(8): print what Sieve bytecode says, or a script that says the same."""

from __future__ import annotations

import os
import sys

import click

from libcyrus import tool
from libcyrus.base import files
from sieve.bytecode.listing import listing
from sieve.bytecode.reader import read, read_header
from sieve.bytecode.regenerate import regenerate
from sieve.errors import BytecodeError

_FAILED = 1


@click.command("sieved")
@click.option("-s", "as_script", is_flag=True, help="Print a script.")
@click.argument("bytecode", type=click.Path(path_type=str), metavar="<bytecode-file>")
@click.argument("_rest", nargs=-1, metavar="")
def sieved(as_script: bool, bytecode: str, _rest: tuple[str, ...]) -> int:
    """Print the bytecode in <bytecode-file> readably."""
    try:
        data = files.read_all(bytecode)
    except OSError:
        print(f"can not open script '{bytecode}'", file=sys.stderr)
        return _FAILED
    output = sys.stdout.buffer
    output.write(b"\n")
    try:
        read_header(data)
    except BytecodeError:
        # no failure to the original, which says so where it would print
        text = "not a bytecode file [magic number test failed]"
        print(text, file=sys.stderr if as_script else sys.stdout)
        return os.EX_OK
    try:
        code = read(data)
        pieces = [regenerate(code)] if as_script else listing(code)
        for piece in pieces:
            output.write(piece)
    except BytecodeError as error:
        output.flush()
        print(error, file=sys.stderr)
        return _FAILED
    return os.EX_OK


main = tool.main(sieved, usage_code=_FAILED)
