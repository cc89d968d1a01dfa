"""Events and their texts (RFC 5423). The texts are those that the original sent."""

from __future__ import annotations

import json
import logging
import os
import re
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from libcyrus.config import Config
from libcyrus.events.mboxevent import jmapemail, kinds, params
from libcyrus.events.mboxevent.event import MboxEvent
from libcyrus.events.mboxevent.jsontext import Json, dump
from libcyrus.events.mboxevent.kinds import EventType
from libcyrus.events.mboxevent.params import Param, expected
from libcyrus.events.mboxevent.sender import Content, EventSender
from libcyrus.events.notify import Notifier
from libcyrus.message import nstring
from libcyrus.options import events as options

ALL_GROUPS = tuple(kinds.GROUPS)
_OF_MAILBOXES = "vnd.cmu.mbtype serverFQDN vnd.cmu.mailboxACL"


class Daemon:
    """What notifyd would get; stands in for it."""

    def __init__(self, directory: Path) -> None:
        (directory / "socket").mkdir()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(directory / "socket/notify"))
        self._socket.setblocking(False)

    def texts(self) -> list[str]:
        found: list[str] = []
        while True:
            try:
                *fields, last = self._socket.recv(1 << 17).split(b"\0")
            except BlockingIOError:
                return found
            assert fields[:6] == [b"log", b"EVENT", b"", b"", b"", b"0"]
            assert not last
            found.append(fields[6].decode())


@pytest.fixture
def daemon(tmp_path: Path) -> Daemon:
    return Daemon(tmp_path)


@pytest.fixture
def sender(tmp_path: Path, daemon: Daemon) -> Callable[..., EventSender]:
    def make(**settings: Any) -> EventSender:
        values = {"event_groups": ALL_GROUPS, "event_extra_params": (), **settings}
        config = Config.for_tests(
            configdirectory=str(tmp_path), event_notifier="log", servername="mail.example.org", **values
        )
        return EventSender(config)

    return make


def new(sender: EventSender, kind: EventType) -> MboxEvent:
    event = sender.new(kind)
    assert event is not None
    return event


def test_every_type_has_a_name_and_a_group() -> None:
    single = [kind for kind in EventType if kind is not EventType.CALENDAR]
    assert set(single) <= set(kinds.NAMES)
    assert len(set(kinds.NAMES)) == 26
    everything = EventType.CANCELLED
    for group in kinds.GROUPS.values():
        everything |= group
    assert all(kind & everything for kind in single)
    assert set(kinds.GROUPS) == set(options.event_groups.allowed or ())


def test_every_extra_parameter_is_known() -> None:
    always = {"vnd.cmu.mailboxACL", "vnd.cmu.mbtype"}
    assert set(params._BY_OPTION) | always == set(options.event_extra_params.allowed or ())
    for word in set(params._BY_OPTION):
        assert any(expected(kind, {word}) != expected(kind, ()) for kind in kinds.NAMES), word


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        (EventType.LOGIN, "serverDomain serverPort uri pid user serverFQDN"),
        (EventType.MESSAGE_NEW, "uri pid user serverFQDN"),
        (EventType.MESSAGE_EXPUNGE, "uri uidset pid user serverFQDN"),
        (EventType.FLAGS_SET, "uri uidset flagNames pid user serverFQDN"),
        (EventType.MESSAGE_READ, "uri uidset pid user serverFQDN"),
        (EventType.MESSAGE_COPY, "oldMailboxID vnd.cmu.oldUidset uri uidset pid user serverFQDN"),
        (EventType.MAILBOX_RENAME, f"oldMailboxID mailboxID uri pid user {_OF_MAILBOXES}"),
        (EventType.MAILBOX_SUBSCRIBE, "uri pid user serverFQDN"),
        (EventType.QUOTA_EXCEED, "uri diskQuota diskUsed maxMessages messages pid serverFQDN"),
        (EventType.QUOTA_CHANGE, "uri diskQuota maxMessages pid user serverFQDN"),
        (EventType.ACL_CHANGE, f"mailboxID uri pid aclSubject aclRights user {_OF_MAILBOXES}"),
        (EventType.APPLEPUSHSERVICE, "user apsVersion apsAccountId apsDeviceToken apsSubtopic mailboxes"),
        (EventType.APPLEPUSHSERVICE_DAV, "user apsDeviceToken apsTopic mailboxUser mailboxUniqueId expiry"),
    ],
)  # fmt: skip
def test_what_an_event_always_has(kind: EventType, names: str) -> None:
    having = expected(kind, ())
    assert " ".join(param.value for param in Param if param in having) == names


