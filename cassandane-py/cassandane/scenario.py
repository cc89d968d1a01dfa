"""Scenarios: the same cyrus.conf and the same events under the original's master and under ours.

A scenario is a function that makes things happen on a ``Stage`` and returns what it saw, as a dictionary of
plain data. It plays on both masters at once; what was seen must be equal, but for differences that the test
lists with both values. Always seen, too, is what master logs (all but what is for debugging) and how it ends.

A scenario must not leave a client waiting for a service without workers: the original's master, told to end,
would wake up for that client over and over and never hear of its children's deaths.

Nothing waits for a time to pass. ``Stage.sync`` sends master a message and waits until it was taken in; what
master had to do because of something earlier is done then.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import signal
import socket
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil

from cassandane.instance import DEADLINE, wait_for
from cassandane.labmaster import LabClient, LabMaster
from libcyrus.base.master_protocol import POOL_FD

Seen = dict[str, Any]
Play = Callable[["Stage"], Seen]
Differences = Mapping[str, tuple[Any, Any]]
"""What is seen of the original, and of ours, by the name under which it was noted."""

PROGRAMS = ("plain", "lab")
"""For ``{program}``: a process for each worker, or under our master a pool."""

_PROBE = '\n  probe cmd="{plain}" listen="{port4}"\n'
_PROBE_PORT = 3
_UNKNOWN_MESSAGE = 99
_OWN_MESSAGE = f"unrecognized message {_UNKNOWN_MESSAGE:#x}"
_INFO = 6


class Stage:
    """One master in a scenario."""

    def __init__(self, lab: LabMaster) -> None:
        self.lab = lab
        self._guests: list[Guest] = []
        self._probe: Guest | None = None
        self._told = 0

    # clients

    def client(self, port: int = 0) -> Guest:
        """Who is being served."""
        return self.crowd(1, port)[0]

    def crowd(self, number: int, port: int = 0) -> list[Guest]:
        """Several, who all came before the first was served."""
        guests = self.waiting(number, port)
        for guest in guests:
            guest.pid = guest.line.greeting()
        return guests

    def waiting(self, number: int, port: int = 0) -> list[Guest]:
        """Several who are connected, and perhaps served later."""
        return [self._guest(self.lab.client(port)) for _ in range(number)]

    def _guest(self, line: LabClient) -> Guest:
        # nobody goes before the end because a scenario did not keep him
        self._guests.append(Guest(line))
        return self._guests[-1]

    def guest_at(self, address: tuple[str, int] | str) -> Guest:
        """Who is being served at another address, or on a UNIX socket."""
        guest = self._guest(LabClient(address))
        guest.pid = guest.line.greeting()
        return guest

    def fill(self, path: str) -> int:
        """Connect to a UNIX socket until its queue is full; how many could."""
        with contextlib.ExitStack() as stack:
            for number in itertools.count():
                sock = stack.enter_context(socket.socket(socket.AF_UNIX))
                sock.setblocking(False)
                try:
                    sock.connect(path)
                except BlockingIOError:
                    return number
        raise AssertionError

    # processes

    def workers(self, name: str = "svc") -> list[int]:
        """The processes of a service, without those that only fork others."""
        found = []
        for process in self._descendants():
            with contextlib.suppress(psutil.Error):
                if process.environ().get("CYRUS_SERVICE") == name and not _is_pool_parent(process):
                    found.append(process.pid)
        return found

    def settle(self, number: int, name: str = "svc") -> int:
        """Wait until the service has so many workers, and see whether it stays at that."""
        what = f"not {number} workers"
        wait_for(lambda: len(self.workers(name)) == number, what, detail=self._describe(name))
        return self.count(name)

    def count(self, name: str = "svc") -> int:
        """How many workers there are when master has nothing left to do."""
        seen = [-1, len(self.workers(name))]
        while seen[-1] != seen[-2]:
            self.sync()
            seen.append(len(self.workers(name)))
        return seen[-1]

    def gone(self, *pids: int) -> None:
        """Wait until these processes are dead and buried."""
        wait_for(lambda: not any(map(psutil.pid_exists, pids)), f"{pids} live on", detail=self.lab.describe)

    # what master knows and says

    def sync(self) -> None:
        """Have master go through its loop twice."""
        if self._probe is None:
            self._probe = self.client(_PROBE_PORT)
        self._tell(self._probe)
        self._tell(self._probe)

    def ready(self, guest: Guest, name: str = "svc") -> int:
        """How many idle workers master believes this guest's service to have; it must run with ``-v``."""
        self.sync()
        self._tell(guest)
        lines = rf"service {name}/\w+ pid {guest.pid}: Software bug: .*\n.* now has (-?\d+) ready workers"
        wait_for(lambda: re.search(lines, self._log()), "not said", detail=self.lab.describe)
        return int(re.findall(lines, self._log())[-1])

    def _tell(self, guest: Guest) -> None:
        self._told += 1
        guest.ask(f"tell {_UNKNOWN_MESSAGE}")
        self.lab.wait_for_log(_OWN_MESSAGE, self._told)

    def _log(self) -> str:
        return self.lab.log_text()

    def said(self, pattern: str = "", *, level: int = 7) -> list[str]:
        """Lines of master's log, without what is another in each run."""
        lines = []
        for line in self._log().splitlines():
            found = re.match(r"\w+ +\d+ [\d:]+ (?:\w+/)?master(?:\[\d+\])?: <(\d)> (.*)", line)
            if not found or int(found[1]) > level or "probe/" in line or _OWN_MESSAGE in line:
                continue
            if re.search(pattern, found[2]):
                lines.append(self.masked(found[2]))
        return lines

    def complaints_in_order(self) -> list[str]:
        """The same, as often as it was said."""
        return self.said(level=_INFO)

    def complaints(self) -> list[str]:
        """What master has logged so far, all but what is for debugging, each line once."""
        return sorted(set(self.said(level=_INFO)))

    def reload(self, sections: str | None = None) -> None:
        """SIGHUP, after cyrus.conf was written anew.

        Services are given the time to learn of the signal; else it would kill them.
        """
        self.sync()
        wait_for(self._are_prepared, "unprepared", detail=self.lab.describe)
        if sections is not None:
            self.lab.write(with_probe(sections))
        done = self._log().count("Services reconfigured")
        self.lab.signal(signal.SIGHUP)
        self.lab.wait_for_log("Services reconfigured", done + 1)

    def masked(self, text: str) -> str:
        """Without numbers of processes and ports, times, and the directory."""
        text = re.sub(r"\b(pid:? ?|child )\d+", r"\1N", text)
        for place, port in enumerate(self.lab.ports):
            text = re.sub(rf"\b{port}\b", f"PORT{place}", text)
        text = text.replace(str(self.lab.directory), "DIR")
        text = re.sub(r"path:\S+", "path:PROGRAM", text)
        return re.sub(r"age:[\d.]+s", "age:T", text)

    def report(self, name: str) -> Any:
        """The surroundings that ``plain -s`` wrote into a file of this name."""
        path = Path(self.path(name))
        wait_for(path.exists, f"no {name}", detail=self.lab.describe)
        return self.surroundings(path.read_text())

    def surroundings(self, text: str) -> Any:
        return json.loads(self.masked(text))

    def path(self, name: str) -> str:
        """A file that processes may write."""
        return str(self.lab.directory / "conf" / name)

    def end(self, number: int = signal.SIGTERM) -> Seen:
        """End master; its exit code, its last word, and the command lines of who is left."""
        process = self.lab.process
        complaints = self.complaints()
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(number)
        code = process.wait(DEADLINE)
        with contextlib.suppress(AssertionError):
            wait_for(lambda: not self.lab.processes(), "", deadline=2)
        left = [" ".join(one.cmdline()[3:]) for one in self.lab.processes()]
        last = (self.said(level=_INFO) or [""])[-1]
        return {
            "log": complaints,
            "exit code": code,
            "last word": last,
            "left behind": sorted(map(self.masked, left)),
        }

    def _are_prepared(self) -> bool:
        """Whether no process would die of a SIGHUP, be it that master has only just forked it."""
        own = psutil.Process(self.lab.pid).cmdline()
        for process in self._descendants():
            with contextlib.suppress(psutil.Error):
                if process.cmdline() == own:
                    return False
        return all(map(_catches_hangup, self._services()))

    def _services(self) -> list[int]:
        found = []
        for process in self._descendants():
            with contextlib.suppress(psutil.Error):
                environment = process.environ()
                if "CYRUS_SERVICE" in environment and "CYRUS_ISDAEMON" not in environment:
                    found.append(process.pid)
        return found

    def _descendants(self) -> list[psutil.Process]:
        try:
            return psutil.Process(self.lab.pid).children(recursive=True)
        except psutil.Error:
            return []

    def _describe(self, name: str) -> Callable[[], str]:
        return lambda: f"{self.lab.kind}: {self.workers(name)}\n{self.lab.describe()}"


