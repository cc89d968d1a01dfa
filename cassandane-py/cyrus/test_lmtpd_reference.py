"""The same LMTP conversations with our lmtpd and the original's, on one spool: same answers, same mail.

``{U}`` in a conversation is alice for ours and bob for the original's; both have the same folders. Each
conversation is sent at once (PIPELINING) and read to its end. What differs by nature is made equal
first: versions, session ids, times, process ids, the two users.
"""

from __future__ import annotations

import base64
import random
import re
import socket
from collections.abc import Iterator

import pytest

from cassandane.clients import DEADLINE
from cassandane.instance import Instance, give_away
from cassandane.messages import corpus

pytestmark = [pytest.mark.reference, pytest.mark.timeout(300)]

USERS = {"lmtp": "alice", "lmtp2": "bob", "lmtpauth": "alice", "lmtpauth2": "bob"}
SERVICES = ("imap", "lmtp", "lmtp2", "lmtpauth", "lmtpauth2")

MESSAGE = (
    "{From: a@example.com\nSubject: one\nMessage-ID: <{U}-%d@x>\n"
    "Date: Mon, 1 Jan 2024 10:00:00 +0000\n\nhello\n.\n}"
)

TO_USER = "MAIL FROM:<a@example.com>\nRCPT TO:<{U}>\nDATA\n"


def plain(user: str, authzid: str = "") -> str:
    return base64.b64encode(f"{authzid}\0{user}\0secret".encode()).decode()


