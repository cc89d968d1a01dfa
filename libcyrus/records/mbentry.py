"""Records of mailboxes.db.

Each mailbox has two, dlist maps written in this order; fields that are zero or unknown are left out::

    N<dbname>    %(T type I uniqueid P partition S server V uidvalidity
                   C createdmodseq F foldermodseq M mtime A %(identifier rights ...))
    I<uniqueid>  %(T type N dbname P ... A %(...)
                   H (%(N dbname M mtime V ... C ... F ... T type P partition) ...))

``H`` are the names the mailbox had before, the latest first. Parts of a dbname are separated by 0x1F, its
domain by 0x1D. Versions before 3.6 wrote ``mbtype [server!]partition acl`` as text; that is still read.
"""

from __future__ import annotations

from typing import Any

from libcyrus import dlist
from libcyrus.base.dataclasses import dataclass, field
from libcyrus.errors import MailboxBadFormat
from libcyrus.mboxname import NameRules

from . import mbtype as mbtypes


@dataclass(frozen=True, slots=True)
class FormerName:
    """A name that a mailbox had, with what its record said then."""

    name: str
    mtime: int = 0
    uidvalidity: int = 0
    createdmodseq: int = 0
    foldermodseq: int = 0
    mbtype: int = 0
    partition: str | None = None


@dataclass(frozen=True, slots=True)
class MboxEntry:
    """What mailboxes.db knows of one mailbox. ``name`` is internal, times are seconds.

    ``acl`` is None only in a new record that shall have none (a tombstone); read records have text.
    """

    name: str
    mbtype: int = mbtypes.EMAIL
    uniqueid: str | None = None
    partition: str | None = None
    server: str | None = None
    uidvalidity: int = 0
    createdmodseq: int = 0
    foldermodseq: int = 0
    mtime: int = 0
    acl: str | None = None
    history: tuple[FormerName, ...] = field(default=())

    @property
    def path_id(self) -> str | None:
        """The unique id that the mailbox's directories are named after; None if they go by its name."""
        return None if self.mbtype & mbtypes.LEGACY_DIRS else self.uniqueid

    @property
    def deleted(self) -> bool:
        """A tombstone: there is no such mailbox any more."""
        return bool(self.mbtype & mbtypes.DELETED)

    @property
    def intermediate(self) -> bool:
        """Only a place in the tree between mailboxes that exist."""
        return bool(self.mbtype & mbtypes.INTERMEDIATE)

    @property
    def remote(self) -> bool:
        return bool(self.mbtype & mbtypes.REMOTE)


def pack_name(entry: MboxEntry, mtime: int) -> bytes:
    """The value of the N record."""
    return dlist.dump(_fields(entry, mtime, "I", entry.uniqueid))


def pack_id(entry: MboxEntry, dbname: str, mtime: int, rules: NameRules) -> bytes:
    """The value of the I record."""
    fields = _fields(entry, mtime, "N", dbname)
    fields["H"] = [_pack_former(former, rules) for former in entry.history]
    return dlist.dump(fields)


def _fields(entry: MboxEntry, mtime: int, key: str, value: str | None) -> dict[str, Any]:
    fields: dict[str, Any] = {"T": mbtypes.format(entry.mbtype)}
    if value:
        fields[key] = value
    if entry.partition is not None:
        fields["P"] = entry.partition
    if entry.server is not None:
        fields["S"] = entry.server
    if entry.uidvalidity:
        fields["V"] = entry.uidvalidity
    if entry.createdmodseq:
        fields["C"] = entry.createdmodseq
    if entry.foldermodseq:
        fields["F"] = entry.foldermodseq
    fields["M"] = mtime
    if entry.acl is not None:
        fields["A"] = acl_to_map(entry.acl)
    return fields


def _pack_former(former: FormerName, rules: NameRules) -> dict[str, Any]:
    fields: dict[str, Any] = {"N": rules.from_internal(former.name).dbname}
    if former.mtime:
        fields["M"] = former.mtime
    if former.uidvalidity:
        fields["V"] = former.uidvalidity
    if former.createdmodseq:
        fields["C"] = former.createdmodseq
    if former.foldermodseq:
        fields["F"] = former.foldermodseq
    fields["T"] = mbtypes.format(former.mbtype)
    if former.partition is not None:
        fields["P"] = former.partition
    return fields


