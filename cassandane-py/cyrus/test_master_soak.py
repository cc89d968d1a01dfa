"""master under clients, kills and reloads at random: in the end its counts are the truth."""

from __future__ import annotations

import contextlib
import random
import re
import signal
from collections.abc import Iterator

import psutil
import pytest

from cassandane.instance import wait_for
from cassandane.labmaster import LabClient, LabMaster

CONF = """SERVICES {
  lab cmd="{lab} -U 5" listen="{port}" prefork=3 maxchild=8
  two cmd="{lab} -U 3" listen="{port2}"
}
"""
PROMETHEUS = {"prometheus_enabled": "yes", "prometheus_update_freq": "1s"}
STEPS = 3000


@pytest.fixture
def master() -> Iterator[LabMaster]:
    made = LabMaster(CONF, imapd_conf=PROMETHEUS).start()
    try:
        yield made
        made.stop()
    finally:
        made.cleanup()


@pytest.mark.long
@pytest.mark.parametrize("seed", range(5))
def test_counts_stay_true(master: LabMaster, seed: int) -> None:
    chance = random.Random(seed)
    clients: list[LabClient] = []
    for _ in range(STEPS):
        with contextlib.suppress(OSError, psutil.Error, AssertionError):
            step(master, clients, chance)
    for client in clients:
        client.close()
    # brings back what was given up
    master.signal(signal.SIGHUP)

    wait_for(lambda: settled(master), "the counts are wrong", detail=master.describe)
    for port in (0, 1):
        client = master.client(port)
        client.greeting()
        client.quit()
    for trouble in ("Traceback", "in DEAD state", "long dead", "changing from", "but it is already"):
        assert not master.has_logged(trouble), master.describe()


def step(master: LabMaster, clients: list[LabClient], chance: random.Random) -> None:
    """One thing that may happen to a server."""
    what = chance.random()
    if what < 0.55:
        if len(clients) < 12:
            clients.append(master.connect(chance.randrange(2)))
    elif what < 0.95:
        if clients:
            client = clients.pop(chance.randrange(len(clients)))
            client.socket.settimeout(0.3)
            client.greeting()
            client.quit()
    elif what < 0.99:
        victims = psutil.Process(master.pid).children(recursive=True)
        number = chance.choice([signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
        if victims:
            chance.choice(victims).send_signal(number)
    else:
        master.signal(signal.SIGHUP)


def settled(master: LabMaster) -> bool:
    """Whether all workers are idle, three of them for ``lab``, and the report says so."""
    text = (master.directory / "conf/stats/master.txt").read_text()
    found = re.findall(r'cyrus_master_(\w+)\{service="(\w+)",family="ipv4"\} (-?\d+) ', text)
    counts = {(metric, service): int(value) for metric, service, value in found}
    active = {one: counts.get(("active_children", one), -1) for one in ("lab", "two")}
    ready = {one: counts.get(("ready_workers", one), -1) for one in ("lab", "two")}
    try:
        children = psutil.Process(master.pid).children(recursive=True)
        parents = {child.ppid() for child in children} - {master.pid}
    except psutil.NoSuchProcess:
        return False
    alive = len(children) - len(parents)
    return active == ready and active["lab"] >= 3 and alive == sum(active.values()) and not master.zombies()
