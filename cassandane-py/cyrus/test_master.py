"""master with the lab daemon: pools, policy, reload, endings."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from cassandane.instance import DEADLINE, service_user, wait_for
from cassandane.labmaster import LabClient, LabMaster, exists, parent_of

Make = Callable[..., LabMaster]


@pytest.fixture
def make() -> Iterator[Make]:
    """Builds masters; at the end they are stopped and must leave nothing behind."""
    made: list[LabMaster] = []

    def build(conf: str, **more: object) -> LabMaster:
        made.append(LabMaster(conf, **more))  # type: ignore[arg-type]
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
    if not socket.has_dualstack_ipv6():
        pytest.skip("needs the other version of the internet protocol")
    master = make("")
    port = master.ports[0]
    broken = master.directory / "broken"
    broken.touch()
    master.script(
        "half", f'#!/bin/sh\n[ $CYRUS_ID = 0 ] && [ -e {broken} ] && exit 3\nexec {master.launcher} "$@"\n'
    )
    master.write(services(f'lab cmd="{{directory}}/half -C {{config}}" listen="{port}" prefork=1'))
    master.start()

    def answers() -> bool:
        with socket.create_connection(("::1", port)) as client:
            return client.recv(5) == b"hello"

    master.wait_for_log("too many failures for service lab/ipv4")
    wait_for(lambda: _is_refused(port), "somebody listens still")
    assert answers()
    broken.unlink()
    master.signal(signal.SIGHUP)
    client, _ = greeted(master)
    assert client.ask("environment CYRUS_ID") == "0"
    client.quit()
    assert answers()
    assert not master.has_logged("unable to bind")


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


# START, EVENTS, DAEMON


def test_start_runs_in_order_before_anything_else(make: Make) -> None:
    master = make(
        'START {\n one cmd="{directory}/note one"\n two cmd="{directory}/note two"\n}\n'
        'EVENTS {\n now cmd="{directory}/note event" period=60\n}\n' + LAB
    )
    notes = master.directory / "conf/notes"
    master.script("note", f"#!/bin/sh\necho $1 $LAB_VARIABLE >> {notes}\n")
    master.start()
    client, _ = greeted(master)
    client.quit()
    wait_for(lambda: notes.read_text().count("\n") == 3, "events do not run", detail=master.describe)
    assert notes.read_text() == "one passed on\ntwo passed on\nevent passed on\n"
    assert master.has_logged("process type:START name:one path:")
    master.wait_for_log("process type:EVENT name:now path:")


def test_events_run_again_after_reload(make: Make) -> None:
    master = make('EVENTS {\n now cmd="{directory}/note"\n}\n')
    notes = master.directory / "conf/notes"
    master.script("note", f"#!/bin/sh\necho x >> {notes}\n")
    master.start()
    master.wait_for_log("type:EVENT name:now")
    master.signal(signal.SIGHUP)
    wait_for(lambda: notes.read_text() == "x\nx\n", "not run again", detail=master.describe)


def test_a_daemon_is_restarted(make: Make) -> None:
    master = make('DAEMON {\n sleeper cmd="{directory}/sleeper"\n}\n')
    pids = master.directory / "conf/pids"
    master.script(
        "sleeper", f"#!/bin/sh\necho $$ $CYRUS_ISDAEMON $CYRUS_SERVICE >> {pids}\nexec sleep 1000\n"
    )
    master.start()

    def lines(count: int) -> bool:
        return pids.exists() and pids.read_text().count("\n") >= count

    wait_for(lambda: lines(1), "not started", detail=master.describe)
    first = pids.read_text().split()
    assert first[1:] == ["1", "sleeper"]
    os.kill(int(first[0]), signal.SIGTERM)
    wait_for(lambda: lines(2), "not restarted", detail=master.describe)
    assert master.has_logged("process type:DAEMON name:sleeper path:")


def test_services_wait_for_daemons_that_ask_for_it(make: Make) -> None:
    master = make(
        'DAEMON {\n first cmd="{directory}/first" wait=y\n second cmd="{directory}/second" wait=y\n}\n' + LAB
    )
    order = master.directory / "conf/order"
    for name in ("first", "second"):
        master.script(
            name,
            f"#!/bin/sh\ntrap 'echo end {name} >> {order}; exit 0' TERM\necho {name} >> {order}\n"
            "printf 'ok\\r\\n' >&3\nexec 3>&-\nwhile :; do sleep 0.05; done\n",
        )
    master.start()
    assert order.read_text() == "first\nsecond\n"
    client, _ = greeted(master)
    client.quit()
    master.stop()
    assert order.read_text() == "first\nsecond\nend second\nend first\n"
    assert master.has_logged("of second/daemon exited with status 0")


def test_a_daemon_that_is_not_ready_stops_everything(make: Make) -> None:
    master = make('DAEMON {\n liar cmd="/bin/true" wait=y\n}\n')
    assert master.run("-D") == os.EX_CONFIG
    assert master.has_logged('waitdaemon liar/daemon did not write "ok\\r\\n" to fd 3')


# starting and ending


@pytest.mark.long
def test_who_does_not_end_is_killed(make: Make) -> None:
    master = make(LAB).start()
    client, pid = greeted(master)
    os.kill(pid, signal.SIGSTOP)
    master.stop()
    assert master.has_logged(f"pid:{pid} does not end, killing it")
    client.close()


BAD_FILES = [
    ('START {\n bad cmd="/bin/false"\n}\n', 1, "can't run startup"),
    ('START {\n bad cmd="/nowhere"\n}\n', 1, "can't run startup"),
    ("START {\n bad\n}\n", 78, "unable to find command for bad"),
    ("SERVICES {\n a listen=1\n}\n", 78, "unable to find command or port for service 'a'"),
    ("SERVICES {\n a cmd=/bin/true\n}\n", 78, "unable to find command or port for service 'a'"),
    ("EVENTS {\n a\n}\n", 78, "unable to find command or port for event 'a'"),
    ("DAEMON {\n a\n}\n", 78, "unable to find command or port for service 'a'"),
    ("SERVICES {\n a cmd=/nowhere listen=1\n}\n", 78, "cannot find executable for service 'a'"),
    ("SERVICES {\n a cmd=/etc/passwd listen=1\n}\n", 78, "cannot find executable for service 'a'"),
    ("SERVICES {\n a cmd=/bin listen=1\n}\n", 78, "cannot find executable for service 'a'"),
    ("DAEMON {\n a cmd=/nowhere\n}\n", 78, "cannot find executable for daemon 'a'"),
    ("DAEMON {\n a cmd=/nowhere wait=1\n}\n", 78, "cannot find executable for waitdaemon 'a'"),
    (
        "SERVICES {\n a cmd=/bin/true listen={port}\n a cmd=/bin/true listen={port2}\n}\n",
        78, "multiple entries for service 'a'",
    ),
    (
        "SERVICES {\n a cmd=/bin/true listen={port}\n}\nDAEMON {\n a cmd=/bin/true wait=1\n}\n",
        78, "multiple entries for waitdaemon 'a'",
    ),
    (
        "SERVICES {\n a cmd=/bin/true listen={port}\n}\nDAEMON {\n a cmd=/bin/true\n}\n",
        78, "multiple entries for service 'a'",
    ),
    ("SERVICES {\n a cmd=x y\n}\n", 78, "bad character '' in argument on line 2"),
    ("SERVICES {\n a-b cmd=x\n}\n", 78, "bad character '-' in name on line 2"),
    ("SERVICES {\n a cmd=x}y z}\n}\n", 78, "bad character '}' in argument on line 2"),
    ('SERVICES {\n a cmd="x\n}\n', 78, 'missing " on line 2'),
    ("SERVICES {\n { cmd=x\n}\n", 78, "unable to find command or port for service ''"),
    ("DAEMON {\n liar cmd=/bin/true wait=y\n}\n", 78, "unable to spawn waitdaemon liar/daemon"),
]  # fmt: skip


@pytest.mark.parametrize(("conf", "code", "text"), BAD_FILES)
def test_a_bad_file_ends_master(make: Make, conf: str, code: int, text: str) -> None:
    master = make(conf)
    assert master.run("-D") == code
    assert master.has_logged(text)


@pytest.mark.reference
@pytest.mark.parametrize(("conf", "code"), [bad[:2] for bad in BAD_FILES])
def test_a_bad_file_ends_the_originals_master_alike(make: Make, conf: str, code: int) -> None:
    assert make(conf, master="reference").run("-D") == code


@pytest.mark.parametrize(
    ("options", "code"), [(("-d", "-D"), 78), (("-j", "0"), 78), (("-C", "/nowhere"), 78), (("-V",), 0)]
)
@pytest.mark.parametrize("kind", ["ours", pytest.param("reference", marks=pytest.mark.reference)])
def test_options_that_end_master_at_once(
    make: Make, options: tuple[str, ...], code: int, kind: str
) -> None:
    assert make(LAB, master=kind).run(*options) == code


@pytest.mark.imapd_conf(master_bind_errors_fatal="yes")
def test_a_taken_port_disables_the_service_or_ends_master(make: Make) -> None:
    two = services('one cmd="{lab}" listen="{port}"\n two cmd="{lab}" listen="{port}"')
    master = make(two).start()
    assert master.has_logged("unable to bind to two/ipv4 socket: Address already in use")
    client, _ = greeted(master)
    client.quit()
    assert make(two, imapd_conf={"master_bind_errors_fatal": "yes"}).run("-D") == os.EX_UNAVAILABLE


def test_in_the_background_it_is_up_when_the_command_returns(make: Make) -> None:
    master = make(LAB)
    assert master.run("-d") == 0
    try:
        client = master.connect()
        client.greeting()
        client.quit()
        assert os.readlink(f"/proc/{master.pid}/cwd") == str(master.directory / "conf")
        assert not Path(f"{master.pidfile}.lock").exists()
        assert _lock_holder(master.pidfile) == master.pid
        assert master.run("-d") == os.EX_OSERR  # another one
        assert master.has_logged("cannot get exclusive lock on pidfile (is another master still running?)")
    finally:
        with contextlib.suppress(ProcessLookupError):
            master.signal(signal.SIGTERM)
    wait_for(lambda: not master.processes(), "processes survive", detail=master.describe)


def test_in_the_background_it_keeps_its_mask_and_nothing_that_was_left_open(make: Make) -> None:
    master = make(LAB)
    command = shlex.join(master.arguments("-d", "-L", str(master.directory / "errors")))
    start = master.script("start", f"#!/bin/bash\nexec 9</dev/null 33</dev/null\numask 027\nexec {command}\n")
    ended = subprocess.run([start], env=master.environment(), cwd=master.directory, stdin=subprocess.DEVNULL)
    assert ended.returncode == 0
    try:
        status = Path(f"/proc/{master.pid}/status").read_text()
        assert re.search(r"^Umask:\s*0*27$", status, re.MULTILINE)
        opened = {name: os.path.realpath(f"/proc/{master.pid}/fd/{name}") for name in ("2", "9", "33")}
        assert opened["2"] == str(master.directory / "errors")
        assert "/dev/null" not in opened.values()
        assert os.getsid(master.pid) == master.pid
        client = master.connect()
        client.greeting()
        client.quit()
    finally:
        with contextlib.suppress(ProcessLookupError):
            master.signal(signal.SIGTERM)
    wait_for(lambda: not master.processes(), "processes survive", detail=master.describe)


def _lock_holder(path: Path) -> int:
    """Who holds the POSIX lock of a file, as another process sees it."""
    code = (
        "import fcntl, struct, sys\n"
        "request = struct.pack('hhqqi4x', fcntl.F_WRLCK, 0, 0, 0, 0)\n"
        "answer = fcntl.fcntl(open(sys.argv[1], 'r+'), fcntl.F_GETLK, request)\n"
        "print(struct.unpack('hhqqi4x', answer)[4])\n"
    )
    return int(subprocess.check_output(["/usr/bin/env", "python3", "-c", code, str(path)]))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_a_signal_ends_everything(make: Make, number: int) -> None:
    master = make(LAB).start()
    idle, busy = master.client(), master.client()
    idle.greeting(), busy.greeting()
    master.signal(number)
    assert busy.line() == "bye"
    wait_for(lambda: not master.processes(), "processes survive", detail=master.describe)
    assert master.has_logged("All children have exited, closing down")
    master.stop()


def test_when_master_is_killed_idle_workers_go_and_the_port_is_free(make: Make) -> None:
    master = make(LAB).start()
    busy, pid = greeted(master)
    os.kill(master.pid, signal.SIGKILL)
    wait_for(
        lambda: [one.pid for one in master.processes() if one.pid != master.pid] == [pid],
        "idle workers stay", detail=master.describe,
    )  # fmt: skip
    assert busy.ask("uses") == "1"
    busy.quit()
    wait_for(lambda: not exists(pid), "the busy worker stays", detail=master.describe)
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", master.ports[0]))
    master.cleanup()
    master._process = None


def test_a_log_file_takes_what_children_print(make: Make) -> None:
    master = make('START {\n one cmd="/bin/echo printed"\n}\n' + LAB)
    if os.geteuid() == 0:
        (master.directory / "errors").touch()
        os.chown(master.directory / "errors", service_user().pw_uid, -1)
    process = master.popen("-L", str(master.directory / "errors"))
    master.wait_for_log("ready for work")
    assert (master.directory / "errors").read_text() == "printed\n"
    process.terminate()
    assert process.wait(DEADLINE) == 0


# the service by itself


@pytest.mark.parametrize("option", ["-X", "-X -U 5", "-U 5 -X"])
def test_a_conversation_on_standard_input(make: Make, option: str) -> None:
    master = make(LAB)
    environment = {**master.environment(), "CYRUS_SERVICE": "lab", "CYRUS_ID": "0"}
    environment["CYRUS_USER"] = service_user().pw_name
    done = subprocess.run(
        [str(master.launcher), "-C", str(master.config), *option.split()],
        input=b"uses\r\nhost\r\nquit\r\n", capture_output=True, env=environment, timeout=DEADLINE,
    )  # fmt: skip
    assert done.stdout.splitlines()[1:] == [b"1", b"[unix socket]"], done
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("arguments", "environment", "code"),
    [
        (["-CFILE"], {}, os.EX_USAGE),
        (["-oX"], {}, os.EX_USAGE),
        ([], {"CYRUS_SERVICE": None}, os.EX_SOFTWARE),
        ([], {"CYRUS_ID": None}, os.EX_SOFTWARE),
        (["-C", "/nowhere"], {}, os.EX_CONFIG),
    ],
)
def test_a_service_started_wrongly_refuses(
    make: Make, arguments: list[str], environment: dict[str, str | None], code: int
) -> None:
    master = make(LAB)
    variables = {**master.environment(), "CYRUS_SERVICE": "lab", "CYRUS_ID": "0", **environment}
    given = {key: value for key, value in variables.items() if value is not None}
    done = subprocess.run([str(master.launcher), *arguments], env=given, timeout=DEADLINE)
    assert done.returncode == code


def test_a_debugger_is_run_first(make: Make) -> None:
    master = make(
        services('lab cmd="{lab} -D" listen="{port}"'),
        imapd_conf={"debug_command": "echo '%s' %d %s > conf/debug"},
    ).start()
    client, pid = greeted(master)
    said = (master.directory / "conf/debug").read_text().split()
    assert said == [str(master.launcher), str(parent_of(pid)), "lab"]
    client.quit()


# beside the original


@pytest.mark.reference
def test_our_daemon_runs_under_the_originals_master(make: Make) -> None:
    master = make(services('lab cmd="{lab} -U 3" listen="{port}" prefork=2'), master="reference").start()
    clients = [greeted(master) for _ in range(3)]
    assert len({pid for _, pid in clients}) == 3
    assert {parent_of(pid) for _, pid in clients} == {master.pid}
    for client, _ in clients:
        client.quit()
    client, pid = greeted(master)
    client.quit()
    master.signal(signal.SIGHUP)
    wait_for(lambda: not exists(pid), "an idle worker survives SIGHUP", detail=master.describe)
    client, _ = greeted(master)
    assert client.ask("uses") == "1"
    client.quit()


@pytest.mark.reference
def test_the_originals_imapd_runs_under_our_master(make: Make) -> None:
    from cassandane import reference

    command = f"{reference.program('imapd')} -C {{config}} -U 2"
    master = make(services(f'imap cmd="{command}" listen="{{port}}" prefork=2 maxchild=4'))
    master.kind = "reference"
    environment = master.environment
    master.kind = "ours"
    master.environment = environment  # type: ignore[method-assign]
    for name in ("conf/db", "conf/log"):
        (master.directory / name).mkdir()
        os.chown(master.directory / name, service_user().pw_uid, -1)
    recover = f"{reference.program('ctl_cyrusdb')} -C {master.config} -r"
    text = master.cyrus_conf.read_text()
    master.cyrus_conf.write_text(f'START {{\n recover cmd="{recover}"\n}}\n{text}')
    master.start()
    for _ in range(5):
        client = master.client()
        assert client.line().startswith("* OK")
        client.send("a LOGOUT")
        assert [client.line()[:5], client.line()[:5]] == ["* BYE", "a OK "]
        client.close()
    client = master.client()
    client.line()
    master.signal(signal.SIGHUP)
    master.wait_for_log("Services reconfigured")
    other = master.client()
    assert other.line().startswith("* OK")
    assert not master.has_logged("<3>"), master.describe()
    client.close()
    other.close()