# conversations with a trusted client, each ended by QUIT
TRUSTED = {
    "greeting": "LHLO me\n",
    "lhlo twice": "LHLO me\nLHLO you\n",
    "nonsense": "EHLO me\nHELO me\nHELP\nEXPN x\nBDAT 1\nLHLO\nNOOP x\nQUIT x\nRSET x\nDATA x\n"
    "VRFY\nAUTH\n\nx\n",
    "simple": "noop\nRSET\nvrfy joe\nVRFY \n",
    "order": "RCPT TO:<{U}>\nDATA\nMAIL FROM:<>\nDATA\nMAIL FROM:<>\nRSET\nDATA\nRCPT TO:<{U}>\n",
    "mail syntax": "".join(
        f"MAIL {argument}\nRSET\n"
        for argument in (
            "FROM:a",
            "FROM: <a>",
            "TO:<a>",
            "FROM:<a b>",
            "FROM:<a@b",
            "FROM:<a>b",
            "FROM:<a@b_c>",
            "FROM:<@x,@y:a@z>",
            "FROM:<@x>",
            'FROM:<"a b"@c>',
            "FROM:<a\\@b@c>",
            "FROM:<a,b>",
            "FROM:<a@[1.2.3.4]>",
            "FROM:<>",
            "from:<a@b>",
            "FROM:<a> BODY=7BIT",
            "FROM:<a> body=8bitmime SIZE=10",
            "FROM:<a> BODY=X",
            "FROM:<a> SIZE=",
            "FROM:<a> SIZE=5x",
            "FROM:<a> SIZE=99999999999999999999",
            "FROM:<a> SIZE=2147483648",
            "FROM:<a> AUTH=joe",
            "FROM:<a> AUTH=<>",
            "FROM:<a> AUTH=a=b",
            "FROM:<a> RET=FULL",
            "FROM:<a> ",
            "FROM:<a>  SIZE=5",
        )
    ),
    "rcpt": "MAIL FROM:<a@b>\n"
    + "".join(
        f"RCPT {argument}\n"
        for argument in (
            "TO:<{U}>",
            "TO:<{U}@example.org>",
            "TO:<{U}+folder>",
            "TO:<{U}+nothing/there>",
            "TO:<nobody>",
            "TO:<>",
            "TO:<nobody@example.org>",
            "TO:<+shared>",
            "TO:<+shared@example.org>",
            "TO:<+shared/closed>",
            "TO:<+shared/hidden>",
            "TO:<+nothing>",
            "TO:<+>",
            "TO:<{U}> IGNOREQUOTA",
            "TO:<{U}> ignorequota",
            "TO:<{U}> NOTIFY=NEVER",
            "TO:{U}",
            "FROM:<{U}>",
            "TO:<{U}",
            'TO:<"{U}">',
            "TO:<@relay:{U}>",
            "TO:<full>",
            "TO:<full> IGNOREQUOTA",
            "TO:<denied>",
            "TO:<user.{U}>",
            "TO:<anyone>",
            "TO:<anonymous>",
        )
    ),
    "upper case": "MAIL FROM:<a@b>\nRCPT TO:<FULL>\nRCPT TO:<NoBody>\nRCPT TO:<+SHARED>\n",
    "shared as somebody": "MAIL FROM:<a@b> AUTH=writer\nRCPT TO:<+shared/closed>\nRCPT TO:<+shared/hidden>\n",
    "deliver": TO_USER + MESSAGE % 1,
    "deliver twice": TO_USER + MESSAGE % 2 + TO_USER + MESSAGE % 2,
    "same id, other date": TO_USER + MESSAGE % 3 + TO_USER + (MESSAGE % 3).replace("2024", "2025"),
    "to a folder that is closed": "MAIL FROM:<a@b>\nRCPT TO:<{U}+folder>\nDATA\n" + MESSAGE % 4,
    "to a folder that is open": "MAIL FROM:<a@b>\nRCPT TO:<{U}+open>\nDATA\n" + MESSAGE % 5,
    "to a folder that is not there": "MAIL FROM:<a@b>\nRCPT TO:<{U}+nowhere>\nDATA\n" + MESSAGE % 6,
    "to several": "MAIL FROM:<a@b>\nRCPT TO:<{U}>\nRCPT TO:<nobody>\nRCPT TO:<{U}+open>\nRCPT TO:<{U}>\n"
    "DATA\n" + MESSAGE % 7,
    "without id and date": TO_USER + "Subject: x\n\nhi\n.\n",
    "no header": TO_USER + "\nhi\n.\n",
    "nothing": TO_USER + ".\n",
    "header only": TO_USER + "Subject: x\n.\n",
    "empty sender": "MAIL FROM:<>\nRCPT TO:<{U}>\nDATA\nSubject: x\n\n.\n",
    "sender without domain": "MAIL FROM:<root>\nRCPT TO:<{U}>\nDATA\n"
    "Return-Path: <other>\n folded\nSubject: x\n\n.\n",
    "auth sender": "LHLO client.example\nMAIL FROM:<a@b> AUTH=joe\nRCPT TO:<{U}>\nDATA\nSubject: x\n\n.\n",
    "dots": TO_USER + "Subject: dots\n\n..\n..a\n.b\n...\nc.\n.\n",
    "8bit": TO_USER + "Subject: gr\xfcn\nX-Long: a\n b\xfc\n\tc\n\ngr\xfcn\n.\n",
    "odd headers": TO_USER + "A : b\nEmpty:\nFolded:\n x\nMessage-Id: <odd-{U}> \n\nx\n.\n",
    "bad header": TO_USER + "no colon\n\nx\n.\n" + TO_USER + " folded first\n\nx\n.\n",
    "bad header, two recipients": "MAIL FROM:<>\nRCPT TO:<{U}>\nRCPT TO:<{U}+open>\nDATA\nbad one\n\nx\n.\n",
    "empty id": TO_USER + "Message-ID:\n\nx\n.\n",
    "nul": TO_USER + "Subject: x\n\na\0b\n.\n" + TO_USER + "Subject: \0\n\na\n.\n",
    "over quota": "MAIL FROM:<>\nRCPT TO:<full>\nRCPT TO:<full> IGNOREQUOTA\nRSET\n",
    "after data": TO_USER + MESSAGE % 8 + "DATA\nRCPT TO:<{U}>\n",
    "internaldate": TO_USER + "X-DeliveredInternalDate: Tue, 2 Jan 2024 11:22:33 +0100\nSubject: x\n\nx\n.\n",
    "auth": f"AUTH PLAIN {plain('admin')}\nAUTH FOO\nAUTH foo =\n",
}

# conversations with a client that is not trusted
UNTRUSTED = {
    "greeting": "LHLO me\n",
    "not yet": "MAIL FROM:<a>\nmumble\nRCPT TO:<{U}>\nDATA\nRSET\nNOOP\nVRFY x\n",
    "administrator": f"AUTH PLAIN {plain('admin')}\nAUTH PLAIN {plain('admin')}\nLHLO me\n"
    + TO_USER
    + MESSAGE % 9,
    "as somebody else": f"AUTH PLAIN {plain('admin', 'joe')}\nMAIL FROM:<>\n",
    "anybody": f"AUTH PLAIN {plain('joe')}\nMAIL FROM:<>\n",
    "mechanisms": "AUTH FOO\nAUTH CRAM-MD5\nauth\n",
    "cancelled": "AUTH PLAIN\n*\nAUTH LOGIN\n*\n",
    "login": "AUTH LOGIN\nYWRtaW4=\nc2VjcmV0\nMAIL FROM:<>\n",
    "malformed": "AUTH PLAIN\nYWRtaW4=\nNOOP\n",
    "no tls": "STARTTLS\nSTARTTLS x\n",
}


