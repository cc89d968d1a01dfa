"""fetchmail, getmail6 and OfflineIMAP carry mail away, and OfflineIMAP brings changes back."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

import pytest

from cassandane.foreign import Account, fill, flags_by_subject, mail_of
from cassandane.instance import wait_for
from cassandane.messages import corpus, message

pytestmark = pytest.mark.reference

_TRANSPORTS = ["plain", "starttls", "imaps"]
_FLAG_LETTERS = {"D": "\\Draft", "F": "\\Flagged", "R": "\\Answered", "S": "\\Seen", "T": "\\Deleted"}


def with_crlf(data: bytes) -> bytes:
    return re.sub(rb"\r?\n", b"\r\n", data)


def without_trace(data: bytes) -> bytes:
    """The message without the lines that fetchers and deliverers add."""
    names = rb"(?i)\A((return-path|received|x-cyrus-session-id|x-sieve):.*\r\n([ \t].*\r\n)*)+"
    data = re.sub(names, b"", data)
    return re.sub(rb"(?m)^X-getmail-retrieved-from-mailbox: .*\r\n", b"", data, count=1)


# fetchmail


def fetchmail(account: Account, transport: str, *, more: str = "", code: int = 0) -> None:
    """Let fetchmail look once, which must end with this code."""
    account.run("fetchmail", "-f", fetchmailrc(account, transport, more), codes=(code,))


def fetchmailrc(account: Account, transport: str, more: str = "") -> Path:
    port = account.tls_port if transport == "imaps" else account.port
    tls = {"plain": "sslproto ''", "starttls": "sslproto tls1+", "imaps": "ssl"}[transport]
    return account.write(
        "fetchmailrc",
        f"poll localhost protocol imap port {port} user {account.user} password secret {tls} {more}\n"
        f"  sslcertck sslcertfile {account.certificate} no rewrite no mimedecode\n"
        f"  mda '/bin/cat >>{account.home}/delivered; echo ---- >>{account.home}/delivered'\n",
    )


def delivered(account: Account) -> list[bytes]:
    path = account.home / "delivered"
    messages = path.read_bytes().split(b"----\n")[:-1] if path.exists() else []
    return [without_trace(with_crlf(data)) for data in messages]


@pytest.mark.parametrize("transport", _TRANSPORTS)
def test_fetchmail_takes_mail_away(account: Account, transport: str) -> None:
    sent = [message(f"m{number}", f"line\r\n.\r\n..dots {number}") for number in range(4)]
    fill(account, "INBOX", *sent)
    fetchmail(account, transport)
    assert delivered(account) == sent
    assert mail_of(account, "INBOX") == {"INBOX": []}
    fetchmail(account, transport, code=1)


def test_fetchmail_keeps_mail_and_takes_only_new(account: Account) -> None:
    first, second = message("first"), message("second")
    fill(account, "INBOX", first)
    fetchmail(account, "plain", more="keep")
    fill(account, "INBOX", second)
    fetchmail(account, "plain", more="keep")
    assert delivered(account) == [first, second]
    assert flags_by_subject(account, "INBOX") == {"first": {"\\Seen"}, "second": {"\\Seen"}}
    fetchmail(account, "plain", more="fetchall")
    assert delivered(account) == [first, second, first, second]


def test_fetchmail_waits_for_mail(account: Account) -> None:
    configuration = fetchmailrc(account, "starttls", "idle")
    fetching = account.start("fetchmail", "-f", configuration)
    try:
        for number in range(1, 4):
            fill(account, "INBOX", message(f"m{number}"))
            wait_for(partial(_has_delivered, account, number), "fetchmail does not wake up")
    finally:
        fetching.terminate()
        fetching.communicate(timeout=30)
    assert delivered(account) == [message(f"m{number}") for number in range(1, 4)]


def _has_delivered(account: Account, count: int) -> bool:
    return len(delivered(account)) == count


def test_fetchmail_reads_other_folders_and_forwards_by_lmtp(account: Account) -> None:
    sent = [message("from a folder"), message("Größe", "grüße")]
    with account.imap() as client:
        client.ok("CREATE Lists/One")
        client.append("Lists/One", *sent)
    lmtp = account.server.ports["lmtp"]
    configuration = account.write(
        "fetchmailrc",
        f"poll localhost protocol imap port {account.port} user {account.user} password secret\n"
        f"  folder Lists/One sslproto '' lmtp smtphost localhost/{lmtp} smtpname {account.user}\n"
        f"  no rewrite pass8bits\n",
    )
    account.run("fetchmail", "-f", configuration)
    assert [without_trace(data) for data, _ in mail_of(account, "INBOX")["INBOX"]] == sent
    assert mail_of(account, "Lists/One") == {"Lists/One": []}


# getmail


def getmail(account: Account, transport: str, *options: str, delete: bool = False) -> None:
    kind, port = ("SSL", account.tls_port) if transport == "imaps" else ("", account.port)
    (account.home / "got").mkdir(exist_ok=True)
    account.write(
        "getmail/getmailrc",
        f"""
