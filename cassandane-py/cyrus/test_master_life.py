"""master with the lab daemon: what it starts beside services, how it begins and ends, the service alone."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from cassandane.instance import DEADLINE, give_away, service_user, wait_for
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


# START, EVENTS, DAEMON


def test_start_runs_in_order_before_anything_else(make: Make) -> None:
    master = make(
        'START {\n one cmd="{directory}/note one"\n two cmd="{directory}/note two"\n}\n'
        'EVENTS {\n now cmd="{directory}/note event" period=60\n}\n' + LAB
    )
    notes = master.directory / "conf/notes"
    notes.touch()
    give_away(notes)  # START commands have still the rights of who started master
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
def test_options_that_end_master_at_once(make: Make, options: tuple[str, ...], code: int, kind: str) -> None:
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
    used = {pid, *(pid for _, pid in clients)}
    master.signal(signal.SIGHUP)
    wait_for(
        lambda: not any(map(exists, used)), "an idle worker survives SIGHUP", detail=master.describe
    )
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