def populate(server: Instance) -> None:
    for user in ("alice", "bob"):
        server.create_user(user, "folder", "open")
    server.create_user("full")
    server.create_user("denied")
    with server.imap("full") as full:
        full.append("INBOX", b"Subject: x\r\n\r\n" + b"x" * 1200 + b"\r\n")
    with server.imap("admin") as admin:
        for command in (
            "SETACL user/alice/open anyone p",
            "SETACL user/bob/open anyone p",
            "CREATE shared",
            "SETACL shared anyone lrp",
            "CREATE shared/closed",
            "SETACL shared/closed anyone l",
            "SETACL shared/closed writer lrp",
            "CREATE shared/hidden",
            "SETACL shared/hidden anyone r",
            "SETQUOTA user/full (STORAGE 1)",
        ):
            admin.ok(command if server.settings["unixhierarchysep"] == "yes" else command.replace("/", "."))
    # the format of the flat backend is key TAB value, with the value's own TABs quoted
    deny = server.directory / "conf/user_deny.db"
    deny.write_bytes(b"denied\t2\xff\x89*\xff\x89go away\n")
    give_away(deny)


def servers(**options: str) -> Iterator[Instance]:
    server = Instance(
        imapd_conf=options,
        services=SERVICES,
        programs=dict.fromkeys(("imap", "lmtp2", "lmtpauth2"), "reference"),
    )
    try:
        server.start()
        populate(server)
        yield server
    except BaseException:
        server.stop(check=False)
        raise
    server.stop()
    server.remove()


@pytest.fixture(scope="module")
def server() -> Iterator[Instance]:
    yield from servers(failedloginpause="0")


def converse(server: Instance, service: str, text: str, *, at_once: bool = True) -> list[str]:
    """What the service says to a conversation, line by line, until it closes.

    ``at_once`` False waits for each reply before the next line (a message between braces is one line): the
    original forgets what was sent along with an AUTH that succeeds.
    """
    user = USERS[service]
    text = text.replace("{U}", user).replace("\n", "\r\n") + "QUIT\r\n"
    pieces = [text] if at_once else re.findall(r"\{.*?\}|[^\n]*\n", text, re.DOTALL)
    with socket.create_connection(("127.0.0.1", server.ports[service]), timeout=DEADLINE) as sock:
        heard = b""
        for piece in pieces:
            if not at_once:
                heard += _reply(sock)
            sock.sendall(piece.replace("{", "").replace("}", "").encode("latin-1"))
        while data := sock.recv(65536):
            heard += data
    return normal(heard.decode("latin-1"), user).split("\r\n")


def _reply(sock: socket.socket) -> bytes:
    reply = b""
    while not re.search(rb"(?m)^\d\d\d .*\r\n\Z", reply):
        data = sock.recv(1)
        assert data, reply
        reply += data
    return reply


def normal(text: str, user: str) -> str:
    for pattern, replacement in (
        (r"SESSIONID=<[^>]*>", "SESSIONID=<>"),
        (r"X-Cyrus-Session-Id: \S+", "X-Cyrus-Session-Id: ID"),
        (r"Cyrus LMTP \S+", "Cyrus LMTP VERSION"),
        (r"\(Cyrus [^)]*\)", "(Cyrus VERSION)"),
        (r"cmu-lmtpd-\d+-\d+-\d+", "cmu-lmtpd-PID-TIME-N"),
        (r"\w\w\w, \d\d \w\w\w 20(?!24|25)\d\d \d\d:\d\d:\d\d [+-]\d{4}", "NOW"),
        (rf"\b{user}\b", "USER"),
    ):
        text = re.sub(pattern, replacement, text)
    return text


def mail(server: Instance, user: str) -> dict[str, list[tuple[str, str]]]:
    """Every message of the user's mailboxes, and of the shared one, with its internal date if it is old."""
    found: dict[str, list[tuple[str, str]]] = {}
    with server.imap(user) as imap:
        for folder in ("INBOX", "folder", "open"):
            if not imap.ok(f"SELECT {folder}").grep(r"^0 EXISTS"):
                lines = imap.ok("FETCH 1:* (INTERNALDATE BODY.PEEK[])").untagged
                found[folder] = [_parted(line, user) for line in lines if "FETCH" in line]
    return found


def _parted(line: str, user: str) -> tuple[str, str]:
    date = re.search(r'INTERNALDATE "([^"]*)"', line)
    assert date is not None
    body = line.partition("BODY[] {")[2].partition("\r\n")[2]
    return (date[1] if "2024" in date[1] else "now", normal(body, user))


@pytest.mark.parametrize("name", TRUSTED)
def test_a_trusted_client_hears_the_same(server: Instance, name: str) -> None:
    ours, theirs = (converse(server, service, TRUSTED[name]) for service in ("lmtp", "lmtp2"))
    assert ours == theirs


