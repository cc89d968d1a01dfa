"""master beside the original's: the sockets it listens on, and SIGHUP."""

from __future__ import annotations

import os
import random
import signal
import socket
from pathlib import Path

import psutil
import pytest

from cassandane.instance import wait_for
from cassandane.labmaster import exists, services
from cassandane.scenario import PROGRAMS, Seen, Stage, play, with_probe

pytestmark = pytest.mark.reference

each_program = pytest.mark.parametrize("program", PROGRAMS)


# listen and proto

PORT = "{number}"
SOCKET = "{directory}/conf/socket/{number}"
LISTENS = [
    PORT, f"127.0.0.1:{PORT}", f"[127.0.0.1]:{PORT}", f"[::1]:{PORT}", f"localhost:{PORT}", f"0.0.0.0:{PORT}",
    f"[::]:{PORT}", f"::1:{PORT}", f":{PORT}", f"[]:{PORT}", f"*:{PORT}", f"{PORT}x", "{beyond}", "-1",
    "127.0.0.1:", "[127.0.0.1", "[::1]x", "127.0.0.1:nosuchservice", "256.0.0.1:1",
    "no.such.host.invalid:1", SOCKET, "{directory}", "/nowhere/socket", "/" + "x" * 106, "/" + "x" * 107,
]  # fmt: skip
PROTOCOLS = ["tcp", "tcp4", "tcp6", "udp", "udp4", "udp6", "sctp", "TCP", ""]
FORMS = [(listen, "tcp") for listen in LISTENS] + [
    (listen, proto)
    for proto in PROTOCOLS[1:]
    for listen in (PORT, f"127.0.0.1:{PORT}", f"[::1]:{PORT}", SOCKET)
]
ANY_PORT = [("0", "tcp"), ("[127.0.0.1]", "tcp"), ("0", "udp6")]


@pytest.mark.parametrize("forms", [FORMS, ANY_PORT], ids=["a port", "any port"])
def test_forms_of_listen(forms: list[tuple[str, str]]) -> None:
    def scenario(stage: Stage) -> Seen:
        # beyond the ports that the system gives to others meanwhile, and each master has its own
        parity = stage.lab.kind == "ours"
        numbers = random.sample(range(61001 + parity, 65535, 2), len(forms))
        entries = []
        for place, ((listen, proto), number) in enumerate(zip(forms, numbers, strict=True)):
            listen = listen.replace(PORT, str(number)).replace("{beyond}", str(65536 + number))
            entries.append(f'n{place} cmd="{{plain}}" listen="{listen}" proto="{proto}"')
        stage.lab.write(with_probe(services("\n".join(entries))))
        stage.lab.start()
        stage.sync()
        seen: Seen = {"log": stage.said(level=6)}
        found = sockets(stage)
        for form, number in zip(forms if forms is FORMS else [], numbers, strict=False):
            path = stage.lab.directory / f"conf/socket/{number}"
            seen[" ".join(form)] = found.pop(number, []), path.exists() and oct(path.stat().st_mode)
        seen["others"] = sorted(map(str, found.values()))
        return seen

    seen = play("", scenario, start=False)
    if forms is ANY_PORT:
        assert len(seen["others"]) == 4
        return
    assert seen[f"{PORT} tcp"] == (["AF_INET SOCK_STREAM 0.0.0.0", "AF_INET6 SOCK_STREAM ::"], False)
    assert seen[f"{SOCKET} tcp4"] == ([], "0o140777")


@each_program
def test_each_address_has_workers_of_its_own(program: str) -> None:
    def scenario(stage: Stage) -> Seen:
        port = stage.lab.ports[0]
        stage.lab.cyrus_conf.write_text(stage.lab.cyrus_conf.read_text().replace(PORT, str(port)))
        stage.lab.start("-v")
        seen: Seen = {"idle": stage.settle(4)}
        guests = [stage.guest_at((host, port)) for host in ("127.0.0.1", "::1", "::1")]
        seen["served"] = stage.settle(7)
        seen["numbers"] = sorted(guest.ask("environment CYRUS_ID") for guest in guests)
        return seen

    seen = play(
        services(f'svc cmd="{{program}}" listen="{PORT}" prefork=2 maxchild=4'),
        scenario, program=program, start=False,
    )  # fmt: skip
    assert seen["numbers"] == ["0", "1", "1"]


