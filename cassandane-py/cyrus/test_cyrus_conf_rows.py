"""Every key of cyrus.conf, and what it means while master runs: the original's conduct and ours.

``ROWS`` has a scenario for each. Their names are those of the manual page, which a test compares with it.
"""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cassandane.instance import TOP, wait_for
from cassandane.labmaster import exists, services
from cassandane.scenario import Differences, Play, Seen, Stage, play

pytestmark = pytest.mark.reference

SVC = 'svc cmd="{plain}" listen="{port}"'
VERBOSE = ("-v", "-v", "-v")


def refused_texts(*sections: str) -> Play:
    """Master with each of these files: how it ends, and what it says last."""

    def scenario(stage: Stage) -> Seen:
        seen: Seen = {"exit code": 0}
        for text in sections:
            stage.lab.write(text)
            before = len(stage.complaints_in_order())
            code = stage.lab.run("-D")
            # a character that cannot be printed ends a line, or is written in one of several ways
            said = [
                re.sub(r"bad character '(\\x..|[^ -~]|'|$).*", "bad character", one.split("\0")[0])
                for one in stage.complaints_in_order()[before:]
            ]
            seen[text] = code, [one for one in said if one != "exiting"]
        return seen | {"log": []}

    return scenario


def understood(*entries: str, section: str = "SERVICES") -> Play:
    """How master understands entries, all in one file."""

    def scenario(stage: Stage) -> Seen:
        lines = "\n".join(f"e{place} {entry}" for place, entry in enumerate(entries))
        # nothing is started: it ends because of a daemon that is not there
        stage.lab.write(f"{section} {{\n{lines}\n}}\nDAEMON {{\n end cmd=/nowhere/end wait=y\n}}\n")
        code = stage.lab.run("-D", *VERBOSE)
        return {"exit code": code, "understood": stage.said("^add: "), "log": []}

    return scenario


def each(key: str, *values: str) -> Play:
    """A service with each of these values of a key."""
    return understood(*(f'cmd="{{plain}}" listen="{{port}}" {key}={value}' for value in values))


NUMBERS = ("0", "1", "7", "-1", "-9", "x", '""', "3x", "007", '" 5"', '"-"', "+4", "2147483647")
SWITCHES = (
    "y", "yes", "1", "on", "t", "true", "n", "no", "0", "off", "of", "f", "o", "Y", "ON", "2", '""', "yEs",
    "nix",
)  # fmt: skip


# scenarios of rows


def order_of_sections(stage: Stage) -> Seen:
    """SERVICES stand before START in the file, and START runs first."""
    guest = stage.client()
    born = Path(f"/proc/{guest.pid}").stat().st_mtime
    return {"start": Path(stage.path("started")).stat().st_mtime <= born, "served": guest.ask("uses")}


def commands_are_looked_up(stage: Stage) -> Seen:
    """A relative one is a file in the directory of the original's daemons."""
    stage.lab.wait_for_log("type:EVENT name:relative")
    return {"said": stage.said("type:EVENT")}


def runs_once_at_start(stage: Stage) -> Seen:
    wait_for(lambda: turns(stage) == 2, "not run", detail=stage.lab.describe)
    stage.sync()
    return {"turns": turns(stage), "served": stage.client().ask("uses")}


def waits_for_its_time(stage: Stage) -> Seen:
    stage.sync()
    return {"turns": turns(stage)}


def daemon_is_alone(stage: Stage) -> Seen:
    wait_for(lambda: turns(stage) == 1, "not run", detail=stage.lab.describe)
    os.kill(last_pid(stage), signal.SIGKILL)
    wait_for(lambda: turns(stage) == 2, "not run again", detail=stage.lab.describe)
    pid = last_pid(stage)
    stage.end()
    return {"exit code": stage.lab.process.returncode, "lives": exists(pid), "turns": turns(stage), "log": []}


def waits_until_ready(stage: Stage) -> Seen:
    return {"before services": turns(stage), "served": stage.client().ask("uses")}


def restarts_at_most_so_often(stage: Stage) -> Seen:
    """After a few there is a pause of 0.4 seconds."""
    stage.lab.wait_for_log("type:DAEMON name:quick", 6)
    return {"once more": turns(stage) >= 6, "log": []}


def one_of_each(stage: Stage) -> Seen:
    guest = stage.client()
    return {
        name: guest.ask(f"environment {name}")
        for name in ("CYRUS_SERVICE", "CYRUS_ID", "CYRUS_VERBOSE", "CYRUS_ISDAEMON")
    }


