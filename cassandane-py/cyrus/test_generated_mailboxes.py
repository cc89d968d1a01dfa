"""Conversations about mailboxes, users, rights, quotas, annotations and sessions, held on both servers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cassandane.conversations import mailboxes
from cassandane.conversations.family import check
from cassandane.conversations.servers import Servers, running

pytestmark = pytest.mark.reference


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
        check(family, servers, seed=list(mailboxes.CONFIGURATIONS).index(configuration), all_rows=False)


@pytest.mark.long
@pytest.mark.parametrize("name", mailboxes.FAMILIES)
def test_both_servers_answer_longer_conversations_alike(
    configured: tuple[str, Servers], name: str
) -> None:
    configuration, servers = configured
    if configuration in mailboxes.WITH_TLS and name not in mailboxes.PLAYED[configuration]:
        pytest.skip("its sessions do not begin TLS")
    family = mailboxes.family(name, mailboxes.CONFIGURATIONS[configuration], count=20)
    check(family, servers, seed=1000, all_rows=False)