def test_what_extra_parameters_add() -> None:
    everything = set(params._BY_OPTION)
    added = expected(EventType.MESSAGE_APPEND, everything) - expected(EventType.MESSAGE_APPEND, ())
    assert {param.value for param in added} == everything - {
        "clientAddress", "diskUsed", "vnd.cmu.davFilename", "vnd.cmu.davUid",
    }  # fmt: skip
    assert Param.CLIENT_ADDRESS in expected(EventType.LOGOUT, everything)
    assert Param.DISK_USED in expected(EventType.QUOTA_CHANGE, everything)
    assert Param.DAV_UID in expected(EventType.MESSAGE_NEW | EventType.CALENDAR, everything)
    assert Param.MODSEQ not in expected(EventType.MAILBOX_CREATE, everything)
    assert Param.SERVICE not in expected(EventType.CALENDAR_ALARM, everything)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (-1, "-1"),
        ("", '""'),
        ('a"b\\c/d', '"a\\"b\\\\c/d"'),
        ("\b\f\n\r\t\x00cut", '"\\b\\f\\n\\r\\t"'),
        ("\x01\x0b\x1f\x7f", '"\\u0001\\u000B\\u001F\x7f"'),
        ("é\U0001f600".encode(), '"é\U0001f600"'),
        ([b"a", b"\xff", "\udcff", 1], '["a",1]'),
        ({"a": [], "b": {}, "c": b"\xc0\x80", "d": None}, '{"a":[],"b":{},"d":null}'),
    ],
)
def test_json_is_written_as_by_jansson(value: Json, text: str) -> None:
    assert dump(value) == text


def test_an_event_has_its_parameters_in_order(sender: Callable[..., EventSender], daemon: Daemon) -> None:
    source = sender(event_extra_params=("service", "modseq", "vnd.cmu.midset"))
    event = new(source, EventType.MESSAGE_EXPUNGE)
    event.put(Param.MAILBOX_ACL, "joe\tlrswipkxtecdan\t")
    event.put(Param.MBTYPE, "e")
    event.put(Param.USER, "joe")
    event.put(Param.MODSEQ, 7)
    event.put(Param.URI, "imap://mail.example.org/user/joe;UIDVALIDITY=1")
    event.add_uids([1, 2, 5])
    event.add_message_id(b"<m1@x>")
    event.add_message_id(None)
    event.add_message_id(b"<m1@x>")
    source.send(event)
    assert daemon.texts() == [
        '{"event":"MessageExpunge","service":"test",'
        '"uri":"imap://mail.example.org/user/joe;UIDVALIDITY=1","modseq":7,"uidset":"1:2,5",'
        f'"vnd.cmu.midset":["<m1@x>","NIL"],"pid":{os.getpid()},"user":"joe","vnd.cmu.mbtype":"e",'
        '"serverFQDN":"mail.example.org","vnd.cmu.mailboxACL":"joe\\tlrswipkxtecdan\\t"}'
    ]


def test_flags_have_events_of_their_own(sender: Callable[..., EventSender], daemon: Daemon) -> None:
    """RFC 5423 section 4.2."""
    source = sender()
    event = new(source, EventType.FLAGS_SET)
    event.add_uids([1])
    event.add_flags(["\\Deleted", "\\Answered", "\\Seen", "bar", "BAR"])
    source.send(event)
    told = [json.loads(text) for text in daemon.texts()]
    assert [(one["event"], one.get("flagNames")) for one in told] == [
        ("MessageTrash", None),
        ("MessageRead", None),
        ("FlagsSet", "\\Answered bar"),
    ]


def test_what_unsees_goes_first(sender: Callable[..., EventSender], daemon: Daemon) -> None:
    source = sender()
    for cleared, order in (
        ("\\Seen", ["FlagsClear", "FlagsSet"]),
        ("\\Draft", ["FlagsSet", "FlagsClear"]),
    ):
        set_, clear = new(source, EventType.FLAGS_SET), new(source, EventType.FLAGS_CLEAR)
        for event, flag in ((set_, "\\Flagged"), (clear, cleared)):
            event.add_uids([1])
            event.add_flags([flag])
        source.send(set_, clear)
        assert [json.loads(text)["event"] for text in daemon.texts()] == order


def test_what_says_nothing_is_not_sent(sender: Callable[..., EventSender], daemon: Daemon) -> None:
    source = sender(event_exclude_flags="\\seen X")
    no_messages = new(source, EventType.MESSAGE_EXPUNGE)
    no_flags = new(source, EventType.FLAGS_SET)
    no_flags.add_uids([1])
    no_flags.add_flags(source.told_flags(["\\Seen", "x"]))
    other_resource = new(source, EventType.QUOTA_CHANGE)
    cancelled = new(source, EventType.LOGIN)
    cancelled.cancel()
    excluded = new(source, EventType.MESSAGE_NEW)
    excluded.add_uids([1])
    source.send(no_messages, None, no_flags, other_resource, cancelled, excluded)
    assert daemon.texts() == []
    assert sender(event_groups=("quota",)).new(EventType.LOGIN) is None


