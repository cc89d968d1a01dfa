"""The rules and examples of the RFCs, played through our lmtpd and the original's: equal mail comes of them.

Where the original keeps a rule and where not, ours does the same; the tables of rules themselves tell that.
Where it fails altogether, ours does what the RFC says. All such places are in ``DIFFERENT``, each with its
reason, and are shown to differ:

- words in capitals, as in the RFC's own example;
- a script with any number of redirects, where ours keeps the mail after a hundred;
- the number of a field put in front of others of its name;
- whether a method of notification is valid, in a script without variables;
- ``denotify``, which always fails the script;
- addresses in mailto URIs with parameters, which are sent to by notifyd (see the tests of notifications);
- ``:bytimeabsolute`` and ``redirect :list``, which the compilers die of.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest
from cunit import (
    test_sieve_rfc_5228,
    test_sieve_rfc_5229,
    test_sieve_rfc_5260,
    test_sieve_rfc_actions,
    test_sieve_rfc_coverage,
    test_sieve_rfc_store,
)
from cyrus.test_sieve_cases import World

from cassandane.sieve_cases import Case
from cassandane.sieve_rules import Rule

pytestmark = [pytest.mark.reference, pytest.mark.long]

_MODULES = (
    test_sieve_rfc_5228,
    test_sieve_rfc_5229,
    test_sieve_rfc_5260,
    test_sieve_rfc_actions,
    test_sieve_rfc_store,
    test_sieve_rfc_coverage,
)
RULES = [rule for module in _MODULES for rule in module.RULES]
_STEP = 50
DIFFERENT = {
    "NOT address": "keywords and tags are taken in lower case only",
    'redirect "a100@b.c"': "there is no limit to redirects",
    'header :index 1 "X-A" "2"': "a field added in front counts as the last of its name",
    'require ["enotify"];\nif valid_notify_method ["mailto:alm@example.com"]': "whole URIs are compared",
    'require ["enotify"];\nif valid_notify_method ["MAILTO:a@b.c"]': "whole URIs are compared",
    "denotify": "its priority is read from a wrong place, so the script fails",
    ":bytimeabsolute": "timsieved dies",
    "redirect :list": "timsieved dies",
}


@pytest.fixture(scope="module")
def worlds() -> Iterator[tuple[World, World]]:
    with contextlib.ExitStack() as stack:
        made = []
        for program in ("ours", "reference"):
            # external lists are offered with address books
            world = World(program, httpmodules="carddav")
            stack.callback(world.close)
            made.append(world)
        yield made[0], made[1]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("start", range(0, len(RULES), _STEP))
def test_rules_do_the_same(worlds: tuple[World, World], start: int) -> None:
    unexpected = []
    for number, rule in enumerate(RULES[start : start + _STEP], start):
        case = Case(number, rule.script, rule.sender, "", _message(rule))
        ours = worlds[0].play(case)
        original: list[bytes] | None = None
        # it may die of the script
        with contextlib.suppress(EOFError):
            original = worlds[1].play(case)
        worlds[1].mails()
        if (ours == original) is any(text in rule.script for text in DIFFERENT):
            unexpected.append((rule.id, ours, original))
    assert not unexpected, unexpected


def _message(rule: Rule) -> str:
    mail = rule.mail.replace(rule.to, "{me}")
    # lmtpd would put a date of its own
    return mail if "\nDate:" in f"\n{mail}" else f"Date: Tue, 1 Apr 1997 09:06:31 -0800\n{mail}"
