"""Python's own imaplib and IMAPClient: nearly every method of theirs, on the wire of our server."""

from __future__ import annotations

import imaplib
import ssl
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from imapclient import IMAPClient  # type: ignore[import-untyped]
from imapclient.exceptions import IMAPClientError, LoginError  # type: ignore[import-untyped]
from imapclient.imapclient import Quota  # type: ignore[import-untyped]

from cassandane.foreign import Account, fill, flags_by_subject, mail_of
from cassandane.messages import corpus, message

pytestmark = pytest.mark.reference


def context_of(account: Account) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=account.certificate)


@pytest.fixture
def lib(account: Account) -> Iterator[imaplib.IMAP4]:
    with imaplib.IMAP4("localhost", account.port, timeout=10) as client:
        client.login(account.user, "secret")
        yield client


@pytest.fixture
def client(account: Account) -> Iterator[IMAPClient]:
    with IMAPClient("localhost", account.port, ssl=False, timeout=10) as opened:
        opened.login(account.user, "secret")
        yield opened


def answer(result: tuple[str, Any], status: str = "OK") -> Any:
    assert result[0] == status, result
    return result[1]


# imaplib


@pytest.mark.parametrize("transport", ["plain", "starttls", "imaps"])
@pytest.mark.parametrize("authenticate", [False, True])
def test_imaplib_logs_in(account: Account, transport: str, authenticate: bool) -> None:
    client: imaplib.IMAP4
    if transport == "imaps":
        client = imaplib.IMAP4_SSL(
            "localhost", account.tls_port, ssl_context=context_of(account), timeout=10
        )
    else:
        client = imaplib.IMAP4("localhost", account.port, timeout=10)
    with client:
        if transport == "starttls":
            answer(client.starttls(context_of(account)))
            assert "STARTTLS" not in client.capabilities
        if authenticate:
            answer(client.authenticate("PLAIN", lambda _: f"\0{account.user}\0secret".encode()))
        else:
            answer(client.login(account.user, "secret"))
        assert answer(client.select()) == [b"0"]
        answer(client.logout(), "BYE")


def test_imaplib_keeps_folders(lib: imaplib.IMAP4) -> None:
    answer(lib.create("Work"))
    answer(lib.create('"Work/To do"'))
    answer(lib.rename('"Work/To do"', "Work/Done"))
    answer(lib.rename("Work/None", "Work/More"), "NO")
    assert answer(lib.list()) == [
        b'(\\HasNoChildren) "/" INBOX', b'(\\HasChildren) "/" Work', b'(\\HasNoChildren) "/" Work/Done',
    ]
    assert answer(lib.list("Work/", "%")) == [b'(\\HasNoChildren) "/" Work/Done']
    answer(lib.subscribe("Work/Done"))
    answer(lib.subscribe("INBOX"))
    answer(lib.unsubscribe("INBOX"))
    assert answer(lib.lsub()) == [b'() "/" Work/Done']
    assert answer(lib.namespace()) == [b'(("" "/")) (("Other Users/" "/")) (("Shared Folders/" "/"))']
    answer(lib.delete("Work/Done"))
    answer(lib.delete("Work/Done"), "NO")
    assert answer(lib.status("Work", "(MESSAGES UIDNEXT)")) == [b"Work (MESSAGES 0 UIDNEXT 1)"]


