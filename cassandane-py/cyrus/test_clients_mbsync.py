"""mbsync keeps a Maildir and the server the same, whichever of them changed."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from cassandane.foreign import Account, fill, flags_by_subject, folder_names, mail_of
from cassandane.messages import corpus, message

pytestmark = pytest.mark.reference

_TRANSPORTS = {
    "plain": "SSLType None",
    "starttls": "SSLType STARTTLS",
    "imaps": "SSLType IMAPS",
}
_FLAG_LETTERS = {"\\Draft": "D", "\\Flagged": "F", "\\Answered": "R", "\\Seen": "S", "\\Deleted": "T"}


def configuration(account: Account, transport: str) -> Path:
    port = account.tls_port if transport == "imaps" else account.port
    (account.home / "mail").mkdir(exist_ok=True)
    return account.write(
        "mbsyncrc",
        f"""
IMAPAccount server
Host localhost
Port {port}
User {account.user}
Pass secret
{_TRANSPORTS[transport]}
CertificateFile {account.certificate}

IMAPStore far
Account server

MaildirStore near
Path {account.home}/mail/
Inbox {account.home}/mail/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns *
Create Both
Remove Both
Expunge Both
CopyArrivalDate yes
SyncState *
""",
    )


def synchronise(account: Account, transport: str = "plain") -> str:
    for part in (account.home / "mail").rglob("*"):
        if part.is_dir():
            os.utime(part, (0, 0))  # mbsync waits seconds before it trusts one that has just changed
    done = account.run("mbsync", "-c", configuration(account, transport), "-V", "all")
    return (done.stdout + done.stderr).decode()


def maildir(account: Account, folder: str) -> dict[bytes, frozenset[str]]:
    """The messages of a folder on disk, as the server has them, and their flags."""
    letters = {letter: flag for flag, letter in _FLAG_LETTERS.items()}
    found = {}
    for path in (account.home / "mail" / folder).glob("*/*"):
        if path.parent.name in ("cur", "new"):
            _, _, info = path.name.partition(":2,")
            data = re.sub(rb"\r?\n", b"\r\n", path.read_bytes())
            found[without_marker(data)] = frozenset(letters[letter] for letter in info)
    return found


def without_marker(data: bytes) -> bytes:
    """What mbsync adds to find the UID of a message that it appended."""
    return re.sub(rb"(?m)^X-TUID: .*\r\n", b"", data, count=1)


def same_on_both_sides(account: Account) -> None:
    with account.imap() as client:
        names = folder_names(client)
    assert sorted(names) == sorted(
        str(path.parent.relative_to(account.home / "mail")) for path in (account.home / "mail").rglob("cur")
    )
    for name, messages in mail_of(account, *names).items():
        assert maildir(account, name) == {without_marker(data): flags for data, flags in messages}


@pytest.mark.parametrize("transport", list(_TRANSPORTS))
def test_new_mail_travels_both_ways(account: Account, transport: str) -> None:
    far, near = corpus(30, seed=1), message("From the disk", "grüße")
    fill(account, "INBOX", *far, flags="(\\Seen)")
    synchronise(account, transport)
    same_on_both_sides(account)
    (account.home / "mail/INBOX/cur/1.1_1.here:2,FS").write_bytes(near.replace(b"\r\n", b"\n"))
    synchronise(account, transport)
    messages = mail_of(account, "INBOX")["INBOX"]
    assert [without_marker(data) for data, _ in messages] == [*far, near]
    assert messages[-1][1] == {"\\Flagged", "\\Seen"}
    same_on_both_sides(account)


def test_flags_and_deletions_travel_both_ways(account: Account) -> None:
    fill(account, "INBOX", *(message(f"m{number}") for number in range(6)))
    synchronise(account)
    with account.imap() as client:
        client.ok("SELECT INBOX")
        client.ok("STORE 1 +FLAGS (\\Flagged)")
        client.ok("STORE 2 +FLAGS (\\Deleted)")
        client.ok("EXPUNGE")
    on_disk = {re.search(rb"Subject: (\w+)", path.read_bytes())[1]: path for path in _files(account)}  # type: ignore[index]
    answered = on_disk[b"m3"]
    answered.rename(answered.parents[1] / "cur" / (answered.name.partition(":")[0] + ":2,RS"))
    on_disk[b"m4"].unlink()
    synchronise(account)
    same_on_both_sides(account)
    assert flags_by_subject(account, "INBOX") == {
        "m0": {"\\Flagged"}, "m2": set(), "m3": {"\\Answered", "\\Seen"}, "m5": set(),
    }
    before = mail_of(account)
    synchronise(account)
    assert mail_of(account) == before


def test_folders_travel_both_ways(account: Account) -> None:
    with account.imap() as client:
        client.ok("CREATE Work")
        client.ok("CREATE Work/Deep")
        client.ok("CREATE Gr&APwA3w-e")
        client.append("Work/Deep", message("deep"))
        client.append("Gr&APwA3w-e", message("greeting"))
        client.ok("CREATE Empty")
    synchronise(account)
    same_on_both_sides(account)
    for part in ("cur", "new", "tmp"):
        (account.home / "mail/From/Disk" / part).mkdir(parents=True)
        (account.home / "mail/From" / part).mkdir(parents=True)
    (account.home / "mail/From/Disk/new/2.2_2.here").write_bytes(b"Subject: made here\n\nbody\n")
    with account.imap() as client:
        client.ok("DELETE Empty")
    synchronise(account)
    same_on_both_sides(account)
    assert flags_by_subject(account, "From/Disk") == {"made here": set()}


def _files(account: Account) -> list[Path]:
    return [path for part in ("cur", "new") for path in (account.home / "mail/INBOX" / part).iterdir()]
