"""cyrus(8): run another program of the suite, found by its name or a short form of it.

In Debian's packages of the original this is what administrators and cyrus.conf call. It imports nothing that
takes time, since another program starts behind it.
"""

from __future__ import annotations

import os
import re
import sys

_BESIDE = (".", "../sbin", "../bin", "../libexec")
"""Where programs are, as seen from this one: all in one directory, or in those of a prefix."""

_PREFIXES = ("", "cyr_", "ctl_")
_LAUNCHER = re.compile(rb"^from (launch|imap|master|sieve|timsieved|ptclient)\b.* import ", re.MULTILINE)
_OTHER_NAMES = {"check": "chk_cyrus", "makedirs": "mkimap"}


def main() -> int:
    program, *words = sys.argv
    here = os.path.dirname(os.path.realpath(program))
    places = [os.path.normpath(os.path.join(here, place)) for place in _BESIDE]
    if not words:
        print("ERROR: Command cannot be empty\n")
        return _usage(places)
    command, *arguments = words
    if command in ("help", "--help"):
        return _help(arguments, places)
    if path := find(command, places):
        os.execv(path, [path, *arguments])
    print(f"ERROR: {command}: Unknown command or command not installed\n")
    return _usage(places)


def find(command: str, places: list[str]) -> str | None:
    """The path of the program that a command means."""
    if "/" in command:
        return None
    names = [prefix + command for prefix in _PREFIXES]
    if command in _OTHER_NAMES:
        names.append(_OTHER_NAMES[command])
    candidates = [os.path.join(place, name) for name in names for place in places]
    return next((path for path in candidates if _is_ours(path)), None)


def _is_ours(path: str) -> bool:
    """Whether this launches a program of the suite: its directory may hold others' programs too."""
    if os.path.basename(path) == "cyrus":
        return False
    try:
        with open(path, "rb") as file:
            return os.access(path, os.X_OK) and _LAUNCHER.search(file.read(1000)) is not None
    except OSError:
        return False


def _help(arguments: list[str], places: list[str]) -> int:
    if not arguments:
        return _usage(places)
    path = find(arguments[0], places)
    name = os.path.basename(path) if path else arguments[0]
    # Debian's pages are called so, since names like quota are taken
    pages = [f"cyrus-{name}", name] if places[0].endswith("/cyrus/bin") else [name]
    sys.stdout.flush()
    for page in pages:
        code = os.spawnvp(os.P_WAIT, "man", ["man", page])
        if code == 0:
            break
    return code


def _usage(places: list[str]) -> int:
    print("usage: cyrus COMMAND [ARGUMENT]...\n")
    print("Commands, of which those that begin with cyr_ or ctl_ may be given without that:")
    names = {name for place in places if os.path.isdir(place) for name in os.listdir(place)}
    line = "  "
    for name in sorted(name for name in names if find(name, places)):
        if len(line) + len(name) > 78:
            print(line)
            line = "  "
        line += f" {name}"
    print(line)
    return 1
