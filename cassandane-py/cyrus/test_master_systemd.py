"""Master under a service manager that speaks systemd's protocols; the tests play the manager."""

from __future__ import annotations

import os
import re
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cassandane.instance import HARDENED, TOP, Instance, give_away
from master import conf, listen, systemd

UNIT = TOP / "conf/systemd/cyrus-imapd.service"

# binds the port and becomes the program behind it, with the socket as its first handed descriptor
ACTIVATE = """\
import os, socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
os.dup2(listener.fileno(), 3, inheritable=True)
os.environ |= {"LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid()), "LISTEN_FDNAMES": "imap"}
if sys.argv[2]:
    os.environ |= {"NOTIFY_SOCKET": sys.argv[2], "WATCHDOG_USEC": "500000"}
os.execv(sys.argv[3], sys.argv[3:])
"""


class Manager:
    """The end of the notification socket."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + path[1:] if path.startswith("@") else path)
        if not path.startswith("@"):
            give_away(Path(path))
        self.socket.settimeout(20)

    def next(self, *, but: str = "") -> dict[str, str]:
        """The next message, passing over those of one kind."""
        while True:
            text = self.socket.recv(4096).decode()
            if not but or but not in text:
                return dict(line.split("=", 1) for line in text.split("\n"))


@pytest.fixture(params=["path", "abstract"])
def managed(request: pytest.FixtureRequest) -> Iterator[tuple[Instance, Manager]]:
    instance = Instance(services=("imap", "imap2"))
    path = f"@{instance.directory}/notify" if request.param == "abstract" else f"{instance.directory}/notify"
    manager = Manager(path)
    instance.wrapper = (sys.executable, "-c", ACTIVATE, str(instance.ports["imap"]), path)
    instance.start()
    try:
        yield instance, manager
    finally:
        manager.socket.close()
        instance.stop(check=False)
        instance.remove()


def test_a_life_under_a_manager(managed: tuple[Instance, Manager]) -> None:
    instance, manager = managed
    pid = int(instance.pidfile.read_text())
    ready = manager.next(but="WATCHDOG")
    assert (ready["READY"], ready["MAINPID"], ready["STATUS"]) == ("1", str(pid), "2 services")
    # the handed socket serves, and so does one that master bound itself
    instance.create_user("cassandane")
    with instance.imap("cassandane", service="imap2") as client:
        client.ok("NOOP")
    # and what is for master is not for its children
    environment = Path(f"/proc/{_a_child(pid)}/environ").read_bytes()
    assert b"NOTIFY_SOCKET" not in environment
    assert b"LISTEN_" not in environment
    assert manager.next() == {"WATCHDOG": "1"}

    os.kill(pid, signal.SIGHUP)
    assert manager.next(but="WATCHDOG")["RELOADING"] == "1"
    assert manager.next(but="WATCHDOG")["READY"] == "1"
    with instance.imap("cassandane") as client:
        client.ok("NOOP")

    # a service that is gone gives its socket back and leaves the manager's alone
    text = instance.cyrus_conf.read_text()
    instance.cyrus_conf.write_text("\n".join(line for line in text.split("\n") if "  imap cmd" not in line))
    os.kill(pid, signal.SIGHUP)
    assert manager.next(but="WATCHDOG")["RELOADING"] == "1"
    assert manager.next(but="WATCHDOG")["STATUS"] == "1 services"
    instance.cyrus_conf.write_text(text)
    os.kill(pid, signal.SIGHUP)
    assert manager.next(but="WATCHDOG")["RELOADING"] == "1"
    assert manager.next(but="WATCHDOG")["STATUS"] == "2 services"
    with instance.imap("cassandane") as client:
        client.ok("NOOP")

    os.kill(pid, signal.SIGTERM)
    assert manager.next(but="WATCHDOG")["STOPPING"] == "1"
    instance.stop()


def test_no_memory_is_writable_and_executable() -> None:
    instance = Instance(services=("imap", "imaps"), imapd_conf={"tls_client_certs": "optional"})
    instance.settings["tls_client_ca_file"] = instance.settings["tls_server_cert"]
    instance.write_configuration()
    instance.wrapper = HARDENED
    instance.start()
    try:
        instance.create_user("cassandane")
        with instance.imap("cassandane", service="imaps") as client:
            client.ok("SELECT INBOX")
    finally:
        instance.stop()
    instance.remove()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has capabilities to lose")
def test_root_needs_no_more_than_the_unit_gives_it(tmp_path: Path) -> None:
    """Directories of the Cyrus user are closed to a root without CAP_DAC_OVERRIDE."""
    (line,) = re.findall(r"^CapabilityBoundingSet=(.*)$", UNIT.read_text(), re.M)
    capabilities = line.lower().replace("cap_", "").split()
    instance = Instance(services=("imap", "lmtpunix"))
    instance.pidfile = tmp_path / "master.pid"
    instance.log.chmod(0o666)
    os.chmod(instance.lmtp_socket.parent, 0o750)
    instance.settings["lmtpsocket"] = str(instance.lmtp_socket)
    instance.write_configuration()
    instance.wrapper = ("setpriv", "--bounding-set", ",+".join(["-all", *capabilities]))
    for _ in range(2):  # the second time a socket is in the way
        instance.start()
        try:
            done = instance.run("deliver", "nobody-of-this-name", stdin=b"Subject: x\n\n", check=False)
            assert done.stdout == b"nobody-of-this-name: Mailbox does not exist\n"
            assert instance.lmtp_socket.stat().st_uid == instance.lmtp_socket.parent.stat().st_uid != 0
        finally:
            instance.stop()
    instance.remove()


def _a_child(pid: int) -> int:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(children[0])


@pytest.fixture
def clean(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_PID", "LISTEN_FDS"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def test_nobody_to_tell(clean: pytest.MonkeyPatch) -> None:
    notifier = systemd.Notifier.from_environment()
    notifier.ready("x")
    assert notifier.alive(0.0) is None
    clean.setenv("NOTIFY_SOCKET", "relative")
    clean.setenv("WATCHDOG_USEC", "1000000")
    assert systemd.Notifier.from_environment().alive(0.0) is None
    assert "WATCHDOG_USEC" not in os.environ


def test_another_process_is_watched(clean: pytest.MonkeyPatch, tmp_path: Path) -> None:
    clean.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    clean.setenv("WATCHDOG_USEC", "1000000")
    clean.setenv("WATCHDOG_PID", "1")
    assert systemd.Notifier.from_environment().alive(0.0) is None


def test_a_manager_that_went_away_harms_nobody(clean: pytest.MonkeyPatch, tmp_path: Path) -> None:
    clean.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    systemd.Notifier.from_environment().ready("x")


@pytest.mark.parametrize(("pid", "number"), [("1", "1"), ("", "1"), (None, "x"), (None, "-1"), (None, "0")])
def test_sockets_that_are_for_others(clean: pytest.MonkeyPatch, pid: str | None, number: str) -> None:
    clean.setenv("LISTEN_PID", str(os.getpid()) if pid is None else pid)
    clean.setenv("LISTEN_FDS", number)
    assert systemd.take_sockets() == []
    assert "LISTEN_FDS" not in os.environ


def test_a_handed_socket_of_ipv6_is_taken_without_complaint(monkeypatch: pytest.MonkeyPatch) -> None:
    complaints: list[str] = []
    monkeypatch.setattr(listen, "write", lambda _priority, text: complaints.append(text))
    bound = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        bound.bind(("::1", 0))
    except OSError:
        pytest.skip("this machine has no IPv6")
    text = f'SERVICES {{\n imap cmd="imapd" listen="[::1]:{bound.getsockname()[1]}"\n}}\n'
    (entry,) = conf.section(text.encode(), "SERVICES", "cyrus.conf")
    opened = listen.open_all(conf.service(entry), listen.How(5, 0, errors_are_fatal=False, handed=(bound,)))
    assert [(name, sock.getsockname()) for name, sock in opened] == [("ipv6", bound.getsockname())]
    assert complaints == []
    for sock in (bound, opened[0][1]):
        sock.close()
