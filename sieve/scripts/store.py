"""One user's scripts: list, get, put, activate, rename, delete.

Every change holds ``#sieve`` exclusively locked from beginning to end, so scripts of one user change one
after the other; ``dav.db`` comes after it in the lock order. Its steps, each on disk before the next:

1. bytecode, beside the old one (``NAME.bc.NEW``), so that little is left that could fail for want of space
2. the message, or the flags of messages, in ``#sieve``: one transaction of the mailbox
3. the row in ``dav.db``: from here on clients see the change
4. the bytecode's name, and the link ``defaultbc``: from here on mail runs through it
5. the message that a new one replaces is expunged, old bytecode removed

Whoever dies in between has told nobody of success. Up to 3 the old state stands, and a message without a
row is left, that nobody looks for. After 3 the new state stands: the next one who opens the scripts does
4 (``_settle``). Only then a client is told.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

from libcyrus import options as opt
from libcyrus.append.append import Appender
from libcyrus.append.stage import Stage
from libcyrus.base.dataclasses import dataclass
from libcyrus.errors import IoError, MailboxNonexistent
from libcyrus.mailbox.expunge import expunge_records
from libcyrus.mailbox.index_record import EXPUNGED, FLAGGED, UNLINKED
from libcyrus.mailbox.lifecycle import make_uniqueid
from libcyrus.mailbox.mailbox import Mailbox
from libcyrus.mailbox.mailstore import MailStore
from libcyrus.mboxops.checks import Actor
from libcyrus.mboxops.make import create_one
from libcyrus.mboxops.unfinished import exclusive
from libcyrus.records import mbtype as mbtypes
from libcyrus.records.dav_db import DavDb
from libcyrus.records.sieve_db import ScriptRecord, SieveDb
from sieve.compiler import compile_script, rules
from sieve.errors import (
    BadScriptName,
    ScriptActive,
    ScriptErrors,
    ScriptExists,
    ScriptNonexistent,
    ScriptTooLarge,
    TooManyScripts,
)
from sieve.scripts.directory import directory_of, is_valid_name
from sieve.scripts.mailfile import ScriptMessage
from sieve.scripts.recover import records_of

log = logging.getLogger(__name__)

_KIB = 1024
_FLAGGED = ("\\Flagged",)
# the vacation answer of JMAP, which kept a file of this name, and is known by its id now
_JMAP_VACATION = "jmap_vacation"
_JMAP_VACATION_ID = "urn:ietf:params:jmap:vacationresponse"


@dataclass(frozen=True, slots=True)
class Script:
    name: str
    active: bool


class UserScripts:
    """The scripts of ``userid``. A context manager, or ``close`` it.

    Methods raise what their name suggests of ``sieve.errors``, and storage errors.
    """

    def __init__(self, store: MailStore, userid: str) -> None:
        """Open them; what is missing for that is made. Raises MailboxNonexistent for who has no INBOX."""
        self._store = store
        self.userid = userid
        config = store.config
        self.max_scripts: int = config[opt.sieve_maxscripts]
        self.max_size: int = config[opt.sieve_maxscriptsize] * _KIB
        self._rules = rules(config)
        if store.mboxlist.get(store.rules.inbox(userid)) is None:
            raise MailboxNonexistent
        self._mailbox_name = store.rules.inbox(userid, config[opt.sieve_folder] or "#sieve")
        self.directory = directory_of(store, userid)
        self._dav = DavDb.of_user(config, store.userstate, userid)
        self._db = SieveDb(self._dav)
        try:
            self.directory.make()
            self._make_mailbox()
            self._know_messages()
            self._settle()
        except BaseException:
            self._dav.close()
            raise

    def close(self) -> None:
        self._dav.close()

    def __enter__(self) -> UserScripts:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # looking

    def list(self) -> list[Script]:
        """In the order in which they were put first."""
        return [Script(record.name, record.isactive) for record in self._db.all()]

    def get(self, name: str) -> bytes:
        record = self._record(name)
        with self._store.open(self._mailbox_name, write=False) as mailbox:
            return _text(mailbox, record)

    def check(self, text: bytes) -> None:
        """Raises ScriptErrors."""
        compile_script(text, self._rules)

    def check_space(self, name: str, size: int) -> None:
        """Whether a script of this size could be put under this name."""
        _check_name(name)
        if size > self.max_size:
            raise ScriptTooLarge(self.max_size)
        self._check_count(name)

    # changing

    def put(self, name: str, text: bytes) -> None:
        """Add a script, or replace the one of this name; the active one stays active."""
        self.check_space(name, len(text))
        bytecode = compile_script(text, self._rules)
        with self._writing() as mailbox:
            self._check_count(name)
            self._put(mailbox, self._db.by_name(name), name, text, bytecode)

    def activate(self, name: str | None) -> None:
        """Make a script the only active one; with None there is none then."""
        if name is not None:
            _check_name(name)
        with self._writing() as mailbox:
            chosen = None if name is None else self._record(name)
            self._flag(mailbox, chosen)
            if chosen is None:
                self.directory.deactivate()
                return
            if not self.directory.has_bytecode(chosen.name):
                self._rebuild(mailbox, chosen)
            self.directory.activate(chosen.name)

    def delete(self, name: str) -> None:
        """Raises ScriptActive for the active one."""
        _check_name(name)
        with self._writing() as mailbox:
            record = self._record(name)
            if record.isactive:
                raise ScriptActive
            record.modseq = _expunge(mailbox, record.imap_uid) or record.modseq
            record.alive = False
            with self._dav.transaction():
                self._db.write(record)
                for former in self._db.deleted():
                    if _is_gone(mailbox, former.imap_uid):
                        self._db.remove(former)
            self.directory.remove(name)

    def rename(self, old: str, new: str) -> None:
        """Raises ScriptExists; an active script stays active."""
        _check_name(old)
        _check_name(new)
        with self._writing() as mailbox:
            if self._db.by_name(new) is not None:
                raise ScriptExists(f"Script {new} already exists.")
            record = self._db.by_name(old)
            if record is None:
                raise ScriptNonexistent(f"Script {old} does not exist")
            text = _text(mailbox, record)
            self._put(mailbox, record, new, text, compile_script(text, self._rules))
            self.directory.remove(old)

    # below

    @contextmanager
    def _writing(self) -> Iterator[Mailbox]:
        with self._store.open(self._mailbox_name, write=True) as mailbox:
            yield mailbox

    def _record(self, name: str) -> ScriptRecord:
        _check_name(name)
        record = self._db.by_name(name)
        if record is None:
            raise ScriptNonexistent
        return record

    def _check_count(self, name: str) -> None:
        if self._db.count() >= self.max_scripts and self._db.by_name(name) is None:
            raise TooManyScripts(self.max_scripts)

    def _put(
        self,
        mailbox: Mailbox,
        old: ScriptRecord | None,
        name: str,
        text: bytes,
        bytecode: bytes,
        *,
        script_id: str = "",
        active: bool = False,
        date: int = 0,
    ) -> None:
        now = date or int(time.time())
        script = ScriptMessage(old.id if old is not None else script_id or make_uniqueid(), name, text)
        active = old.isactive if old is not None else active
        self.directory.prepare(name, bytecode)
        try:
            uid, modseq, created = self._append(mailbox, script, old, active, now)
            record = ScriptRecord(
                rowid=None if old is None else old.rowid,
                creationdate=now if old is None else old.creationdate,
                lastupdated=now,
                mailbox=mailbox.uniqueid,
                imap_uid=uid,
                modseq=modseq,
                createdmodseq=created,
                id=script.id,
                name=name,
                contentid=script.contentid,
                isactive=active,
            )
            with self._dav.transaction():
                self._db.write(record)
        except BaseException:
            self.directory.cancel(name)
            raise
        self.directory.put(name)
        if active:
            self.directory.activate(name)
        if old is not None:
            _expunge(mailbox, old.imap_uid)

    def _append(
        self, mailbox: Mailbox, script: ScriptMessage, old: ScriptRecord | None, active: bool, now: int
    ) -> tuple[int, int, int]:
        """Add the message; uid, modseq and modseq of creation of its record."""
        message = script.build(self.userid, self._store.config.servername, now)
        with (
            Stage.from_bytes(self._store, message, partition=mailbox.partition) as stage,
            Appender(mailbox, userid=self.userid) as appender,
        ):
            record = appender.append(
                stage,
                flags=_FLAGGED if active else (),
                internaldate=now,
                createdmodseq=old.createdmodseq if old is not None else 0,
            )
            appender.commit()
        return record.uid, record.modseq, record.createdmodseq

    def _flag(self, mailbox: Mailbox, chosen: ScriptRecord | None) -> None:
        """Let messages and rows say which script is the active one."""
        uid = chosen.imap_uid if chosen is not None else 0
        changed: list[ScriptRecord] = []
        for record in self._db.all():
            active = record.imap_uid == uid
            if record.isactive == active:
                continue
            message = mailbox.find_uid(record.imap_uid)
            if message is not None:
                message.system_flags = message.system_flags & ~FLAGGED | (FLAGGED if active else 0)
                mailbox.rewrite(message)
                record.modseq = message.modseq
            record.isactive = active
            changed.append(record)
        if changed:
            mailbox.commit()
            with self._dav.transaction():
                for record in changed:
                    self._db.write(record)

    def _rebuild(self, mailbox: Mailbox, record: ScriptRecord) -> None:
        """Compile what is stored once more."""
        self.directory.prepare(record.name, compile_script(_text(mailbox, record), self._rules))
        self.directory.put(record.name)

    def _settle(self) -> None:
        """Finish what another one that died has begun: bytecode and link are to be as the database says."""
        records = self._db.all()
        active = next((record.name for record in records if record.isactive), None)
        link = self.directory.active()
        names = {record.name for record in records}
        wrong_link = link != active and (active is not None or link in names)
        compiled = self.directory.has_bytecode
        stale = [record for record in records if not compiled(record.name, record.lastupdated)]
        if not stale and not wrong_link:
            return
        with self._writing() as mailbox:
            for record in stale:
                try:
                    self._rebuild(mailbox, record)
                except ScriptErrors as error:
                    log.error("sieve script %s of %s does not compile: %s", record.name, self.userid, error)
            if not wrong_link:
                return
            if active is None:
                self.directory.deactivate()
            elif self.directory.has_bytecode(active):
                self.directory.activate(active)

    def _make_mailbox(self) -> None:
        store = self._store
        if store.mboxlist.get(self._mailbox_name) is not None:
            return
        with exclusive(store, self.userid):
            if store.mboxlist.get(self._mailbox_name) is not None:
                return
            create_one(store, self._mailbox_name, Actor(True, self.userid, None), mbtype=mbtypes.SIEVE)
        self._move_in()

    def _know_messages(self) -> None:
        """Let the database know this mailbox, if it is of another one, or is not there any more."""
        self._db.forget_others(self._store.lookup(self._mailbox_name).uniqueid or "")
        if not self._db.is_empty():
            return
        with self._writing() as mailbox:
            found = records_of(mailbox)
            if found:
                log.error("sieve scripts of %s are known again from %s", self.userid, mailbox.name)
                with self._dav.transaction():
                    for record in found:
                        self._db.write(record)

    def _move_in(self) -> None:
        """Take scripts that are files of an earlier version into the mailbox; what does not compile stays."""
        active = self.directory.active()
        for file in self.directory.scripts():
            name = _JMAP_VACATION_ID if file == _JMAP_VACATION else file
            if not is_valid_name(name) or self._db.by_name(name) is not None:
                continue
            text = self.directory.read_script(file)
            try:
                bytecode = compile_script(text, self._rules)
            except ScriptErrors as error:
                log.error("sieve script %s of %s does not compile: %s", file, self.userid, error)
                continue
            with self._writing() as mailbox:
                self._put(
                    mailbox, None, name, text, bytecode,
                    script_id=name if name != file else "",
                    active=file == active,
                    date=self.directory.script_time(file),
                )  # fmt: skip
            self.directory.remove_script(file)
            if name != file:
                self.directory.remove(file)


def _check_name(name: str) -> None:
    if not is_valid_name(name):
        raise BadScriptName


def _text(mailbox: Mailbox, record: ScriptRecord) -> bytes:
    message = mailbox.find_uid(record.imap_uid)
    if message is None:
        log.error("fetching message (%s:%u) failed", mailbox.name, record.imap_uid)
        raise IoError
    return bytes(mailbox.map_message(message)[message.header_size :])


def _is_gone(mailbox: Mailbox, uid: int) -> bool:
    message = mailbox.find_uid(uid)
    return message is None or bool(message.internal_flags & UNLINKED)


def _expunge(mailbox: Mailbox, uid: int) -> int:
    """Expunge a message, if it is there; gives the modseq of that."""
    message = mailbox.find_uid(uid)
    if message is None or message.internal_flags & EXPUNGED:
        return 0
    expunge_records(mailbox, [message.recno])
    mailbox.commit()
    after = mailbox.find_uid(uid)
    return after.modseq if after is not None else 0
