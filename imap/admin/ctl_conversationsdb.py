"""ctl_conversationsdb(8): dump, load, zero, build, recount and audit the conversations of users.

Differences from the original: a dump has values whole and can be loaded again (there, binary ones end at
their first NUL); an audit finds what is wrong in skiplist files too, and what the copy alone has at the end;
``-r`` goes on after a user who fails, and leaves users alone of whom only delayed deletes are left.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import click

from libcyrus import tool
from libcyrus.errors import CyrusError
from libcyrus.mailbox import recount
from libcyrus.mailbox.mailstore import MailStore
from libcyrus.records.conversations import maintenance
from libcyrus.records.conversations.compare import Difference, Where
from libcyrus.records.conversations.layout import FREE

Action = Callable[[MailStore, str, bool], None]


@click.command("ctl_conversationsdb")
@tool.config_option
@click.option("-d", "dump", is_flag=True, help="Dump the database to standard output.")
@click.option("-u", "undump", is_flag=True, help="Load the database from standard input.")
@click.option("-z", "zero", is_flag=True, help="Take their conversations from all messages.")
@click.option("-b", "build", is_flag=True, help="Give messages without a conversation one.")
@click.option("-R", "recalculate", is_flag=True, help="Count everything anew.")
@click.option("-S", "split", is_flag=True, help="With -R, let long conversations be split.")
@click.option("-A", "audit", is_flag=True, help="Compare the database with one counted anew.")
@click.option("-F", "check_folders", is_flag=True, help="Look for folders that have two numbers.")
@click.option("-T", "directory", metavar="DIR", help="With -A, count in DIR.")
@click.option("-r", "recursive", is_flag=True, help="Do it for all users; USERID is ignored.")
@click.option("-v", "verbose", count=True, help="Say more.")
@click.argument("userids", metavar="[USERID]", nargs=-1)
def ctl_conversationsdb(
    config_file: str | None,
    dump: bool,
    undump: bool,
    zero: bool,
    build: bool,
    recalculate: bool,
    split: bool,
    audit: bool,
    check_folders: bool,
    directory: str | None,
    recursive: bool,
    verbose: int,
    userids: tuple[str, ...],
) -> None:
    """Dump, load, zero, build, recount and audit the conversations of users."""
    names: tuple[tuple[bool, Action], ...] = (
        (dump, _dump),
        (undump, _undump),
        (zero, _zero),
        (build, _build),
        (recalculate, partial(_recalculate, silent=not split)),
        (audit, partial(_audit, directory=directory)),
        (check_folders, _check_folders),
    )
    actions = [action for wanted, action in names if wanted]
    if len(actions) != 1 or (len(userids) != 1 and not recursive):
        raise tool.usage_error()
    store = MailStore(tool.begin(config_file, "ctl_conversationsdb", need_partitions=True))
    try:
        for userid in _users(store) if recursive else iter(userids):
            actions[0](store, userid, bool(verbose))
    finally:
        store.close()


main = tool.main(ctl_conversationsdb)


def _users(store: MailStore) -> Iterator[str]:
    """Everybody who has a mailbox."""
    previous = None
    for entry in store.mboxlist.all():
        name = store.rules.from_internal(entry.name)
        if name.userid is not None and not name.deleted and name.userid != previous:
            previous = name.userid
            yield previous


def _dump(store: MailStore, userid: str, _verbose: bool) -> None:
    path = store.conversations.db.path(userid)
    try:
        os.stat(path)
    except OSError as error:
        _complain(f"{path}: {error.strerror}")
        return
    sys.stdout.flush()
    with (
        _telling(f"Failed to open conversations database {path}"),
        store.lock_users(userid),
        store.conversations.db.open(userid) as state,
    ):
        for line in maintenance.dump(state):
            sys.stdout.buffer.write(line)


def _undump(store: MailStore, userid: str, _verbose: bool) -> None:
    path = store.conversations.db.path(userid)
    with (
        _telling(f"Failed to undump to conversations database {path}"),
        store.lock_users(userid),
        store.conversations.db.open(userid) as state,
    ):
        maintenance.undump(state, sys.stdin.buffer)


def _zero(store: MailStore, userid: str, _verbose: bool) -> None:
    with _telling(f"Failed to zero conversations of {userid}"):
        recount.zero(store, userid, _skipped)


def _build(store: MailStore, userid: str, _verbose: bool) -> None:
    with _telling(f"Failed to build conversations of {userid}"):
        recount.build(store, userid, _skipped)


def _recalculate(store: MailStore, userid: str, verbose: bool, *, silent: bool) -> None:
    with _telling(f"Failed to recalculate conversations of {userid}"):
        recount.recount(store, userid, silent=silent, counted=print if verbose else _say_nothing)


def _audit(store: MailStore, userid: str, verbose: bool, *, directory: str | None) -> None:
    say = print if verbose else _say_nothing
    say(f"User {userid}")
    say("Pass 1: recalculate counts into temporary db")
    audit = recount.Audit(store, userid, directory, _complain)
    with store.lock_users(userid):
        try:
            audit.make_copy()
        except OSError as error:
            _complain(f"Cannot make temp copy of conversations db {audit.path}: {error.strerror}")
            return
        try:
            with _telling(f"Failed to recalculate counts in {audit.copy}"):
                audit.recount(say)
                say("Pass 2: find differences from recalculated to live dbs")
                count = 0
                for difference in audit.differences():
                    count += 1
                    if verbose:
                        _show(difference)
                if count:
                    print(f"{userid} is BROKEN ({count} differences)")
                else:
                    say(f"{userid} is OK")
        finally:
            audit.remove_copy()


def _show(difference: Difference) -> None:
    where, key, real, copy = difference
    name = _text(key)
    if where is Where.REAL:
        print(f'REALONLY: "{name}" data "{_text(real)}"')
    elif where is Where.COPY:
        print(f'TEMPONLY: "{name}" data "{_text(copy)}"')
    else:
        print(f'REAL: "{name}" data "{_text(real)}"')
        print(f'TEMP: "{name}" data "{_text(copy)}"')


def _text(data: bytes) -> str:
    """As the original prints it, whose text ends at a NUL."""
    return data.partition(b"\0")[0].decode("utf-8", "surrogateescape")


def _check_folders(store: MailStore, userid: str, _verbose: bool) -> None:
    with _telling(f"Cannot open conversations db {userid}"), store.lock_users(userid):
        state = store.conversations.db.open(userid)
        folders = [folder for folder in state.folders if folder != FREE]
        state.abort()
        print(f"{'OK' if len(set(folders)) == len(folders) else 'DUPLICATE'} {userid}")


@contextmanager
def _telling(what: str) -> Iterator[None]:
    """Report a failure, which ends the work for this user, but not the program."""
    try:
        yield
    except CyrusError as error:
        _complain(f"{what}: {error}")


def _skipped(name: str) -> None:
    _complain(f"Failed to open mailbox {name}, skipping")


def _complain(text: str) -> None:
    print(text, file=sys.stderr)


def _say_nothing(_text: str) -> None:
    pass