def test_imaplib_sends_and_reads_messages(lib: imaplib.IMAP4) -> None:
    sent, when = corpus(5, seed=3), time.time() - 100_000
    for data in sent:
        answer(lib.append("INBOX", "(\\Flagged Work)", imaplib.Time2Internaldate(when), data))
    assert answer(lib.select()) == [b"5"]
    assert lib.response("UIDNEXT") == ("UIDNEXT", [b"6"])
    fetched = answer(lib.fetch("1:*", "(UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])"))
    assert [part[1] for part in fetched if isinstance(part, tuple)] == sent
    for head, _ in (part for part in fetched if isinstance(part, tuple)):
        assert set(imaplib.ParseFlags(head)) == {b"\\Flagged", b"\\Recent", b"Work"}
        parsed = imaplib.Internaldate2tuple(head)
        assert parsed and int(time.mktime(parsed)) == int(when)
    assert answer(lib.fetch("1", "(BODY[]<3.10>)"))[0][1] == sent[0][3:13]
    assert answer(lib.search(None, "SEEN")) == [b"1"]
    assert answer(lib.uid("SEARCH", "CHARSET", "UTF-8", "KEYWORD", "Work")) == [b"1 2 3 4 5"]
    answer(lib.noop())
    answer(lib.check())


def test_imaplib_changes_copies_and_expunges(lib: imaplib.IMAP4, account: Account) -> None:
    fill(account, "INBOX", *(message(f"m{number}") for number in range(6)))
    answer(lib.create("Other"))
    answer(lib.select("INBOX"))
    assert answer(lib.store("1", "+FLAGS", "(\\Answered)")) == [b"1 (FLAGS (\\Recent \\Answered))"]
    assert answer(lib.store("1", "FLAGS", "(\\Seen)")) == [b"1 (FLAGS (\\Recent \\Seen))"]
    answer(lib.store("2:3", "+FLAGS.SILENT", "(\\Deleted)"))
    answer(lib.copy("2", "Other"))
    answer(lib.uid("COPY", "5:6", "Other"))
    answer(lib.uid("STORE", "6", "+FLAGS", "\\Deleted"))
    assert answer(lib.expunge()) == [b"2", b"2", b"4"]
    answer(lib.uid("MOVE", "5", "Other"))
    answer(lib.unselect())
    answer(lib.select("Other", readonly=True))
    answer(lib.store("1", "+FLAGS", "(\\Seen)"), "NO")
    answer(lib.close())
    assert flags_by_subject(account, "INBOX") == {"m0": {"\\Seen"}, "m3": set()}
    assert list(flags_by_subject(account, "Other")) == ["m1", "m4", "m5"]


def test_imaplib_sorts_and_threads(lib: imaplib.IMAP4, account: Account) -> None:
    fill(
        account, "INBOX", message("pear", Message_ID="<1@x>"), message("apple", Message_ID="<2@x>"),
        message("Re: pear", References="<1@x>", Message_ID="<3@x>"),
    )
    answer(lib.select())
    assert answer(lib.sort("SUBJECT", "UTF-8", "ALL")) == [b"2 1 3"]
    assert answer(lib.sort("REVERSE SUBJECT", "US-ASCII", "ALL")) == [b"1 3 2"]
    assert answer(lib.thread("REFERENCES", "UTF-8", "ALL")) == [b"(1 3)(2)"]
    assert answer(lib.uid("THREAD", "ORDEREDSUBJECT", "UTF-8", "ALL")) == [b"(1 3)(2)"]


def test_imaplib_rights_and_quotas(lib: imaplib.IMAP4, account: Account) -> None:
    answer(lib.create("Shared"))
    answer(lib.setacl("Shared", "friend", "lrs"))
    assert answer(lib.getacl("Shared")) == [f"Shared {account.user} lrswipkxtecdan friend lrs".encode()]
    assert answer(lib.myrights("Shared")) == [b"Shared lrswipkxtecdan"]
    answer(lib.deleteacl("Shared", "friend"))
    assert answer(lib.getacl("Shared")) == [f"Shared {account.user} lrswipkxtecdan".encode()]
    answer(lib.setquota("INBOX", "(STORAGE 10)"), "NO")
    assert answer(lib.getquotaroot("INBOX")) == [[b"INBOX"], [None]]
    with imaplib.IMAP4("localhost", account.port, timeout=10) as admin:
        answer(admin.login("admin", "secret"))
        answer(admin.setquota(f"user/{account.user}", "(STORAGE 100)"))
        assert answer(admin.getquota(f"user/{account.user}")) == [
            f"user/{account.user} (STORAGE 0 100)".encode()
        ]
    assert answer(lib.getquotaroot("INBOX")) == [[b"INBOX INBOX"], [b"INBOX (STORAGE 0 100)"]]


    assert "ENABLE" in lib.capabilities
    answer(lib.enable("CONDSTORE"))