def idle_and_busy(stage: Stage) -> Seen:
    guest = stage.client()
    stage.reload(services('other cmd="{plain}" listen="{port2}"'))
    other = stage.client(1)
    seen = {"served": guest.ask("uses"), "other": other.ask("uses"), "turns": turns(stage)}
    guest.quit()
    stage.gone(guest.pid)
    return seen


def ends_in_order(stage: Stage) -> Seen:
    guest = stage.client()
    seen = stage.end()
    return seen | {"told": guest.line.line()}


def has_its_own_configuration(stage: Stage) -> Seen:
    """The service is told nothing of master's ``-C``: its arguments are those of ``cmd``."""
    guest = stage.client()
    return {"arguments": guest.ask("option"), "environment": guest.ask("environment CYRUS_CONFIG")}


def used_up(stage: Stage) -> Seen:
    first = stage.client()
    first.quit()
    second = stage.client()
    seen = {"same": second.pid == first.pid, "uses": second.ask("uses")}
    second.quit()
    stage.gone(second.pid)
    return seen | {"anew": stage.client().ask("uses")}


EVENT = 'EVENTS {\n one cmd="{plain} -n {directory}/conf/ran -f 0" %s\n}\n'
TWICE = (
    'EVENTS {\n one cmd="{plain} -n {directory}/conf/ran -f 0" %s\n'
    ' two cmd="{plain} -n {directory}/conf/ran -f 0" period=60\n}\n'
)
LATER = f"{(time.localtime().tm_hour + 12) % 24:02}00"
DAEMON = 'DAEMON {\n one cmd="{plain} -n {directory}/conf/ran %s" %s\n}\n'


Row = tuple[str, Play, bool, tuple[str, ...], Differences]


def row(
    conf: str, scenario: Play, *, start: bool = True, options: tuple[str, ...] = ("-v",),
    differences: Differences | None = None,
) -> Row:  # fmt: skip
    return conf, scenario, start, options, differences or {}


def quick(scenario: Play) -> Row:
    return row(services(SVC), scenario, start=False)


