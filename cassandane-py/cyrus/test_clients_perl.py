"""Perl's clients: Mail::IMAPTalk's methods return and cyradm's commands print what they do on the original.

The transcripts are the original's; that it still gives them is tested here as well. The script keeps clear
of a refused SETQUOTA: the original leaves the rest of its line unread, and Mail::IMAPTalk then waits on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from cassandane.foreign import Account
from cassandane.instance import Instance

pytestmark = pytest.mark.reference

_HERE = Path(__file__).parent
_TALK_MASKS = (
    (r"'uidvalidity',?( =>)?\s*'\d+'", "'uidvalidity' N"),
    (r"'\d{9,10}'", "'N'"),
    (r"'mailboxid'( =>|,)\s*\[\s*'\w+'\s*\]", "'mailboxid' ID"),
)
_CYRADM_MASKS = (
    (r"(?s)name       : Cyrus IMAPD.*?(?=localhost> )", "name       : Cyrus IMAPD ...\n"),
    (r"(lastupdate|lastpop|uniqueid|mailboxid|createdmodseq|uidvalidity|size):.*", r"\1: N"),
    (r"(freespace|most|total): [\d;]+", r"\1: N"),
    (r"(DELETED/.*/)[0-9A-F]{8}\b", r"\1TIME"),
)


@pytest.fixture(scope="module", params=["ours", "reference"])
def server(request: pytest.FixtureRequest) -> Iterator[Instance]:
    """A server of their own: what these clients print has names, and an order that names decide."""
    instance = Instance(
        services=("imap",), programs={"imap": request.param}, master=request.param, tls=True,
        imapd_conf={"imapidlepoll": "1"},
    )
    instance.start()
    yield instance
    instance.stop()
    instance.remove()


def masked(text: str, masks: tuple[tuple[str, str], ...]) -> list[str]:
    for pattern, mask in masks:
        text = re.sub(pattern, mask, text)
    return text.splitlines()


def transcript(name: str) -> list[str]:
    return (_HERE / "transcripts" / name).read_text().splitlines()


def test_methods_of_imaptalk(server: Instance, tmp_path: Path) -> None:
    server.create_user("talker")
    account = Account(server, "talker", tmp_path / "home")
    done = account.run("/usr/bin/perl", _HERE / "scripts/imaptalk.pl", str(account.port), account.user)
    assert masked(done.stdout.decode(), _TALK_MASKS) == transcript("imaptalk.txt")


def test_commands_of_cyradm(server: Instance, tmp_path: Path) -> None:
    server.create_user("olga")
    account = Account(server, "olga", tmp_path / "home")
    done = account.run(
        "cyradm", "--norc", "--user", "admin", "--password", "secret", "--auth", "PLAIN",
        "--cafile", account.certificate, "--port", str(account.port), "localhost",
        stdin=(_HERE / "scripts/cyradm.txt").read_bytes(),
    )
    printed = done.stdout + b"--- errors\n" + done.stderr
    assert masked(printed.decode(), _CYRADM_MASKS) == transcript("cyradm.txt")
