"""A private spool for tests that use the library in this process: stores, mailboxes, messages."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from libcyrus import mboxops
from libcyrus.append import Appender, Stage
from libcyrus.config import Config
from libcyrus.mailbox import reconstruct
from libcyrus.mailbox.mailbox import Mailbox
from libcyrus.mailbox.mailstore import MailStore
from libcyrus.mailbox.reconstruct import Options

MESSAGE = b"From: a@example.org\r\nSubject: %d\r\nDate: Mon, 1 Jan 2024 10:00:00 +0000\r\n\r\nbody %d\r\n"


class World:
    """A private spool; every ``store`` stands for a process."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.stores: list[MailStore] = []

    def store(self, **options: Any) -> MailStore:
        config = Config.for_tests(
            configdirectory=str(self.directory / "conf"),
            defaultpartition="default",
            extra={
                "partition-default": str(self.directory / "spool"),
                "partition-other": str(self.directory / "other"),
            },
            **options,
        )
        self.stores.append(MailStore(config))
        return self.stores[-1]


def make(store: MailStore, name: str, **options: Any) -> None:
    mboxops.create(store, name, is_admin=True, userid=None, auth=None, **options)


def add(store: MailStore, name: str, *numbers: int, flags: tuple[str, ...] = ()) -> list[int]:
    with Appender.open(store, name) as appender:
        for number in numbers or (1,):
            with Stage.from_bytes(store, MESSAGE % (number, number)) as stage:
                appender.append(stage, flags=flags)
        appender.commit()
    return appender.uids


def files_of(mailbox: Mailbox) -> list[str]:
    return sorted(name for name in os.listdir(mailbox.paths.data) if not name.startswith("cyrus."))


def problems(store: MailStore, name: str) -> list[str]:
    """What reconstruct -n -G would complain about."""
    lines: list[str] = []
    options = Options(make_changes=False, parse=True)
    with store.locks.user(store.rules.from_internal(name).userid):
        mailbox = reconstruct.reconstruct(store, name, options, lines.append)
        mailbox.abort()
        mailbox.close()
    return lines
