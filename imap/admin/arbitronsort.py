"""arbitronsort(1): sort the output of arbitron(8) by readers and by subscribers.

Lines that are not of the form ``NAME READERS SUBSCRIBERS`` are left out.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable

import click

from libcyrus import tool

_LINE = re.compile(rb"(.*) ([0-9]+) ([0-9]+)\n?\Z", re.DOTALL)


@click.command("arbitronsort", context_settings={"ignore_unknown_options": True})
@click.argument("files", metavar="[FILE]...", nargs=-1)
def arbitronsort(files: tuple[str, ...]) -> None:
    """Sort the output of arbitron by readers and by subscribers."""
    readers: dict[bytes, int] = {}
    subscribers: dict[bytes, int] = {}
    for line in _lines(files):
        found = _LINE.match(line)
        if found is not None:
            readers[found[1]] = int(found[2])
            subscribers[found[1]] = int(found[3])
    out = sys.stdout.buffer
    out.writelines([*_ranked(readers), b"\n\n", *_ranked(subscribers)])
    out.flush()


main = tool.main(arbitronsort)


def _lines(files: tuple[str, ...]) -> Iterable[bytes]:
    if not files:
        yield from sys.stdin.buffer
    for name in files:
        if name == "-":
            yield from sys.stdin.buffer
            continue
        try:
            with open(name, "rb") as file:
                yield from file
        except OSError as error:
            print(f"Can't open {name}: {error.strerror}.", file=sys.stderr)


def _ranked(counts: dict[bytes, int]) -> list[bytes]:
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [b"%d: %b - %d\n" % (rank, name, number) for rank, (name, number) in enumerate(ordered, 1)]
