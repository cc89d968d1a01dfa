"""cyr_dbtool(8): look into a database file and change it.

Differences from the original: an option it does not know is a usage error
(there a warning), and so is ``set`` with a key and no value (there a crash).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import BinaryIO

import click

from libcyrus import cyrusdb, tool
from libcyrus.base.getopt import number
from libcyrus.cyrusdb import Database, Records, batch
from libcyrus.cyrusdb.listfile import ListDatabase
from libcyrus.errors import CyrusError, DatabaseCorrupt, Fatal

_LONGEST_LINE = 63999
_RELATIVE = """
Sorry, you cannot use this tool with relative path names.
This is because some database backends do not
always do what you would expect with them.

Please use absolute pathnames instead.
"""


@click.command("cyr_dbtool")
@tool.config_option
@click.option("-M", "mboxsort", is_flag=True, help="Keys are in mailbox order.")
@click.option("-n", "create", is_flag=True, help="Create the file if it is missing.")
@click.option(
    "-T", "together", flag_value=True, type=bool, default=False, help="Make all changes in one transaction."
)
@click.option(
    "-t", "together", flag_value=False, type=bool, help="Make each change by itself (the default)."
)
@click.option("-c", "convert", is_flag=True, help="Convert a file of another backend to BACKEND.")
@click.argument("path", metavar="FILE")
@click.argument("backend", metavar="BACKEND")
@click.argument("action", metavar="ACTION")
@click.argument("words", metavar="[KEY [VALUE]]", nargs=-1)
def cyr_dbtool(
    config_file: str | None,
    mboxsort: bool,
    create: bool,
    together: bool,
    convert: bool,
    path: str,
    backend: str,
    action: str,
    words: tuple[str, ...],
) -> int:
    """Look into a database file and change it.

    \b
    show [PREFIX]    print records
    get KEY          print a value
    set KEY VALUE    store a record
    delete KEY       remove a record
    dump [LEVEL]     print the structure of the file
    consistent       say whether the file is sound
    consistency      say something only if it is not
    repack           rewrite the file in order
    batch            carry out commands from standard input
    damage           break off in the middle of a commit, for tests

    BACKEND is flat, skiplist, quotalegacy, sql or twoskip. Without a KEY (or VALUE), get, set
    and delete read lines from standard input: KEY, or KEY TAB VALUE.
    """
    if not path.startswith("/"):
        print(_RELATIVE)
        return os.EX_OSERR
    if action == "set" and len(words) == 1:
        raise tool.usage_error("set needs a key and a value")
    config = tool.begin(config_file, "cyr_dbtool")
    try:
        database = cyrusdb.open_db(
            backend,
            path,
            create=create,
            convert=convert,
            mboxsort=mboxsort,
            settings=cyrusdb.Settings.from_config(config),
        )
    except CyrusError as error:
        raise Fatal("can't open database", os.EX_TEMPFAIL) from error
    with database:
        if together:
            with database.transaction() as records:
                act(database, records, action, words)
        else:
            act(database, database, action, words)
    return os.EX_OK


def act(database: Database, records: Records, action: str, words: tuple[str, ...]) -> None:
    """Carry out one action; the original exits 0 even when it fails, once the file is open."""
    match action:
        case "get" | "set" | "delete":
            edit(records, action, words)
        case "show":
            show(records, os.fsencode(words[0]) if words else b"")
        case "dump":
            for line in database.dump(number(words[0]) if words else 1):
                print(line)
        case "consistent":
            print("Yes, consistent" if is_consistent(database) else "No, not consistent")
        case "consistency":
            if not is_consistent(database):
                print(f"Consistency Error for {database.path}")
        case "repack":
            try:
                database.repack()
            except CyrusError:
                print("Failed to repack")
        case "batch":
            message = batch.run(database, sys.stdin.buffer, sys.stdout.buffer)
            if message is not None:
                print(message, file=sys.stderr)
        case "damage":
            damage(database)
        case _:
            print(f"Unknown action {action}")


def edit(records: Records, action: str, words: tuple[str, ...]) -> None:
    """Get, set or delete what the operands name, or each line of standard input."""
    pairs: Iterator[tuple[bytes, bytes]]
    if words:
        pairs = iter([(os.fsencode(words[0]), os.fsencode(words[1]) if len(words) > 1 else b"")])
    else:
        pairs = lines(sys.stdin.buffer)
    for key, value in pairs:
        if not key:
            raise Fatal("a key may not be empty", os.EX_SOFTWARE)
        try:
            if action == "get":
                sys.stdout.buffer.write((records.fetch(key) or b"") + b"\n")
            elif action == "set":
                records.store(key, value)
            else:
                records.delete(key)
        except CyrusError:
            if action == "get":
                sys.stdout.buffer.write(b"\n")


def lines(stream: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    """Key and value of each line, up to the end or the first line without a key."""
    for line in stream:
        key, _tab, value = line.removesuffix(b"\n").partition(b"\t")
        if not key:
            return
        if len(key) + len(value) >= _LONGEST_LINE:
            print("Error, stack overflow")
            raise Fatal("stack overflow", os.EX_DATAERR)
        yield key, value


def show(records: Records, prefix: bytes) -> None:
    """Print records; what a damaged file has before the damage is printed, too."""
    sys.stdout.flush()
    try:
        for line in cyrusdb.dump_text(records, prefix):
            sys.stdout.buffer.write(line)
    except CyrusError:
        pass  # logged by the backend


def is_consistent(database: Database) -> bool:
    try:
        database.consistent()
    except DatabaseCorrupt:
        return False
    return True


def damage(database: Database) -> None:
    """Die in the middle of a commit, where the backend has a middle."""
    if isinstance(database, ListDatabase):
        transaction = database.transaction()
        transaction.store(b"INVALID", b"CRASHME")
        transaction.break_off()
    raise Fatal("Internal error: broke off in the middle of a commit", os.EX_SOFTWARE)


main = tool.main(cyr_dbtool, usage_code=255)
