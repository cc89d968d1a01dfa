"""arbitron(8): count the readers and subscribers of mailboxes.

Differences from the original, which knows the state files of the old layout only: users whose state goes by
the unique id count too, and so do subscriptions in the form that 3.6 writes. Progress is shown on a terminal
only, and lines come in the order of names.
"""

from __future__ import annotations

import os
import re
import sys
import time

import click

from libcyrus import tool
from libcyrus.errors import Fatal
from libcyrus.mailbox.mailstore import MailStore
from libcyrus.mboxname import Namespace
from libcyrus.mboxops.readership import Period, Readership, count
from libcyrus.records.find import Finder, Viewer
from libcyrus.records.mbentry import MboxEntry

_DAY = 24 * 60 * 60
_MONTH = 31 * _DAY
_DATE = re.compile(r"(\d{2})(\d{2})(\d{4})", re.ASCII)


@click.command("arbitron")
@tool.config_option
@click.option("-o", "readers_only", is_flag=True, help="Do not count subscribers.")
@click.option("-u", "users", is_flag=True, help="Name readers and subscribers.")
@click.option("-l", "long", is_flag=True, help="A line for each reader and subscriber.")
@click.option("-d", "days", metavar="DAYS", help="Count who read in the last DAYS (30).")
@click.option("-D", "dates", metavar="MMDDYYYY[:MMDDYYYY]", help="Count who read between these days.")
@click.option("-p", "prune", metavar="MONTHS", help="Forget seen states that are older.")
@click.argument("patterns", metavar="[MAILBOX-PATTERN]", nargs=-1)
def arbitron(
    config_file: str | None,
    readers_only: bool,
    users: bool,
    long: bool,
    days: str | None,
    dates: str | None,
    prune: str | None,
    patterns: tuple[str, ...],
) -> None:
    """Count the readers and subscribers of mailboxes."""
    period = _period(days, dates, prune)
    config = tool.begin(config_file, "arbitron")
    store = MailStore(config)
    progress = _Progress()
    try:
        if not os.path.isdir(os.path.join(config.directory, "user")):
            raise Fatal("can't open user directory", os.EX_SOFTWARE)
        space = Namespace.from_config(config, admin=True)
        progress.say("Loading Mailboxes...")
        mailboxes = _find(store, space, patterns[0] if patterns else "*")
        progress.say("Done\nLoading Users")
        found = count(
            store, mailboxes, period, subscriptions=not readers_only, advance=lambda: progress.say(".")
        )
        progress.say("Done\n")
    finally:
        store.close()
    for name, readership in found.items():
        # a user's own mailbox that hardly anybody else reads is of no interest
        if name.lower().startswith("user.") and len(readership.readers) <= 1:
            continue
        shown = space.to_external(name, None) or name
        if long:
            _print_long(shown, readership, period)
        else:
            print(_line(shown, readership, users=users, readers_only=readers_only))


main = tool.main(arbitron)


def _find(store: MailStore, space: Namespace, pattern: str) -> list[MboxEntry]:
    finder = Finder(store.mboxlist, Viewer(space, None, None, admin=True))
    return [
        found.entry
        for found in finder.find([pattern])
        if found is not None and found.exact and found.entry is not None and not found.entry.intermediate
    ]


def _period(days: str | None, dates: str | None, prune: str | None) -> Period:
    now = int(time.time())
    start, end = now - _positive(days, 30) * _DAY, now
    if dates is not None:
        if days is not None:
            raise tool.usage_error()
        start = _midnight(dates)
        if dates[8:9] == ":" and len(dates) == 17:
            end = _midnight(dates[9:])
    return Period(start, end, now - _positive(prune, 0) * _MONTH if prune is not None else 0)


def _positive(text: str | None, default: int) -> int:
    if text is None:
        return default
    digits = re.match(r"\s*\+?(\d+)", text, re.ASCII)
    if digits is None or not int(digits[1]):
        raise tool.usage_error()
    return int(digits[1])


def _midnight(text: str) -> int:
    date = _DATE.match(text)
    if date is None:
        raise tool.usage_error()
    return int(time.mktime((int(date[3]), int(date[1]), int(date[2]), 0, 0, 0, 0, 0, 0)))


def _line(name: str, readership: Readership, *, users: bool, readers_only: bool) -> str:
    words = [name, _counted(readership.readers, users=users)]
    if not readers_only:
        words.append(_counted(readership.subscribers, users=users))
    return " ".join(words)


def _counted(userids: list[str], *, users: bool) -> str:
    return f"{len(userids)}:{','.join(userids)}" if users and userids else str(len(userids))


def _print_long(name: str, readership: Readership, period: Period) -> None:
    start, end = (
        time.strftime("%m-%d-%Y %H:%M:%S", time.localtime(moment)) for moment in (period.start, period.end)
    )
    for kind, userids in (("r", readership.readers), ("s", readership.subscribers)):
        for userid in userids:
            print(f"{name},{userid},{kind},{start},{end}")


class _Progress:
    def __init__(self) -> None:
        self._visible = sys.stderr.isatty()

    def say(self, text: str) -> None:
        if self._visible:
            print(text, end="", file=sys.stderr, flush=True)
