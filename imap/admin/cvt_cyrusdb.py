"""cvt_cyrusdb(8): make a database of one format from one of another.

As with the original, a conversion that fails says so on standard output and exits 0.
"""

from __future__ import annotations

import os
import sys

import click

from libcyrus import cyrusdb, tool
from libcyrus.cyrusdb import Settings
from libcyrus.errors import Again, AlreadyExists, CyrusError, InternalError, IoError, NoSpace, NotFound

_RELATIVE = """
Sorry, you cannot use this tool with relative path names.
This is because some database backends do not
always do what you would expect with them.

Please use absolute pathnames instead.
"""
_USAGE_CODE = 255
_FAILED = -4
# the original's numbers for what can go wrong
_NUMBERS: tuple[tuple[type[CyrusError], int], ...] = (
    (IoError, -1),
    (Again, -2),
    (AlreadyExists, -3),
    (InternalError, _FAILED),
    (NotFound, -5),
    (NoSpace, -8),
)


@click.command("cvt_cyrusdb")
@tool.config_option
@click.argument("words", metavar="OLD-FILE OLD-BACKEND NEW-FILE NEW-BACKEND", nargs=-1)
def cvt_cyrusdb(config_file: str | None, words: tuple[str, ...]) -> int:
    """Make a database of one format from one of another.

    The files may be the same. An existing NEW-FILE is replaced.
    """
    if len(words) != 4:
        print(
            f"Usage: {sys.argv[0]} [-C altconfig] <old db> <old db backend> <new db> <new db backend>\n"
            f"Usable Backends:  : {', '.join(cyrusdb.BUILT)}",
            file=sys.stderr,
        )
        return _USAGE_CODE
    old, old_backend, new, new_backend = words
    if not (old.startswith("/") and new.startswith("/")):
        print(_RELATIVE)
        return os.EX_OSERR
    config = tool.begin(config_file, "cvt_cyrusdb")
    print(f"Converting from {old} ({old_backend}) to {new} ({new_backend})", flush=True)
    settings = Settings.from_config(config)
    try:
        with cyrusdb.open_db(old_backend, old, settings=settings) as source:
            cyrusdb.convert_file(source, new, new_backend, settings=settings)
    except CyrusError as error:
        number = next((number for kind, number in _NUMBERS if isinstance(error, kind)), _FAILED)
        print(f"\nDBERROR: Conversion failed (r was {number}). Check syslog for details.")
    return os.EX_OK


main = tool.main(cvt_cyrusdb, usage_code=_USAGE_CODE)