[retriever]
type = SimpleIMAP{kind}Retriever
server = localhost
port = {port}
username = {account.user}
password = secret
mailboxes = ("INBOX", "Größe/Zwei")
{f"ca_certs = {account.certificate}" if kind else ""}
[destination]
type = MDA_external
path = /bin/sh
arguments = ("-c", "cat >{account.home}/got/$$")
allow_root_commands = true
[options]
delete = {str(delete).lower()}
read_all = false
delivered_to = false
received = false
""",
    )
    account.run("getmail", "--getmaildir", account.home / "getmail", *options)


@pytest.mark.parametrize("transport", ["plain", "imaps"])
def test_getmail_takes_new_mail_and_deletes_it_later(account: Account, transport: str) -> None:
    sent = [data for data in corpus(6, seed=5, largest=2000) if data == with_crlf(data)]
    with account.imap() as client:
        client.ok("CREATE Gr&APYA3w-e/Zwei")
        client.append("INBOX", *sent[:-1])
        client.append("Gr&APYA3w-e/Zwei", sent[-1])
    getmail(account, transport)
    getmail(account, transport)
    got = [without_trace(with_crlf(path.read_bytes())) for path in (account.home / "got").iterdir()]
    assert sorted(got) == sorted(without_trace(data) for data in sent)
    assert len(mail_of(account, "INBOX")["INBOX"]) == len(sent) - 1
    getmail(account, transport, delete=True)
    assert mail_of(account) == {"INBOX": [], "Gr&APYA3w-e": [], "Gr&APYA3w-e/Zwei": []}


# OfflineIMAP


# What imaplib2's threads do to each other:
# On the heels of a reply, STARTTLS makes the one that reads end before it has read the answer.
# The tickets of TLS 1.3 have one read while another writes, which Python's ssl does not bear: now and then
# a command is never sent.
_TLS = "tls1_2"
_PATIENCE = f"""
import time
import imaplib2
hasty = imaplib2.IMAP4.starttls
def starttls(self):
    time.sleep(0.5)
    return hasty(self, ssl_version="{_TLS}")
imaplib2.IMAP4.starttls = starttls
"""


def offlineimap(account: Account, transport: str = "plain") -> None:
    port = account.tls_port if transport == "imaps" else account.port
    security = {
        "plain": "ssl = no\nstarttls = no",
        "starttls": f"ssl = no\nstarttls = yes\nsslcacertfile = {account.certificate}",
        "compressed": "ssl = no\nstarttls = no",
        "imaps": f"ssl = yes\nsslcacertfile = {account.certificate}\nssl_version = {_TLS}",
    }[transport]
    configuration = account.write(
        "offlineimaprc",
        f"""
