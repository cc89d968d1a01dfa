"""What a mailstore tells of changes: only what came to be, and never at the cost of the change."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from libcyrus import mboxops
from libcyrus.append import Appender, Stage
from libcyrus.config import Config
from libcyrus.errors import IoError
from libcyrus.events.mboxevent.kinds import EventType
from libcyrus.mailbox import expunge
from libcyrus.mailbox.mailstore import MailStore

MESSAGE = b"Subject: s\r\nMessage-ID: <%d@x>\r\n\r\nbody\r\n"
NAME = "user.joe"


class World:
    """A store with one mailbox, and the socket that gets its events."""

    def __init__(self, directory: Path, **options: Any) -> None:
        for name in ("conf", "conf/socket", "spool"):
            (directory / name).mkdir()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._socket.bind(str(directory / "conf/socket/notify"))
        defaults: dict[str, Any] = {
            "event_notifier": "log",
            "event_groups": ("message", "mailbox"),
            "event_extra_params": ("modseq",),
            "servername": "mx",
        }
        config = Config.for_tests(
            configdirectory=str(directory / "conf"),
            defaultpartition="default",
            extra={"partition-default": str(directory / "spool")},
            **(defaults | options),
        )
        self.store = MailStore(config)
        mboxops.create(self.store, NAME, is_admin=True, userid="admin", auth=None)
        self.events()

    def events(self) -> list[dict[str, Any]]:
        """What was told since the last time."""
        found = []
        while True:
            try:
                found.append(json.loads(self._socket.recv(1 << 17).split(b"\0")[6]))
            except BlockingIOError:
                return found

    def names(self) -> list[str]:
        return [event["event"] for event in self.events()]

    def append(self, *messages: bytes, commit: bool = True) -> None:
        with Appender.open(self.store, NAME, event=EventType.MESSAGE_APPEND) as appender:
            for message in messages:
                with Stage.from_bytes(self.store, message) as stage:
                    appender.append(stage)
            if commit:
                appender.commit()

    def close(self) -> None:
        self.store.close()
        self._socket.close()


@pytest.fixture
def world(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[World]:
    mark = request.node.get_closest_marker("imapd_conf")
    world = World(tmp_path, **(mark.kwargs if mark else {}))
    yield world
    world.close()


def test_a_store_without_notifier_tells_nothing(tmp_path: Path) -> None:
    config = Config.for_tests(configdirectory=str(tmp_path))
    assert MailStore(config).events is None


def test_what_is_aborted_is_not_told(world: World) -> None:
    world.append(MESSAGE % 1, commit=False)
    assert world.names() == []
    world.append(MESSAGE % 1)
    assert world.names() == ["MailboxModseq", "MessageAppend"]
    with world.store.open(NAME, write=True) as mailbox:
        expunge.expunge(mailbox, lambda record: True, event=EventType.MESSAGE_EXPUNGE)
        mailbox.abort()
    assert world.names() == []


def test_a_commit_that_fails_is_not_told(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    with world.store.open(NAME, write=True) as mailbox:

        def fail(*_arguments: object, **_named: object) -> None:
            raise OSError(5, "broken")

        monkeypatch.setattr(type(mailbox.index_file), "write", fail)
        with (
            Stage.from_bytes(world.store, MESSAGE % 1) as stage,
            pytest.raises(IoError),
            Appender(mailbox, event=EventType.MESSAGE_APPEND) as appender,
        ):
            appender.append(stage)
            appender.commit()
    assert world.names() == []


def test_a_failure_to_tell_is_none_to_change(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_arguments: object) -> bytes:
        raise IoError

    with monkeypatch.context() as patched:
        patched.setattr(type(world.store.annotations), "lookup_mailbox", fail)
        world.append(MESSAGE % 1)
    assert world.names() == []
    assert caplog.messages == ["mboxevent: nothing is told of something: System I/O error"] * 2
    with world.store.open(NAME, write=False) as mailbox:
        assert mailbox.i.exists == 1


def test_the_modseq_of_few_messages_is_told(world: World) -> None:
    """As the original has it, of two messages that of the second."""
    for count, modseq in ((1, True), (2, True), (3, False)):
        world.append(*(MESSAGE % number for number in range(count)))
        world.events()
        with world.store.open(NAME, write=True) as mailbox:
            expunge.expunge(mailbox, event=EventType.MESSAGE_EXPUNGE, decide=lambda record: True)
            last = mailbox.i.highestmodseq
        event = world.events()[0]
        assert event["event"] == "MessageExpunge"
        assert event.get("modseq") == (last if modseq else None)


@pytest.mark.imapd_conf(event_extra_params=("messageContent",))
def test_a_message_too_large_for_a_datagram_is_told_without_its_content(world: World) -> None:
    world.append(MESSAGE % 1, MESSAGE % 2 + b"x" * 60000)
    events = [event for event in world.events() if event["event"] == "MessageAppend"]
    assert [event.get("messageContent") for event in events] == [(MESSAGE % 1).decode(), None]


@pytest.mark.imapd_conf(event_exclude_specialuse="all")
def test_only_inboxes_are_told_of(world: World) -> None:
    for name in (f"{NAME}.sub", "user.ann", "shared"):
        mboxops.create(world.store, name, is_admin=True, userid="admin", auth=None)
    assert [event["uri"].partition(";")[0] for event in world.events()] == ["imap://mx/user/ann"]


def test_urls_spell_names_in_utf8(world: World) -> None:
    mboxops.create(world.store, f"{NAME}.Gr&APw-n+ &-", is_admin=True, userid="admin", auth=None)
    (event,) = world.events()
    assert event["uri"].partition(";")[0].endswith("/user/joe/Gr%C3%BCn%2B%20%26")
