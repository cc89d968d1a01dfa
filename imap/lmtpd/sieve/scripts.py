"""Compiled scripts: where a user's active one is, and those that it includes.

A program is kept as long as its file is the same. A file that is no bytecode, or too old to be run, counts
as no script, with a line in the log: the mail is delivered as without one.
"""

from __future__ import annotations

import logging
import os
import pwd
from collections import OrderedDict
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING

from libcyrus import options as opt
from libcyrus.base.dataclasses import replace
from libcyrus.config import Config
from libcyrus.errors import CyrusError
from libcyrus.mailbox.mailstore import MailStore
from libcyrus.mboxname import MboxName, sieve_path
from sieve.scripts.directory import BYTECODE, ScriptDirectory

if TYPE_CHECKING:
    from sieve.bytecode.program import Program

log = logging.getLogger(__name__)

ANNOTATION = "/vendor/cmu/cyrus-imapd/sieve"
_MOST_KEPT = 64
_LONGEST_NAME = 1024

_Identity = tuple[int, int, int, int]


def load_machinery() -> None:
    """Load what only mail with a script needs; a pool parent does so once one of its workers had to."""
    import_module("imap.lmtpd.sieve.filter")
    import_module("sieve.bytecode.program")


class Scripts:
    """The scripts that one process has met lately. ``ready`` is called before the first is read."""

    def __init__(self, config: Config, ready: Callable[[], object]) -> None:
        self._config = config
        self._ready = ready
        self._root = config[opt.sievedir] or ""
        self._in_home = config[opt.sieveusehomedir]
        self._kept: OrderedDict[str, tuple[_Identity, Program]] = OrderedDict()

    def for_recipient(self, store: MailStore, recipient: MboxName) -> Program | None:
        """The script that decides about mail for a mailbox, None if there is none.

        A user's is the active one; a shared folder's is the script of all that its annotation names.
        """
        if recipient.userid is not None:
            return self.active(store, recipient.with_boxes())
        entry = store.mboxlist.get(recipient.internal)
        if entry is None or not entry.uniqueid:
            return None
        name = store.annotations.lookup_mailbox(entry.uniqueid, entry.name, ANNOTATION)
        if not name:
            return None
        return self.named(store, recipient, name.decode("utf-8", "surrogateescape"), is_global=True)

    def active(self, store: MailStore, user: MboxName) -> Program | None:
        """The script that a user has made active. ``user`` is the INBOX's name."""
        if self._in_home:
            return self._of_home(user, ".sieve")
        directory = ScriptDirectory(self._folder(store, user))
        name = directory.active()
        if name is None:
            return None
        self._renew(store, user, directory, name)
        return self._load(f"{directory.path}/{name}{BYTECODE}")

    def named(self, store: MailStore, user: MboxName, name: str, *, is_global: bool) -> Program | None:
        """A script by its name: the user's, or one of all (of the user's domain, or of the server)."""
        if "/" in name or name in ("", ".", "..") or "\0" in name or len(name) > _LONGEST_NAME:
            log.info("Illegal script name '%s' for user '%s'", name, user.userid)
            return None
        if not is_global:
            if self._in_home and user.localpart is not None:
                return self._of_home(user, name)
            return self._load(f"{self._folder(store, user)}/{name}{BYTECODE}")
        nobody = user.rules.empty
        if user.domain is not None:
            of_domain = sieve_path(self._root, replace(nobody, domain=user.domain), None)
            program = self._load(f"{of_domain}/{name}{BYTECODE}")
            if program is not None:
                return program
        return self._load(f"{sieve_path(self._root, nobody, None)}/{name}{BYTECODE}")

    def _renew(self, store: MailStore, user: MboxName, directory: ScriptDirectory, name: str) -> None:
        """Compile the active script if that has not been done, or not since its file was changed.

        Only scripts of earlier versions are files; of the others the user's mailbox knows.
        """
        try:
            changed = directory.script_time(name) if directory.has_script(name) else 0
            if directory.has_bytecode(name, changed):
                return
            # hardly ever needed, unlike what runs a script
            from sieve.compiler import compile_script, rules
            from sieve.scripts.store import UserScripts

            if changed:
                directory.prepare(name, compile_script(directory.read_script(name), rules(self._config)))
                directory.put(name)
            elif user.userid is not None:
                UserScripts(store, user.userid).close()
        except CyrusError as error:
            log.error("sieve script %s of %s cannot be compiled: %s", name, user.userid, error)

    def _folder(self, store: MailStore, user: MboxName) -> str:
        entry = store.mboxlist.get(user.internal)
        return sieve_path(self._root, user, entry.path_id if entry is not None else None)

    def _of_home(self, user: MboxName, name: str) -> Program | None:
        if user.localpart is None:
            return None
        try:
            home = pwd.getpwnam(user.localpart).pw_dir
        except KeyError:
            return None
        return self._load(f"{home}/{name}")

    def _load(self, path: str) -> Program | None:
        try:
            fd = os.open(os.fsencode(path), os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except FileNotFoundError:
            return None
        except OSError as error:
            log.error("IOERROR: can not open sieve script: fname=<%s> syserror=<%s>", path, error.strerror)
            return None
        with os.fdopen(fd, "rb") as file:
            status = os.fstat(fd)
            identity = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
            kept = self._kept.get(path)
            if kept is not None and kept[0] == identity:
                self._kept.move_to_end(path)
                return kept[1]
            self._ready()
            from sieve.bytecode.program import load

            try:
                program = load(file.read())
            except (OSError, CyrusError) as error:
                log.error("IOERROR: can not use sieve script: fname=<%s> error=<%s>", path, error)
                self._kept.pop(path, None)
                return None
        self._kept[path] = (identity, program)
        if len(self._kept) > _MOST_KEPT:
            self._kept.popitem(last=False)
        return program
