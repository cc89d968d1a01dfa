"""Conversations about mailboxes, users, rights, quotas, annotations and sessions, held on both servers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from cassandane.conversations import mailboxes, rows
from cassandane.conversations.family import check
from cassandane.conversations.servers import Servers, running

pytestmark = pytest.mark.reference

_played: set[str] = set()
_unseen: dict[str, set[str]] = {}
"""The rows that a family is to show and has not shown under any configuration."""
_listed: Counter[str] = Counter()


# clients begin TLS in some configurations only, and domains are in some only
_FITTING = [
    (configuration, name)
    for configuration, options in mailboxes.CONFIGURATIONS.items()
    for name in mailboxes.FAMILIES
    if (configuration in mailboxes.WITH_TLS) == (name == "layers")
    and (name != "domains" or "virtdomains" in options)
]


@contextmanager
def serving(configuration: str) -> Iterator[Servers]:
    tls = configuration in mailboxes.WITH_TLS
    with running(mailboxes.fill, mailboxes.CONFIGURATIONS[configuration], tls=tls) as servers:
        servers.ours.allowed_log.append("Fatal error: num too big")
        yield servers


@pytest.fixture(scope="module", params=list(mailboxes.CONFIGURATIONS))
def configured(request: pytest.FixtureRequest) -> Iterator[tuple[str, Servers]]:
    with serving(request.param) as servers:
        yield request.param, servers


def play(configuration: str, servers: Servers) -> None:
    for name in mailboxes.PLAYED[configuration]:
        family = mailboxes.family(name, mailboxes.CONFIGURATIONS[configuration])
        seed = list(mailboxes.CONFIGURATIONS).index(configuration)
        report = check(family, servers, seed=seed, all_rows=False)
        unseen = set(rows.unseen(name, report.heard))
        _unseen[name] = _unseen.get(name, unseen) & unseen
        _listed.update(report.listed)
    _played.add(configuration)


def test_both_servers_answer_alike(configured: tuple[str, Servers]) -> None:
    play(*configured)


def test_every_row_and_every_listed_difference_was_shown() -> None:
    for configuration in mailboxes.CONFIGURATIONS:
        # another process may have been given it
        if configuration not in _played:
            with serving(configuration) as servers:
                play(configuration, servers)
    assert not {name: unseen for name, unseen in _unseen.items() if unseen}
    assert not [one.reason for one in mailboxes.DIFFERENCES if not _listed[one.reason]]


@pytest.mark.long
@pytest.mark.parametrize(("configured", "name"), _FITTING, indirect=["configured"])
def test_both_servers_answer_longer_conversations_alike(configured: tuple[str, Servers], name: str) -> None:
    configuration, servers = configured
    family = mailboxes.family(name, mailboxes.CONFIGURATIONS[configuration], count=20)
    check(family, servers, seed=1000, all_rows=False)
