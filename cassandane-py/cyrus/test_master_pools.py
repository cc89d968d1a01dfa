"""Pools at their edges: parents and workers that die, forks that fail, slow and new programs, bursts."""

from __future__ import annotations

import contextlib
import os
import resource
import selectors
import signal
import socket
from collections.abc import Iterator

import psutil
import pytest

from cassandane.instance import TOP, wait_for
from cassandane.labmaster import LabClient, LabMaster, Make, exists, greeted, masters, parent_of, services


@pytest.fixture
def make() -> Iterator[Make]:
    with masters() as build:
        yield build


# deaths


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM, signal.SIGHUP])
def test_nobody_is_lost_with_a_pool_parent(make: Make, number: int) -> None:
    master = make(services('lab cmd="{lab}" listen="{port}" prefork=1')).start()
    served: list[tuple[LabClient, int]] = []
    parents = set()
    for _ in range(3):
        parent = master.pid
        while parent == master.pid:  # who lost the parent is master's own
            served.append(greeted(master))
            parent = parent_of(served[-1][1])
        parents.add(parent)
        waiting = [master.connect() for _ in range(2)]
        os.kill(parent, number)
        waiting += [master.connect() for _ in range(2)]
        for client, _ in served:
            assert client.ask("uses").isdigit()
        for client in waiting:
            client.greeting()
            client.quit()
        wait_for(lambda parent=parent: not exists(parent), "the parent stays", detail=master.describe)
    assert len(parents) == 3
    assert {parent_of(pid) for _, pid in served} == {master.pid}
    for client, _ in served:
        client.quit()
    wait_for(lambda: not master.zombies(), "zombies", detail=master.describe)


@pytest.mark.parametrize(
    "command", ["exit 1", "kill 9", "kill 11", "kill 6", "bug", "fatal", "tell 1", "tell 99 1", "write 0102"]
)
def test_the_end_of_a_worker_is_nobody_elses(make: Make, command: str) -> None:
    master = make(services('lab cmd="{lab}" listen="{port}" prefork=1')).start()
    (one, first), (victim, pid), (other, second) = (greeted(master) for _ in range(3))
    late = master.connect()
    victim.send(command)
    if command.split()[0] in ("exit", "kill", "bug", "fatal"):
        wait_for(lambda: not exists(pid), "it lives", detail=master.describe)
    late.greeting()
    assert [one.ask("pid"), other.ask("pid")] == [str(first), str(second)]
    assert parent_of(first) == parent_of(second) != master.pid
    victim.quit()
    for client in (one, other, late):
        client.quit()


def test_all_workers_die_at_once(make: Make) -> None:
    master = make(services('lab cmd="{lab}" listen="{port}" prefork=3 maxchild=3')).start()
    clients = [greeted(master) for _ in range(3)]
    waiting = master.connect()
    for _, pid in clients:
        os.kill(pid, signal.SIGKILL)
    assert waiting.greeting() not in [pid for _, pid in clients]
    waiting.quit()


def test_a_frozen_worker_delays_only_its_own_client(make: Make) -> None:
    master = make(services('lab cmd="{lab}" listen="{port}" maxchild=2')).start()
    (frozen, pid), (other, _) = greeted(master), greeted(master)
    os.kill(pid, signal.SIGSTOP)
    other.quit()
    for _ in range(5):
        client, served_by = greeted(master)
        assert served_by != pid
        client.quit()
    os.kill(pid, signal.SIGCONT)
    assert frozen.ask("uses") == "1"
    frozen.quit()


# no process to be had


def test_a_pool_parent_that_cannot_fork_tries_again(make: Make) -> None:
    master = make(services('lab cmd="{lab} -x 2" listen="{port}" maxchild=3')).start()
    client, _ = greeted(master)
    assert master.has_logged("can't fork process to run service lab: Resource temporarily unavailable")
    others = [greeted(master) for _ in range(2)]
    waiting = master.connect()
    for other, _ in others:
        other.quit()
    waiting.greeting()
    waiting.quit()
    client.quit()
    assert len(workers(master)) == 4  # with their parent


FLAKY_MASTER = """#!/usr/bin/env python3
import errno, os, sys
sys.path[:0] = ["", {launchers!r}]
sys.path.append({top!r})
from libcyrus.base import signals
fork, left = signals.fork, [{times}]
def failing():
    left[0] -= 1
    if left[0] >= 0:
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))
    return fork()
signals.fork = failing
from launch import run
run("master.main")
"""


