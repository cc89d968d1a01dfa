"""ctl_mboxlist(8): dump, load and verify the list of mailboxes.

Differences from the original: ``-v`` finds the directories of mailboxes that go by their unique id, and
leaves out tombstones and places that have no directory. ``-x`` removes all records of a mailbox. Populating a
MUPDATE server (``-m`` with ``-a``, ``-w``, ``-i``) needs the Murder, which this version does not have: it is
refused.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import islice
from typing import TypeVar

import click

from libcyrus import acl, tool
from libcyrus.config import Config
from libcyrus.errors import Fatal, PartitionUnknown
from libcyrus.mailbox.namelock import NameLocks
from libcyrus.mboxname import HIERARCHY_SEPARATOR, MAX_MAILBOX_NAME, NameRules
from libcyrus.partitions import MAX_PARTITION_LEN, Meta, Partitions
from libcyrus.records import mbtype as mbtypes
from libcyrus.records.mbentry import FormerName, MboxEntry
from libcyrus.records.mboxlist import Mboxlist

from . import mboxlist_legacy

T = TypeVar("T")

_FAILED = 1
_LINES = 1000
"""How many of a dump are printed at a time."""
_AT_ONCE = 200
"""How many records change in one transaction, and so at most how many namespaces are locked at a time."""
_WORD = rb"[A-Za-z0-9_./@:+~!$*=,-]+"
_ORDINARY = re.compile(
    rb"%\(T ([a-z]+) I (" + _WORD + rb") P (" + _WORD + rb")(?: V (\d+))?(?: C (\d+))?(?: F (\d+))?"
    rb" M (\d+) A %\(((?:" + _WORD + rb"(?: " + _WORD + rb")*)?)\)\)"
)
_ORDINARY_NAME = re.compile(rb"N[A-Za-z0-9_/@:+~$*=, &-]+(?:\x1f[A-Za-z0-9_/@:+~$*=, &-]+)*")


@click.command("ctl_mboxlist")
@tool.config_option
@click.option("-d", "dump", is_flag=True, help="Print the list as JSON.")
@click.option("-u", "load", is_flag=True, help="Read such a list from standard input into the database.")
@click.option("-v", "verify", is_flag=True, help="Compare the list with the directories on disk.")
@click.option("-m", "populate", is_flag=True, help="Populate the MUPDATE server (not supported).")
@click.option("-x", "purge", is_flag=True, help="With -d, remove what was printed from the database.")
@click.option("-y", "intermediates", is_flag=True, help="With -d, print places in the tree too.")
@click.option("-p", "partition", metavar="PARTITION", help="With -d, only mailboxes of PARTITION.")
@click.option("-f", "database", metavar="FILE", multiple=True, help="Use FILE instead of mailboxes.db.")
@click.option("-L", "legacy", is_flag=True, help="With -u, read the text format of older versions.")
@click.option("-a", "authoritative", is_flag=True, help="With -m, the local list is right.")
@click.option("-w", "warn_only", is_flag=True, help="With -m, change nothing.")
@click.option("-i", "interactive", is_flag=True, help="With -m, ask before deleting mailboxes.")
@click.option("-r", "_unused_r", is_flag=True, hidden=True)
@click.option("-c", "_unused_c", is_flag=True, hidden=True)
def ctl_mboxlist(
    config_file: str | None,
    dump: bool,
    load: bool,
    verify: bool,
    populate: bool,
    purge: bool,
    intermediates: bool,
    partition: str | None,
    database: tuple[str, ...],
    legacy: bool,
    authoritative: bool,
    warn_only: bool,
    interactive: bool,
    _unused_r: bool,
    _unused_c: bool,
) -> int:
    """Dump, load and verify the list of mailboxes."""
    if _unused_r or _unused_c or len(database) > 1 or dump + load + verify + populate != 1:
        raise tool.usage_error()
    if not dump and (purge or intermediates or partition is not None):
        raise tool.usage_error()
    if (not load and legacy) or (not populate and (authoritative or warn_only)):
        raise tool.usage_error()
    config = tool.begin(config_file, "ctl_mboxlist")
    if populate:
        raise Fatal("populating a MUPDATE server is not supported", os.EX_UNAVAILABLE)
    mailboxes = Mboxlist(config, database[0] if database else None)
    locks = NameLocks(config, mailboxes.rules)
    try:
        if dump:
            _dump(mailboxes, locks, partition, purge=purge, intermediates=intermediates)
        elif verify:
            for line in verify_directories(config, mailboxes):
                print(line)
        elif legacy:
            return _load(mailboxes, locks, mboxlist_legacy.entries(sys.stdin))
        else:
            return _load_json(mailboxes, locks)
    finally:
        mailboxes.close()
    return os.EX_OK


main = tool.main(ctl_mboxlist, usage_code=_FAILED)


# dump


def _dump(
    mailboxes: Mboxlist, locks: NameLocks, partition: str | None, *, purge: bool, intermediates: bool
) -> None:
    dumped = []
    lines: list[str] = []
    lead = "{\n"
    # their names may be spelt in another way
    deleted = b"N" + os.fsencode(mailboxes.rules.deletedprefix)
    for key, data in mailboxes.db.foreach(b"N"):
        found = _quick_line(key, data) if not key.startswith(deleted) else None
        if found is None:
            entry = mailboxes.entry_of_record(key, data)
            if entry is None or (entry.intermediate and not intermediates):
                continue
            name, place = entry.name, entry.partition
            line = json.dumps({name: as_json(entry)}, ensure_ascii=False)[1:-1]
        else:
            name, place, line = found
        if partition is not None and place != partition:
            continue
        lines.append(lead + line)
        lead = ",\n"
        if purge:
            dumped.append(name)
        if len(lines) > _LINES:
            sys.stdout.write("".join(lines))
            lines.clear()
    print("".join(lines) + ("{\n" if lead == "{\n" else "") + "\n}")
    for names in _portions(dumped):
        with locks_of(mailboxes, locks, names), mailboxes.transaction() as change:
            for name in names:
                change.delete(name)


def _quick_line(key: bytes, data: bytes) -> tuple[str, str, str] | None:
    """Name, partition and line of an ordinary record, such as nearly all are; None for any other."""
    record = _ORDINARY.fullmatch(data)
    if record is None or _ORDINARY_NAME.fullmatch(key) is None:
        return None
    name = key[1:].decode("ascii").replace(HIERARCHY_SEPARATOR, ".")
    mbtype, uniqueid, place, uidvalidity, created, folder, mtime, rights = (
        part.decode("ascii") if part is not None else "0" for part in record.groups()
    )
    words = rights.split(" ") if rights else []
    if len(words) % 2:
        return None
    pairs = ", ".join([f'"{who}": "{what}"' for who, what in zip(words[::2], words[1::2], strict=True)])
    return (
        name,
        place,
        f'"{name}": {{"name": "{name}", "mtime": "{mtime}", "uidvalidity": "{uidvalidity}", '
        f'"createdmodseq": "{created}", "foldermodseq": "{folder}", "mbtype": "{mbtype}", '
        f'"partition": "{place}", "acl": {{{pairs}}}, "uniqueid": "{uniqueid}", "name_history": []}}',
    )


def as_json(entry: MboxEntry) -> dict[str, object]:
    """An entry as ``-d`` prints it; absent fields are left out."""
    fields: dict[str, object | None] = {
        "name": entry.name,
        "mtime": str(entry.mtime),
        "uidvalidity": str(entry.uidvalidity),
        "createdmodseq": str(entry.createdmodseq),
        "foldermodseq": str(entry.foldermodseq),
        "mbtype": mbtypes.format(entry.mbtype),
        "partition": entry.partition,
        "server": entry.server,
        "acl": dict(acl.entries(entry.acl or "")),
        "uniqueid": entry.uniqueid,
        "name_history": [_former_as_json(former) for former in entry.history],
    }
    return {key: value for key, value in fields.items() if value is not None}


def _former_as_json(former: FormerName) -> dict[str, object]:
    fields: dict[str, object | None] = {
        "name": former.name,
        "mtime": str(former.mtime),
        "uidvalidity": str(former.uidvalidity),
        "createdmodseq": str(former.createdmodseq),
        "foldermodseq": str(former.foldermodseq),
        "mbtype": mbtypes.format(former.mbtype),
        "partition": former.partition,
    }
    return {key: value for key, value in fields.items() if value is not None}


# load


def _load_json(mailboxes: Mboxlist, locks: NameLocks) -> int:
    try:
        parsed = json.load(sys.stdin)
        if not isinstance(parsed, dict):
            raise ValueError("not an object")
    except json.JSONDecodeError as error:
        print(f"parse error at line {error.lineno}: {error.msg}", file=sys.stderr)
        return os.EX_OK
    except ValueError as error:
        print(f"parse error at line 1: {error}", file=sys.stderr)
        return os.EX_OK
    return _load(mailboxes, locks, _entries_of_json(parsed))


def _load(mailboxes: Mboxlist, locks: NameLocks, entries: Iterator[MboxEntry]) -> int:
    for portion in _portions(entries):
        with (
            locks_of(mailboxes, locks, [entry.name for entry in portion]),
            mailboxes.transaction() as change,
        ):
            for entry in portion:
                change.update(entry)
    return os.EX_OK


def _portions(items: Iterable[T]) -> Iterator[list[T]]:
    """As many at a time as are changed in one transaction."""
    source = iter(items)
    while portion := list(islice(source, _AT_ONCE)):
        yield portion


@contextmanager
def locks_of(mailboxes: Mboxlist, locks: NameLocks, names: Iterable[str]) -> Iterator[None]:
    """Hold the namespace locks of the owners of these mailboxes."""
    owners = {mailboxes.rules.from_internal(name).userid for name in names}
    with ExitStack() as stack:
        for owner in sorted(owners, key=lambda owner: owner or ""):
            stack.enter_context(locks.user(owner))
        yield


def _entries_of_json(parsed: dict[str, object]) -> Iterator[MboxEntry]:
    for name, value in parsed.items():
        try:
            yield _entry_of_json(name, value if isinstance(value, dict) else {})
        except _Unusable as error:
            print(error, file=sys.stderr)


def _entry_of_json(name: str, value: dict[str, object]) -> MboxEntry:
    """What to store. Raises _Unusable; what may be missing is only reported."""
    if len(os.fsencode(name)) >= MAX_MAILBOX_NAME:
        raise _Unusable(f"mailbox name too long: {name}")
    for key in ("uidvalidity", "createdmodseq", "foldermodseq", "mbtype"):
        if not isinstance(value.get(key), str):
            print(f"missing {key} for {name}", file=sys.stderr)
    partition = _text(value, "partition")
    if partition is not None and len(os.fsencode(partition)) >= MAX_PARTITION_LEN:
        raise _Unusable(f"partition too long for {name}")
    try:
        mbtype = mbtypes.parse(_text(value, "mbtype"))
    except ValueError:
        raise _Unusable(f"bad mbtype for {name}") from None
    if partition is None and not mbtype & (mbtypes.DELETED | mbtypes.INTERMEDIATE):
        raise _Unusable(f"missing partition for {name}")
    uniqueid = _text(value, "uniqueid")
    if uniqueid is None:
        raise _Unusable(f"missing uniqueid for {name}")
    rights = value.get("acl")
    former = value.get("name_history")
    return MboxEntry(
        name=name,
        mbtype=mbtype,
        uniqueid=uniqueid,
        partition=partition,
        server=_text(value, "server"),
        uidvalidity=_number(value, "uidvalidity"),
        createdmodseq=_number(value, "createdmodseq"),
        foldermodseq=_number(value, "foldermodseq"),
        acl=acl.join([(key, str(text)) for key, text in rights.items()])
        if isinstance(rights, dict)
        else None,
        history=tuple(_former_of_json(item) for item in former if isinstance(item, dict))
        if isinstance(former, list)
        else (),
    )


def _former_of_json(value: dict[str, object]) -> FormerName:
    return FormerName(
        name=_text(value, "name") or "",
        mtime=_number(value, "mtime"),
        uidvalidity=_number(value, "uidvalidity"),
        createdmodseq=_number(value, "createdmodseq"),
        foldermodseq=_number(value, "foldermodseq"),
        mbtype=mbtypes.parse(_text(value, "mbtype")),
        partition=_text(value, "partition"),
    )


class _Unusable(ValueError):
    """An entry that cannot be stored, with the words to say so."""


def _text(value: dict[str, object], key: str) -> str | None:
    text = value.get(key)
    return text if isinstance(text, str) else None


def _number(value: dict[str, object], key: str) -> int:
    text = _text(value, key) or ""
    return int(text) if text.isascii() and text.isdigit() else 0


# verify


def verify_directories(config: Config, mailboxes: Mboxlist) -> Iterator[str]:
    """Complaints about entries without a directory and directories without an entry, in order of names."""
    partitions = Partitions(config)
    found = _directories(config, mailboxes.rules)
    complaints = []
    for entry in mailboxes.all():
        if entry.partition is None or entry.remote:
            continue
        try:
            directory = partitions.meta_dir(entry, Meta.HEADER)
        except PartitionUnknown:
            directory = ""
        if found.pop(directory, None) is None:
            text = f"'{entry.name}' has a DB entry but no directory on partition '{entry.partition}'"
            complaints.append((entry.name, text))
    for directory, name in found.items():
        complaints.append((name, f"'{name}' has a directory '{directory}' but no DB entry"))
    for _, text in sorted(complaints, key=lambda one: (one[0].replace(".", HIERARCHY_SEPARATOR), one[1])):
        yield text


def _directories(config: Config, rules: NameRules) -> dict[str, str]:
    """Every directory with a cyrus.header, and what it is called: a unique id, or the mailbox's name."""
    found = {}
    for partition in config.partitions():
        root = config.metapartition_dir(partition, Meta.HEADER.kind) or config.partition_dir(partition) or ""
        for path, children, names in os.walk(root):
            children[:] = sorted(child for child in children if not child.endswith("."))
            if Meta.HEADER.filename in names:
                parts = os.path.relpath(path, root).split("/")
                found[path] = parts[-1] if parts[0] == "uuid" else _name_of(parts, rules)
    return found


def _name_of(parts: list[str], rules: NameRules) -> str:
    """The internal name of the mailbox whose directory, in the old layout, is called so."""
    domain = ""
    if parts[0] == "domain":
        del parts[: 2 if rules.hashimapspool else 1]
        domain = parts.pop(0) + "!" if parts else ""
    if rules.hashimapspool and len(parts) > 1:
        del parts[0]
    return domain + ".".join(parts)
