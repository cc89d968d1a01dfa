"""curl speaks IMAP by URLs: folders, messages and their parts, searches, new messages, any command."""

from __future__ import annotations

import re
import subprocess

import pytest

from cassandane.foreign import Account, fill, flags_by_subject, mail_of
from cassandane.messages import corpus, message

pytestmark = pytest.mark.reference


def curl(
    account: Account, path: str, *arguments: str, transport: str = "plain", code: int = 0
) -> subprocess.CompletedProcess[bytes]:
    scheme, port = ("imaps", account.tls_port) if transport == "imaps" else ("imap", account.port)
    login = f"{account.user}:secret"
    options = ["--silent", "--show-error", "--user", login, "--cacert", account.certificate]
    if transport == "starttls":
        options.append("--ssl-reqd")
    url = f"{scheme}://localhost:{port}/{path}"
    return account.run("curl", *options, *arguments, url, codes=(code,))


def command(account: Account, path: str, text: str, *arguments: str) -> bytes:
    return curl(account, path, "--request", text, *arguments).stdout


@pytest.mark.parametrize("transport", ["plain", "starttls", "imaps"])
def test_a_message_goes_in_and_comes_out(account: Account, transport: str) -> None:
    sent = corpus(3, seed=2)
    for data in sent:
        (account.home / "mail").write_bytes(data)
        curl(account, "INBOX", "--upload-file", str(account.home / "mail"), transport=transport)
    assert [data for data, _ in mail_of(account, "INBOX")["INBOX"]] == sent
    for number, data in enumerate(sent, 1):
        assert curl(account, f"INBOX;UID={number}", transport=transport).stdout == data
        assert curl(account, f"INBOX;MAILINDEX={number}", transport=transport).stdout == data


@pytest.mark.parametrize("login_options", ["AUTH=PLAIN", "AUTH=LOGIN", "AUTH=*"])
@pytest.mark.parametrize("initial", [True, False])
def test_each_way_to_log_in(account: Account, login_options: str, initial: bool) -> None:
    arguments = ["--login-options", login_options, *(["--sasl-ir"] if initial else [])]
    listed = curl(account, "", *arguments).stdout
    assert listed == b'* LIST (\\HasNoChildren) "/" INBOX\r\n'


def test_parts_sections_and_ranges(account: Account) -> None:
    data = (
        b"Subject: parts\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n"
        b"--x\r\nContent-Type: text/plain\r\n\r\nfirst part\r\n"
        b"--x\r\nContent-Type: text/html\r\n\r\n<p>second</p>\r\n--x--\r\n"
    )
    fill(account, "INBOX", data)
    assert curl(account, "INBOX;UID=1;SECTION=1").stdout == b"first part"
    assert curl(account, "INBOX;UID=1;SECTION=2.MIME").stdout == b"Content-Type: text/html\r\n\r\n"
    assert curl(account, "INBOX;UID=1;SECTION=HEADER").stdout == data[: data.index(b"\r\n\r\n") + 4]
    assert curl(account, "INBOX;UID=1;SECTION=TEXT").stdout == data[data.index(b"\r\n\r\n") + 4 :]
    assert curl(account, "INBOX;UID=1;PARTIAL=9.20").stdout == data[9:29]
    assert curl(account, "INBOX;UID=1;SECTION=2;PARTIAL=3.6").stdout == b"second"
    assert curl(account, "INBOX;UID=7", code=78).stdout == b""
    validity = re.search(rb"UIDVALIDITY (\d+)", command(account, "", "STATUS INBOX (UIDVALIDITY)"))
    assert validity
    assert curl(account, f"INBOX;UIDVALIDITY={int(validity[1])};UID=1").stdout == data
    curl(account, f"INBOX;UIDVALIDITY={int(validity[1]) + 1};UID=1", code=78)


def test_searches(account: Account) -> None:
    fill(account, "INBOX", message("apples"), message("pears"), message("green apples"))
    assert curl(account, "INBOX?SUBJECT%20apples").stdout == b"* SEARCH 1 3\r\n"
    assert curl(account, "INBOX?NOT%20SUBJECT%20apples").stdout == b"* SEARCH 2\r\n"
    assert curl(account, "INBOX?UNSEEN").stdout == b"* SEARCH 1 2 3\r\n"
    assert curl(account, "INBOX?FROM%20nobody").stdout == b"* SEARCH\r\n"
    curl(account, "INBOX?SUBJECT", code=21)


def test_folders_and_flags_by_plain_commands(account: Account) -> None:
    fill(account, "INBOX", message("one"), message("two"))
    command(account, "", "CREATE Sent")
    command(account, "", 'CREATE "Gr&APwA3w-e from curl"')
    assert re.findall(rb'"/" "?([^"\r]*)', curl(account, "").stdout) == [
        b"INBOX", b"Gr&APwA3w-e from curl", b"Sent",
    ]
    assert command(account, "INBOX", "STORE 1 +FLAGS (\\Deleted $Label1)") == (
        b"* 1 FETCH (FLAGS (\\Recent \\Deleted $Label1))\r\n"
    )
    command(account, "INBOX", "COPY 2 Sent")
    command(account, "INBOX", "EXPUNGE")
    assert flags_by_subject(account, "INBOX") == {"two": frozenset()}
    assert flags_by_subject(account, "Sent") == {"two": frozenset()}
    assert b"MESSAGES 1" in command(account, "", "STATUS Sent (MESSAGES)")
    curl(account, "", "--request", "DELETE Nowhere", code=21)


def test_a_missing_folder_is_told(account: Account) -> None:
    curl(account, "Nowhere;UID=1", code=67)
    path = account.write("mail", message().decode())
    curl(account, "Nowhere", "--upload-file", str(path), code=25)