def test_a_master_that_cannot_fork_tries_again(make: Make) -> None:
    master = make(
        services('lab cmd="{lab}" listen="{port}"')
        + 'EVENTS {\n now cmd="/bin/echo once"\n}\nDAEMON {\n sleeper cmd="/bin/sleep 1000"\n}\n'
    )
    text = FLAKY_MASTER.format(launchers=str(TOP / "bin"), top=str(TOP), times=4)
    master.program = master.script("flaky", text)
    master.start()
    client, _ = greeted(master)
    assert client.ask("uses") == "1"
    master.wait_for_log("type:DAEMON", 0)
    wait_for(lambda: sleepers(master), "no daemon", detail=master.describe)
    assert master.has_logged("can't fork process to run event now: Resource temporarily unavailable")
    assert master.has_logged("can't fork process to run service sleeper/daemon: Resource")
    client.quit()


# programs that take their time


def test_clients_wait_for_a_program_that_is_still_loading(make: Make) -> None:
    master = make(services('lab cmd="{lab} -w {directory}/loaded" listen="{port}" prefork=2 maxchild=4'))
    master.start()
    waiting = [master.connect() for _ in range(8)]
    wait_for(lambda: workers(master), "nothing is started", detail=master.describe)
    assert len(workers(master)) == 1
    (master.directory / "loaded").touch()
    for client in waiting:
        client.greeting()
        client.quit()
    assert len({parent_of(pid) for pid in workers(master)} - {master.pid}) == 1


def test_one_that_loads_for_long_is_taken_for_a_plain_program_until_it_speaks(make: Make) -> None:
    master = make(services('lab cmd="{lab} -w {directory}/loaded" listen="{port}" prefork=3')).start()
    waiting = [master.connect() for _ in range(4)]
    wait_for(lambda: len(workers(master)) == 3, "still waits for the first", detail=master.describe)
    (master.directory / "loaded").touch()
    for client in waiting:
        client.greeting()
    for client in waiting:
        assert client.ask("uses") == "1"
        client.quit()
    client, _ = greeted(master)
    client.quit()
    assert not master.has_logged("<3>"), master.describe()


# new code and configuration


def test_reload_brings_new_code_and_configuration_to_new_workers(make: Make) -> None:
    master = make(services('lab cmd="{lab} -c servername" listen="{port}" prefork=1'))
    new_code(master, "old")
    master.start()
    old, old_pid = greeted(master)
    master.config.write_text(master.config.read_text() + "servername: new.example\n")
    new_code(master, "new")
    between, _ = greeted(master)
    assert between.ask("generation") == "old"  # only a reload says that the change is complete
    master.signal(signal.SIGHUP)
    master.wait_for_log("Services reconfigured")
    new, _ = greeted(master)
    assert (new.ask("generation"), new.ask("setting")) == ("new", "new.example")
    assert (old.ask("generation"), old.ask("pid")) == ("old", str(old_pid))
    assert old.ask("setting") != "new.example"
    for client in (old, between, new):
        client.quit()
    wait_for(lambda: not exists(old_pid), "the old worker stays", detail=master.describe)
    again, _ = greeted(master)
    assert again.ask("generation") == "new"
    again.quit()


def test_who_was_born_of_an_old_parent_after_a_reload_goes_at_once(make: Make) -> None:
    master = make(services('lab cmd="{lab}" listen="{port}" prefork=1'))
    new_code(master, "old")
    master.start()
    client, pid = greeted(master)
    wait_for(lambda: len(workers(master)) == 3, "no spare worker", detail=master.describe)
    parent = parent_of(pid)
    os.kill(parent, signal.SIGSTOP)
    other, _ = greeted(master)  # the parent shall fork for this, and cannot
    new_code(master, "new")
    master.signal(signal.SIGHUP)
    master.wait_for_log("Services reconfigured")
    os.kill(parent, signal.SIGCONT)
    wait_for(lambda: not exists(parent), "the old parent stays", detail=master.describe)
    for old in (client, other):
        assert old.ask("generation") == "old"
        old.quit()
    wait_for(lambda: len(workers(master)) == 2, "somebody old is left", detail=master.describe)
    client, _ = greeted(master)
    assert client.ask("generation") == "new"
    client.quit()


