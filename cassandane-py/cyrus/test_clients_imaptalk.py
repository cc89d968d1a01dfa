"""Mail::IMAPTalk of Perl: what nearly every method returns, the same from ours as from the original."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cassandane.foreign import Account

pytestmark = pytest.mark.reference

_HERE = Path(__file__).parent
_MASKS = (
    (r"'uidvalidity',?( =>)?\s*'\d+'", "'uidvalidity' N"),
    (r"'\d{9,10}'", "'N'"),
    (r"'mailboxid'( =>|,)\s*\[\s*'\w+'\s*\]", "'mailboxid' ID"),
)


def test_every_method_returns_what_it_should(account: Account) -> None:
    script = _HERE / "scripts/imaptalk.pl"
    done = account.run("/usr/bin/perl", script, str(account.port), account.user)
    printed = done.stdout.decode().replace(account.user, "USER")
    for pattern, mask in _MASKS:
        printed = re.sub(pattern, mask, printed)
    expected = _HERE / "transcripts/imaptalk.txt"
    assert printed.splitlines() == expected.read_text().splitlines()
