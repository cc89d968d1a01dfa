"""master beside the original's: how many processes there are, how they die, what they tell master."""

from __future__ import annotations

import os
import signal

import pytest

from cassandane.labmaster import LabClient, exists, services
from cassandane.scenario import PROGRAMS, Seen, Stage, play

pytestmark = pytest.mark.reference

each_program = pytest.mark.parametrize("program", PROGRAMS)


# numbers


@each_program
def test_a_burst_finds_workers_and_leaves_spare_ones(program: str) -> None:
    def scenario(stage: Stage) -> Seen:
        seen: Seen = {"idle": stage.settle(2)}
        guests = stage.crowd(5)
        seen["pids"] = len({guest.pid for guest in guests})
        seen["served"] = stage.settle(7), stage.ready(guests[0])
        for guest in guests:
            guest.quit()
        seen["after"] = stage.settle(7), stage.ready(stage.client())
        return seen

    seen = play(services('svc cmd="{program}" listen="{port}" prefork=2'), scenario, program=program)
    assert (seen["idle"], seen["pids"], seen["served"], seen["after"]) == (2, 5, (7, 2), (7, 6))


@each_program
def test_nobody_is_started_before_somebody_comes(program: str) -> None:
    def scenario(stage: Stage) -> Seen:
        seen: Seen = {"idle": stage.settle(0)}
        guests = stage.crowd(3)
        seen["served"] = stage.settle(3), stage.ready(guests[0])
        for guest in guests:
            guest.quit()
        first = stage.client()
        seen["reused"] = first.pid in [guest.pid for guest in guests]
        seen["after"] = stage.settle(3), stage.ready(first)
        return seen

    seen = play(services('svc cmd="{program}" listen="{port}"'), scenario, program=program)
    assert (seen["idle"], seen["served"], seen["after"], seen["reused"]) == (0, (3, 0), (3, 2), True)


@each_program
def test_maxchild_makes_the_others_wait(program: str) -> None:
    def scenario(stage: Stage) -> Seen:
        guests, waiting = stage.crowd(2), stage.waiting(3)
        seen: Seen = {"served": stage.settle(2)}
        pids = {guest.pid for guest in guests}
        for guest in guests:
            guest.quit()
        seen["by the same"] = []
        for guest in waiting:
            seen["by the same"].append(guest.line.greeting() in pids)
            guest.quit()
        seen["after"] = stage.settle(2)
        return seen

    conf = services('svc cmd="{program}" listen="{port}" maxchild=2 prefork=1')
    seen = play(conf, scenario, program=program)
    assert (seen["served"], seen["after"], seen["by the same"]) == (2, 2, [True] * 3)


@each_program
def test_prefork_beyond_maxchild(program: str) -> None:
    """``maxchild`` is kept by ours; the original fills ``prefork`` up whenever there is room for one."""

    def scenario(stage: Stage) -> Seen:
        expected = 5 if stage.lab.kind == "reference" else 3
        return {"idle": stage.settle(expected)}

    conf = services('svc cmd="{program}" listen="{port}" maxchild=3 prefork=5')
    play(conf, scenario, program=program, differences={"idle": (5, 3)})


def test_maxchild_of_none_serves_nobody_but_babysitting_starts_one() -> None:
    def scenario(stage: Stage) -> Seen:
        waiting = stage.waiting(1)[0]
        served = stage.client(1)
        seen = {"none": stage.settle(0, "none"), "one": stage.settle(1, "one"), "uses": served.ask("uses")}
        waiting.line.close()
        return seen

    conf = services(
        'none cmd="{plain}" listen="{port}" maxchild=0\n'
        'one cmd="{plain}" listen="{port2}" maxchild=0 babysit=y'
    )
    seen = play(conf, scenario)
    assert any("Applying babysitter" in line for line in seen["log"])


