"""master with the lab daemon: workers that die, and reloads."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator

import psutil
import pytest

from cassandane.instance import wait_for
from cassandane.labmaster import (
    LAB,
    Make,
    exists,
    greeted,
    masters,
    parent_of,
    services,
)


@pytest.fixture
def make() -> Iterator[Make]:
    with masters() as build:
        yield build


# deaths


@pytest.mark.parametrize(
    ("command", "line"),
    [
        ("exit 3", "exited, status 3"),
        ("exit 75", "was killed"),
        ("fatal", f"exited, status {os.EX_DATAERR}"),
        ("bug", f"exited, status {os.EX_SOFTWARE}"),
        ("kill 9", "signaled to death by signal 9 (Killed)"),
    ],
)
def test_a_worker_that_dies_at_work_is_replaced(make: Make, command: str, line: str) -> None:
    master = make(services('lab cmd="{lab}" listen="{port}" prefork=1 maxchild=1')).start()
    client, pid = greeted(master)
    client.send(command)
    master.wait_for_log(f"pid:{pid} {line}")
    assert master.has_logged(f"process type:SERVICE name:lab path:{master.launcher} age:")
    other, another = greeted(master)
    assert another != pid
    other.quit()
    if command == "bug":
        assert master.has_logged("ZeroDivisionError: a bug for the log")
    if command == "fatal":
        assert master.has_logged("Fatal error: told to")


def test_idle_workers_that_are_killed_are_replaced(make: Make) -> None:
    master = make(LAB).start()
    client, pid = greeted(master)
    parent = parent_of(pid)
    client.quit()
    killed = psutil.Process(parent).children()
    for child in killed:
        child.kill()
    client, pid = greeted(master)
    assert pid not in [child.pid for child in killed]
    client.quit()


def test_a_service_that_cannot_start_is_given_up_until_reload(make: Make) -> None:
    master = make(
        services('bad cmd="{lab} -f 3" listen="{port}" prefork=1\n good cmd="{lab}" listen="{port2}"')
    ).start()
    master.wait_for_log("too many failures for service bad/ipv4, disabling until next SIGHUP")
    assert master.has_logged("asked to fail", 5)
    wait_for(lambda: _is_refused(master.ports[0]), "somebody listens still")
    client, _ = greeted(master, 1)
    client.quit()
    master.write(services('bad cmd="{lab}" listen="{port}" prefork=1\n good cmd="{lab}" listen="{port2}"'))
    master.signal(signal.SIGHUP)
    client, _ = greeted(master, 0)
    client.quit()


def test_a_service_that_was_given_up_on_one_address_comes_back_on_it(make: Make) -> None:
    """Of two addresses, where the machine has both versions of the internet protocol; else of one."""
    master = make("")
    port = master.ports[0]
    broken = master.directory / "broken"
    broken.touch()
    master.script(
        "half", f'#!/bin/sh\n[ $CYRUS_ID = 0 ] && [ -e {broken} ] && exit 3\nexec {master.launcher} "$@"\n'
    )
    master.write(services(f'lab cmd="{{directory}}/half -C {{config}}" listen="{port}" prefork=1'))
    master.start()

    def others_answer() -> bool:
        for host in _LOOPBACK[1:]:
            with socket.create_connection((host, port)) as client:
                if client.recv(5) != b"hello":
                    return False
        return True

    master.wait_for_log("too many failures for service lab/ipv4")
    wait_for(lambda: _is_refused(port), "somebody listens still")
    assert others_answer()
    broken.unlink()
    master.signal(signal.SIGHUP)
    client, _ = greeted(master)
    assert client.ask("environment CYRUS_ID") == "0"
    client.quit()
    assert others_answer()
    assert not master.has_logged("unable to bind")


def _has(host: str) -> bool:
    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.bind((host, 0))
    except OSError:
        return False
    return True


_LOOPBACK = [host for host in ("127.0.0.1", "::1") if _has(host)]


def _is_refused(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except ConnectionRefusedError:
        return True
    return False


def test_babysit_keeps_one(make: Make) -> None:
    master = make(services('lab cmd="{lab}" listen="{port}" babysit=y')).start()
    client, pid = greeted(master)
    client.send("exit 1")
    client, another = greeted(master)
    assert pid != another
    client.quit()


# reload


def test_reload_changes_adds_and_removes(make: Make) -> None:
    master = make(
        services('lab cmd="{lab} -o old" listen="{port}" prefork=1\n gone cmd="{lab}" listen="{port2}"')
    ).start()
    old, old_pid = greeted(master)
    gone, gone_pid = greeted(master, 1)
    master.write(
        services('lab cmd="{lab} -o new" listen="{port}" prefork=1\n more cmd="{lab}" listen="{port3}"')
    )
    master.signal(signal.SIGHUP)
    master.wait_for_log("Services reconfigured")
    new, new_pid = greeted(master)
    assert (new.ask("option"), old.ask("option")) == ("new", "old")
    assert parent_of(new_pid) != parent_of(old_pid)
    assert gone.ask("uses") == "1"
    with pytest.raises(ConnectionRefusedError):
        master.connect(1)
    more, _ = greeted(master, 2)
    for client in (old, gone, new, more):
        client.quit()
    for pid in (old_pid, gone_pid):
        wait_for(lambda pid=pid: not exists(pid), "an old worker stays", detail=master.describe)
    assert exists(new_pid)


def test_reload_of_nonsense_changes_nothing(make: Make) -> None:
    master = make(LAB).start()
    client, pid = greeted(master)
    master.write("SERVICES {\n la-b cmd=x\n}\n")
    master.signal(signal.SIGHUP)
    master.wait_for_log("bad character '-' in name on line 2; configuration not changed")
    client.quit()
    client, again = greeted(master)
    client.quit()
    assert exists(pid) or exists(again)


def test_reload_passes_over_entries_that_cannot_be(make: Make) -> None:
    master = make(LAB).start()
    master.write(
        services(
            'lab cmd="{lab}" listen="{port}"\n lab cmd="{lab}" listen="{port2}"\n'
            'no listen="{port2}"\n none cmd="/nowhere" listen="{port2}"'
        )
    )
    master.signal(signal.SIGHUP)
    master.wait_for_log("Services reconfigured")
    for text in (
        "multiple entries for service 'lab'",
        "unable to find command or port for service 'no'",
        "cannot find executable for service 'none'",
    ):
        assert master.has_logged(f"WARNING: {text} -- ignored")
    client, _ = greeted(master)
    client.quit()


def test_many_reloads_under_load_lose_nobody(make: Make) -> None:
    master = make(LAB).start()
    for round_ in range(1, 6):
        clients = [master.client() for _ in range(4)]
        master.signal(signal.SIGHUP)
        for client in clients:
            client.greeting()
            assert client.ask("uses").isdigit()
        master.wait_for_log("Services reconfigured", round_)
        for client in clients:
            client.quit()
    wait_for(lambda: not master.zombies(), "zombies", detail=master.describe)