class Guest:
    """A client; ``pid`` is who serves it."""

    def __init__(self, line: LabClient) -> None:
        self.line = line
        self.pid = 0
        self.ask, self.send, self.quit = line.ask, line.send, line.quit


def _catches_hangup(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return True  # it is gone
    caught = re.search(r"^SigCgt:\s*(\w+)", status, re.MULTILINE)
    return caught is None or bool(int(caught[1], 16) >> (signal.SIGHUP - 1) & 1)


def _is_pool_parent(process: psutil.Process) -> bool:
    """Whether it has still the pair by which master gives its orders; a worker closes it at once."""
    if "CYRUS_POOL_FD" not in process.environ():
        return False
    try:
        return os.readlink(f"/proc/{process.pid}/fd/{POOL_FD}").startswith("socket:")
    except OSError:
        return False


def with_probe(sections: str) -> str:
    if "SERVICES {" not in sections:
        sections += "SERVICES {\n}\n"
    return sections.replace("SERVICES {", "SERVICES {" + _PROBE, 1)


def play(
    conf: str,
    scenario: Play,
    *,
    program: str = "plain",
    options: tuple[str, ...] = ("-v",),
    imapd_conf: Mapping[str, str] | None = None,
    differences: Differences | None = None,
    start: bool = True,
) -> Seen:
    """Play on both; what was seen of the original. Raises AssertionError where ours differs.

    Without ``start`` the scenario starts its master itself.
    """
    conf = conf.replace("{program}", f"{{{program}}}")

    def perform(kind: str) -> Seen:
        lab = LabMaster(with_probe(conf), master=kind, imapd_conf=imapd_conf)
        try:
            if start:
                lab.start(*options)
            stage = Stage(lab)
            seen = scenario(stage)
            seen.setdefault("log", stage.complaints())
            return seen if "exit code" in seen else {**stage.end(), **seen}
        except AssertionError as error:
            raise AssertionError(f"under {kind}: {error}") from error
        finally:
            lab.cleanup()

    with ThreadPoolExecutor(2) as both:
        theirs, ours = both.map(perform, ("reference", "ours"))
    listed = dict(differences or {})
    for name in theirs:
        pair = theirs[name], ours[name]
        assert pair == listed.get(name, (theirs[name], theirs[name])), f"{name}: {pair[0]} but ours {pair[1]}"
    assert not listed.keys() - theirs.keys()
    return theirs
