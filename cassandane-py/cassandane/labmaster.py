"""A master that runs the lab daemon: for tests of master itself, which need no mail."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psutil

from cassandane import devlog, plain, reference
from cassandane.instance import (
    DEADLINE,
    TOP,
    captured,
    give_away,
    make_directory,
    service_user,
    wait_for,
)
from cassandane.instance import program as path_of
from cassandane.ports import free_port

_LAUNCHER = """#!/usr/bin/env python3
import sys
sys.path[:0] = ["", {launchers!r}, {harness!r}]
sys.path.append({directory!r})
from launch import run
run("cassandane.lab")
"""


class LabClient:
    """One conversation with the lab daemon, greeted already."""

    def __init__(self, address: tuple[str, int] | str) -> None:
        family = socket.AF_UNIX
        if not isinstance(address, str):
            family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        self.socket.settimeout(DEADLINE)
        self.socket.connect(address)
        self._file = self.socket.makefile("rwb")

    def greeting(self) -> int:
        """The pid in the greeting, which is waited for."""
        words = self.line().split()
        assert words[:1] == ["hello"], words
        return int(words[1])

    def line(self) -> str:
        return self._file.readline().decode().rstrip("\r\n")

    def send(self, command: str) -> None:
        self._file.write(command.encode() + b"\r\n")
        self._file.flush()

    def ask(self, command: str) -> str:
        self.send(command)
        return self.line()

    def quit(self) -> None:
        """End the conversation and wait until the worker has ended it too."""
        with contextlib.suppress(OSError):
            self.send("quit")
            while self._file.readline():
                pass
        self.close()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._file.close()
        self.socket.close()


class LabMaster:
    """Start it with the sections of a cyrus.conf; ``{lab}``, ``{port}`` and the like are filled in."""

    def __init__(
        self, conf: str, *, master: str = "ours", imapd_conf: Mapping[str, str] | None = None
    ) -> None:
        self.directory = make_directory()
        self.kind = master
        self.program = ""  # instead of the master of this kind
        self.ports = [free_port() for _ in range(4)]
        self.log = self.directory / "log"
        self.config = self.directory / "imapd.conf"
        self.cyrus_conf = self.directory / "cyrus.conf"
        self.pidfile = self.directory / "master.pid"
        self.unix = str(self.directory / "conf/socket/lab")
        for name in ("conf", "conf/socket", "conf/proc", "spool"):
            (self.directory / name).mkdir()
            give_away(self.directory / name)
        self.log.touch()
        give_away(self.log)
        settings = {
            "configdirectory": str(self.directory / "conf"),
            "partition-default": str(self.directory / "spool"),
            "defaultpartition": "default",
            "cyrus_user": service_user().pw_name,
            "debug": "yes",
            **(imapd_conf or {}),
        }
        self.config.write_text("".join(f"{key}: {value}\n" for key, value in settings.items()))
        self.launcher = self.directory / "lab"
        self.launcher.write_text(
            _LAUNCHER.format(
                launchers=str(TOP / "bin"), harness=str(TOP / "cassandane-py"), directory=str(self.directory)
            )
        )
        self.launcher.chmod(0o755)
        self.write(conf)
        self._process: subprocess.Popen[bytes] | None = None
        # the original logs where every program does
        self._syslog = self.directory / "syslog"
        self._receiver = devlog.Receiver(self._syslog, self.log) if master == "reference" else None

    def write(self, conf: str) -> None:
        """Write cyrus.conf anew."""
        names = {
            "{lab}": f"{self.launcher} -C {self.config}",
            "{plain}": f"/usr/bin/env python3 -IS {plain.__file__}",
            "{port}": f"127.0.0.1:{self.ports[0]}",
            "{port2}": f"127.0.0.1:{self.ports[1]}",
            "{port3}": f"127.0.0.1:{self.ports[2]}",
            "{port4}": f"127.0.0.1:{self.ports[3]}",
            "{unix}": self.unix,
            "{config}": str(self.config),
            "{directory}": str(self.directory),
        }
        for name, value in names.items():
            conf = conf.replace(name, value)
        self.cyrus_conf.write_text(conf)

    def script(self, name: str, text: str) -> str:
        """An executable file of the test's own; its path."""
        path = self.directory / name
        path.write_text(text)
        path.chmod(0o755)
        return str(path)

    def arguments(self, *more: str) -> list[str]:
        return [
            self.program or path_of(self.kind, "master"), "-C", str(self.config), "-M", str(self.cyrus_conf),
            "-p", str(self.pidfile), *more,
        ]  # fmt: skip

    def environment(self) -> dict[str, str]:
        base = reference.environment() if self.kind == "reference" else dict(os.environ)
        return {**captured(base, self.log), "LAB_VARIABLE": "passed on"}

    def start(self, *more: str) -> LabMaster:
        """In the foreground; returns when its sockets are open."""
        self._process = self.popen("-D", *more)
        wait_for(self._is_up, "master did not start", detail=self.describe)
        return self

    def start_quietly(self) -> None:
        """The same for one whose log has no debug lines; a service listens on the first port."""
        self._process = self.popen("-D")
        client = self.client()
        client.greeting()
        client.quit()

    def run(self, *more: str) -> int:
        """Run master until it exits by itself; its exit code."""
        return self.popen(*more).wait(DEADLINE)

    def popen(self, *more: str) -> subprocess.Popen[bytes]:
        arguments = self.arguments(*more)
        if self._receiver is not None:
            arguments = [sys.executable, devlog.__file__, str(self._syslog), *arguments]
        with open(self.directory / "out", "ab") as out:
            return subprocess.Popen(
                arguments, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                env=self.environment(), cwd=self.directory, start_new_session=True,
            )  # fmt: skip

    def _is_up(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise AssertionError(f"master ended\n{self.describe()}")
        return self.has_logged("ready for work")

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """Master, if it was started in the foreground."""
        assert self._process is not None
        return self._process

    @property
    def pid(self) -> int:
        return int(self.pidfile.read_text())

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def connect(self, port: int = 0) -> LabClient:
        return LabClient(("127.0.0.1", self.ports[port]))

    def client(self, port: int = 0) -> LabClient:
        """A greeted client; waits for the port to open."""
        client: list[LabClient] = []

        def connected() -> bool:
            try:
                client.append(self.connect(port))
            except OSError:
                return False
            return True

        wait_for(connected, "nobody listens", detail=self.describe)
        return client[0]

    def processes(self) -> list[psutil.Process]:
        """Every process of this instance but master, zombies too."""
        found = []
        for process in psutil.process_iter(["cmdline", "environ", "status"]):
            environment = process.info["environ"] or {}
            if environment.get("CYRUS_TEST_LOG") == str(self.log):
                found.append(process)
        return found

    def zombies(self) -> list[int]:
        """Children of master that are dead and not collected."""
        children = psutil.Process(self.pid).children(recursive=True)
        return [one.pid for one in children if one.status() == psutil.STATUS_ZOMBIE]

    def log_text(self) -> str:
        """All that was logged so far."""
        if self._receiver is not None:
            self._receiver.flush()
        return self.log.read_text(errors="replace")

    def has_logged(self, text: str, count: int = 1) -> bool:
        return self.log_text().count(text) >= count

    def wait_for_log(self, text: str, count: int = 1) -> None:
        wait_for(lambda: self.has_logged(text, count), f"not logged: {text}", detail=self.describe)

    def describe(self) -> str:
        out = self.directory / "out"
        return self.log_text()[-6000:] + (out.read_text() if out.exists() else "")

    def stop(self) -> None:
        """SIGTERM; everything must be gone."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        code = self._process.wait(DEADLINE)
        self._process = None
        wait_for(lambda: not self.processes(), "processes survive", detail=self.describe)
        assert code == 0, self.describe()

    def cleanup(self) -> None:
        """Whatever happened: no process and no directory stays."""
        for process in self.processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        if self._process is not None:
            self._process.wait(DEADLINE)
        if self._receiver is not None:
            self._receiver.close()
        subprocess.run(["rm", "-rf", str(self.directory)], check=False)


def exists(pid: int) -> bool:
    """Whether the process lives."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def parent_of(pid: int) -> int:
    return psutil.Process(pid).ppid()


Make = Callable[..., LabMaster]


@contextmanager
def masters() -> Iterator[Make]:
    """A function that builds masters; at the end they are stopped and must leave nothing behind."""
    made: list[LabMaster] = []

    def build(conf: str, **more: Any) -> LabMaster:
        made.append(LabMaster(conf, **more))
        return made[-1]

    try:
        yield build
        for one in made:
            one.stop()
    finally:
        for one in made:
            one.cleanup()


def services(text: str) -> str:
    return f"SERVICES {{\n{text}\n}}\n"


LAB = services('lab cmd="{lab}" listen="{port}" prefork=2')


def greeted(master: LabMaster, port: int = 0) -> tuple[LabClient, int]:
    client = master.client(port)
    return client, client.greeting()
