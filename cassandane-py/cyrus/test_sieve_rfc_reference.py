"""The rules and examples of the RFCs, played through our lmtpd and the original's alike."""

from __future__ import annotations

import pytest
from cunit import (
    test_sieve_rfc_5228,
    test_sieve_rfc_5229,
    test_sieve_rfc_5260,
    test_sieve_rfc_actions,
    test_sieve_rfc_store,
)
from cyrus.test_sieve_cases import World, worlds

from cassandane.sieve_cases import Case
from cassandane.sieve_rules import Rule

pytestmark = [pytest.mark.reference, pytest.mark.long]
__all__ = ["worlds"]

_MODULES = (
    test_sieve_rfc_5228,
    test_sieve_rfc_5229,
    test_sieve_rfc_5260,
    test_sieve_rfc_actions,
    test_sieve_rfc_store,
)
RULES = [rule for module in _MODULES for rule in module.RULES]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("start", range(0, len(RULES), 50))
def test_rules_do_the_same(worlds: tuple[World, World], start: int) -> None:
    different = []
    for number, rule in enumerate(RULES[start : start + 50], start + 10_000):
        case = Case(number, rule.script, rule.sender, "", _message(rule))
        ours = worlds[0].play(case)
        try:
            original = worlds[1].play(case)
        except EOFError:
            worlds[1].mails()
            continue
        if ours != original:
            different.append((rule.id, ours, original))
    assert not different, different


def _message(rule: Rule) -> str:
    mail = rule.mail.replace(rule.to, "{me}")
    # lmtpd would put a date of its own
    return mail if "\nDate:" in f"\n{mail}" else f"Date: Tue, 1 Apr 1997 09:06:31 -0800\n{mail}"
