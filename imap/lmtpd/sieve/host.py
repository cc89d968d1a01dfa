"""What a script may ask: which mailboxes there are, metadata, the surroundings, other scripts.

A script of a user asks as its owner; one of a shared folder as whoever delivers there. Names of mailboxes
are as the owner sees them, in UTF-8 with ``sieve_utf8fileinto`` and in modified UTF-7 without.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence

from imap.lmtpd import recipients
from imap.lmtpd.app import Lmtpd
from imap.lmtpd.sieve.lists import Lists
from libcyrus import options as opt
from libcyrus.base.dataclasses import dataclass
from libcyrus.errors import CyrusError
from libcyrus.mboxname import MboxName
from libcyrus.mboxops import checks
from libcyrus.records import mbtype as mbtypes
from libcyrus.records.annotate import SPECIALUSE
from libcyrus.records.duplicate import DuplicateKey
from libcyrus.records.mbentry import MboxEntry
from libcyrus.text import mutf7
from libcyrus.version import VERSION
from sieve.bytecode.program import Program
from sieve.extensions import Extension
from sieve.run.outcomes import Target

log = logging.getLogger(__name__)

_ENTRY = re.compile(r"/(private|shared)(/.+)", re.DOTALL)


def text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


@dataclass(slots=True)
class ScriptHost:
    """``recipient`` is what the mail is addressed to; ``remote`` is (host, address) of the client.

    Close it after use.
    """

    app: Lmtpd
    recipient: MboxName
    now: int
    message_id: bytes
    remote: tuple[str, str]
    extensions: frozenset[Extension]
    notify_methods: Sequence[bytes] = (b"mailto:",)
    _lists: Lists | None = None

    @property
    def lists(self) -> Lists:
        if self._lists is None:
            self._lists = Lists(self.app.config, self.app.store, self.userid)
        return self._lists

    def close(self) -> None:
        if self._lists is not None:
            self._lists.close()

    @property
    def userid(self) -> str | None:
        return self.recipient.userid

    @property
    def address(self) -> str:
        """The address of the recipient, as mail is kept under it."""
        name = self.recipient
        user = name.localpart if name.localpart is not None else self.app.settings.postuser
        detail = self.app.namespace.separator.join(name.boxes)
        domain = name.domain or self.app.config[opt.defaultdomain]
        return f"{user}{'+' if detail else ''}{detail}@{domain}"

    @property
    def address_key(self) -> bytes:
        """What stands for the address in deliver.db."""
        return f".{self.address}.sieve.".encode("utf-8", "surrogateescape")

    @property
    def sieve_key(self) -> bytes:
        """What stands for the owner in deliver.db."""
        return f".{self.userid or ''}.sieve.".encode("utf-8", "surrogateescape")

    # mailboxes

    def resolve(self, target: Target) -> str | None:
        if target.mailboxid is not None:
            entry = self._by_id(target.mailboxid)
            if entry is not None:
                return entry.name
        if target.specialuse is not None:
            entry = self.by_use(target.specialuse)
            if entry is not None:
                return entry.name
        return self.internal(target.name)

    def resolve_keep(self) -> str | None:
        name = self.recipient
        mailboxes = self.app.store.mboxlist
        if name.userid is None:
            return name.internal if mailboxes.get(name.internal) is not None else None
        if name.boxes:
            if mailboxes.get(name.internal) is not None:
                return name.internal
            similar = recipients.fuzzy_match(self.app, name) if self.app.settings.fuzzy else None
            if similar is not None:
                return similar.internal
        return name.with_boxes().internal

    def internal(self, name: bytes) -> str | None:
        """The internal name of a mailbox as the owner writes it."""
        external = text(name)
        if self.app.settings.utf8_names:
            external = mutf7.encode(name.decode("utf-8", "replace")).decode("ascii")
        return self.app.namespace.internal(external, self.userid)

    def by_use(self, use: bytes) -> MboxEntry | None:
        return None if self.userid is None else checks.find_specialuse(self.app.store, self.userid, text(use))

    def mailbox_exists(self, name: bytes) -> bool:
        internal = self.internal(name)
        return internal is not None and self.app.store.mboxlist.get(internal) is not None

    def mailboxid_exists(self, mailboxid: bytes) -> bool:
        return self._by_id(mailboxid) is not None

    def specialuse_exists(self, mailbox: bytes | None, uses: Sequence[bytes]) -> bool:
        if mailbox is None:
            return all(self.by_use(use) is not None for use in uses)
        internal = self.internal(mailbox)
        entry = None if internal is None else self.app.store.mboxlist.get(internal)
        if entry is None or not entry.uniqueid or self.userid is None:
            return False
        value = self.app.store.annotations.lookup_mailbox(
            entry.uniqueid, entry.name, SPECIALUSE, self.userid
        )
        have = {use.lower() for use in value.split()}
        if self.app.namespace.rules.inbox(self.userid) == entry.name:
            have.add(rb"\inbox")
        return bool(have) and all(use.lower() in have for use in uses)

    def _by_id(self, mailboxid: bytes) -> MboxEntry | None:
        """A mailbox that takes mail."""
        try:
            entry = self.app.store.mboxlist.lookup_uniqueid(text(mailboxid))
        except CyrusError:
            return None
        if entry.mbtype & mbtypes.DELETED:
            return None
        boxes = self.app.namespace.rules.from_internal(entry.name).boxes
        return None if boxes and boxes[0] in self.app.settings.closed_folders else entry

    # metadata and surroundings

    def metadata(self, mailbox: bytes | None, entry: bytes) -> bytes | None:
        found = _ENTRY.fullmatch(text(entry))
        if found is None:
            return None
        owner = (self.userid or "") if found[1] == "private" else ""
        annotations = self.app.store.annotations
        if mailbox is None:
            return annotations.lookup("", found[2], owner) or None
        internal = self.internal(mailbox)
        known = None if internal is None else self.app.store.mboxlist.get(internal)
        if known is None or not known.uniqueid:
            return None
        return annotations.lookup_mailbox(known.uniqueid, known.name, found[2], owner) or None

    def environment(self, item: bytes) -> bytes | None:
        servername = self.app.config.servername
        values = {
            b"domain": servername.partition(".")[2],
            b"host": servername,
            b"location": "MDA",
            b"name": "Cyrus LMTP",
            b"phase": "during",
            b"remote-host": self.remote[0],
            b"remote-ip": self.remote[1],
            b"version": VERSION,
        }
        value = values.get(item)
        return None if value is None else value.encode("utf-8", "surrogateescape")

    def include(self, name: bytes, *, is_global: bool) -> Program | None:
        store = self.app.store
        return self.app.scripts.named(store, self.recipient.with_boxes(), text(name), is_global=is_global)

    def list_known(self, name: bytes) -> bool:
        return self.lists.known(name)

    def in_list(self, value: bytes, name: bytes) -> bool:
        return self.lists.has(name, value)

    # what was seen before

    def is_duplicate(self, key: bytes) -> bool:
        database = self.app.duplicates
        if database is None:
            return False
        full = DuplicateKey(key.replace(b"\0", b""), self.sieve_key)
        expires = database.check(full)
        if expires and self.now < expires:
            database.log(full, "sieve-duplicate", str(self.app.store.session_id))
            return True
        return False

    def log(self, line: bytes) -> None:
        log.info(
            "sieve log: userid=%s messageid=%s text=%s",
            self.userid,
            self.message_id.decode("utf-8", "backslashreplace"),
            line.decode("utf-8", "backslashreplace"),
        )


