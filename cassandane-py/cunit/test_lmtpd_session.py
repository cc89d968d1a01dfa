"""lmtpd's conversations over a socket pair: no master, no other process."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from imap.lmtpd import app as app_module
from imap.lmtpd import main, recipients
from imap.lmtpd.app import Lmtpd
from libcyrus import mboxops
from libcyrus.auth import AuthState
from libcyrus.base.dataclasses import replace
from libcyrus.base.signals import ShutdownRequested, Signals
from libcyrus.config import Config
from libcyrus.errors import Fatal, MailboxNonexistent, PermissionDenied, QuotaExceeded
from libcyrus.records.mbentry import MboxEntry
from libcyrus.records.quota import UNLIMITED, Resource
from libcyrus.server.connection import Connection
from libcyrus.server.proc import ProcFile
from libcyrus.server.program import Service


def make_app(root: Path, **options: object) -> Lmtpd:
    settings: dict[str, object] = {
        "configdirectory": str(root / "conf"),
        "defaultpartition": "default",
        "servername": "mail.example.org",
        "unixhierarchysep": True,
        "admins": "admin",
        **options,
    }
    (root / "conf").mkdir(exist_ok=True)
    extra = {"partition-default": str(root / "spool"), "sasl_pwcheck_method": "alwaystrue"}
    config = Config.for_tests(extra=extra, **settings)  # type: ignore[arg-type]
    service = Service("lmtp", config, [("a", "")], [], Signals(), ProcFile(str(root / "proc")))
    app = app_module.build(service)
    app.open()
    return app


def create(app: Lmtpd, *names: str) -> None:
    for name in names:
        mboxops.create(app.store, name, is_admin=True, userid="admin", auth=AuthState("admin"))


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Lmtpd]:
    app = make_app(tmp_path)
    create(app, "user.joe", "user.joe.folder", "shared")
    yield app
    app.close()


class Client:
    """The other end; ``outcome`` is what ended the conversation, None if it came to its end."""

    def __init__(self, app: Lmtpd) -> None:
        ours, self.sock = socket.socketpair()
        self.sock.settimeout(30)
        self.lines = self.sock.makefile("rb")
        self.outcome: BaseException | None = None

        def serve() -> None:
            with ours:
                try:
                    main.serve(app, Connection(ours))
                except BaseException as error:
                    self.outcome = error

        self.thread = threading.Thread(target=serve)
        self.thread.start()

    def send(self, text: str) -> None:
        self.sock.sendall(text.replace("\n", "\r\n").encode("latin-1"))

    def rest(self) -> list[str]:
        """Everything up to the end of the connection."""
        text = self.lines.read().decode("latin-1")
        self.thread.join()
        self.lines.close()
        self.sock.close()
        return text.split("\r\n")[:-1]


def talk(app: Lmtpd, text: str) -> list[str]:
    client = Client(app)
    client.send(text + "QUIT\n")
    return client.rest()


def test_a_delivery(app: Lmtpd) -> None:
    lines = talk(app, "LHLO me\nMAIL FROM:<a@b>\nRCPT TO:<joe>\nDATA\nSubject: x\n\nhi\n.\n")
    assert lines[0].startswith("220 mail.example.org Cyrus LMTP ")
    assert lines[1:7] == [
        "250-mail.example.org", "250-8BITMIME", "250-ENHANCEDSTATUSCODES", "250-PIPELINING", "250-SIZE",
        "250-AUTH EXTERNAL",
    ]  # fmt: skip
    assert lines[9:12] == ["250 2.1.0 ok", "250 2.1.5 ok", "354 go ahead"]
    assert lines[12].startswith("250 2.1.5 Success SESSIONID=<mail.example.org-")
    assert lines[13:] == ["221 2.0.0 bye"]
    with app.store.open("user.joe", write=False) as mailbox:
        assert mailbox.i.exists == 1


def test_the_conversation_is_the_same_wherever_the_network_cuts_it(app: Lmtpd) -> None:
    text = "MAIL FROM:<a@b>\nRCPT TO:<joe>\nDATA\nDate: 1\nMessage-ID: <1@x>\n\n..hi\n.\nQUIT\n"
    wire = text.replace("\n", "\r\n").encode()
    expected: list[str] | None = None
    for cut in range(1, len(wire)):
        client = Client(app)
        client.sock.sendall(wire[:cut])
        client.sock.sendall(wire[cut:])
        codes = [line[:9] for line in client.rest()]
        expected = expected or codes
        assert codes == expected, cut
    with app.store.open("user.joe", write=False) as mailbox:
        assert mailbox.i.exists == 1, "the others were duplicates"


def test_silence_ends_the_conversation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(main, "TIMEOUT", 0.01)
    app = make_app(tmp_path)
    lines = Client(app).rest()
    assert lines[1:] == ["421 4.4.1 bye idle for too long"]
    app.close()


@pytest.mark.parametrize("said", ["", "MAIL FROM:<>\nRCPT TO:<joe>\nDATA\nSubject: x\n\nhalf a message"])
def test_a_request_to_end_is_heard_while_waiting(app: Lmtpd, said: str) -> None:
    client = Client(app)
    client.send(said)
    while not client.lines.readline().startswith(b"354" if said else b"220"):
        pass
    signals = app.service.signals
    # as the handler and the interpreter do
    signals._note(signal.SIGTERM, None)
    os.write(signals._write_fd, b"\0")
    client.rest()
    assert isinstance(client.outcome, ShutdownRequested)
    assert not list(Path(app.config.partition_dir("default") or "").glob("stage./*"))


def test_what_cannot_go_on_is_told_to_the_client(app: Lmtpd, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise Fatal("can't read mailboxes file", os.EX_TEMPFAIL)

    monkeypatch.setattr(recipients, "lookup", fail)
    client = Client(app)
    client.send("MAIL FROM:<>\nRCPT TO:<joe>\n")
    assert client.rest()[1:] == ["250 2.1.0 ok", "421 4.3.0 lmtpd: can't read mailboxes file"]
    assert isinstance(client.outcome, Fatal)


def resolved(app: Lmtpd, address: str, authid: str | None = None, *, size: int = 0) -> str | type:
    authstate = AuthState(authid) if authid else None
    try:
        found = recipients.resolve(app, address, ignorequota=False, size=size, authstate=authstate)
    except (MailboxNonexistent, PermissionDenied, QuotaExceeded) as error:
        return type(error)
    return found.mboxname.internal


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("joe", "user.joe"),
        ("JOE", "user.joe"),
        ("joe@anywhere.example", "user.joe"),
        ("joe+folder", "user.joe.folder"),
        ("joe+no/such", "user.joe.no.such"),
        ("joe+a&b", "user.joe.a&-b"),
        ("joe+gr\xfcn", "user.joe.gr&APw-n"),
        ("joe+", "user.joe"),
        ("ann", MailboxNonexistent),
        ("+shared", PermissionDenied),
        ("+secret", MailboxNonexistent),
        ("", MailboxNonexistent),
        ("+", MailboxNonexistent),
    ],
)
def test_where_an_address_leads(app: Lmtpd, address: str, expected: str | type) -> None:
    app.store.mboxlist.update(_with_acl(app, "shared", "anyone\tl\t"))
    assert resolved(app, address) == expected


def _with_acl(app: Lmtpd, name: str, acl: str) -> MboxEntry:
    return replace(app.store.mboxlist.lookup(name), acl=acl)


@pytest.mark.parametrize(
    ("acl", "authid", "expected"),
    [
        ("anyone\tlrp\t", None, "shared"),
        ("anyone\tp\t", None, "shared"),
        ("anyone\tlrswi\t", None, PermissionDenied),
        ("anyone\tr\t", None, MailboxNonexistent),
        ("joe\tp\t", None, MailboxNonexistent),
        ("joe\tp\t", "joe", "shared"),
        ("anyone\tp\t-joe\tp\t", "joe", MailboxNonexistent),
    ],
)
def test_a_shared_folder_wants_the_right_to_post(
    app: Lmtpd, acl: str, authid: str | None, expected: str | type
) -> None:
    app.store.mboxlist.update(_with_acl(app, "shared", acl))
    assert resolved(app, "+shared", authid) == expected


@pytest.mark.parametrize(
    ("strict", "used", "size", "expected"),
    [
        (False, 0, 10**9, "user.joe"),
        (False, 1024, 10**9, "user.joe"),
        (False, 1025, 0, QuotaExceeded),
        (True, 0, 1024, "user.joe"),
        (True, 0, 1025, QuotaExceeded),
        (True, 1024, 0, "user.joe"),
        (True, 1024, 1, QuotaExceeded),
    ],
)
def test_quota_before_the_message(
    tmp_path: Path, strict: bool, used: int, size: int, expected: object
) -> None:
    app = make_app(tmp_path, lmtp_strict_quota=strict)
    create(app, "user.joe")
    limits = [UNLIMITED] * len(Resource)
    limits[Resource.STORAGE] = 1
    mboxops.set_quotas(app.store, "user.joe", limits)
    app.store.quota.update_used("user.joe", (used, 0, 0, 0))
    assert resolved(app, "joe", size=size) == expected
    app.close()
