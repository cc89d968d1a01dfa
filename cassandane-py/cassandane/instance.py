"""A private server: its own directory, ports, configuration, master and log.

Every service may be ours or the original's (``programs={"imap": "reference"}``),
under either master, so that one spool can be served by both at once.
"""

from __future__ import annotations

import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from cassandane import reference
from cassandane.clients import ImapClient, LmtpClient
from cassandane.ports import free_port
from imap.admin.private_instance import make_certificate

TOP = Path(__file__).resolve().parents[2]
DEADLINE = 30.0
"""Seconds within which a server starts, answers and stops."""

HARDENED = (
    sys.executable,
    "-c",
    "import ctypes, os, sys; ctypes.CDLL(None).prctl(65, 1, 0, 0, 0); os.execv(sys.argv[1], sys.argv[1:])",
)
"""A wrapper after which no memory can be writable and executable (PR_SET_MDWE), as systemd's unit has it."""

_SERVICES = {
    # A digit behind the name makes another service of the kind: imap2, lmtp2.
    "imap": ("imapd",),
    "imaps": ("imapd", "-s"),
    "lmtp": ("lmtpd", "-a"),
    "lmtpunix": ("lmtpd",),
    "lmtpauth": ("lmtpd",),
    "lmtps": ("lmtpd", "-s"),
    "pop3": ("pop3d",),
    "nntp": ("nntpd",),
    "sieve": ("timsieved",),
    "csync": ("sync_server",),
    "mupdate": ("mupdate", "-m"),
    "http": ("httpd",),
    "https": ("httpd", "-s"),
    "pop3s": ("pop3d", "-s"),
    "nntps": ("nntpd", "-s"),
    "notify": ("notifyd",),
}
_UNIX_SOCKETS = {"lmtpunix": "conf/socket/lmtp", "notify": "conf/socket/notify"}
_SILENT = ("imaps", "lmtps", "http", "https", "pop3s", "nntps")
"""Services that wait for the client to speak first."""
_DIRECTORIES = ("conf", "conf/socket", "conf/db", "conf/log", "conf/msg", "conf/proc", "spool", "tmp")
_BAD_LOG_LINE = re.compile(r"IOERROR|DBERROR|Traceback|Fatal|lock order violated|\]: <[012]> ")


def _program_of(service: str) -> tuple[str, ...]:
    return _SERVICES.get(service) or _SERVICES[service.rstrip("0123456789")]


