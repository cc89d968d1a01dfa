"""What surrounds a conversation: limits, notices, session ids, telemetry, TLS options, notifications."""

from __future__ import annotations

import logging
import os
import re
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from imap.admin.private_instance import make_certificate
from libcyrus.config import Config
from libcyrus.config.session_id import SessionId
from libcyrus.events import notify
from libcyrus.prot import ProtStream
from libcyrus.server import clienthost, limits, shutdown_file, starttls, telemetry
from libcyrus.server.on_demand import OnDemand
from libcyrus.server.proc import ProcFile


def config(tmp_path: Path, **options: object) -> Config:
    return Config.for_tests(configdirectory=str(tmp_path), **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, None),
        ({"maxlogins_per_host": 3}, None),
        ({"maxlogins_per_host": 2}, "Too many open connections (2 of 2 from here [::1])"),
        ({"maxlogins_per_user": 1}, "Too many open connections (1 of 1 for joe)"),
        ({"maxlogins_per_user": 2}, None),
        (
            {"maxlogins_per_host": 1, "maxlogins_per_user": 1},
            "Too many open connections (2 of 1 from here [::1], 1 of 1 for joe)",
        ),
    ],
)
def test_sessions_are_counted_by_their_proc_files(
    tmp_path: Path, options: dict[str, int], expected: str | None
) -> None:
    folder = tmp_path / "proc"
    folder.mkdir()
    for pid, (host, user) in enumerate(
        [("here [::1]", "joe"), ("here [::1]", "ann"), ("here [::1]", ""), ("there [::2]", "eve")], 100_000
    ):
        (folder / str(pid)).write_text(f"imap\t{host}\t{user}\t\t\n")
    excess = limits.check(config(tmp_path, **options), "here [::1]", "joe")
    assert (None if excess is None else str(excess)) == expected


def test_a_registered_session_is_counted_until_it_ends(tmp_path: Path) -> None:
    settings = config(tmp_path, maxlogins_per_user=1)
    own = ProcFile(str(tmp_path / "proc"))
    own.register("imap", "host", "joe")
    assert limits.check(settings, "host", "joe") is not None
    own.cleanup()
    assert limits.check(settings, "host", "joe") is None


def test_the_services_own_notice_comes_before_everybodys(tmp_path: Path) -> None:
    settings = config(tmp_path)
    folder = tmp_path / "msg"
    assert shutdown_file.message(settings) is None
    folder.mkdir()
    watch = shutdown_file.ShutdownWatch(settings)
    assert watch.message() is None
    (folder / "shutdown").write_bytes(b"closed for all\r\nmore\n")
    assert shutdown_file.message(settings) == "closed for all"
    (folder / f"shutdown.{settings.ident}").write_bytes(b"closed here")
    assert watch.message() == "closed here"
    (folder / f"shutdown.{settings.ident}").write_bytes(b"")
    assert watch.message() == ""
    for name in list(folder.iterdir()):
        name.unlink()
    assert watch.message() is None


def test_session_ids_name_server_time_and_process(tmp_path: Path) -> None:
    ids = SessionId(config(tmp_path, servername="mail.example.org"))
    first = str(ids)
    assert str(ids) == first
    pattern = rf"mail\.example\.org-\d+-{os.getpid()}-\d+-\d+"
    assert re.fullmatch(pattern, first)
    assert re.fullmatch(pattern, ids.new())
    assert str(ids) != first
    assert str(SessionId(config(tmp_path, syslog_prefix="prefix"))).startswith("prefix-")


@pytest.mark.parametrize("by_session", [False, True])
def test_telemetry_is_kept_only_where_there_is_a_directory(tmp_path: Path, by_session: bool) -> None:
    settings = config(tmp_path, telemetry_bysessionid=by_session)
    session = SessionId(settings)
    assert telemetry.open_log(settings, "joe", session) is None
    (tmp_path / "log/joe").mkdir(parents=True)
    fd = telemetry.open_log(settings, "joe", session)
    assert fd is not None
    os.close(fd)
    (found,) = (tmp_path / "log/joe").iterdir()
    assert found.name == f"{settings.ident}-{session if by_session else os.getpid()}"
    assert re.fullmatch(r"---------- joe \w+ \w+ +\d+ [\d:]+ \d+\n\n", found.read_text())
    for bad in ("", ".", "..", "../joe", "joe\0"):
        assert telemetry.open_log(settings, bad, session) is None


def test_usage_is_logged_as_what_was_used_since_the_last_line(caplog: pytest.LogCaptureFixture) -> None:
    usage = telemetry.Usage()
    with caplog.at_level(logging.DEBUG):
        usage.log(None)
        usage.log("joe")
    (line,) = caplog.messages
    assert re.fullmatch(r"USAGE joe user: \d+\.\d{6} sys: \d+\.\d{6}", line)


@pytest.mark.parametrize(
    ("certificate", "key", "expected"),
    [
        (None, None, False),
        ("/a", None, False),
        ("/a", "/b", True),
        ("disabled", "/b", False),
        ("/a", "DISABLED", False),
    ],
)
def test_tls_needs_certificate_and_key(
    tmp_path: Path, certificate: str | None, key: str | None, expected: bool
) -> None:
    pair = {"tls_server_cert": certificate, "tls_server_key": key}
    assert starttls.enabled(config(tmp_path, **{k: v for k, v in pair.items() if v})) is expected


