"""Alpine on a terminal: open, sort, select by the server's searches, flag, save, expunge, keep folders."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from cassandane.foreign import Account, Terminal, fill, flags_by_subject, folder_names
from cassandane.messages import message

pytestmark = pytest.mark.reference

_FEATURES = (
    "enable-aggregate-command-set", "enable-flag-cmd", "expunge-without-confirm", "save-will-not-delete",
    "quit-without-confirm", "quell-folder-internal-msg",
    "expunge-without-confirm-everywhere", "no-auto-zoom-after-select",
    "disable-password-file-saving",
)


@contextmanager
def alpine(account: Account, transport: str, *options: str) -> Iterator[Terminal]:
    """Alpine with the INBOX open; it must end well."""
    port = account.tls_port if transport == "imaps" else account.port
    security = {"plain": "notls", "starttls": "tls/novalidate-cert", "imaps": "ssl/novalidate-cert"}
    server = f"{{localhost:{port}/user={account.user}/{security[transport]}}}"
    configuration = account.write(
        "pinerc",
        f"""
personal-name=A Tester
user-domain=example.org
inbox-path={server}INBOX
folder-collections=Mail {server}[]
default-fcc=""
feature-list={",".join(_FEATURES)}
last-version-used=9.99
""",
    )
    words, environment = account.command("alpine", "-p", configuration, "-i", *options)
    with Terminal(words, environment, account.home) as terminal:
        terminal.expect("PASSWORD")
        terminal.type("secret\r")
        # which of them it says depends on how long what took
        terminal.expect(r'Folder "INBOX" opened with|\[(Opening|Sorting) "INBOX" DONE')
        yield terminal
        terminal.type("Q")
        assert terminal.wait() == 0, terminal.text()


@pytest.mark.parametrize("transport", ["plain", "starttls", "imaps"])
def test_reads_flags_saves_and_expunges(account: Account, transport: str) -> None:
    words = ("pear", "fig", "nut")
    fill(account, "INBOX", *(message(f"subject-{word}", f"text of {word}") for word in words))
    with account.imap() as client:
        client.ok("CREATE Kept")  # else Alpine asks, and forgets answers that were typed before it asked
    with alpine(account, transport, "-sort", "subject") as terminal:
        for place, word in enumerate(("fig", "nut", "pear"), 1):
            assert re.search(rf" {place} Nov  2 .*subject-{word}", terminal.text())
        terminal.type("1\r\r")
        terminal.expect("text of fig")
        terminal.type("SKept\r")
        terminal.expect("DONE|copied")
        terminal.type("D")
        terminal.expect("text of nut")
        terminal.type("I")
        terminal.expect("MESSAGE INDEX")
        terminal.type("*")
        terminal.expect("(?i)flag")
        terminal.type("*")
        terminal.type("X")
        terminal.expect("(?i)expunged")
    assert flags_by_subject(account, "INBOX") == {
        "subject-pear": set(), "subject-nut": {"\\Seen", "\\Flagged"},
    }
    assert list(flags_by_subject(account, "Kept")) == ["subject-fig"]


def test_selects_by_searches_and_applies(account: Account) -> None:
    fill(account, "INBOX", *(message(f"s{number}", "needle" if number % 2 else "hay") for number in range(6)))
    with alpine(account, "imaps") as terminal:
        terminal.type(";")
        terminal.expect("(?i)select")
        terminal.type("t")
        terminal.expect("(?i)select based on")
        terminal.type("b")
        terminal.type("needle\r")
        terminal.expect("matched 3 messages")
        terminal.type("A")
        terminal.expect("(?i)apply")
        terminal.type("D")
        terminal.expect("(?i)deleted|marked")
        terminal.type("X")
        terminal.expect("(?i)expunged")
    assert list(flags_by_subject(account, "INBOX")) == ["s0", "s2", "s4"]


def test_keeps_folders(account: Account) -> None:
    fill(account, "INBOX", message("only"))
    with account.imap() as client:
        client.ok("CREATE Old")
    with alpine(account, "imaps") as terminal:
        terminal.type("L")
        terminal.expect("FOLDER LIST")
        terminal.expect("Old")
        terminal.type("A")
        terminal.expect("Folder name to add")
        terminal.type("Made\r")
        terminal.expect("(?i)created")
        terminal.type("W")
        terminal.type("Old\r")
        terminal.type("R")
        terminal.expect("(?i)rename")
        terminal.type("\x01\x0bNew\r")
        terminal.expect("(?i)renamed")
    with account.imap() as client:
        assert sorted(folder_names(client)) == ["INBOX", "Made", "New"]