@pytest.mark.parametrize("name", UNTRUSTED)
def test_an_untrusted_client_hears_the_same(server: Instance, name: str) -> None:
    ours, theirs = (
        converse(server, service, UNTRUSTED[name], at_once=False) for service in ("lmtpauth", "lmtpauth2")
    )
    assert ours == theirs


def test_the_mail_of_all_these_conversations_is_the_same(server: Instance) -> None:
    """As many of them as this worker of the test run had."""
    ours, theirs = mail(server, "alice"), mail(server, "bob")
    assert ours == theirs
    assert ours["INBOX"]


def test_varied_messages_are_stored_with_the_same_bytes(server: Instance) -> None:
    before = {user: len(mail(server, user).get("INBOX", ())) for user in ("alice", "bob")}
    for service in ("lmtp", "lmtp2"):
        with server.lmtp(service=service) as lmtp:
            for text in corpus(80, seed=2033, largest=10_000):
                assert lmtp.deliver(text, USERS[service])[0].startswith("250")
    ours, theirs = (mail(server, user)["INBOX"][before[user] :] for user in ("alice", "bob"))
    assert len(ours) == 80
    assert ours == theirs


PIECES = (
    "A: b",
    "C",
    ":",
    " ",
    "\t",
    "\n",
    "\n",
    "\n\n",
    ".",
    "..",
    "\xfc",
    "x",
    "Return-Path: z",
    "Date: 2",
)


def test_odd_messages_are_taken_or_refused_alike(server: Instance) -> None:
    """Random scraps of header and body, without what makes the original lose its way: NUL, lone CR."""
    source = random.Random(5321)
    for number in range(120):
        scraps = "".join(source.choice(PIECES) for _ in range(source.randint(0, 12)))
        known = f"Date: 1\nMessage-ID: <{{U}}-{number}@odd>\n" if source.random() < 0.7 else ""
        text = TO_USER + known + scraps + "\n.\n"
        ours, theirs = (converse(server, service, text) for service in ("lmtp", "lmtp2"))
        assert ours == theirs, text
    assert mail(server, "alice") == mail(server, "bob")


OPTIONS = {
    "strict quota": {"lmtp_strict_quota": "yes"},
    "permanent over quota": {"lmtp_over_quota_perm_failure": "yes"},
    "size": {"maxmessagesize": "1500"},
    "no munging": {"munge8bit": "no"},
    "reject 8bit": {"reject8bit": "yes"},
    "lax addresses": {"lmtp_strict_rfc2821": "no"},
    "case matters": {"lmtp_downcase_rcpt": "no"},
    "catch all": {"lmtp_catchall_mailbox": "catchall"},
    "post user": {"postuser": "post", "postmaster": "chief"},
    "no duplicates check": {"duplicatesuppression": "no"},
    "hard": {"soft_noauth": "no", "serverinfo": "off"}
    | {f"{service}_allowplaintext": "no" for service in ("lmtpauth", "lmtpauth2")},
    "domains": {"virtdomains": "userid", "defaultdomain": "example.org"},
    "dots": {"unixhierarchysep": "no"},
}

WITH_OPTIONS = (
    "LHLO me\nMAIL FROM:<a@b> SIZE=1400\n"
    + "".join(
        f"RCPT TO:<{address}>\n"
        for address in (
            *("full", "{U}", "nobody", "FULL", "+shared", "post+shared", "post", "j\xf6e", "{U}@example.org"),
            *("{U}@example.net", "+shared/closed", "+shared.closed", "post+shared.closed"),
        )
    )
    + "RSET\nMAIL FROM:<a@b> SIZE=1501\nRSET\n"
    + TO_USER
    + "Subject: gr\xfcn\nDate: 1\nMessage-ID: <{U}-x@x>\n\nx\n.\nRSET\n"
    + TO_USER
    + "Subject: two\nDate: 1\nMessage-ID: <{U}-x@x>\n\nx\n.\n"
)


@pytest.mark.parametrize("name", OPTIONS)
def test_options_change_the_answers_in_the_same_way(name: str) -> None:
    for server in servers(failedloginpause="0", **OPTIONS[name]):
        if name == "catch all":
            server.create_user("catchall")
        ours, theirs = (converse(server, service, WITH_OPTIONS) for service in ("lmtp", "lmtp2"))
        assert ours == theirs
        ours, theirs = (
            converse(server, service, UNTRUSTED["not yet"] + UNTRUSTED["administrator"], at_once=False)
            for service in ("lmtpauth", "lmtpauth2")
        )
        assert ours == theirs
        if name != "dots":
            assert mail(server, "alice") == mail(server, "bob")
