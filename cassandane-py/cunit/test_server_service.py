"""The parts of a service that need no master: command line, signals, proc files, log lines."""

from __future__ import annotations

import errno
import logging
import os
import select
import signal
import socket
import syslog
from collections.abc import Iterator
from pathlib import Path

import pytest

from libcyrus.base import signals as signals_module
from libcyrus.base import systemlog, xlog
from libcyrus.base.getopt import getopt, number
from libcyrus.base.signals import ShutdownRequested, Signals
from libcyrus.config import Config
from libcyrus.errors import Fatal
from libcyrus.server import proc, service
from libcyrus.server.connection import Connection
from libcyrus.server.worker import Limits

# command lines


@pytest.mark.parametrize(
    ("words", "options", "operands", "understood"),
    [
        ([], [], [], True),
        (["-a"], [("a", "")], [], True),
        (["-ab", "1"], [("a", ""), ("b", "1")], [], True),
        (["-b1"], [("b", "1")], [], True),
        (["-b", "-a"], [("b", "-a")], [], True),
        (["x", "-a", "y"], [("a", "")], ["x", "y"], True),
        (["-a", "--", "-b"], [("a", "")], ["-b"], True),
        (["-"], [], ["-"], True),
        (["-x", "-a"], [("a", "")], [], False),
        (["-b"], [], [], False),
        (["-:"], [], [], False),
    ],
)
def test_getopt(
    words: list[str], options: list[tuple[str, str]], operands: list[str], understood: bool
) -> None:
    assert getopt(words, "ab:", "prog") == (options, operands, understood)


@pytest.mark.parametrize(
    ("text", "value"), [("12", 12), ("-3x", -3), (" +4", 4), ("", 0), ("x", 0), ("-", 0), ("007", 7)]
)
def test_number(text: str, value: int) -> None:
    assert number(text) == value


@pytest.mark.parametrize(
    ("words", "uses", "idle", "file", "rest"),
    [
        ([], 250, 60, None, []),
        (["-C", "file", "-s"], 250, 60, "file", ["-s"]),
        (["-U", "3", "-T", "0"], 3, 0, None, []),
        (["-U", "-3", "-T", "x"], 0, 0, None, []),
        (["-p", "2", "-C", "f", "operand"], 250, 60, "f", ["-p", "2", "operand"]),
        (["-s", "-a"], 250, 60, None, ["-s", "-a"]),
        (["--", "-C", "f"], 250, 60, None, ["-C", "f"]),
        (["-C"], 250, 60, None, ["-C"]),
    ],
)
def test_the_services_options_are_taken_out(
    words: list[str], uses: int, idle: int, file: str | None, rest: list[str]
) -> None:
    line = service._parse(words)
    assert (line.limits, line.config_file, line.rest) == (Limits(uses, idle), file, rest)


@pytest.mark.parametrize("word", ["-Cfile", "-sa", "--foo", "-U5"])
def test_merged_options_are_a_usage_error(word: str) -> None:
    with pytest.raises(Fatal, match="MUST be separated by whitespace") as caught:
        service._parse([word])
    assert caught.value.code == os.EX_USAGE


def test_idle_times_differ_but_within_bounds() -> None:
    seconds = {Limits(1, 60).spread_idle() for _ in range(200)}
    assert len(seconds) > 1
    assert min(seconds) >= 60
    assert max(seconds) < 120
    assert Limits(1, 0).spread_idle() == 0


# signals


@pytest.fixture
def noted() -> Iterator[Signals]:
    numbers = [*signals_module._NOTED, signal.SIGPIPE]
    before = {number: signal.getsignal(number) for number in numbers}
    made = Signals()
    made.install()
    yield made
    signal.set_wakeup_fd(-1)
    for one, handler in before.items():
        signal.signal(one, handler)


def is_awake(noted: Signals) -> bool:
    return bool(select.select([noted.wakeup_fd], [], [], 0)[0])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_a_terminating_signal_is_raised_once_where_asked(noted: Signals, number: int) -> None:
    assert noted.poll() == 0
    os.kill(os.getpid(), number)
    assert is_awake(noted)
    with pytest.raises(ShutdownRequested):
        noted.poll()
    assert noted.poll() == 0
    assert not is_awake(noted)


def test_a_hangup_stays_and_an_alarm_can_be_forgotten(noted: Signals) -> None:
    os.kill(os.getpid(), signal.SIGALRM)
    assert noted.poll() == signal.SIGALRM
    noted.forget(signal.SIGALRM)
    assert noted.poll() == 0
    os.kill(os.getpid(), signal.SIGHUP)
    assert noted.poll() == noted.poll() == signal.SIGHUP
    assert not is_awake(noted)


def test_cancelling_is_seen_once(noted: Signals) -> None:
    os.kill(os.getpid(), signal.SIGUSR2)
    assert noted.poll() == 0
    assert (noted.cancelled(), noted.cancelled()) == (True, False)
    assert not is_awake(noted)


def test_a_forked_child_loses_no_signal(noted: Signals) -> None:
    """Each child is told to end as early as can be, and must notice."""
    for _ in range(50):
        pid = signals_module.fork()
        if not pid:
            noted.renew()
            signals_module.unblock()
            select.select([noted.wakeup_fd], [], [], 20)
            try:
                noted.poll()
            except ShutdownRequested:
                os._exit(75)
            os._exit(1)
        os.kill(pid, signal.SIGTERM)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 75


