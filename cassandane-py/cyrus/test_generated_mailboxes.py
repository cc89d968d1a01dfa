"""Conversations about mailboxes, users, rights, quotas, annotations and sessions, held on both servers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from cassandane.conversations import mailboxes, rows
from cassandane.conversations.family import check
from cassandane.conversations.servers import Servers, running

pytestmark = pytest.mark.reference

_played: set[str] = set()
_unseen: dict[str, set[str]] = {}
"""The rows that a family is to show and has not shown under any configuration."""
_listed: Counter[str] = Counter()


@pytest.fixture(scope="module", params=list(mailboxes.CONFIGURATIONS))
def configured(request: pytest.FixtureRequest) -> Iterator[tuple[str, Servers]]:
    tls = request.param in mailboxes.WITH_TLS
    with running(mailboxes.fill, mailboxes.CONFIGURATIONS[request.param], tls=tls) as servers:
        servers.ours.allowed_log.append("Fatal error: num too big")
        yield request.param, servers


def test_both_servers_answer_alike(configured: tuple[str, Servers]) -> None:
    configuration, servers = configured
    for name in mailboxes.PLAYED[configuration]:
        family = mailboxes.family(name, mailboxes.CONFIGURATIONS[configuration])
        seed = list(mailboxes.CONFIGURATIONS).index(configuration)
        report = check(family, servers, seed=seed, all_rows=False)
        unseen = set(rows.unseen(name, report.heard))
        _unseen[name] = _unseen.get(name, unseen) & unseen
        _listed.update(report.listed)
    _played.add(configuration)


def test_every_row_and_every_listed_difference_was_shown() -> None:
    if _played != set(mailboxes.CONFIGURATIONS):
        pytest.skip("not all configurations were played")
    assert not {name: unseen for name, unseen in _unseen.items() if unseen}
    assert not [one.reason for one in mailboxes.DIFFERENCES if not _listed[one.reason]]


@pytest.mark.long
@pytest.mark.parametrize("name", mailboxes.FAMILIES)
def test_both_servers_answer_longer_conversations_alike(
    configured: tuple[str, Servers], name: str
) -> None:
    configuration, servers = configured
    if (configuration in mailboxes.WITH_TLS) != (name == "layers"):
        pytest.skip("clients begin TLS in some configurations only")
    if name == "domains" and "virtdomains" not in mailboxes.CONFIGURATIONS[configuration]:
        pytest.skip("there are no domains")
    family = mailboxes.family(name, mailboxes.CONFIGURATIONS[configuration], count=20)
    check(family, servers, seed=1000, all_rows=False)
