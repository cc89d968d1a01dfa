"""ctl_deliver(8): print the database of deliveries."""

from __future__ import annotations

import os
import sys
import time

import click

from libcyrus import tool
from libcyrus.errors import Fatal
from libcyrus.records.duplicate import DuplicateDb

_FAILED = 1


@click.command("ctl_deliver")
@tool.config_option
@click.option("-d", "dumping", count=True, help="Print all records.")
@click.option("-f", "paths", metavar="FILE", multiple=True, help="With -d: read FILE instead.")
@click.option("-E", "days", metavar="DAYS", multiple=True, help="Run cyr_expire -E DAYS (deprecated).")
@click.argument("_operands", metavar="", nargs=-1)
def ctl_deliver(
    config_file: str | None,
    dumping: int,
    paths: tuple[str, ...],
    days: tuple[str, ...],
    _operands: tuple[str, ...],
) -> int:
    """Print the database of deliveries."""
    if dumping + len(days) != 1 or len(paths) > 1:
        raise tool.usage_error()
    if days:
        expire(config_file, days[0])
    config = tool.begin(config_file, "ctl_deliver")
    deliveries = DuplicateDb(config, next(iter(paths), None))
    try:
        if not deliveries.usable:
            print("ctl_deliver: unable to init duplicate delivery database", file=sys.stderr)
            return _FAILED
        dump(deliveries)
    finally:
        deliveries.close()
    return os.EX_OK


def expire(config_file: str | None, days: str) -> None:
    """Become the program that does this now."""
    print("ctl_deliver -E is deprecated: using cyr_expire -E instead", file=sys.stderr, flush=True)
    program = os.path.join(os.path.dirname(os.path.abspath(sys.argv[0])), "cyr_expire")
    words = ["-C", config_file] if config_file is not None else []
    try:
        os.execv(program, [program, *words, "-E", days])
    except OSError as error:
        raise Fatal(f"cannot run {program}: {error.strerror}", os.EX_OSERR) from error


def dump(deliveries: DuplicateDb) -> None:
    print(f"it is NOW: {int(time.time())}")
    count = 0
    for key, when, uid in deliveries.entries():
        count += 1
        if key is not None:
            print(f"id: {printable(key.id):<40}\tto: {os.fsdecode(key.to):<20}\tat: {when}\tuid: {uid}")
    print(f"got {count} entries")


def printable(text: bytes) -> str:
    """In hexadecimal if there is anything in it that a terminal should not see."""
    if all(0x20 <= byte < 0x7F for byte in text):
        return text.decode("ascii")
    return text.hex().upper()


main = tool.main(ctl_deliver, usage_code=255)