# IMAPClient


@pytest.mark.parametrize("transport", ["plain", "starttls", "imaps"])
@pytest.mark.parametrize("how", ["login", "plain_login", "sasl_login"])
def test_imapclient_logs_in(account: Account, transport: str, how: str) -> None:
    port = account.tls_port if transport == "imaps" else account.port
    with IMAPClient(
        "localhost", port, ssl=transport == "imaps", ssl_context=context_of(account), timeout=10
    ) as client:
        if transport == "starttls":
            client.starttls(context_of(account))
        if how == "login":
            client.login(account.user, "secret")
        elif how == "plain_login":
            client.plain_login(account.user, "secret")
        else:
            client.sasl_login("PLAIN", lambda _: f"\0{account.user}\0secret".encode())
        assert client.select_folder("INBOX")[b"EXISTS"] == 0
        assert client.welcome.startswith(b"* OK [CAPABILITY IMAP4rev1")


def test_imapclient_is_refused(account: Account) -> None:
    with IMAPClient("localhost", account.port, ssl=False, timeout=10) as client:
        with pytest.raises(LoginError):
            client.login("", "secret")
        client.login(account.user, "secret")
        with pytest.raises(IMAPClientError):
            client.select_folder("Nowhere")


def test_imapclient_keeps_folders(client: IMAPClient) -> None:
    client.create_folder("Größe & Maß/日本")
    assert client.list_folders() == [
        ((b"\\HasNoChildren",), b"/", "INBOX"),
        ((b"\\HasChildren",), b"/", "Größe & Maß"),
        ((b"\\HasNoChildren",), b"/", "Größe & Maß/日本"),
    ]
    client.rename_folder("Größe & Maß/日本", "Größe")
    assert client.folder_exists("Größe") and not client.folder_exists("Größe & Maß/日本")
    client.subscribe_folder("Größe")
    assert client.list_sub_folders() == [((), b"/", "Größe")]
    client.unsubscribe_folder("Größe")
    assert client.list_sub_folders() == []
    assert client.folder_status("Größe")[b"MESSAGES"] == 0
    client.delete_folder("Größe")
    client.delete_folder("Größe & Maß")
    assert client.namespace().personal == (("", "/"),)
    assert [name for _, _, name in client.xlist_folders()] == ["INBOX"]
    assert client.find_special_folder(b"\\Drafts") is None


