"""What the system shows of the server's processes, beside the original's."""

from __future__ import annotations

import os
import pwd
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from cassandane.instance import Instance, program, wait_for

SHOWN = ("Max core file size", "Max open files", "Max processes", "Max address space", "Max locked memory")


@pytest.fixture(params=["ours", "reference"])
def kind(request: pytest.FixtureRequest) -> str:
    chosen: str = request.param
    return chosen


@pytest.fixture
def server(kind: str) -> Iterator[Instance]:
    """Under limits that are nobody's defaults."""
    made = Instance(services=("imap", "lmtp"), prefork=1)
    made.use(master=kind, programs=kind)
    made.wrapper = ("prlimit", "--core=4096:8192", "--nofile=600:700")
    made.start()
    try:
        yield made
    except BaseException:
        made.kill()
        raise
    made.stop()
    made.remove()


def facts(pid: int) -> tuple[str, bool, list[list[str]]]:
    """Short name, whether it may leave a core (its files in /proc are its own then), and its limits."""
    place = Path("/proc", str(pid))
    limits = [line.split() for line in (place / "limits").read_text().splitlines() if line.startswith(SHOWN)]
    status = (place / "status").read_text()
    uid = int(status.partition("\nUid:")[2].split()[0])
    return (place / "comm").read_text().strip(), os.stat(place / "environ").st_uid == uid, limits


@pytest.mark.reference
def test_names_and_limits_are_those_of_the_original(server: Instance) -> None:
    """ps, pgrep and killall go by the names; what core files may be is left as master was started with."""
    with server.imap("admin"):
        found = [facts(process.pid) for process in server.processes()]
    assert {name for name, _, _ in found} == {"master", "imapd", "lmtpd"}
    inherited = {"core": ["4096", "8192"], "open": ["600", "700"]}
    for name, dumpable, limits in found:
        for line in limits:
            if line[1] in inherited:
                assert line[-3:-1] == inherited[line[1]], (name, line)
        # who changed its user leaves no core until it runs another program
        assert dumpable == (name != "master" or os.geteuid() != 0)


def sessions(place: Path) -> list[Path]:
    return [path for path in place.iterdir() if "\tadmin\t" in path.read_text()]


@pytest.mark.reference
@pytest.mark.parametrize("programs", ["ours", "reference"])
def test_what_the_dead_left_behind_is_removed(programs: str) -> None:
    """Their proc files, of which the original's workers take care only while they live."""
    made = Instance(services=("imap",), programs={"imap": programs})
    place = made.directory / "conf/proc"
    nobody = (made.directory / "conf/proc/2147483646", made.directory / "conf/proc/2147483647.new")
    alive = place / str(os.getpid())
    for path in (*nobody, alive):
        path.write_text("imap\there\tbob\t\t\n")
    made.start()
    try:
        assert alive.exists() and not any(path.exists() for path in nobody)
        alive.unlink()
        with made.imap("admin"):
            wait_for(lambda: sessions(place), "no session is told of")
            (session,) = sessions(place)
            os.kill(int(session.name), signal.SIGKILL)
            wait_for(lambda: not session.exists(), "a dead session is left", detail=made.describe)
            assert b" admin " not in made.run("cyr_info", "proc").stdout
    except BaseException:
        made.kill()
        raise
    made.stop(check=False)
    made.remove()


def test_every_program_goes_by_its_own_name(tmp_path: Path) -> None:
    """A program that waits for its input can be looked at."""
    (tmp_path / "imapd.conf").write_text(f"configdirectory: {tmp_path}\npartition-default: {tmp_path}\n")
    environment = {**os.environ, "CYRUS_USER": pwd.getpwuid(os.geteuid()).pw_name}
    words = ("-C", f"{tmp_path}/imapd.conf", f"{tmp_path}/x.db", "flat", "batch")
    command = [program("ours", "cyr_dbtool"), *words]
    with subprocess.Popen(command, stdin=subprocess.PIPE, env=environment) as process:
        comm = Path("/proc", str(process.pid), "comm")
        wait_for(lambda: comm.read_text() == "cyr_dbtool\n", "it has another name", detail=comm.read_text)
        assert process.stdin is not None
        process.stdin.close()


def private_kilobytes(pid: int) -> int:
    text = Path("/proc", str(pid), "smaps_rollup").read_text()
    return int(text.partition("Private_Dirty:")[2].split()[0])


def test_workers_born_after_the_rehearsal_share_more_with_their_parent() -> None:
    """The first three are born at once, so that they need not wait for it; nobody hears of it."""
    made = Instance(services=("imap",), prefork=1)
    made.start()
    try:
        clients = []
        for number in range(6):
            client = made.imap(f"user{number}")
            client.ok('LIST "" *')
            clients.append(client)
        (parent,) = [
            one for one in made.processes() if one.parent() and one.name() == "imapd" and one.children()
        ]
        workers = sorted(parent.children(), key=lambda one: one.create_time())
        early, late = private_kilobytes(workers[0].pid), private_kilobytes(workers[4].pid)
        assert late < 0.9 * early
        assert not [line for line in made.log_lines() if "rehears" in line]
        for client in clients:
            client.close()
    except BaseException:
        made.kill()
        raise
    made.stop()
    made.remove()
