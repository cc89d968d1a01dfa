"""mutt and NeoMutt, by pushed keys: read, flag, delete, copy, search, and renew caches by QRESYNC."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cassandane.foreign import Account, Terminal, fill, flags_by_subject, folder_names, mail_of
from cassandane.messages import corpus, message

pytestmark = pytest.mark.reference

_SECURITY = {
    "plain": ("imap", "set ssl_starttls=no ssl_force_tls=no"),
    "starttls": ("imap", "set ssl_starttls=yes ssl_force_tls=yes"),
    "imaps": ("imaps", "set ssl_starttls=no"),
}
programs = pytest.mark.parametrize("program", ["mutt", "neomutt"])


def command_line(
    account: Account, program: str, settings: str, *, transport: str = "plain"
) -> list[str | Path]:
    """The options to open the INBOX with these settings."""
    scheme, security = _SECURITY[transport]
    port = account.tls_port if transport == "imaps" else account.port
    (account.home / "cache").mkdir(exist_ok=True)
    top = f"{scheme}://{account.user}@localhost:{port}/"
    configuration = account.write(
        "muttrc",
        f"""
{security}
set imap_user={account.user} imap_pass=secret imap_authenticators=plain
set certificate_file={account.certificate}
set folder={top} spoolfile={top}INBOX record="" postponed="" mbox=""
set header_cache={account.home}/cache message_cachedir={account.home}/bodies
set imap_condstore=yes imap_qresync=yes imap_check_subscribed=no imap_idle=no
set sleep_time=0 delete=yes move=no mark_old=no wait_key=no confirmappend=no confirmcreate=no quit=yes
set pager=builtin pipe_decode=no pipe_split=no beep=no mail_check=1 charset=utf-8
{settings}
""",
    )
    options: list[str | Path] = ["-n", "-F", configuration, "-d", "3", "-f", top + "INBOX"]
    if program == "neomutt":
        options += ["-l", account.home / "debug"]
    return options


def press(
    account: Account, program: str, keys: str, *, transport: str = "plain", settings: str = ""
) -> str:
    """Open the INBOX, type the keys (functions in <>), quit; what the program logged of its conversation."""
    settings += f'\npush "{keys}<sync-mailbox><quit>"'
    account.run_on_terminal(program, *command_line(account, program, settings, transport=transport))
    log = account.home / ("debug0" if program == "neomutt" else ".muttdebug0")
    return log.read_text(errors="replace")


def tagged(pattern: str, function: str) -> str:
    """Keys that do something to all messages of a pattern."""
    return f"<untag-pattern>~A<enter><tag-pattern>{pattern}<enter><tag-prefix>{function}"


def piped(account: Account, name: str) -> list[str]:
    """The subjects of what was piped into a file."""
    path = account.home / name
    return re.findall(r"(?m)^Subject: (.*)$", path.read_text()) if path.exists() else []


@programs
@pytest.mark.parametrize("transport", list(_SECURITY))
def test_reads_flags_deletes_and_copies(account: Account, program: str, transport: str) -> None:
    fill(account, "INBOX", *(message(f"m{number}", f"body {number}") for number in range(6)))
    keys = [
        "<search>~s m0<enter><display-message><exit>",
        tagged("~s m1", "<flag-message>"),
        "<delete-pattern>~s m2<enter>",
        tagged("~s m3", "<copy-message>=Copies<enter>"),
        tagged("~s m4", "<save-message>=Größe/Zwei<enter>"),
        tagged("=b 'body 5'", "<set-flag>r"),
    ]
    press(account, program, "".join(keys), transport=transport)
    assert flags_by_subject(account, "INBOX") == {
        "m0": {"\\Seen"}, "m1": {"\\Flagged"}, "m3": set(), "m5": {"\\Answered", "\\Seen"},
    }
    with account.imap() as client:
        assert {"INBOX", "Copies", "Gr&APYA3w-e/Zwei"} <= set(folder_names(client))
    assert list(flags_by_subject(account, "Copies")) == ["m3"]
    assert list(flags_by_subject(account, "Gr&APYA3w-e/Zwei")) == ["m4"]


@programs
def test_reads_equal_bytes(account: Account, program: str) -> None:
    sent = [data for data in corpus(6, seed=6, largest=3000) if b"\r\nFrom " not in data]
    fill(account, "INBOX", *sent)
    keys = "".join(
        f"<jump>{number}<enter><pipe-message>cat >{account.home}/m{number}<enter>"
        for number in range(1, len(sent) + 1)
    )
    press(account, program, keys, settings="set sort=mailbox-order")
    read = [(account.home / f"m{number}").read_bytes() for number in range(1, len(sent) + 1)]
    assert read == [data.replace(b"\r\n", b"\n") for data in sent]


@programs
def test_cache_is_brought_up_to_date(account: Account, program: str) -> None:
    fill(account, "INBOX", *(message(f"m{number}") for number in range(8)))
    press(account, program, "")
    with account.imap() as client:
        client.ok("SELECT INBOX")
        client.ok("STORE 1 +FLAGS (\\Flagged)")
        client.ok("STORE 2:3,5 +FLAGS (\\Deleted)")
        client.ok("EXPUNGE")
        client.append("INBOX", message("new"))
    keys = tagged("~A", f"<pipe-message>cat >{account.home}/all<enter>")
    keys += tagged("~F", f"<pipe-message>cat >{account.home}/flagged<enter>")
    log = press(account, program, keys)
    assert piped(account, "all") == ["m0", "m3", "m5", "m6", "m7", "new"]
    assert piped(account, "flagged") == ["m0"]
    assert "VANISHED)" in log and "Handling VANISHED" in log
    press(account, program, tagged("~s m5", "<flag-message>"), settings="set imap_qresync=no")
    assert flags_by_subject(account, "INBOX")["m5"] == {"\\Flagged"}
    assert list(flags_by_subject(account, "INBOX")) == ["m0", "m3", "m5", "m6", "m7", "new"]


@programs
def test_changes_by_others_appear_while_it_idles(account: Account, program: str) -> None:
    fill(account, "INBOX", message("first"), message("second"))
    options = command_line(account, program, "set imap_idle=yes timeout=1")
    with Terminal(*account.command(program, *options), account.home) as terminal:
        terminal.expect("second")
        fill(account, "INBOX", message("arrived"))
        terminal.expect("arrived")
        with account.imap() as client:
            client.ok("SELECT INBOX")
            client.ok("STORE 1 +FLAGS (\\Deleted)")
            client.ok("EXPUNGE")
        terminal.expect("externally modified")
        terminal.type("q")
        assert terminal.wait() == 0
    assert list(flags_by_subject(account, "INBOX")) == ["second", "arrived"]


@programs
def test_browses_creates_renames_and_deletes_folders(account: Account, program: str) -> None:
    fill(account, "INBOX", message("only"))
    with account.imap() as client:
        client.ok("CREATE Old")
        client.ok("CREATE Other")
    keys = (
        "<change-folder>?" + ("<toggle-mailboxes>" if program == "neomutt" else "") +
        "<create-mailbox><kill-line>Made<enter>"
        "<search>Old<enter><rename-mailbox><kill-line>Renamed<enter>"
        "<search>Other<enter><delete-mailbox>y"
        "<exit>"
    )
    press(account, program, keys)
    with account.imap() as client:
        assert sorted(folder_names(client)) == ["INBOX", "Made", "Renamed"]


@programs
def test_a_draft_is_postponed_to_the_server(account: Account, program: str) -> None:
    with account.imap() as client:
        client.ok("CREATE Drafts")
    settings = "set postponed==Drafts postpone=yes abort_unmodified=no"
    keys = "<mail>bob@example.org<enter>A draft<enter><postpone-message>"
    press(account, program, keys, settings=settings)
    ((data, flags),) = mail_of(account, "Drafts")["Drafts"]
    assert b"Subject: A draft\r\n" in data and b"To: bob@example.org\r\n" in data and "\\Draft" in flags
