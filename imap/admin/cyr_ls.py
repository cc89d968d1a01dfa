"""cyr_ls(8): list the mailboxes below one, as ls(1) lists a directory.

Differences from the original: ``..`` above the top of a user's tree is an invalid name (there a crash), and
an owner or group without a name is shown as a number.
"""

from __future__ import annotations

import grp
import os
import pwd
import sys
import time
from stat import S_ISDIR

import click

from libcyrus import tool
from libcyrus.base.dataclasses import dataclass
from libcyrus.mboxname import MboxName, Namespace
from libcyrus.partitions import Partitions
from libcyrus.records import argument
from libcyrus.records import mbtype as mbtypes
from libcyrus.records.find import Finder, Found, Viewer
from libcyrus.records.mbentry import MboxEntry
from libcyrus.records.mboxlist import Mboxlist
from libcyrus.text import mutf7

_USAGE = 255
_COLUMNS = 4
_COLUMN_WIDTH = 76 // _COLUMNS
_YEAR = 365 * 24 * 60 * 60
_SPECIAL = frozenset(" !\"#$&'()*,;<>?[\\]^`{|}~")
_RESET = "\x1b[0m"
_RED = "\x1b[31m"
_MAGENTA = "\x1b[35m"
_BLUE = "\x1b[94m"


@dataclass(frozen=True, slots=True)
class Listing:
    """What is listed, and how."""

    mailboxes: Mboxlist
    space: Namespace
    partitions: Partitions
    metadata: bool
    recursive: bool
    ids: bool
    long: bool
    utf7: bool
    colours: bool
    columns: int


@click.command("cyr_ls")
@tool.config_option
@click.option("-p", "is_path", is_flag=True, help="The argument is a path, not a mailbox.")
@click.option("-7", "utf7", is_flag=True, help="Names are in modified UTF-7.")
@click.option("-m", "metadata", is_flag=True, help="Look at the directories of metadata files.")
@click.option("-i", "ids", is_flag=True, help="Print the unique id of each mailbox.")
@click.option("-l", "long", is_flag=True, help="Print what stat(2) says of each directory.")
@click.option("-R", "recursive", is_flag=True, help="List what is below those listed, too.")
@click.option("-1", "one_column", is_flag=True, help="Print one mailbox a line.")
@click.argument("names", metavar="[MAILBOX]", nargs=-1)
def cyr_ls(
    config_file: str | None,
    is_path: bool,
    utf7: bool,
    metadata: bool,
    ids: bool,
    long: bool,
    recursive: bool,
    one_column: bool,
    names: tuple[str, ...],
) -> None:
    """List the mailboxes below one."""
    config = tool.begin(config_file, "cyr_ls")
    mailboxes = Mboxlist(config)
    listing = Listing(
        mailboxes=mailboxes,
        space=Namespace.from_config(config, admin=True),
        partitions=Partitions(config),
        metadata=metadata,
        recursive=recursive,
        ids=ids,
        long=long,
        utf7=utf7,
        colours=sys.stdout.isatty(),
        columns=1 if ids or long or one_column else _COLUMNS,
    )
    try:
        name = mailboxes.rules.empty
        if names and not is_path:
            name = argument.from_name(mailboxes, listing.space, names[0], utf7=utf7)
        if mailboxes.get_all(name.internal) is None:
            # perhaps the working directory is that of a mailbox
            name = argument.from_path(mailboxes, names[0] if names else ".")
        show(listing, name)
    finally:
        mailboxes.close()


main = tool.main(cyr_ls, usage_code=_USAGE)


def show(listing: Listing, name: MboxName) -> None:
    """Print a mailbox's name and what is below it."""
    entry = listing.mailboxes.get_all(name.internal)
    spelt = listing.space.to_external(name, argument.VIEWER) if name.internal else None
    if entry is None:
        print(f"Invalid mailbox name: '{spelt or '(null)'}'", file=sys.stderr)
        return
    print(f"\n{spelt or '(null)'}:")
    if entry.mbtype & (mbtypes.RESERVE | mbtypes.DELETED):
        return
    if entry.remote:
        print(f"Non-local mailbox: {entry.server}!{entry.partition}")
        return
    finder = Finder(listing.mailboxes, Viewer(listing.space, None, None, admin=True))
    below = _find(listing, finder, name.child("%"))
    count = 0
    for found in below:
        _show_one(listing, found, count, "")
        count += 1
    if name.is_inbox:
        # INBOX below an INBOX is no mailbox of its own
        further = _find(listing, finder, name.child("INBOX").child("%"))
        for found in further:
            _show_one(listing, found, count, "INBOX/")
            count += 1
        below += further
    print()
    if listing.recursive:
        for found in below:
            show(listing, found.name)


def _find(listing: Listing, finder: Finder, pattern: MboxName) -> list[Found]:
    text = listing.space.to_external(pattern, argument.VIEWER)
    if text is None:
        return []
    return [found for found in finder.find([text]) if found is not None and found.exact]


def _show_one(listing: Listing, found: Found, number: int, lead: str) -> None:
    entry = found.entry
    assert entry is not None
    directory = _directory(listing, entry)
    words = ["    " if number % listing.columns else "\n"]
    if listing.ids:
        words.append(f"{entry.uniqueid or '(null)':40} ")
    status = None
    if listing.long or listing.colours:
        try:
            status = os.stat(directory)
        except OSError:
            pass
    if listing.long:
        words.append(_described(status))
    text = _quoted(lead + found.name.boxes[-1], utf7=listing.utf7)
    if listing.colours:
        colour = _RED if status is None else _BLUE
        if status is not None and mbtypes.kind(entry.mbtype) != mbtypes.EMAIL:
            colour = _MAGENTA
        words.append(colour + text + _RESET)
    else:
        words.append(text)
    if listing.columns == _COLUMNS:
        words.append(" " * (_COLUMN_WIDTH - len(os.fsencode(text))))
    print("".join(words), end="")


def _directory(listing: Listing, entry: MboxEntry) -> str:
    partitions = listing.partitions
    return partitions.meta_dir(entry) if listing.metadata else partitions.data_dir(entry)


def _quoted(name: str, *, utf7: bool) -> str:
    """As a shell needs it."""
    if not utf7:
        name = mutf7.decode_lenient(os.fsencode(name))
    if _SPECIAL.isdisjoint(name):
        return " " + name
    if "'" not in name:
        return f"'{name}'"
    if '"' not in name:
        return f'"{name}"'
    return "'" + name.replace("'", "\\'") + "'"


def _described(status: os.stat_result | None) -> str:
    """The columns of ls -l: zeros for a directory that is missing."""
    if status is None:
        status = os.stat_result((0,) * 10)
    mode = "d" if S_ISDIR(status.st_mode) else "-"
    for n, letter in enumerate("rwxrwxrwx"):
        mode += letter if status.st_mode & 0o400 >> n else "-"
    pattern = "%b %d  %Y" if time.time() - status.st_ctime > _YEAR else "%b %d %k:%M"
    when = time.strftime(pattern, time.localtime(status.st_ctime))
    return (
        f"{mode} {status.st_nlink} {_user(status.st_uid):8} {_group(status.st_gid):8} "
        f"{status.st_size: 10d} {when} "
    )


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