def test_timestamps_are_local_with_milliseconds(sender: Callable[..., EventSender], daemon: Daemon) -> None:
    source = sender(event_extra_params=("timestamp",))
    event = new(source, EventType.LOGIN)
    source.send(event)
    stamp = json.loads(daemon.texts()[0])["timestamp"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}(Z|[+-]\d\d:\d\d)", stamp)


def test_applepushservice_has_its_own_parameters(sender: Callable[..., EventSender], daemon: Daemon) -> None:
    source = sender()
    event = new(source, EventType.APPLEPUSHSERVICE)
    event.put(Param.APS_MAILBOXES, ["INBOX", "a b"])
    event.put(Param.APS_DEVICE_TOKEN, "token")
    event.put(Param.APS_VERSION, 2)
    event.put(Param.USER, "joe")
    source.send(event)
    assert daemon.texts() == [
        f'{{"event":"ApplePushService","pid":{os.getpid()},"user":"joe","apsVersion":2,'
        '"apsDeviceToken":"token","mailboxes":["INBOX","a b"]}'
    ]


@pytest.mark.parametrize(
    ("mode", "limit", "span"),
    [
        ("standard", 0, (0, 100)),
        ("standard", 100, (0, 100)),
        ("standard", 99, None),
        ("message", 0, (0, 100)),
        ("message", 60, (0, 60)),
        ("header", 0, (0, 40)),
        ("header", 30, (0, 30)),
        ("body", 0, (40, 100)),
        ("body", 20, (40, 60)),
        ("body", 90, (40, 100)),
        ("headerbody", 0, (0, 100)),
        ("headerbody", 20, (0, 60)),
        ("headerbody", 60, (0, 100)),
    ],
)
def test_how_much_of_a_message_an_event_has(mode: str, limit: int, span: tuple[int, int] | None) -> None:
    assert Content(mode, limit).span(100, 40) == span


def test_the_properties_of_a_message() -> None:
    envelope = nstring.parse_envelope(
        b'("Tue, 3 Feb 2015 10:00:00 -0530" "=?utf-8?B?w6k=?= x" '
        b'((NIL NIL "group" NIL)("=?utf-8?Q?J=C3=BC?=" NIL "j" "x.org")(NIL NIL "root" "unspecified-domain")'
        b'(NIL NIL NIL NIL)) NIL NIL NIL NIL NIL "<p@x>, junk <q @x>" "bad")'
    )
    found = jmapemail.properties("ab" * 20, 0xC, envelope)
    assert found == {
        "id": "M" + "ab" * 12,
        "threadId": "T000000000000000c",
        "sentAt": "2015-02-03T10:00:00-05:30",
        "subject": "é x",
        "from": [{"name": "Jü", "email": b"j@x.org"}],
        "sender": None,
        "replyTo": None,
        "to": None,
        "cc": None,
        "bcc": None,
        "inReplyTo": [b"p@x", b"junk", b"q@x"],
        "messageId": [b"bad"],
    }


def test_nobody_waits_long_for_a_notifyd_that_hangs(
    tmp_path: Path, daemon: Daemon, caplog: pytest.LogCaptureFixture
) -> None:
    notifier = Notifier(Config.for_tests(configdirectory=str(tmp_path)))
    while not caplog.messages:
        notifier.notify("log", "EVENT", message="x")
    assert caplog.messages == [f"NOTIFY(EVENT): no answer from {tmp_path}/socket/notify"]
    caplog.clear()
    notifier.notify("log", "EVENT", message="x")
    assert caplog.messages == ["NOTIFY(EVENT): unable to sendto() socket: Resource temporarily unavailable"]
    taken = daemon.texts
    assert set(taken()) == {"x"}
    notifier.notify("log", "EVENT", message="again")
    assert taken() == ["again"]
    notifier.close()


@pytest.mark.parametrize(
    ("answer", "logged"),
    [
        (b"OK %(A 1)\r\n", []),
        (b'BAD "x"\r\n', ["NOTIFY(EVENT, joe): response BAD to method log"]),
        (b"", ["NOTIFY(EVENT, joe): error sending log to {path}"]),
    ],
)
def test_a_notifyd_on_a_stream_gets_a_dlist(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, answer: bytes, logged: list[str]
) -> None:
    caplog.set_level(logging.INFO)
    path = str(tmp_path / "stream")
    got = []
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()

        def serve() -> None:
            with listener.accept()[0] as connection:
                got.append(connection.recv(4096))
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        notifier = Notifier(Config.for_tests(configdirectory=str(tmp_path), notifysocket=f"dlist:{path}"))
        notifier.notify("log", "EVENT", user="joe", options=("a", "b c"), message='{"a":1}')
        thread.join()
    assert got == [
        b"NOTIFY %(METHOD log CLASS EVENT PRIORITY NIL USER joe MAILBOX NIL "
        b'OPTIONS (a "b c") MESSAGE {7+}\r\n{"a":1} FILEPATH NIL)\r\n'
    ]
    assert caplog.messages == [text.format(path=path) for text in logged]