@pytest.mark.parametrize("listen", ["{port}", "{unix}"])
@pytest.mark.parametrize("keys", ["", "prefork=5", "maxchild=9 babysit=y"])
def test_datagrams_have_one_process(listen: str, keys: str) -> None:
    def scenario(stage: Stage) -> Seen:
        answers = []
        path = listen == "{unix}"
        with socket.socket(socket.AF_UNIX if path else socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(30)
            if path:
                client.bind(stage.path("answer"))
                os.chmod(stage.path("answer"), 0o777)
            client.connect(stage.lab.unix if path else ("127.0.0.1", stage.lab.ports[0]))
            for text in (b"one", b"two"):
                client.send(text)
                answers.append(client.recv(100).split())
        return {
            "answers": [answer[1] for answer in answers],
            "by one": answers[0][0] == answers[1][0],
            "workers": stage.settle(1),
        }

    seen = play(services(f'svc cmd="{{plain}}" listen="{listen}" proto=udp {keys}'), scenario)
    assert seen["answers"] == [b"one", b"two"]


def test_a_taken_address_is_fatal_if_asked() -> None:
    conf = services('one cmd="{plain}" listen="{port}"\n two cmd="{plain}" listen="{port}"')

    def scenario(stage: Stage) -> Seen:
        return {"served": stage.client().ask("environment CYRUS_SERVICE")}

    def refused(stage: Stage) -> Seen:
        return {"exit code": stage.lab.run("-D"), "left": len(stage.lab.processes())}

    assert play(conf, scenario)["served"] == "one"
    fatal = {"master_bind_errors_fatal": "yes"}
    assert play(conf, refused, imapd_conf=fatal, start=False)["exit code"] == os.EX_UNAVAILABLE


# keys


def test_keys_that_nobody_knows_and_values_that_mean_nothing() -> None:
    def scenario(stage: Stage) -> Seen:
        stage.settle(1, "odd")
        stage.settle(0, "none")
        return {
            "said": stage.said("look like|interpret"),
            "served": stage.client().ask("limit"),
        }

    conf = services(
        'odd cmd="{plain}" listen="{port}" color=blue prefork=1 prefork=9 babysit=perhaps maxfds=many\n'
        'none cmd="{plain}" listen="{port2}" prefork=-3 maxchild=few maxforkrate=-1 babysit=off'
    )
    seen = play(conf, scenario)
    assert len(seen["said"]) == 2


# reload


@each_program
def test_reload_takes_up_what_changed(program: str) -> None:
    def scenario(stage: Stage) -> Seen:
        stage.settle(1)
        kept, changed, gone = stage.client(0), stage.client(1), stage.client(2)
        idle = [pid for pid in stage.workers() if pid != kept.pid]
        stage.reload(
            services(
                f'svc cmd="{{{program}}} -o same" listen="{{port}}" prefork=1\n'
                f'changed cmd="{{{program}}} -o new" listen="{{port2}}" prefork=2 maxchild=3\n'
                f'added cmd="{{{program}}} -o added" listen="{{unix}}"'
            )
        )
        stage.gone(*idle)
        seen: Seen = {
            "live": [guest.ask("uses") for guest in (kept, changed, gone)],
            "their options": [guest.ask("option").split()[-1] for guest in (kept, changed, gone)],
            "new": stage.client(1).ask("option").split()[-1],
            "added": stage.guest_at(stage.lab.unix).ask("option").split()[-1],
            "refused": is_refused(stage, 2),
            "svc": stage.settle(2),
        }
        for guest in (kept, changed, gone):
            guest.quit()
            stage.gone(guest.pid)
        seen["after"] = stage.settle(1), stage.settle(3, "changed"), stage.settle(0, "gone")
        return seen

    conf = services(
        'svc cmd="{program} -o same" listen="{port}" prefork=1\n'
        'changed cmd="{program} -o old" listen="{port2}"\n'
        'gone cmd="{program} -o gone" listen="{port3}" prefork=1'
    )
    seen = play(conf, scenario, program=program)
    assert seen["live"] == ["1", "1", "1"]
    assert (seen["new"], seen["added"], seen["refused"]) == ("new", "added", True)


@each_program
def test_a_service_moves_to_another_address(program: str) -> None:
    def scenario(stage: Stage) -> Seen:
        guest = stage.client(0)
        stage.reload(services(f'svc cmd="{{{program}}}" listen="{{port2}}" prefork=1'))
        seen = {
            "served": guest.ask("uses"),
            "there": stage.client(1).ask("uses"),
            "refused": is_refused(stage, 0),
            "workers": stage.settle(3),
        }
        guest.quit()
        seen["after"] = stage.settle(2)
        return seen

    seen = play(services('svc cmd="{program}" listen="{port}"'), scenario, program=program)
    assert (seen["served"], seen["refused"], seen["after"]) == ("1", True, 2)


@each_program
def test_reload_changes_how_many_there_are(program: str) -> None:
    def scenario(stage: Stage) -> Seen:
        seen: Seen = {"before": stage.settle(1)}
        stage.reload(services(f'svc cmd="{{{program}}}" listen="{{port}}" prefork=4'))
        seen["more"] = stage.settle(4)
        stage.reload(services(f'svc cmd="{{{program}}}" listen="{{port}}" prefork=2'))
        seen["fewer"] = stage.settle(2)
        stage.reload(services(f'svc cmd="{{{program}}}" listen="{{port}}"'))
        seen["none"] = stage.settle(0)
        stage.reload(services(f'svc cmd="{{{program}}}" listen="{{port}}" babysit=y'))
        seen["one"] = stage.settle(1)
        return seen

    conf = services('svc cmd="{program}" listen="{port}" prefork=1')
    seen = play(conf, scenario, program=program)
    assert [seen[name] for name in ("before", "more", "fewer", "none", "one")] == [1, 4, 2, 0, 1]


@each_program
def test_a_service_comes_back(program: str) -> None:
    def scenario(stage: Stage) -> Seen:
        guest = stage.client()
        stage.reload(services(""))
        seen: Seen = {"refused": is_refused(stage)}
        stage.reload(services(f'svc cmd="{{{program}}}" listen="{{port}}" prefork=1'))
        seen["again"] = stage.client().ask("uses")
        seen["served"] = guest.ask("uses")
        guest.quit()
        stage.gone(guest.pid)
        seen["workers"] = stage.settle(2)
        return seen

    seen = play(services('svc cmd="{program}" listen="{port}"'), scenario, program=program)
    assert (seen["refused"], seen["again"], seen["served"]) == (True, "1", "1")


def test_reload_passes_over_entries_that_cannot_be() -> None:
    def scenario(stage: Stage) -> Seen:
        stage.reload(
            services(
                'svc cmd="{plain} -o first" listen="{port}"\n svc cmd="{plain} -o second" listen="{port2}"\n'
                'no listen="{port2}"\n no cmd="{plain}"\n far cmd="{plain}" listen="[::1"\n'
                'odd cmd="{plain}" listen="{port2}" proto=sctp'
            )
            + "EVENTS {\n empty period=1\n}\nDAEMON {\n empty wait=y\n empty wait=n\n}\n"
            + 'DAEMON {\n svc cmd="{plain} -w"\n}\n'
        )
        return {"served": stage.client().ask("option").split()[-1], "refused": is_refused(stage, 1)}

    seen = play(services('svc cmd="{plain}" listen="{port}"'), scenario)
    assert sum("-- ignored" in line for line in seen["log"]) == 4


WORSE = [
    # what the original's master dies of in the midst of a reload, leaving its children behind
    ("SERVICES {\n svc cmd=/nowhere listen={port}\n}\n", "cannot find executable for service 'svc'"),
    ("DAEMON {\n d cmd=/nowhere\n}\n", "cannot find executable for daemon 'd'"),
    ("SERVICES {\n s-vc cmd=/bin/true\n}\n", "bad character '-' in name on line"),
    ('SERVICES {\n svc cmd="x\n}\n', 'missing " on line'),
    ("SERVICES {\n svc cmd\n}\n", "bad character '"),
    (None, "can't open configuration file"),
]


@pytest.mark.parametrize(("text", "complaint"), WORSE)
def test_reload_of_what_is_fatal(text: str | None, complaint: str) -> None:
    """Ours goes on with what it had, where the original ends: a mistake in a file stops no server."""

    def scenario(stage: Stage) -> Seen:
        guest = stage.client()
        if text is None:
            stage.lab.cyrus_conf.unlink()
        else:
            stage.lab.write(with_probe(text))
        stage.lab.signal(signal.SIGHUP)
        stage.lab.wait_for_log(complaint)
        if stage.lab.kind == "reference":
            code = stage.lab.process.wait(30)
        else:
            stage.sync()
            code = 0
        seen = {"served": guest.ask("uses")}
        if stage.lab.kind == "ours":
            stage.end()
        return seen | {"exit code": code, "log": [complaint]}

    conf = services('svc cmd="{plain}" listen="{port}"')
    play(conf, scenario, differences={"exit code": (os.EX_CONFIG, 0)})


def test_reload_hangs_up_on_events_only_in_the_original() -> None:
    """The original's SIGHUP reaches a command that runs by the clock, and kills it amidst its work."""

    def scenario(stage: Stage) -> Seen:
        path = Path(stage.path("ran"))
        wait_for(lambda: path.exists() and path.read_text(), "not run", detail=stage.lab.describe)
        pid = int(path.read_text().split()[0])
        stage.client()
        stage.reload()
        if stage.lab.kind == "reference":
            stage.gone(pid)
        stage.sync()
        lives = exists(pid)
        if lives:
            os.kill(pid, signal.SIGKILL)
        wait_for(lambda: path.read_text().count("\n") == 2, "not run again", detail=stage.lab.describe)
        os.kill(int(path.read_text().split("\n")[1].split()[0]), signal.SIGKILL)
        return {"lives": lives, "log": []}

    conf = 'EVENTS {\n long cmd="{plain} -n {directory}/conf/ran -w"\n}\n' + services(
        'svc cmd="{plain}" listen="{port}"'
    )
    play(conf, scenario, differences={"lives": (False, True)})


@each_program
def test_many_reloads_in_a_row(program: str) -> None:
    def scenario(stage: Stage) -> Seen:
        guests = stage.crowd(2)
        for _ in range(5):
            stage.reload()
            guests += stage.crowd(1)
        seen: Seen = {"served": [guest.ask("uses") for guest in guests]}
        for guest in guests:
            guest.quit()
        stage.reload()  # a client may have come to one that had been told to go, or not
        seen["workers"] = stage.settle(1)
        return seen

    seen = play(services('svc cmd="{program}" listen="{port}" prefork=1'), scenario, program=program)
    assert seen["served"] == ["1"] * 7


def sockets(stage: Stage) -> dict[int, list[str]]:
    """What master listens on, but for the probe's: by port, or by the number that a path ends in."""
    found: dict[int, list[str]] = {}
    for one in psutil.Process(stage.lab.pid).net_connections("all"):
        if isinstance(one.laddr, str):
            if one.laddr:
                name = Path(one.laddr).name
                found.setdefault(int(name) if name.isdigit() else 0, []).append(one.type.name)
        elif one.laddr.port != stage.lab.ports[3]:
            text = f"{one.family.name} {one.type.name} {one.laddr.ip}"
            found.setdefault(one.laddr.port, []).append(text)
    return {number: sorted(texts) for number, texts in found.items()}


def is_refused(stage: Stage, port: int = 0) -> bool:
    try:
        stage.lab.connect(port).close()
    except ConnectionRefusedError:
        return True
    return False