def test_the_tls_options_reach_the_context(tmp_path: Path) -> None:
    settings = config(
        tmp_path,
        tls_server_cert="/a,/b",
        tls_server_key="/c, /d",
        tls_versions="tls1_2",
        tls_session_timeout=30 * 24 * 3600,
        tls_prefer_server_ciphers=True,
        tls_client_ca_file="/ca",
    )
    parameters = starttls.parameters(settings, "imap")
    assert (parameters.certificates, parameters.keys) == (("/a", "/b"), ("/c", "/d"))
    assert (parameters.versions, parameters.session_timeout) == ("tls1_2", 86400)
    assert (parameters.prefer_server_ciphers, parameters.client_ca_file) == (True, "/ca")


def test_a_certificate_that_cannot_be_used_is_logged_and_leaves_the_service_without_tls(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = config(tmp_path, tls_server_cert="/nonexistent", tls_server_key="/nonexistent")
    assert starttls.build_context(settings, "imap") is None
    assert "unable to get certificate from '/nonexistent'" in caplog.text
    assert starttls.build_context(config(tmp_path), "imap") is None
    ours, theirs = socket.socketpair()
    with theirs, pytest.raises(starttls.TlsUnavailable):
        starttls.start(ProtStream(ours), None, "host")


class _Service:
    """As much of a service's surroundings as TLS wants."""

    def __init__(self, settings: Config) -> None:
        self.config = settings

    def on_demand(self, make: Any, **how: Any) -> OnDemand[Any]:
        return OnDemand(make, **how)


def test_a_pool_renews_its_context_when_files_change_or_keys_grow_old(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = make_certificate(tmp_path)
    demand = starttls.on_demand(_Service(config(tmp_path, **pair)), "imap")  # type: ignore[arg-type]
    assert not demand.follow()
    first = demand()
    assert first is not None
    assert not demand.follow()

    (tmp_path / "key.pem").write_text("half a key")
    assert not demand.follow()
    assert "certificates of before stay in use" in caplog.text
    assert f"unable to get private key from '{tmp_path}/key.pem'" in caplog.text
    assert demand() is first
    caplog.clear()
    assert not demand.follow()
    assert not caplog.text

    make_certificate(tmp_path)
    assert demand.follow()
    second = demand()
    assert second is not first

    later = time.monotonic() + 13 * 60 * 60
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert demand.follow()
    assert demand() is not second
    assert not demand.follow()


def test_a_pool_renews_its_context_when_a_further_certificate_changes(tmp_path: Path) -> None:
    further = tmp_path / "further"
    further.mkdir()
    make_certificate(further)
    whole = further / "whole.pem"
    whole.write_bytes((further / "cert.pem").read_bytes() + (further / "key.pem").read_bytes())
    (further / "cert.pem").unlink()
    (further / "key.pem").unlink()
    more, pair = {"tls_server_cert_dir": str(further)}, make_certificate(tmp_path)
    settings = Config.for_tests(extra=more, configdirectory=str(tmp_path), **pair)
    demand = starttls.on_demand(_Service(settings), "imap")  # type: ignore[arg-type]
    first = demand()
    assert not demand.follow()
    whole.write_bytes(whole.read_bytes() + b"\n")
    assert demand.follow()
    assert demand() is not first


def test_a_pool_without_a_certificate_finds_the_one_that_comes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    names = {"tls_server_cert": str(tmp_path / "cert.pem"), "tls_server_key": str(tmp_path / "key.pem")}
    demand = starttls.on_demand(_Service(config(tmp_path, **names)), "imap")  # type: ignore[arg-type]
    assert demand() is None
    assert not demand.follow()
    assert make_certificate(tmp_path) == names
    assert demand.follow()
    assert demand() is not None


def test_a_failed_handshake_is_told_apart(tmp_path: Path) -> None:
    settings = config(tmp_path, **make_certificate(tmp_path))
    context = starttls.build_context(settings, "imap")
    ours, theirs = socket.socketpair()
    with theirs, pytest.raises(starttls.TlsFailed):
        theirs.sendall(b"GET / HTTP/1.0\r\n\r\n")
        starttls.start(ProtStream(ours), context, "host")


def test_clients_are_named_by_address_or_socket() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert clienthost.identify(ours) == clienthost.Client("[unix socket]")
        assert clienthost.identify(ours).is_local
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()) as peer,
        listener.accept()[0] as accepted,
    ):
        client = clienthost.identify(accepted)
        assert client.host.endswith("[127.0.0.1]")
        assert client.remote == f"127.0.0.1;{peer.getsockname()[1]}"
        assert client.local == f"127.0.0.1;{listener.getsockname()[1]}"
        assert not client.is_local


def test_a_notification_is_one_datagram_of_fields(tmp_path: Path) -> None:
    (tmp_path / "socket").mkdir()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "socket/notify"))
        listener.settimeout(20)
        notifier = notify.Notifier(config(tmp_path))
        notifier.notify("log", "SIEVE", user="joe", options=("a", "b"), message="m\0m", filename="/f")
        assert listener.recv(4096) == b"log\0SIEVE\0\0joe\0\0002\0a\0b\0mm\0/f\0"
        notifier.notify("log", "MAIL")
        assert listener.recv(4096) == b"log\0MAIL\0\0\0\0000\0\0"


def test_a_notification_that_cannot_be_sent_is_only_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    notify.Notifier(config(tmp_path)).notify("log", "MAIL", user="joe", mailbox="INBOX")
    notify.Notifier(config(tmp_path, notifysocket="dlist:/x")).notify("log", "MAIL")
    notify.Notifier(config(tmp_path)).notify("log", "MAIL", user="joe", message="x" * 70_000)
    assert [message.partition(":")[0] for message in caplog.messages] == [
        "NOTIFY(MAIL, joe, INBOX)",
        "NOTIFY(MAIL)",
        "NOTIFY(MAIL, joe)",
    ]