@each_program
def test_babysitting_replaces_the_dead(program: str) -> None:
    def scenario(stage: Stage) -> Seen:
        seen: Seen = {"idle": stage.settle(1)}
        guest = stage.client()
        seen["busy"] = stage.settle(2)
        guest.send("exit 3")
        stage.gone(guest.pid)
        seen["after"] = stage.settle(1)
        return seen

    seen = play(services('svc cmd="{program}" listen="{port}" babysit=y'), scenario, program=program)
    assert (seen["idle"], seen["busy"], seen["after"]) == (1, 2, 1)


@each_program
def test_several_services_of_one_program_are_apart(program: str) -> None:
    def scenario(stage: Stage) -> Seen:
        one, two = stage.client(0), stage.client(1)
        return {
            "names": [guest.ask("environment CYRUS_SERVICE") for guest in (one, two)],
            "options": [guest.ask("option").split()[-1] for guest in (one, two)],
            "one": stage.settle(2, "one"),
            "two": stage.settle(1, "two"),
        }

    conf = services(
        'one cmd="{program} -o first" listen="{port}" prefork=1\n'
        'two cmd="{program} -o second" listen="{port2}" maxchild=1'
    )
    seen = play(conf, scenario, program=program)
    assert (seen["names"], seen["options"]) == (["one", "two"], ["first", "second"])


@each_program
def test_a_worker_is_used_up_and_replaced(program: str) -> None:
    def scenario(stage: Stage) -> Seen:
        pids, uses = [], []
        for _ in range(5):
            guest = stage.client()
            pids.append(guest.pid)
            uses.append(guest.ask("uses"))
            guest.quit()
            if uses[-1] == "2":
                stage.gone(guest.pid)
        return {"uses": uses, "workers": len(set(pids)), "idle": stage.settle(1)}

    conf = services('svc cmd="{program} -U 2" listen="{port}" maxchild=1')
    seen = play(conf, scenario, program=program)
    assert (seen["uses"], seen["workers"]) == (["1", "2", "1", "2", "1"], 3)


def test_the_fork_rate_is_estimated_alike() -> None:
    """At the first look 8 are started, since the estimate counts 0.69 for each; the others come later."""

    def scenario(stage: Stage) -> Seen:
        stage.settle(12)
        needed = [int(line.split()[3]) for line in stage.said(r"service svc/ipv4 needs \d+ more")]
        return {"needed": sorted(set(needed), reverse=True)[:2], "workers": stage.settle(12)}

    conf = services('svc cmd="{plain}" listen="{port}" prefork=12 maxforkrate=5')
    assert play(conf, scenario)["needed"] == [12, 4]


@each_program
def test_an_idle_worker_ends_after_its_time(program: str) -> None:
    """``-T``; the plain program knows no such thing, and stays."""
    own = "-T 1" if program == "lab" else ""

    def scenario(stage: Stage) -> Seen:
        guest = stage.client()
        guest.quit()
        if program == "lab":
            stage.gone(guest.pid)
        return {"workers": stage.settle(0 if program == "lab" else 1), "again": stage.client().ask("uses")}

    conf = services(f'svc cmd="{{{program}}} {own}" listen="{{port}}"')
    assert play(conf, scenario, program=program)["again"] == ("1" if program == "lab" else "2")


# deaths


DEATHS = {
    "exit 0": [],
    "exit 1": ["exited, status 1"],
    "exit 75": [],
    "exit 255": ["exited, status 255"],
    "kill 9": ["signaled to death by signal 9 (Killed)"],
    "kill 6": ["signaled to death by signal 6 (Aborted"],
    "kill 11": ["signaled to death by signal 11 (Segmentation fault"],
}


@each_program
def test_a_busy_worker_dies(program: str) -> None:
    def scenario(stage: Stage) -> Seen:
        other = stage.client()
        seen: Seen = {}
        for command in DEATHS:
            guest = stage.client()
            before = len(deaths(stage))
            guest.send(command)
            stage.gone(guest.pid)
            numbers = stage.settle(2), stage.ready(other)
            seen[command] = numbers, other.ask("uses"), deaths(stage)[before:]
        return seen

    conf = services('svc cmd="{program}" listen="{port}" prefork=1')
    seen = play(conf, scenario, program=program)
    for command, words in DEATHS.items():
        numbers, uses, said = seen[command]
        assert (numbers, uses) == ((2, 1), "1")
        assert [line[: len(word)] for line, word in zip(said, words, strict=True)] == words


