"""master with the lab daemon: what workers are born with, pools, how many there are."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from cassandane.instance import DEADLINE, wait_for
from cassandane.labmaster import (
    LAB,
    LabClient,
    LabMaster,
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


# what a worker is born with


def test_a_worker_has_its_surroundings(make: Make) -> None:
    master = make(services('lab cmd="{lab} -o one -o two" listen="{port}" maxfds=99')).start()
    client, _ = greeted(master)
    assert client.ask("environment CYRUS_SERVICE") == "lab"
    assert client.ask("environment CYRUS_ID") == "0"
    assert client.ask("environment CYRUS_POOL_FD") == "-"
    assert client.ask("environment LAB_VARIABLE") == "passed on"
    assert client.ask("limit") == "99"
    assert client.ask("option") == "one two"
    assert client.ask("host").endswith("[127.0.0.1]")
    client.quit()


def test_a_connection_has_the_options_that_were_asked_for(make: Make) -> None:
    master = make(
        services('lab cmd="{lab}" listen="{port}"'),
        imapd_conf={
            "tcp_keepalive": "yes", "tcp_keepalive_cnt": "3", "tcp_keepalive_idle": "2m",
            "tcp_keepalive_intvl": "7",
        },
    ).start()  # fmt: skip
    client, _ = greeted(master)
    assert client.ask("socket") == "1 1 3 120 7"
    client.quit()
    plain = make(services('lab cmd="{lab}" listen="{port}"')).start()
    client, _ = greeted(plain)
    assert client.ask("socket").startswith("1 0 ")
    client.quit()


def test_a_unix_socket_is_open_to_all_and_replaces_what_was_there(make: Make) -> None:
    master = make(services('lab cmd="{lab}" listen="{unix}"'))
    Path(master.unix).touch()
    master.start()
    assert os.stat(master.unix).st_mode & 0o777 == 0o777
    client = LabClient(master.unix)
    client.greeting()
    assert client.ask("host") == "[unix socket]"
    client.quit()


def test_the_proc_file_lives_as_long_as_the_connection(make: Make) -> None:
    master = make(LAB).start()
    client, pid = greeted(master)
    path = master.directory / f"conf/proc/{pid}"
    assert path.read_text() == "lab\tclient\tsomebody\tINBOX\tIdle\n"
    client.quit()
    wait_for(lambda: not path.exists(), "the proc file stays", detail=master.describe)


# pools


def test_one_parent_forks_the_workers_of_a_service(make: Make) -> None:
    master = make(services('lab cmd="{lab}" listen="{port}" prefork=3')).start()
    clients = [greeted(master) for _ in range(5)]
    parents = {parent_of(pid) for _, pid in clients}
    assert len({pid for _, pid in clients}) == 5
    assert len(parents) == 1
    assert parent_of(parents.pop()) == master.pid
    for client, _ in clients:
        client.quit()


def test_without_prefork_nothing_runs_before_the_first_client(make: Make) -> None:
    master = make(services('lab cmd="{lab}" listen="{port}"')).start()
    assert not psutil.Process(master.pid).children()
    client, _ = greeted(master)
    client.quit()


def test_workers_of_a_dead_pool_parent_live_on_and_are_counted(make: Make) -> None:
    master = make(services('lab cmd="{lab}" listen="{port}" maxchild=2')).start()
    (one, first), (two, second) = greeted(master), greeted(master)
    os.kill(parent_of(first), signal.SIGKILL)
    wait_for(lambda: {parent_of(first), parent_of(second)} == {master.pid}, "not adopted")
    assert one.ask("uses") == "1"
    third = master.connect()
    one.send("exit 3")
    pid = third.greeting()
    assert pid != second
    master.wait_for_log(f"pid:{first} exited, status 3")
    third.quit()
    two.quit()
    wait_for(lambda: not master.zombies(), "zombies", detail=master.describe)


def test_a_program_that_knows_no_pools_is_executed_for_each_worker(make: Make) -> None:
    """The original's protocol only: descriptors 3 and 4, and no word on the pair of pools."""
    master = make(services('plain cmd="{directory}/plain" listen="{port}" prefork=2'))
    master.script(
        "plain",
        "#!/usr/bin/env python3\n"
        "import os, socket, struct\n"
        "listener = socket.socket(fileno=4)\n"
        "listener.setblocking(True)\n"
        "tell = lambda message: os.write(3, struct.pack('=ii', message, os.getpid()))\n"
        "while True:\n"
        "    client = listener.accept()[0]\n"
        "    tell(2); tell(3)\n"
        "    client.sendall(b'hello %d\\r\\n' % os.getpid())\n"
        "    while client.recv(100) not in (b'', b'quit\\r\\n'): pass\n"
        "    client.close()\n"
        "    tell(1)\n",
    )
    master.start()
    clients = [greeted(master) for _ in range(4)]
    assert len({pid for _, pid in clients}) == 4
    assert {parent_of(pid) for _, pid in clients} == {master.pid}
    for client, _ in clients:
        client.quit()


