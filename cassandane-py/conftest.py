"""Fixtures: a fresh instance a test, and clients on it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from cassandane.clients import ImapClient
from cassandane.instance import Instance
from libcyrus.base import lock_order
from libcyrus.sasl import sasldb

# here, in what is forked from here, and by inheritance in every server and program that a test starts
os.environ[lock_order.VARIABLE] = "yes"
lock_order.install()

# a run under nohup ignores it, which every program started here would inherit; a handler is not inherited
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, lambda *_: None)

# a machine's own users are nobody in a test
sasldb.DEFAULT_PATH = "/nonexistent/sasldb2"

# the same examples in each run, however slow the machine; make soak has new ones every time
_PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("usual", _PATIENT, derandomize=True)
settings.register_profile("soak", _PATIENT, derandomize=False)
settings.load_profile("usual")

_NO_SECOND_TRY = {
    "test_cyr_dbtool", "test_delivery_disk", "test_exchange", "test_kill", "test_many_sessions", "test_mta",
    "test_postfix", "test_sharing", "test_workload",
}  # fmt: skip
"""Where losing something once in a while is what is looked for."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test of programs that are not ours is tried once more, and named: they have races of their own."""
    for item in items:
        if item.get_closest_marker("reference") and item.path.stem not in _NO_SECOND_TRY:
            item.add_marker(pytest.mark.flaky(reruns=1))


def _settings(request: pytest.FixtureRequest) -> dict[str, str]:
    marks = request.node.iter_markers("imapd_conf")
    merged: dict[str, Any] = {}
    for mark in reversed(list(marks)):
        merged |= mark.kwargs
    return {key: str(value) for key, value in merged.items()}


@pytest.fixture
def instance(request: pytest.FixtureRequest) -> Iterator[Instance]:
    """A running server of ours with the user ``cassandane``; its directory stays if the test fails."""
    server = Instance(imapd_conf=_settings(request))
    server.start()
    try:
        server.create_user("cassandane")
        yield server
    except BaseException:
        server.stop(check=False)
        raise
    server.stop()
    server.remove()


@pytest.fixture
def imap(instance: Instance) -> Iterator[ImapClient]:
    with instance.imap("cassandane") as client:
        yield client