def deaths(stage: Stage) -> list[str]:
    """What became of processes of the service, as far as that is worth a notice."""
    return [line.partition("pid:N ")[2] for line in stage.said("^process.*name:svc", level=5)]


@each_program
def test_idle_workers_are_killed(program: str) -> None:
    def scenario(stage: Stage) -> Seen:
        stage.settle(3)
        guest = stage.client()
        idle = [pid for pid in stage.workers() if pid != guest.pid]
        kill(idle[0], signal.SIGKILL)
        stage.gone(idle[0])
        return {"workers": stage.settle(4), "ready": stage.ready(guest), "busy": guest.ask("uses")}

    conf = services('svc cmd="{program}" listen="{port}" prefork=3')
    seen = play(conf, scenario, program=program)
    assert (seen["workers"], seen["ready"]) == (4, 3)
    assert "service svc/ipv4 pid N in READY state: terminated abnormally" in seen["log"]


@pytest.mark.parametrize("code", [3, -9])
def test_who_cannot_start_is_given_up(code: int) -> None:
    def scenario(stage: Stage) -> Seen:
        stage.lab.wait_for_log("too many failures for service svc/ipv4, disabling until next SIGHUP")
        stage.sync()
        died = len(stage.said("type:SERVICE name:svc"))
        seen = {"died": died, "refused": refused(stage), "others": stage.client(1).ask("uses")}
        stage.reload(services('svc cmd="{plain}" listen="{port}"\n good cmd="{plain}" listen="{port2}"'))
        seen["again"] = stage.client().ask("uses")
        return seen

    conf = services(
        f'svc cmd="{{plain}} -f {code}" listen="{{port}}" prefork=1\n good cmd="{{plain}}" listen="{{port2}}"'
    )
    seen = play(conf, scenario)
    assert (seen["died"], seen["refused"], seen["others"], seen["again"]) == (5, True, "1", "1")


def test_who_ends_without_complaint_is_not_given_up() -> None:
    """Ours makes a pause between them, so that a mistake in cyrus.conf does not cost a processor."""

    def scenario(stage: Stage) -> Seen:
        stage.lab.wait_for_log("type:SERVICE name:svc", 7)
        return {"others": stage.client(1).ask("uses")}

    conf = services(
        'svc cmd="{plain} -f 75" listen="{port}" prefork=1\n good cmd="{plain}" listen="{port2}"'
    )
    play(conf, scenario)


def test_a_client_of_a_service_that_is_given_up_is_served_on() -> None:
    def scenario(stage: Stage) -> Seen:
        guest = stage.client()
        for _ in range(5):
            (idle,) = [pid for pid in wait_for_workers(stage, 2) if pid != guest.pid]
            kill(idle, signal.SIGKILL)
            stage.gone(idle)
        stage.lab.wait_for_log("too many failures for service svc/ipv4")
        seen: Seen = {"served": guest.ask("uses"), "workers": stage.settle(1)}
        guest.quit()
        again = stage.client()
        seen["its worker goes on"] = again.pid == guest.pid
        again.send("exit 0")
        stage.gone(again.pid)
        stage.sync()
        seen["refused"] = refused(stage)
        return seen

    conf = services('svc cmd="{plain}" listen="{port}" prefork=1')
    seen = play(conf, scenario)
    assert (seen["served"], seen["its worker goes on"], seen["refused"]) == ("1", True, True)


# what workers say


# what a busy worker says, and how many workers there are when another client comes
MESSAGES = [
    ([1], 1), ([2], 2), ([3], 2), ([4], 1), ([5], 2), ([0], 2), ([-1], 2), ([2147483647], 2),
    ([1, 1], 1), ([1, 3], 2), ([1, 2], 2), ([4, 4], 1),
]  # fmt: skip