@pytest.mark.long
def test_a_pool_parent_that_hangs_is_replaced(make: Make) -> None:
    master = make(services('lab cmd="{lab}" listen="{port}"')).start()
    client, pid = greeted(master)
    os.kill(parent_of(pid), signal.SIGSTOP)
    other, _ = greeted(master)
    assert master.has_logged("does not fork, killing it")
    assert client.ask("uses") == "1"
    client.quit()
    other.quit()


def test_reload_of_broken_code_ends_no_conversation(make: Make) -> None:
    master = make(services('lab cmd="{lab}" listen="{port}" prefork=1'))
    new_code(master, "old")
    master.start()
    old, _ = greeted(master)
    (master.directory / "generation.py").write_text("NAME = (\n")
    master.signal(signal.SIGHUP)
    master.wait_for_log("too many failures for service lab/ipv4, disabling until next SIGHUP")
    assert master.has_logged("SyntaxError")
    assert old.ask("generation") == "old"
    new_code(master, "mended")
    master.signal(signal.SIGHUP)
    new, _ = greeted(master)
    assert (new.ask("generation"), old.ask("generation")) == ("mended", "old")
    for client in (old, new):
        client.quit()


def test_the_end_comes_while_a_program_loads(make: Make) -> None:
    master = make(services('lab cmd="{lab} -w {directory}/never" listen="{port}" prefork=1')).start()
    wait_for(lambda: workers(master), "nothing is started", detail=master.describe)
    waiting = master.connect()
    master.stop()
    assert is_turned_away(waiting)


def test_the_end_comes_though_clients_wait(make: Make) -> None:
    master = make(services('lab cmd="{lab}" listen="{port}" maxchild=1')).start()
    client, _ = greeted(master)
    waiting = [master.connect() for _ in range(3)]
    master.stop()
    assert client.line() == "bye"
    assert all(map(is_turned_away, waiting))


# bursts


def test_a_burst_of_five_thousand_is_queued_and_served(make: Make) -> None:
    number = 5000
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 2 * number)), hard))
    conf = services('lab cmd="{lab}" listen="{port}" prefork=5 maxchild=20')
    master = make(conf, imapd_conf={"debug": "no"})
    master.start_quietly()
    try:
        pids = burst(master.ports[0], number)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert len(pids) == number
    assert len(workers(master)) <= 21


def burst(port: int, number: int) -> list[int]:
    """Connect all before the first is looked after; the pids that greeted."""
    pids: list[int] = []
    with selectors.DefaultSelector() as selector, contextlib.ExitStack() as stack:
        for _ in range(number):
            opened = stack.enter_context(socket.socket())
            opened.setblocking(False)
            opened.connect_ex(("127.0.0.1", port))
            selector.register(opened, selectors.EVENT_WRITE)
        while selector.get_map():
            events = selector.select(60)
            assert events, f"{len(pids)} of {number} were served"
            for key, event in events:
                sock = key.fileobj
                assert isinstance(sock, socket.socket)
                if event & selectors.EVENT_WRITE:
                    assert not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                    sock.send(b"quit\r\n")
                    selector.modify(sock, selectors.EVENT_READ)
                else:
                    greeting = sock.recv(100)
                    assert greeting.startswith(b"hello ")
                    pids.append(int(greeting.split()[1]))
                    selector.unregister(sock)
                    sock.close()
    return pids


def new_code(master: LabMaster, name: str) -> None:
    """Replace a module of the program, as an upgrade does; what was compiled of the old one is stale."""
    path = master.directory / "generation.py"
    path.write_text(f"NAME = {name!r}\n")
    stamp = os.stat(path).st_mtime_ns + 10**9 * len(name)
    os.utime(path, ns=(stamp, stamp))


def is_turned_away(client: LabClient) -> bool:
    try:
        return client.line() == ""
    except ConnectionResetError:
        return True


def workers(master: LabMaster) -> list[int]:
    """All processes below master, pool parents too."""
    return [one.pid for one in psutil.Process(master.pid).children(recursive=True)]


def sleepers(master: LabMaster) -> list[int]:
    return [one.pid for one in psutil.Process(master.pid).children() if one.name() == "sleep"]