# proc files


def test_ps_shows_what_a_process_does_where_it_can(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the original's form, from the module of that name if it is there."""
    shown: list[str] = []
    monkeypatch.setattr(proc, "_title", shown.append)
    own = proc.ProcFile(str(tmp_path))
    own.register("imap", "here [::1]")
    own.register("imap", "here [::1]", "joe", "user.joe", "Fetch")
    own.register("imap", "here [::1]", "joe", "user.joe", "Fetch")
    own.cleanup()
    assert shown == ["imap: here [::1]   ", "imap: here [::1] joe user.joe Fetch"]


def test_proc_files_say_what_was_registered(tmp_path: Path) -> None:
    directory = tmp_path / "a/proc"
    own = proc.ProcFile(str(directory))
    own.register("imap", "host [1.2.3.4]")
    (entry,) = proc.foreach(str(directory))
    assert entry == proc.ProcEntry(os.getpid(), "imap", "host [1.2.3.4]", "", "", "")
    path = directory / str(os.getpid())
    before = path.stat().st_ino
    own.register("imap", "host [1.2.3.4]")
    assert path.stat().st_ino == before
    own.register("imap", "host [1.2.3.4]", "us\udce4r", "user.a", "Fetch")
    assert path.read_bytes() == b"imap\thost [1.2.3.4]\tus\xe4r\tuser.a\tFetch\n"
    own.cleanup()
    own.cleanup()
    assert list(proc.foreach(str(directory))) == []


@pytest.mark.parametrize(
    ("content", "fields"),
    [
        ("imap\thost\n", ("imap", "host", None, None, None)),
        ("imap\thost\tu\r\n", ("imap", "host", "u", None, None)),
        ("imap\thost\tu\tm\tc\td\n", ("imap", "host", "u", "m", "c\td")),
        ("imap\thost", ("imap", "host", None, None, None)),
    ],
)
def test_short_proc_files_are_read(
    tmp_path: Path, content: str, fields: tuple[str | None, ...]
) -> None:
    (tmp_path / "77").write_bytes(content.encode())
    (entry,) = proc.foreach(str(tmp_path))
    assert (entry.service, entry.host, entry.user, entry.mailbox, entry.command) == fields


def test_what_is_no_proc_file_is_passed_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name in ("1.new", ".x", "abc", "0", "5"):
        (tmp_path / name).touch()
    (tmp_path / "9").mkdir()
    assert list(proc.foreach(str(tmp_path))) == []
    assert len([line for line in caplog.messages if "bogus filename" in line]) == 2
    assert list(proc.foreach(str(tmp_path / "none"))) == []


def test_proc_path(tmp_path: Path) -> None:
    assert proc.directory(Config.for_tests(configdirectory=str(tmp_path))) == f"{tmp_path}/proc"
    assert proc.directory(Config.for_tests(configdirectory="/c", proc_path="/run/p")) == "/run/p"
    for bad in ("relative", "/"):
        with pytest.raises(Fatal):
            proc.directory(Config.for_tests(configdirectory="/c", proc_path=bad))


def test_a_proc_file_that_cannot_be_written_is_fatal(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Fatal):
        proc.ProcFile(str(tmp_path / "file/proc")).register("imap", "host")


# connections and log lines


def test_who_is_there() -> None:
    ours, theirs = socket.socketpair()
    connection = Connection(ours)
    assert connection.client.host == "[unix socket]"
    assert connection.client is connection.client
    theirs.close()
    ours.close()


def test_xsyslog_has_the_fixed_form(caplog: pytest.LogCaptureFixture) -> None:
    log = logging.getLogger("test.xlog")
    error = OSError(errno.ENOENT, "x")
    caplog.set_level(logging.DEBUG)
    xlog.xsyslog(log, logging.ERROR, "IOERROR: opening index", error, mailbox="user.a", uid=5)
    xlog.xsyslog(log, logging.INFO, "something happened", mailbox=None)
    xlog.xsyslog(log, xlog.NOTICE, "bare")
    xlog.ioerror(log, "renaming", error, fname="/a b")
    end = "syserror=<No such file or directory> func=<test_xsyslog_has_the_fixed_form>"
    assert caplog.messages == [
        f"IOERROR: opening index: mailbox=<user.a> uid=<5> {end}",
        "something happened: mailbox=<>",
        "bare:",
        f"IOERROR: renaming: fname=</a b> {end}",
    ]


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("plain", "plain"),
        ("zwölf", "zwölf"),
        ("a\nb\0c", "a#012b#000c"),
        ("\udcff", "\\xff"),
        ("a\tb", "a\tb"),
    ],
)
def test_any_text_can_be_logged(monkeypatch: pytest.MonkeyPatch, text: str, written: str) -> None:
    lines = []
    monkeypatch.setattr(syslog, "syslog", lambda priority, line: lines.append((priority, line)))
    systemlog.write(syslog.LOG_INFO, text)
    assert lines == [(syslog.LOG_INFO, written)]