ROWS: dict[str, Row] = {
    "(file) syntax": row(
        services(SVC) + 'OTHER {\n x {\n } }\nSTART {\n now cmd="/bin/touch {directory}/conf/started"\n}\n',
        order_of_sections,
    ),
    "(file) comment": quick(
        understood(
            'cmd="{plain}" listen="{port}" # prefork=3', 'cmd="{plain}" listen="{port}"# }\n# e9 cmd',
            'cmd="{plain}" listen="{port}"#\n   #\n\t',
        )
    ),
    "(file) entry name": quick(
        refused_texts(
            "SERVICES {\n a-b cmd=x\n}\n", "SERVICES {\n a_b cmd=x\n}\n", "SERVICES {\n \xe4 cmd=x\n}\n",
            "SERVICES {\n =x\n}\n", "SERVICES {\n a\n}\n", 'SERVICES {\n a"b"\n}\n', "START {\n a-b\n}\n",
            "SERVICES {\n a cmd=/bin/true listen={port}\n a cmd=/bin/true listen={port2}\n}\n",
        )
    ),
    "(file) argument": quick(
        refused_texts(
            "SERVICES {\n a cmd = x\n}\n", "SERVICES {\n a cmd= listen=\n}\n", "SERVICES {\n a c-d=x\n}\n",
            'SERVICES {\n a cmd="x\n}\n', 'SERVICES {\n a cmd="x # y"\n}\n', "SERVICES {\n a =x\n}\n",
            "SERVICES {\n a " + "k=v " * 64 + "\n}\n", "SERVICES {\n a " + "k=v " * 65 + "\n}\n",
            "SERVICES {\n a cmd=" + "x" * 4100 + "\n}\n", "SERVICES {\n a cmd=x }\n}\n",
            'EVENTS {\n a "b"\n}\n',
        )
    ),
    "(file) switch value": quick(each("babysit", *SWITCHES)),
    "(file) integer value": quick(each("prefork", *NUMBERS)),
    "START cmd": quick(
        refused_texts(
            "START {\n a\n}\n", 'START {\n a cmd=""\n}\n', "START {\n a cmd=/bin/false\n}\n",
            "START {\n a cmd=/nowhere/a\n}\n",
        )
    ),
    "SERVICES cmd": quick(
        refused_texts(
            "SERVICES {\n a listen={port}\n}\n", 'SERVICES {\n a cmd="" listen={port}\n}\n',
            "SERVICES {\n a cmd=/nowhere/a listen={port}\n}\n", "SERVICES {\n a cmd=/bin listen={port}\n}\n",
            "SERVICES {\n a cmd=/etc/passwd listen={port}\n}\n",
            "SERVICES {\n a cmd=nosuch listen={port}\n}\n",
        )
    ),
    "SERVICES listen": quick(
        refused_texts("SERVICES {\n a cmd=/bin/true\n}\n", 'SERVICES {\n a cmd=/bin/true listen=""\n}\n')
    ),
    "SERVICES proto": quick(each("proto", "tcp", "tcp4", "tcp6", "udp", "udp4", "udp6", "sctp", '""')),
    "SERVICES prefork": quick(each("prefork", *NUMBERS)),
    "SERVICES babysit": quick(
        understood(
            *(
                f'cmd="{{plain}}" listen="{{port}}" babysit=y {more}'
                for more in ("", "prefork=0", "prefork=3", "prefork=-2", "proto=udp", "maxforkrate=3")
            )
        )
    ),
    "SERVICES maxchild": quick(each("maxchild", *NUMBERS)),
    "SERVICES maxfds": quick(each("maxfds", *NUMBERS)),
    "SERVICES maxforkrate": quick(each("maxforkrate", *NUMBERS)),
    "EVENTS cmd": row(
        "EVENTS {\n relative cmd=cyr_buildinfo\n}\n" + services(SVC), commands_are_looked_up
    ),
    "EVENTS period": row(TWICE % "period=5" + services(SVC), runs_once_at_start),
    "EVENTS at": row(EVENT % f"at={LATER} period=1", waits_for_its_time),
    "DAEMON cmd": row(DAEMON % ("-w", ""), daemon_is_alone),
    "DAEMON wait": row(DAEMON % ("-r", "wait=y") + services(SVC), waits_until_ready),
    "DAEMON maxfds": quick(
        understood(*(f'cmd="{{plain}}" wait=y maxfds={number}' for number in NUMBERS), section="DAEMON")
    ),
    "DAEMON maxforkrate": row(
        'DAEMON {\n quick cmd="{plain} -n {directory}/conf/ran -f 75" maxforkrate=2\n}\n' + services(SVC),
        restarts_at_most_so_often,
    ),
    "(runtime) SIGHUP": row(
        'START {\n one cmd="{plain} -n {directory}/conf/ran -f 0"\n}\n' + services(SVC), idle_and_busy
    ),
    "(runtime) SIGTERM": row(services(SVC), ends_in_order),
    "(runtime) env CYRUS_SERVICE": row(services(SVC), one_of_each),
    "(runtime) env CYRUS_ID": row(services(SVC + " proto=tcp4"), one_of_each),
    "(runtime) env CYRUS_VERBOSE": row(services(SVC), one_of_each, options=()),
    "(runtime) -C not inherited": row(services(SVC), has_its_own_configuration),
    "(runtime) process reuse": row(services('svc cmd="{plain} -U 2" listen="{port}"'), used_up),
}  # fmt: skip


@pytest.mark.parametrize("name", ROWS)
def test_row(name: str) -> None:
    conf, scenario, start, options, differences = ROWS[name]
    play(conf, scenario, start=start, options=options, differences=differences)


def test_each_key_of_the_manual_page_has_a_row() -> None:
    section, documented = "", set()
    for line in (TOP / "man/cyrus.conf.5").read_text().splitlines():
        if found := re.fullmatch(r'\.SH "(\w+)"', line):
            section = found[1]
        elif found := re.fullmatch(r"\.BI (\w+)= \w+", line):
            documented.add(f"{section} {found[1]}")
    assert documented == {name for name in ROWS if not name.startswith("(")}


# what needs a clock


def runs_again(number: int) -> Callable[[Stage], Seen]:
    def scenario(stage: Stage) -> Seen:
        wait_for(lambda: turns(stage) >= number, "not run", detail=stage.lab.describe, deadline=150)
        return {"turns": turns(stage)}

    return scenario


@pytest.mark.long
def test_an_event_comes_back_after_its_period() -> None:
    assert play(EVENT % "period=1", runs_again(2))["turns"] == 2


@pytest.mark.long
def test_an_event_comes_at_its_time() -> None:
    at = time.strftime("%H%M", time.localtime(time.time() + 70))
    assert play(EVENT % f"at={at}", runs_again(1))["turns"] == 1


def turns(stage: Stage) -> int:
    path = Path(stage.path("ran"))
    return path.read_text().count("\n") if path.exists() else 0


def last_pid(stage: Stage) -> int:
    return int(Path(stage.path("ran")).read_text().splitlines()[-1].split()[0])