class Instance:
    def __init__(
        self,
        directory: Path | None = None,
        *,
        imapd_conf: Mapping[str, str] | None = None,
        programs: Mapping[str, str] | None = None,
        master: str = "ours",
        services: Sequence[str] = ("imap", "lmtp", "lmtpunix"),
        prefork: int = 0,
        start: Sequence[str] = (),
        tls: bool = False,
    ) -> None:
        self.directory = directory = directory or make_directory()
        self.programs = {**dict.fromkeys(services, "ours"), **(programs or {})}
        self.master = master
        self.services = tuple(services)
        self.prefork = prefork
        self.start_lines = tuple(start)
        self.allowed_log: list[str] = []
        self.wrapper: tuple[str, ...] = ()
        """A command that runs the master given behind it, in a place of its own."""
        self.log = directory / "log"
        self.config = directory / "imapd.conf"
        self.cyrus_conf = directory / "cyrus.conf"
        self.pidfile = directory / "master.pid"
        self.ports: dict[str, int] = {name: free_port() for name in services if name not in _UNIX_SOCKETS}
        self.lmtp_socket = directory / _UNIX_SOCKETS["lmtpunix"]
        self.ours = TOP / "bin"
        """The directory of our programs."""
        self._process: subprocess.Popen[bytes] | None = None
        # the original dies if another server makes this directory just before it does
        shared = ("spool/stage.",) if len({*self.programs.values()}) > 1 else ()
        for name in (*_DIRECTORIES, *shared):
            (directory / name).mkdir(parents=True, exist_ok=True)
            give_away(directory / name)
        self.settings = self._default_settings()
        if tls or {"imaps", "https", "pop3s", "nntps"} & set(services):
            self.settings |= make_certificate(directory)
            give_away(directory / "key.pem")
        self.settings |= dict(imapd_conf or {})
        self.log.touch()
        give_away(self.log)
        self.write_configuration()

    # configuration

    def _default_settings(self) -> dict[str, str]:
        return {
            "configdirectory": str(self.directory / "conf"),
            "defaultpartition": "default",
            "partition-default": str(self.directory / "spool"),
            "sievedir": str(self.directory / "conf/sieve"),
            "temp_path": str(self.directory / "tmp"),
            "cyrus_user": service_user().pw_name,
            "admins": "admin",
            "servername": "mail.example.org",
            "sasl_pwcheck_method": "alwaystrue",
            "sasl_mech_list": "PLAIN LOGIN",
            "allowplaintext": "yes",
            "unixhierarchysep": "yes",
            "virtdomains": "no",
        }

    def write_configuration(self) -> None:
        """Write imapd.conf and cyrus.conf anew from ``settings`` and ``services``."""
        lines = [f"{key}: {value}\n" for key, value in self.settings.items()]
        self.config.write_text("".join(lines))
        self.cyrus_conf.write_text(self._cyrus_conf_text())

    def _cyrus_conf_text(self) -> str:
        recover = f"recover cmd=\"{self.command(self.master, 'ctl_cyrusdb', '-r')}\""
        lines = ["START {", "  " + recover]
        lines += ["  " + line for line in self.start_lines]
        lines += ["}", "SERVICES {"]
        for name in self.services:
            command = self.command(self.programs[name], *_program_of(name))
            listen = f"127.0.0.1:{self.ports[name]}" if name in self.ports else self._socket(name)
            # the one process of notifyd takes datagrams
            how = "proto=udp prefork=1" if name == "notify" else f"prefork={self.prefork}"
            lines.append(f'  {name} cmd="{command}" listen="{listen}" {how}')
        lines += ["}", "EVENTS {", "}", ""]
        return "\n".join(lines)

    def _socket(self, name: str) -> str:
        return str(self.directory / _UNIX_SOCKETS[name])

    def program(self, kind: str, name: str) -> str:
        return program(kind, name) if kind == "reference" else str(self.ours / name)

    def command(self, kind: str, name: str, *arguments: str) -> str:
        return " ".join([self.program(kind, name), "-C", str(self.config), *arguments])

    def use(self, *, master: str, programs: str) -> None:
        """From the next start on, run ``master`` and all services of these kinds."""
        self.master = master
        self.programs = dict.fromkeys(self.services, programs)
        self.write_configuration()

    # life

    def start(self) -> Instance:
        """Start master in the foreground and wait until each service accepts."""
        arguments = [
            *self.wrapper, self.program(self.master, "master"), "-D", "-C", str(self.config),
            "-M", str(self.cyrus_conf), "-p", str(self.pidfile), "-l", "256",
        ]
        with open(self.directory / "master.out", "ab") as out:
            self._process = subprocess.Popen(
                arguments, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=self.environment(),
                cwd=self.directory, start_new_session=True,
            )
        wait_for(self._is_up, "master did not start", detail=self.describe)
        return self

    def _is_up(self) -> bool:
        if self._process is None or self._process.poll() is not None:
            raise AssertionError(f"master ended early\n{self.describe()}")
        if not self.pidfile.exists():
            return False
        kinds = {name: name.rstrip("0123456789") for name in self.ports}
        return all(_accepts(port, greets=kinds[name] not in _SILENT) for name, port in self.ports.items())

    def stop(self, *, check: bool = True) -> None:
        """SIGTERM to master; nothing may survive, and the log must be clean."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(DEADLINE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._kill_leftovers()
            raise AssertionError(f"master ignores SIGTERM\n{self.describe()}") from None
        finally:
            self._process = None
        try:
            wait_for(lambda: not self.processes(), "processes survive master")
        except AssertionError:
            left = [" ".join(process.cmdline()) for process in self.processes()]
            self._kill_leftovers()
            if check:
                raise AssertionError(f"processes survive master: {left}\n{self.describe()}") from None
        if check:
            self.check_log()

    def kill(self) -> None:
        """End everything at once, as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        self._kill_leftovers()

    def processes(self) -> list[psutil.Process]:
        """Living processes of this instance, master included."""
        found = []
        for process in psutil.process_iter(["cmdline", "status"]):
            words = process.info["cmdline"] or []
            alive = process.info["status"] != psutil.STATUS_ZOMBIE
            if alive and str(self.config) in words and process.pid != os.getpid():
                found.append(process)
        return found

    def _kill_leftovers(self) -> None:
        for process in self.processes():
            try:
                process.kill()
            except psutil.NoSuchProcess:
                pass

    def check_log(self) -> None:
        bad = [line for line in self.log_lines() if _BAD_LOG_LINE.search(line)]
        bad = [line for line in bad if not any(re.search(good, line) for good in self.allowed_log)]
        assert not bad, "the server logged:\n" + "\n".join(bad) + "\n" + self.describe()

    def log_lines(self) -> list[str]:
        return self.log.read_text(errors="replace").splitlines() if self.log.exists() else []

    def describe(self) -> str:
        """The log's end and what master printed, for a failing test."""
        printed = self.directory / "master.out"
        text = printed.read_text(errors="replace")[-3000:] if printed.exists() else ""
        return "--- log\n" + "\n".join(self.log_lines()[-60:]) + "\n--- printed\n" + text

    # use

    def environment(self) -> dict[str, str]:
        kinds = {self.master, *self.programs.values()}
        base = reference.environment() if "reference" in kinds else dict(os.environ)
        return captured(base, self.log)

    def run(
        self,
        name: str,
        *arguments: str,
        kind: str = "ours",
        stdin: bytes = b"",
        check: bool = True,
    ) -> subprocess.CompletedProcess[bytes]:
        """Run an administrator's program on this instance."""
        command = [self.program(kind, name), "-C", str(self.config), *arguments]
        environment = reference.environment() if kind == "reference" else self.environment()
        done = subprocess.run(
            command, input=stdin, capture_output=True, env=environment, cwd=self.directory, timeout=120
        )
        if check and done.returncode:
            output = (done.stdout + done.stderr).decode(errors="replace")
            raise AssertionError(f"{name} {arguments} exited {done.returncode}\n{output}\n{self.describe()}")
        return done

    def imap(self, user: str | None = None, *, service: str = "imap") -> ImapClient:
        """A client that has read the greeting, and logged in if ``user`` is given."""
        client = ImapClient(("127.0.0.1", self.ports[service]), tls=service == "imaps")
        if user is not None:
            client.ok(f"LOGIN {user} secret")
        return client

    def lmtp(self, *, service: str = "lmtp") -> LmtpClient:
        return LmtpClient(("127.0.0.1", self.ports[service]))

    def create_user(self, name: str, *folders: str) -> None:
        """Make the user's INBOX, and folders under it, as the administrator."""
        separator = "/" if self.settings.get("unixhierarchysep") == "yes" else "."
        with self.imap("admin") as admin:
            for parts in [("user", name), *(("user", name, folder) for folder in folders)]:
                admin.ok(f"CREATE {separator.join(parts)}")

    def remove(self) -> None:
        shutil.rmtree(self.directory, ignore_errors=True)


