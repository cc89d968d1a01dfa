"""The servers that programs of others are run against: ours, and the original's to tell whose fault it is."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from cassandane.foreign import Account
from cassandane.instance import Instance

_numbers = itertools.count(1)


@pytest.fixture(scope="session", params=["ours", "reference"])
def clients_server(request: pytest.FixtureRequest) -> Iterator[Instance]:
    """A server that is asked by many programs one after the other; every test has a user of its own."""
    services = ("imap", "imaps", "lmtp")
    programs = dict.fromkeys(services, request.param)
    settings = {"munge8bit": "no", "imapidlepoll": "1"}
    server = Instance(
        services=services, programs=programs, master=request.param, tls=True, imapd_conf=settings
    )
    server.start()
    try:
        yield server
    except BaseException:
        server.stop(check=False)
        raise
    server.stop()
    server.remove()


@pytest.fixture
def account(clients_server: Instance, tmp_path: Path) -> Account:
    """A fresh user with an INBOX."""
    user = f"reader{next(_numbers)}"
    clients_server.create_user(user)
    return Account(clients_server, user, tmp_path / "home")