@each_program
def test_strange_messages_of_a_busy_worker(program: str) -> None:
    def scenario(stage: Stage) -> Seen:
        seen: Seen = {}
        for place, (messages, workers) in enumerate(MESSAGES):
            path = f"{stage.lab.directory}/conf/socket/m{place}"
            guest = stage.guest_at(path)
            for message in messages:
                guest.ask(f"tell {message}")
            ready = stage.ready(guest, f"m{place}")
            said = stage.said(f"m{place}/unix pid")
            other = LabClient(path)
            seen[str(messages)] = ready, said, stage.settle(workers, f"m{place}")
            guest.quit()
            other.greeting()
            other.quit()
        return seen | {"log": []}

    entry = 'm{place} cmd="{program}" listen="{directory}/conf/socket/m{place}" maxchild=2\n'
    conf = services("".join(entry.replace("{place}", str(place)) for place in range(len(MESSAGES))))
    play(conf, scenario, program=program)


def test_messages_about_others() -> None:
    """Nobody's process, another service's, a negative number: the original indexes its table with that."""

    def scenario(stage: Stage) -> Seen:
        guest, other = stage.client(0), stage.client(1)
        stage.sync()  # else what they said themselves might be heard last
        for pid in (4194303, 4194303, other.pid, stage.lab.pid):
            for message in (2, 3, 1):
                guest.ask(f"tell {message} {pid}")
        seen = {"ready": stage.ready(guest), "other": other.ask("uses"), "said": stage.said("(svc|two)/ipv4")}
        seen["log"] = stage.complaints()
        if stage.lab.kind == "ours":
            guest.ask("tell 2 -5")
            guest.ask("tell 3 -2147483648")
            assert stage.ready(guest) == seen["ready"]
        return seen

    conf = services('svc cmd="{plain}" listen="{port}"\n two cmd="{plain}" listen="{port2}"')
    seen = play(conf, scenario)
    assert any("long dead children" in line for line in seen["log"])
    assert any("changing from service two/ipv4" in line for line in seen["log"])


@pytest.mark.parametrize("maxchild", [1, 2])
def test_messages_that_make_counts_negative(maxchild: int) -> None:
    """An idle worker of another service is said to be busy here."""

    def scenario(stage: Stage) -> Seen:
        stage.settle(1, "two")
        guest = stage.client()
        stage.sync()
        (idle,) = stage.workers("two")
        guest.ask(f"tell 2 {idle}")
        seen = {"ready": stage.ready(guest), "workers": stage.settle(maxchild), "served": guest.ask("uses")}
        return seen | {"log": stage.complaints()}

    conf = services(
        f'svc cmd="{{plain}}" listen="{{port}}" maxchild={maxchild}\n'
        'two cmd="{plain}" listen="{port2}" prefork=1'
    )
    seen = play(conf, scenario)
    assert ("svc/ipv4 has -1 workers?!?" in seen["log"]) == (maxchild == 1)


def test_messages_of_the_wrong_size() -> None:
    """The rest of a short one is dropped; ours says so, as the original means to."""

    def scenario(stage: Stage) -> Seen:
        guest = stage.client()
        for data in ("01", "0100000002", "01000000" * 5, "ff" * 7):
            guest.ask(f"write {data}")
            stage.sync()
        return {"ready": stage.ready(guest), "served": guest.ask("uses")}

    conf = services('svc cmd="{plain}" listen="{port}"')
    theirs = ["service svc/ipv4 pid N: receiving messages from long dead children"]
    ours = ["got incorrectly sized response from child: svc/ipv4", *theirs]
    play(conf, scenario, differences={"log": (theirs, ours)})


def refused(stage: Stage, port: int = 0) -> bool:
    try:
        stage.lab.connect(port).close()
    except ConnectionRefusedError:
        return True
    return False


def kill(pid: int, number: int) -> None:
    assert exists(pid)
    os.kill(pid, number)


def wait_for_workers(stage: Stage, number: int) -> list[int]:
    stage.settle(number)
    return stage.workers()