def test_a_replaced_program_is_started_anew(make: Make) -> None:
    master = make(services('lab cmd="{lab}" listen="{port}"')).start()
    client, first = greeted(master)
    client.quit()
    master.launcher.write_text(master.launcher.read_text() + "# newer\n")
    wait_for(lambda: _served_by_another(master, first), "the old program serves on", detail=master.describe)


def _served_by_another(master: LabMaster, pid: int) -> bool:
    client, now = greeted(master)
    client.quit()
    return now != pid


def test_datagrams_go_to_one_process(make: Make) -> None:
    master = make(services('lab cmd="{lab}" listen="{port}" proto=udp prefork=5')).start()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(DEADLINE)
        client.connect(("127.0.0.1", master.ports[0]))
        answers = []
        for text in (b"one", b"two"):
            client.send(text)
            answers.append(client.recv(100).split())
    assert [answer[1] for answer in answers] == [b"one", b"two"]
    assert answers[0][0] == answers[1][0]
    assert [child.pid for child in psutil.Process(master.pid).children()] == [int(answers[0][0])]


def test_a_program_that_ends_at_once_is_not_started_without_pause(make: Make) -> None:
    master = make(
        services('quick cmd="/bin/true" listen="{port}" prefork=1\n lab cmd="{lab}" listen="{port2}"')
    )
    master.start()
    master.wait_for_log("type:SERVICE name:quick", 3)
    client, _ = greeted(master, 1)
    client.quit()
    assert not master.has_logged("type:SERVICE name:quick", 20)


# how many


def test_maxchild_holds_and_those_who_wait_are_served_in_the_end(make: Make) -> None:
    master = make(services('lab cmd="{lab}" listen="{port}" prefork=1 maxchild=2')).start()
    clients = [greeted(master), greeted(master)]
    waiting = [master.connect() for _ in range(3)]
    pids = {pid for _, pid in clients}
    for client, _ in clients:
        client.quit()
    for client in waiting:
        assert client.greeting() in pids
        client.quit()
    alive = {one.pid for one in psutil.Process(master.pid).children(recursive=True)}
    assert len(alive) == 3  # the pool parent and two workers


def test_a_worker_is_reused_and_used_up(make: Make) -> None:
    master = make(services('lab cmd="{lab} -U 2" listen="{port}" maxchild=1')).start()
    served = []
    for _ in range(4):
        client, pid = greeted(master)
        served.append((pid, client.ask("uses")))
        client.quit()
    assert served == [(served[0][0], "1"), (served[0][0], "2"), (served[2][0], "1"), (served[2][0], "2")]
    assert served[0][0] != served[2][0]


def test_an_idle_worker_ends_after_its_time(make: Make) -> None:
    master = make(services('lab cmd="{lab} -T 1" listen="{port}"')).start()
    client, pid = greeted(master)
    client.quit()
    wait_for(lambda: not exists(pid), "the worker stays", detail=master.describe)
    assert not master.has_logged("terminated abnormally")
    client, other = greeted(master)
    assert other != pid
    client.quit()


def test_the_fork_rate_delays_but_does_not_refuse(make: Make) -> None:
    master = make(services('lab cmd="{lab}" listen="{port}" prefork=3 maxforkrate=2')).start()
    wait_for(
        lambda: len(psutil.Process(master.pid).children(recursive=True)) == 4, "not filled up",
        detail=master.describe,
    )  # fmt: skip


def test_clients_who_come_together_wake_one_worker_each(make: Make) -> None:
    master = make(services('lab cmd="{lab}" listen="{port}" prefork=3')).start()
    clients = [greeted(master) for _ in range(6)]
    assert len({pid for _, pid in clients}) == 6
    for client, _ in clients:
        client.quit()


def test_a_burst_is_served(make: Make) -> None:
    master = make(services('lab cmd="{lab}" listen="{port}" prefork=1 maxchild=20')).start()
    clients = [master.client() for _ in range(40)]
    for client in clients[:20]:
        client.greeting()
    for client in clients[:20]:
        client.quit()
    for client in clients[20:]:
        client.greeting()
        client.quit()
