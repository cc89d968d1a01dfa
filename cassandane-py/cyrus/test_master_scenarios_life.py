"""master beside the original's: what its children are born with, START, EVENTS, DAEMON, beginning and end."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pwd
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from cassandane.instance import service_user, wait_for
from cassandane.labmaster import exists, services
from cassandane.scenario import PROGRAMS, Seen, Stage, play

pytestmark = pytest.mark.reference

each_program = pytest.mark.parametrize("program", PROGRAMS)


# what children are born with

CHILDREN = """START {
  first cmd="{plain} -s {directory}/conf/start -f 0"
}
SERVICES {
  svc cmd="{plain} -o word" listen="{port}" maxfds=77
  unix cmd="{plain}" listen="{unix}"
}
EVENTS {
  now cmd="{plain} -s {directory}/conf/event -f 0"
}
DAEMON {
  waited cmd="{plain} -s {directory}/conf/waited -r" wait=y maxfds=99
  free cmd="{plain} -s {directory}/conf/free -w" maxfds=88
}
"""


def test_children_are_born_alike() -> None:
    def scenario(stage: Stage) -> Seen:
        unix = stage.guest_at(stage.lab.unix)
        seen = {"svc": stage.surroundings(stage.client().ask("surroundings"))}
        seen["unix"] = stage.surroundings(unix.ask("surroundings"))
        for name in ("start", "event", "waited", "free"):
            seen[name] = stage.report(name)
        del seen["svc"]["backlog"]
        # the original leaves the signals blocked that it blocks itself: its events outlive it
        seen["event's blocked signals"] = seen["event"]["status"].pop("SigBlk")
        # and its START commands have the file open that it is reading
        seen["start's cyrus.conf"] = "DIR/cyrus.conf" in seen["start"]["descriptors"].values()
        seen["start"]["descriptors"].pop("7", None)
        # and makes sockets as root, which a root without all capabilities cannot do in others' directories
        seen["socket"] = Path(stage.lab.unix).owner()
        return seen

    differences = {
        "event's blocked signals": (["0000000000014006"], ["0000000000000000"]),
        "start's cyrus.conf": (True, False),
        "socket": (pwd.getpwuid(os.geteuid()).pw_name, service_user().pw_name),
    }
    seen = play(CHILDREN, scenario, differences=differences)
    assert seen["svc"]["environment"] == {"CYRUS_ID": "0", "CYRUS_SERVICE": "svc"}
    assert seen["svc"]["limits"]["RLIMIT_NOFILE"][0] == 77
    assert seen["free"]["limits"]["RLIMIT_NOFILE"][0] == 88
    assert seen["waited"]["limits"]["RLIMIT_NOFILE"][0] == 99
    assert set(seen["svc"]["descriptors"]) == {str(fd) for fd in range(8)}
    assert seen["free"]["environment"]["CYRUS_ISDAEMON"] == "1"


@pytest.mark.parametrize("limit", ["0", "1024", "-1", "-7", "99999999", "x"])
def test_limits_of_descriptors(limit: str) -> None:
    def scenario(stage: Stage) -> Seen:
        return {"limit": stage.client().ask("limit")}

    seen = play(services(f'svc cmd="{{plain}}" listen="{{port}}" maxfds={limit}'), scenario)
    assert int(seen["limit"]) > 0


# START


def test_start_runs_to_its_end_in_order() -> None:
    def scenario(stage: Stage) -> Seen:
        stage.client()
        return {"ran": ran(stage), "said": stage.said("type:START")}

    conf = (
        'START {\n one cmd="{plain} -n {directory}/conf/ran -o one -f 0"\n'
        ' two cmd="{plain} -n {directory}/conf/ran -o two -f 75"\n}\n'
        'START {\n three cmd="{plain} -n {directory}/conf/ran -o three -f 0"\n}\n' + services(SVC)
    )
    seen = play(conf, scenario)
    assert seen["ran"] == ["-o one -f 0", "-o two -f 75"]  # only the first section counts


@pytest.mark.parametrize("code", [1, -9, -15])
def test_a_start_that_fails_ends_master_and_nothing_was_served(code: int) -> None:
    def scenario(stage: Stage) -> Seen:
        exit_code = stage.lab.run("-D")
        return {"exit code": exit_code, "ran": ran(stage), "left": len(stage.lab.processes())}

    conf = (
        f'START {{\n one cmd="{{plain}} -n {{directory}}/conf/ran -o one -f {code}"\n'
        ' two cmd="{plain} -n {directory}/conf/ran -o two -f 0"\n}\n' + services(SVC)
    )
    seen = play(conf, scenario, start=False)
    assert seen["exit code"] == 1
    assert seen["log"][0] == "can't run startup"


# EVENTS


def test_events_run_at_once_and_the_last_in_the_file_first() -> None:
    def scenario(stage: Stage) -> Seen:
        wait_for(lambda: len(ran(stage)) == 3, "not run", detail=stage.lab.describe)
        stage.sync()
        pids = {line.split()[-1]: int(line.split()[0]) for line in lines(stage)}
        stage.reload()
        wait_for(lambda: len(ran(stage)) == 6, "not run again", detail=stage.lab.describe)
        return {
            "order": sorted(pids, key=lambda name: pids[name]),
            "ran": sorted(ran(stage)),
            "said": sorted(set(stage.said("type:EVENT"))),
        }

    event = '{name} cmd="{plain} -n {directory}/conf/ran -f 0 -o {name}" {more}\n'
    conf = "EVENTS {\n" + "".join(
        event.replace("{name}", name).replace("{more}", more)
        for name, more in (("once", ""), ("often", "period=5"), ("bad", "at=2460"))
    )
    seen = play(conf + "}\n", scenario)
    assert set(seen["order"]) == {"once", "often", "bad"}


def test_an_event_for_a_time_of_the_day_waits() -> None:
    def scenario(stage: Stage) -> Seen:
        wait_for(lambda: len(ran(stage)) == 1, "not run", detail=stage.lab.describe)
        stage.sync()
        return {"ran": ran(stage)}

    conf = (
        "EVENTS {\n"
        ' later cmd="{plain} -n {directory}/conf/ran -o later -f 0" at={another_hour}\n'
        ' now cmd="{plain} -n {directory}/conf/ran -o now -f 0"\n}\n'
    )
    hour = (time.localtime().tm_hour + 12) % 24
    seen = play(conf.replace("{another_hour}", f"{hour:02}30"), scenario)
    assert seen["ran"] == ["-o now -f 0"]


def test_events_that_fail_or_cannot_run_are_only_logged() -> None:
    def scenario(stage: Stage) -> Seen:
        stage.lab.wait_for_log("type:EVENT", 3)
        return {}

    conf = (
        'EVENTS {\n three cmd="{plain} -f 3"\n nine cmd="{plain} -f -9"\n none cmd="/nowhere/none"\n}\n'
    )
    seen = play(conf, scenario)
    assert len(seen["log"]) == 4, seen


# DAEMON


@pytest.mark.parametrize("wait", ["n", "y"])
def test_a_daemon_that_dies_is_started_again(wait: str) -> None:
    def scenario(stage: Stage) -> Seen:
        pids = [pid_of(stage, 1)]
        for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGHUP):
            os.kill(pids[-1], number)
            pids.append(pid_of(stage, len(pids) + 1))
        said = without_group(stage)
        stage.reload()
        pids.append(pid_of(stage, len(pids) + 1))
        again = stage.report("daemon")
        return {
            "pids": len(set(pids)),
            "group": again.pop("group"),
            "again": again,
            "log": said,
            "running": [exists(pid) for pid in pids],
        }

    option = "-r" if wait == "y" else "-w"
    conf = (
        f'DAEMON {{\n daemon cmd="{{plain}} -n {{directory}}/conf/ran -s {{directory}}/conf/daemon {option}"'
        f" wait={wait}\n}}\n"
    )
    group = {"y": ("master's", "own"), "n": ("master's", "master's")}[wait]
    seen = play(conf, scenario, differences={"group": group})
    assert seen["running"] == [False] * 4 + [True]


@pytest.mark.parametrize("wait", ["n", "y"])
def test_a_daemon_that_fails_again_and_again(wait: str) -> None:
    def scenario(stage: Stage) -> Seen:
        for turn in range(1, 6):
            os.kill(pid_of(stage, turn), signal.SIGKILL)
        words = "is repeatedly failing" if wait == "y" else "disabling until next SIGHUP"
        stage.lab.wait_for_log(words)
        if wait == "y":
            pid_of(stage, 6)
        stage.sync()
        seen: Seen = {"ran": len(lines(stage)), "log": without_group(stage)}
        stage.reload()
        pid_of(stage, seen["ran"] + 1)
        return seen

    option = "-r" if wait == "y" else "-w"
    conf = f'DAEMON {{\n daemon cmd="{{plain}} -n {{directory}}/conf/ran {option}" wait={wait}\n}}\n'
    seen = play(conf, scenario)
    assert seen["ran"] == (6 if wait == "y" else 5)


def test_waited_for_daemons_come_first_and_go_last() -> None:
    def scenario(stage: Stage) -> Seen:
        stage.client()
        stage.settle(1)
        seen = {"ran": ran(stage)}
        stage.end()
        seen["end"] = stage.said("waiting for|of (one|two)/", level=5)
        return seen | {"exit code": stage.lab.process.returncode}

    conf = (
        'DAEMON {\n one cmd="{plain} -n {directory}/conf/ran -o one -r" wait=y\n'
        ' two cmd="{plain} -n {directory}/conf/ran -o two -r" wait=y\n}\n' + services(SVC)
    )
    seen = play(conf, scenario)
    assert seen["ran"] == ["-o one -r", "-o two -r"]
    assert len(seen["end"]) == 4


@pytest.mark.parametrize("command", ["-f 0", "-f 3", "-w -f 0"])
def test_a_daemon_that_never_gets_ready_ends_master(command: str) -> None:
    if command.startswith("-w"):
        command = "-n /nowhere/none -w"

    def scenario(stage: Stage) -> Seen:
        code = stage.lab.run("-D")
        wait_for(lambda: not stage.lab.processes(), "survivors", detail=stage.lab.describe)
        said = [line.rsplit(" fd 3", 1)[0] for line in stage.complaints()]
        return {"exit code": code, "log": [line for line in said if "type:" not in line]}

    conf = (
        'DAEMON {\n good cmd="{plain} -r" wait=y\n' + f' bad cmd="{{plain}} {command}" wait=y\n}}\n'
        + services(SVC)
    )
    seen = play(conf, scenario, start=False)
    assert seen["exit code"] == 78


# the end


@each_program
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGQUIT, signal.SIGINT])
def test_a_signal_ends_everything(program: str, number: int) -> None:
    def scenario(stage: Stage) -> Seen:
        stage.settle(2)
        guests = stage.crowd(2)
        stage.settle(4)
        stage.sync()
        seen = stage.end(number)
        seen["told"] = [guest.line.line() for guest in guests]
        seen["refused"] = is_refused(stage)
        seen["pidfile"] = stage.lab.pidfile.exists()
        return seen

    seen = play(services('svc cmd="{program}" listen="{port}" prefork=2'), scenario, program=program)
    assert (seen["exit code"], seen["left behind"], seen["told"]) == (0, [], ["bye", "bye"])


def test_other_signals_end_master_alone() -> None:
    """SIGUSR1, SIGUSR2 and SIGALRM: only the last is known."""

    def scenario(stage: Stage) -> Seen:
        guest = stage.client()
        stage.lab.signal(signal.SIGALRM)
        stage.sync()
        seen: Seen = {"log": stage.complaints()}
        stage.lab.signal(signal.SIGUSR1)
        seen["exit code"] = stage.lab.process.wait(30)
        seen["orphan"] = guest.ask("uses"), exists(guest.pid)
        return seen

    seen = play(services(SVC), scenario)
    assert seen["exit code"] == -signal.SIGUSR1
    assert seen["orphan"] == ("1", True)


def test_a_killed_master_leaves_those_who_are_served() -> None:
    """Our workers leave when they are idle and nobody is there to hear them, so that the port gets free."""

    def scenario(stage: Stage) -> Seen:
        stage.settle(2)
        guest = stage.client()
        stage.settle(3)
        left = stage.workers()
        stage.lab.process.kill()
        stage.lab.process.wait(30)
        idle = [pid for pid in left if pid != guest.pid]
        wait_for(lambda: not any(map(exists, idle)), "idle orphans stay", detail=stage.lab.describe)
        seen: Seen = {"served": guest.ask("uses"), "exit code": stage.lab.process.returncode}
        guest.quit()
        wait_for(lambda: not exists(guest.pid), "the orphan stays", detail=stage.lab.describe)
        wait_for(lambda: is_refused(stage), "somebody listens", detail=stage.lab.describe)
        return seen | {"log": [], "another": stage.lab.start().has_logged("ready for work", 2)}

    conf = services('svc cmd="{lab}" listen="{port}" prefork=2')
    assert play(conf, scenario)["served"] == "1"


# pidfile, lock, options


def test_in_the_background() -> None:
    def scenario(stage: Stage) -> Seen:
        lab = stage.lab
        lab.pidfile.write_text("a very long line from before\n")
        seen: Seen = {"start": lab.run("-d")}
        pid = lab.pid
        try:
            lab.wait_for_log("ready for work")
            seen["content"] = lab.pidfile.read_text() == f"{pid}\n"
            seen["mode"] = oct(lab.pidfile.stat().st_mode & 0o777)
            seen["lock file"] = Path(f"{lab.pidfile}.lock").exists()
            seen["session"] = os.getsid(pid) == pid, os.getpgid(pid) == pid
            seen["directory"] = stage.masked(os.readlink(f"/proc/{pid}/cwd"))
            seen["descriptors"] = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in range(5)]
            seen["another"] = lab.run("-d"), lab.run("-D")
            seen["served"] = stage.client().ask("uses")
            seen["still"] = lab.pid == pid and exists(pid)
            seen["log"] = [line for line in stage.complaints() if "startup parent pipe" not in line]
        finally:
            os.kill(pid, signal.SIGTERM)
            wait_for(lambda: not lab.processes(), "survivors", detail=lab.describe)
        return seen | {"exit code": 0}

    seen = play(services(SVC), scenario, start=False)
    assert (seen["start"], seen["another"], seen["content"]) == (0, (71, 71), True)


def test_a_pidfile_that_cannot_be_had() -> None:
    def scenario(stage: Stage) -> Seen:
        lab = stage.lab
        codes: list[Any] = []
        lab.pidfile.mkdir()
        codes += [lab.run("-D"), lab.run("-d")]
        lab.pidfile.rmdir()
        with open(lab.pidfile, "w") as file:
            fcntl.lockf(file, fcntl.LOCK_EX)
            codes += [lab.run("-D"), lab.run("-d")]
        with open(f"{lab.pidfile}.lock", "w") as file:
            fcntl.lockf(file, fcntl.LOCK_EX)
            codes += [lab.run("-d")]
        return {"exit code": codes, "log": [], "left": len(lab.processes())}

    seen = play(services(SVC), scenario, start=False)
    assert seen["exit code"] == [71, 71, 71, 71, 75]


OPTIONS = [
    ("-l", "1"), ("-l", "x"), ("-j", "7"), ("-j", "0"), ("-j", "x"), ("-P",), ("-z",), ("word",),
    ("-L", "{directory}/conf/errors"), ("-L", "/nowhere/errors"), ("-C", "/nowhere"), ("-M", "/nowhere"),
    ("-p", "/nowhere/pid"), ("-d",), ("-j",),
]  # fmt: skip


@pytest.mark.parametrize("options", OPTIONS, ids=" ".join)
def test_options(options: tuple[str, ...]) -> None:
    def scenario(stage: Stage) -> Seen:
        given = [option.replace("{directory}", str(stage.lab.directory)) for option in options]
        process = stage.lab.popen("-D", *given)

        def decided() -> bool:
            return process.poll() is not None or stage.lab.has_logged("ready for work")

        wait_for(decided, "nothing", detail=stage.lab.describe)
        runs = process.poll() is None
        seen: Seen = {"runs": runs}
        if runs:
            seen["served"] = stage.client().ask("uses")
            seen["descriptors"] = [
                stage.masked(os.readlink(f"/proc/{process.pid}/fd/{fd}")).replace("out", "conf/errors")
                for fd in (1, 2)
            ]
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        seen["exit code"] = process.wait(30)
        ignored = ("unable to", "exiting") if "-p" in options else ()
        seen["log"] = [line for line in stage.complaints() if not line.startswith(ignored)]
        return seen

    play(services(SVC), scenario, start=False)


def test_the_queue_of_connections_is_as_long_as_asked() -> None:
    """A UNIX socket that nobody serves takes one more than the backlog; then it is full.

    Who does not ask for a length has a longer one with ours, as long as the system allows.
    """

    def scenario(stage: Stage) -> Seen:
        guest = stage.guest_at(stage.lab.unix)
        seen = {"queued": stage.fill(stage.lab.unix)}
        guest.quit()

        def is_served() -> bool:
            try:
                stage.guest_at(stage.lab.unix)
            except BlockingIOError:
                return False  # there is a queue still
            return True

        wait_for(is_served, "the queue stays", detail=stage.lab.describe)
        return seen

    def by_default(stage: Stage) -> Seen:
        return {"backlog": stage.surroundings(stage.client().ask("surroundings"))["backlog"]}

    conf = services('svc cmd="{plain} -U 100" listen="{unix}" maxchild=1')
    assert play(conf, scenario, options=("-v", "-l", "5"))["queued"] == 6
    allowed = int(Path("/proc/sys/net/core/somaxconn").read_text())
    differences = {"backlog": (32, min(4096, allowed))}
    play(services(SVC), by_default, differences=differences)


# statistics


def test_statistics_for_prometheus() -> None:
    def scenario(stage: Stage) -> Seen:
        stage.settle(2)
        guests = stage.crowd(2)
        guests[0].send("exit 3")
        stage.gone(guests[0].pid)
        stage.settle(3)
        path = Path(stage.path("stats/master.txt"))
        svc = '{service="svc",family="ipv4"}'
        expected = (f"forks_total{svc} 4 ", f"active_children{svc} 3 ")

        def is_up_to_date() -> bool:
            return path.exists() and all(one in path.read_text() for one in expected)

        wait_for(is_up_to_date, "no statistics", detail=stage.lab.describe)
        text = [line.split() for line in path.read_text().splitlines() if "probe" not in line]
        rate = "cyrus_master_forks_per_second{"
        return {
            "comments": [words for words in text if words[0] == "#"],
            "names": [words[0] for words in text if words[0] != "#"],
            "values": [words[1] for words in text if words[0] != "#" and not words[0].startswith(rate)],
            "mode": oct(path.stat().st_mode & 0o777),
            "stamps": {len(words[2]) for words in text if words[0] != "#"},
        }

    conf = services(
        'svc cmd="{plain}" listen="{port}" prefork=2 maxchild=9 maxforkrate=50\n'
        'idle cmd="{plain}" listen="{unix}"'
    ) + 'DAEMON {\n waited cmd="{plain} -r" wait=y\n free cmd="{plain} -w"\n}\n'
    play(conf, scenario, imapd_conf={"prometheus_enabled": "yes", "prometheus_update_freq": "1s"})


@pytest.mark.long
def test_who_does_not_react_to_a_reload_is_named() -> None:
    """After half a minute, once."""

    def scenario(stage: Stage) -> Seen:
        guest = stage.client()
        stage.reload()
        wait_for(
            lambda: stage.lab.has_logged("has not yet been recycled"), "not said", deadline=45,
            detail=stage.lab.describe,
        )  # fmt: skip
        return {"served": guest.ask("uses"), "said": stage.said("recycled")}

    assert len(play(services(SVC), scenario)["said"]) == 1


SVC = 'svc cmd="{plain}" listen="{port}"'


def without_group(stage: Stage) -> list[str]:
    """The log, where the original complains that a daemon can join no process group without members.

    Ours founds another one.
    """
    return [line for line in stage.complaints() if "unable to set pgid" not in line]


def lines(stage: Stage) -> list[str]:
    path = Path(stage.path("ran"))
    return path.read_text().splitlines() if path.exists() else []


def ran(stage: Stage) -> list[str]:
    """What processes with ``-n`` were started with."""
    return [line.split(" ", 3)[3] for line in lines(stage)]


def pid_of(stage: Stage, turn: int) -> int:
    """The process that was started as the ``turn``-th, from 1."""
    wait_for(lambda: len(lines(stage)) >= turn, f"not started {turn} times", detail=stage.lab.describe)
    return int(lines(stage)[turn - 1].split()[0])


def is_refused(stage: Stage, port: int = 0) -> bool:
    try:
        stage.lab.connect(port).close()
    except ConnectionRefusedError:
        return True
    return False