def acl_to_map(acl: str) -> dict[str, str]:
    """The ``A`` map of an ACL text, as records and cyrus.header write it."""
    parts = acl.split("\t")
    return {parts[n]: parts[n + 1] for n in range(0, len(parts) - 1, 2)}


def acl_from_map(acl: dict[bytes, Any]) -> str:
    return "".join(f"{_str(key)}\t{_str(rights or b'')}\t" for key, rights in acl.items())


def unpack(name: str | None, data: bytes, rules: NameRules) -> MboxEntry:
    """The entry of an N record (``name`` given) or I record (None). Raises MailboxBadFormat."""
    try:
        if data[:2] == b"%(":
            return _unpack_dlist(name, data, rules)
        if data and name is not None:
            return _unpack_text(name, data.decode("utf-8", "surrogateescape"))
    except (ValueError, AttributeError, TypeError) as error:
        raise MailboxBadFormat from error
    raise MailboxBadFormat


def _unpack_dlist(name: str | None, data: bytes, rules: NameRules) -> MboxEntry:
    simple = b'"' not in data and b"{" not in data and data[-2:] == b"))" and b" H (" not in data
    if simple and name is not None:
        # the usual N record: nothing quoted, the ACL last
        text = data.decode("utf-8", "surrogateescape")
        head, _, tail = text.partition(" A %(")
        words = head[2:].split(" ")
        fields = dict(zip(words[::2], words[1::2], strict=True))
        rights = tail[:-2].split(" ") if len(tail) > 2 else []
        acl = "\t".join(rights) + "\t" if rights else ""
        history: tuple[FormerName, ...] = ()
    else:
        parsed = dlist.parse(data)
        assert isinstance(parsed, dict)
        acl = acl_from_map(parsed.pop(b"A", None) or {})
        history = tuple(_unpack_former(item, rules) for item in parsed.pop(b"H", None) or ())
        fields = {_str(key): _str(value) for key, value in parsed.items() if value is not None}
    if name is None:
        if "N" not in fields:
            raise MailboxBadFormat
        name = rules.from_db(fields["N"]).internal
    return MboxEntry(
        name=name,
        mbtype=mbtypes.parse(fields.get("T")),
        uniqueid=fields.get("I"),
        partition=fields.get("P"),
        server=fields.get("S"),
        uidvalidity=int(fields.get("V", 0)),
        createdmodseq=int(fields.get("C", 0)),
        foldermodseq=int(fields.get("F", 0)),
        mtime=int(fields.get("M", 0)),
        acl=acl,
        history=history,
    )


def _unpack_former(item: dict[bytes, bytes], rules: NameRules) -> FormerName:
    fields = {_str(key): _str(value) for key, value in item.items()}
    return FormerName(
        name=rules.from_db(fields.get("N", "")).internal,
        mtime=int(fields.get("M", 0)),
        uidvalidity=int(fields.get("V", 0)),
        createdmodseq=int(fields.get("C", 0)),
        foldermodseq=int(fields.get("F", 0)),
        mbtype=mbtypes.parse(fields.get("T")),
        partition=fields.get("P"),
    )


def _unpack_text(name: str, text: str) -> MboxEntry:
    """``[(uniqueid ID specialuse USE ...) ]TYPE [SERVER!]PARTITION ACL`` of versions before 3.6."""
    extra: dict[str, str] = {}
    if text.startswith("("):
        inside, _, text = text[1:].partition(")")
        words = inside.split(" ")
        extra = dict(zip(words[::2], words[1::2], strict=False))
        text = text.lstrip(" ")
    number, _, rest = text.partition(" ")
    partition, _, acl = rest.partition(" ")
    if not partition:
        raise MailboxBadFormat
    server, mark, after = partition.partition("!")
    return MboxEntry(
        name=name,
        mbtype=int(number or "0"),
        uniqueid=extra.get("uniqueid"),
        partition=after if mark else partition,
        server=server if mark else None,
        acl=acl,
    )


def _str(value: Any) -> str:
    if not isinstance(value, bytes):
        raise MailboxBadFormat
    return value.decode("utf-8", "surrogateescape")
