"""Generated conversations about a selected mailbox and its messages: ours and the original answer alike.

What the original does otherwise, and why ours does not, stands with each family in
``cassandane.conversations.selected_*``.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cassandane.conversations.family import Family, check
from cassandane.conversations.selected import FAMILIES, SETTINGS, fill
from cassandane.conversations.servers import Servers, running

pytestmark = pytest.mark.reference


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    with running(fill, SETTINGS) as both:
        yield both


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_both_answer_alike(servers: Servers, family: Family) -> None:
    check(family, servers, seed=1)


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(2, 8))
def test_both_answer_other_conversations_alike(seed: int) -> None:
    """On a spool that our server made."""
    with running(fill, SETTINGS, filled_by="ours") as both:
        for family in FAMILIES:
            check(family, both, seed=seed, all_rows=False)