[general]
accounts = all
metadata = {account.home}/metadata
pythonfile = {account.write("patience.py", _PATIENCE)}
ui = basic
fsync = no
[Account all]
localrepository = near
remoterepository = far
[Repository near]
type = Maildir
localfolders = {account.home}/mail
sep = /
utf_8_support = no
[Repository far]
type = IMAP
remotehost = localhost
remoteport = {port}
remoteuser = {account.user}
remotepass = secret
auth_mechanisms = PLAIN
usecompression = {"yes" if transport == "compressed" else "no"}
{security}
""",
    )
    account.run("offlineimap", "-c", configuration, "-o")


def near(account: Account) -> dict[str, dict[bytes, frozenset[str]]]:
    """Folders on disk: their messages and flags."""
    found: dict[str, dict[bytes, frozenset[str]]] = {}
    top = account.home / "mail"
    for cur in top.rglob("cur"):
        messages = found.setdefault(str(cur.parent.relative_to(top)), {})
        for path in [*cur.iterdir(), *(cur.parent / "new").iterdir()]:
            letters = path.name.partition(":2,")[2]
            messages[stripped(with_crlf(path.read_bytes()))] = frozenset(
                _FLAG_LETTERS[letter] for letter in letters
            )
    return found


def far(account: Account) -> dict[str, dict[bytes, frozenset[str]]]:
    return {
        name: {stripped(data): flags for data, flags in messages}
        for name, messages in mail_of(account).items()
    }


def stripped(data: bytes) -> bytes:
    """Without what OfflineIMAP adds to find the UID of a message that it appended."""
    return re.sub(rb"(?im)^X-OfflineIMAP: .*\r\n", b"", data)


def subject_of(path: Path) -> str:
    found = re.search(rb"Subject: (.*)", path.read_bytes())
    return found[1].decode() if found else ""


@pytest.mark.parametrize("transport", [*_TRANSPORTS, "compressed"])
def test_offlineimap_fetches_everything(account: Account, transport: str) -> None:
    with account.imap() as client:
        client.ok("CREATE Work/Gr&APYA3w-e")
        client.append("INBOX", *(message(f"m{number}") for number in range(3)), flags="(\\Flagged)")
        client.append("Work/Gr&APYA3w-e", message("size"), flags="(\\Seen)")
    offlineimap(account, transport)
    assert near(account) == far(account)
    assert sorted(near(account)) == ["INBOX", "Work", "Work/Gr&APYA3w-e"]


def test_offlineimap_carries_changes_both_ways(account: Account) -> None:
    fill(account, "INBOX", *(message(f"m{number}") for number in range(5)))
    offlineimap(account)
    with account.imap() as client:
        client.ok("SELECT INBOX")
        client.ok("STORE 1 +FLAGS (\\Flagged)")
        client.ok("STORE 2 +FLAGS (\\Deleted)")
        client.ok("EXPUNGE")
        client.append("INBOX", message("came later"))
    _change_on_disk(account)
    offlineimap(account)
    assert near(account) == far(account)
    assert sorted(near(account)) == ["&ZeVnLIqe-", "INBOX"]
    assert flags_by_subject(account, "INBOX") == {
        "m0": {"\\Flagged"}, "m2": {"\\Answered", "\\Seen"}, "m4": set(), "came later": set(),
    }
    assert flags_by_subject(account, "&ZeVnLIqe-") == {"made on disk": {"\\Flagged", "\\Seen"}}


def _change_on_disk(account: Account) -> None:
    """Answer m2, delete m3, make a folder with a message in it."""
    inbox = account.home / "mail/INBOX"
    by_subject = {subject_of(path): path for part in ("cur", "new") for path in (inbox / part).iterdir()}
    answered = by_subject["m2"]
    answered.rename(inbox / "cur" / (answered.name.partition(":")[0] + ":2,RS"))
    by_subject["m3"].unlink()
    made = account.home / "mail/&ZeVnLIqe-"
    for part in ("cur", "new", "tmp"):
        (made / part).mkdir(parents=True)
    (made / "cur/1760000000_0.1.here:2,FS").write_bytes(
        message("made on disk").replace(b"\r\n", b"\n")
    )