def test_imapclient_messages(client: IMAPClient, account: Account) -> None:
    sent, when = corpus(4, seed=4), datetime(2026, 5, 6, 7, 8, 9, tzinfo=UTC)
    client.append("INBOX", sent[0], (b"\\Seen", b"Work"), when)
    with_flags = {"msg": sent[3], "flags": (b"\\Flagged",), "date": when}
    client.multiappend("INBOX", [sent[1], {"msg": sent[2], "flags": ()}, with_flags])
    chosen = client.select_folder("INBOX")
    assert chosen[b"EXISTS"] == 4 and chosen[b"READ-WRITE"]
    client.normalise_times = False
    items = ["BODY.PEEK[]", "FLAGS", "INTERNALDATE", "ENVELOPE", "BODYSTRUCTURE"]
    fetched = client.fetch([1, 2, 3, 4], items)
    assert [fetched[uid][b"BODY[]"] for uid in (1, 2, 3, 4)] == sent
    assert set(fetched[1][b"FLAGS"]) - {b"\\Recent"} == {b"\\Seen", b"Work"}
    assert fetched[1][b"INTERNALDATE"] == when == fetched[4][b"INTERNALDATE"]
    assert all(fetched[uid][b"ENVELOPE"].message_id for uid in fetched)
    assert client.fetch(1, ["BODY[HEADER.FIELDS (SUBJECT)]", "BODY[]<0.5>", "MODSEQ"])[1][b"BODY[]<0>"] == (
        sent[0][:5]
    )
    assert b"\\Answered" in client.add_flags([1, 2], [b"\\Answered"])[2]
    assert b"Work" not in client.remove_flags(1, [b"Work"])[1]
    assert b"\\Draft" in client.set_flags(3, [b"\\Draft"])[3]
    assert set(client.get_flags(3)[3]) - {b"\\Recent"} == {b"\\Draft"}
    client.add_flags(4, [b"$Later"], silent=True)
    client.create_folder("Second")
    client.create_folder("Third")
    client.copy([1, 3], "Second")
    client.move([4], "Third")
    client.delete_messages([2, 3])
    client.uid_expunge([2])
    assert client.search() == [1, 3]
    client.expunge()
    client.unselect_folder()
    with pytest.raises(IMAPClientError):
        client.search()
    assert [data for data, _ in mail_of(account, "INBOX")["INBOX"]] == sent[:1]
    assert [data for data, _ in mail_of(account, "Second")["Second"]] == [sent[0], sent[2]]
    assert mail_of(account, "Third")["Third"] == [(sent[3], frozenset({"\\Flagged", "$Later"}))]


def test_imapclient_searches_sorts_and_threads(client: IMAPClient) -> None:
    for subject, body in (("apple", "red"), ("Größe", "grün und blau"), ("Re: apple", "green")):
        client.append("INBOX", message(subject, body, Content_Type="text/plain; charset=utf-8"))
    client.select_folder("INBOX")
    assert client.search(["SUBJECT", "apple"]) == [1, 3]
    assert client.search(["BODY", "grün"], charset="UTF-8") == [2]
    assert client.search(["NOT", "DELETED", "OR", "BODY", "red", "BODY", "green"]) == [1, 3]
    assert client.search(["SINCE", datetime(2020, 1, 1)]) == [1, 2, 3]
    assert client.search(["UID", "2:*", "MODSEQ", "1"]) == [2, 3]
    assert client.sort(["REVERSE SIZE"]) == [2, 3, 1]
    assert client.sort(["SUBJECT"], ["NOT", "BODY", "red"], "UTF-8") == [3, 2]
    assert client.thread("ORDEREDSUBJECT") == ((1, 3), (2,))


def test_imapclient_idles(client: IMAPClient, account: Account) -> None:
    client.select_folder("INBOX")
    client.idle()
    fill(account, "INBOX", message("while idle"))
    seen: list[Any] = []
    while (1, b"EXISTS") not in seen:
        told = client.idle_check(timeout=30)
        assert told
        seen += told
    client.idle_done()
    assert client.search() == [1]


def test_imapclient_rights_quotas_and_the_rest(client: IMAPClient, account: Account) -> None:
    client.setacl("INBOX", "friend", "lrs")
    assert (b"friend", b"lrs") in client.getacl("INBOX")
    with IMAPClient("localhost", account.port, ssl=False, timeout=10) as admin:
        admin.login("admin", "secret")
        admin.set_quota([Quota(f"user/{account.user}", "STORAGE", 0, 500)])
        (quota,) = admin.get_quota(f"user/{account.user}")
        assert (quota.resource, quota.usage, quota.limit) == ("STORAGE", 0, 500)
    root, quotas = client.get_quota_root("INBOX")
    assert root.quota_roots == ["INBOX"] and quotas[0].limit == 500
    assert client.enable("CONDSTORE") == [b"CONDSTORE"]
    assert client.has_capability("UIDPLUS") and b"IDLE" in client.capabilities()
    assert client.id_({"name": "a test"})
    client.noop()
    client.select_folder("INBOX", readonly=True)
    client.close_folder()
    client.logout()