def captured(environment: Mapping[str, str], log: Path) -> dict[str, str]:
    """The environment, changed so that our programs log into this file."""
    capture = TOP / "cassandane-py/capture"
    path = f"{capture}/bin:{environment.get('PATH', os.defpath)}"
    return {**environment, "PATH": path, "PYTHONPATH": str(capture), "CYRUS_TEST_LOG": str(log)}


def service_user() -> pwd.struct_passwd:
    """Who the servers run as: whoever runs the tests, or ``nobody`` if that is root."""
    return pwd.getpwuid(os.geteuid()) if os.geteuid() else pwd.getpwnam("nobody")


def make_directory() -> Path:
    """A fresh directory that the servers' user can reach and owns."""
    directory = Path(tempfile.mkdtemp(prefix="cyrus-test-"))
    directory.chmod(0o755)
    give_away(directory)
    return directory


def give_away(path: Path) -> None:
    """Make the servers' user own ``path``."""
    user = service_user()
    if os.geteuid() != user.pw_uid:
        os.chown(path, user.pw_uid, user.pw_gid)


def program(kind: str, name: str) -> str:
    """The path of one of our programs, or of the original's."""
    return reference.program(name) if kind == "reference" else str(TOP / "bin" / name)


def wait_for(condition: object, what: str, *, detail: object = None, deadline: float = DEADLINE) -> None:
    """Poll ``condition()`` until it is true; AssertionError with ``what`` at the deadline."""
    assert callable(condition)
    end = time.monotonic() + deadline
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"{what}\n{detail() if callable(detail) else ''}")
        time.sleep(0.02)


def _accepts(port: int, *, greets: bool) -> bool:
    """Whether the port is open and, unless TLS comes first, its service speaks."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=DEADLINE) as probe:
            return bool(probe.recv(1)) if greets else True
    except OSError:
        return False
