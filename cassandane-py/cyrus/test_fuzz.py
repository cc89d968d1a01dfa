"""Whatever a client sends: no traceback, no hang, nothing malformed in return, no growth of memory."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st

from cassandane import fuzz
from cassandane.clients import DeflatedSocket, ImapClient
from cassandane.conversations import corpus, scripts, selected
from cassandane.conversations.spelling import Spelling
from cassandane.fuzz import Target
from cassandane.fuzz_grammar import COMMANDS
from cassandane.instance import Instance, wait_for

USERS = ("ann", "bob", "eve")
REFUSALS = ["Fatal error: ", "conversations GUID limit", "out of flags", "File name too long"]
"""What the log may say of input that goes too far."""
ALL_ON = {
    "auditlog": "yes",
    "chatty": "yes",
    "sync_log": "yes",
    "statuscache": "yes",
    "annotation_allow_undefined": "yes",
    "autocreate_quota": "1000",
    "autocreate_inbox_folders": "Sent|Drafts",
    "expunge_mode": "immediate",
    "virtdomains": "userid",
    "commandmintimer": "0",
    "event_notifier": "log",
    "event_groups": "message mailbox quota flags access",
    "conversations_counted_flags": "\\Flagged $x",
}
"""Options that make a command do more."""
TRANSCRIPTS = ("login", "admin", "folders", "list", "append", "syntax", "rights", "shared", "sessions")
MESSAGE = (
    b"From: A <a@example.org>\r\nTo: b@example.org, c: d@example.org;\r\n"
    b"Subject: =?utf-8?q?caf=C3=A9?= %d\r\nMessage-ID: <%d@x>\r\nReferences: <1@x> <2@x>\r\n"
    b"Date: Mon, 6 Jan 2020 10:00:00 +0100\r\nMIME-Version: 1.0\r\n"
    b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain; charset=utf-8\r\n"
    b"Content-Transfer-Encoding: quoted-printable\r\n\r\nna=C3=AFve=\r\n text\r\n"
    b"--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\n"
    b"Content-Type: text/html; charset=iso-8859-1\r\n\r\n<p title='x'>&eacute;<b>y\r\n"
    b"--b\r\nContent-Type: application/x; name*=utf-8''%%41; b=c\r\nContent-Transfer-Encoding: base64\r\n"
    b"Content-Disposition: attachment; filename=d\r\n\r\naGVsbG8=\r\n--b--\r\n"
)
LOOK = (
    b"F1 FETCH 1:* (FLAGS UID INTERNALDATE RFC822.SIZE ENVELOPE BODY BODYSTRUCTURE BODY.PEEK[])\r\n"
    b"F2 FETCH 1:* (BODY.PEEK[1] BODY.PEEK[2] BODY.PEEK[1.1] BODY.PEEK[2.1.MIME] BODY.PEEK[TEXT])\r\n"
    b"F3 FETCH 1:* (BODY.PEEK[HEADER.FIELDS (SUBJECT)] BINARY.SIZE[1] PREVIEW EMAILID THREADID SAVEDATE)\r\n"
    b"F4 FETCH 1:* (BINARY.PEEK[1])\r\n"
    b"S1 SEARCH CHARSET utf-8 OR TEXT {5+}\r\ncaf\xc3\xa9 OR BODY y FROM a\r\n"
    b"S2 SORT (SUBJECT FROM TO CC DATE SIZE DISPLAYFROM) utf-8 ALL\r\n"
    b"T1 THREAD REFERENCES utf-8 ALL\r\nT2 THREAD ORDEREDSUBJECT utf-8 ALL\r\n"
    b"D1 STORE 1:* +FLAGS.SILENT (\\Deleted)\r\nD2 EXPUNGE\r\n"
)


@pytest.fixture(scope="module")
def target() -> Iterator[Target]:
    server = Instance(
        services=("imap", "imaps"),
        imapd_conf={"failedloginpause": "0", "conversations": "yes", "imapidletimeout": "1"},
    )
    server.allowed_log += REFUSALS
    server.start()
    try:
        refill(server)
        yield Target(server)
    except BaseException:
        server.stop(check=False)
        raise
    refill(server)
    with server.imap("bob") as client:
        client.ok("NOOP")
    wait_for(lambda: not fuzz.zombies(server), "a worker ended and nobody took notice")
    server.stop()
    server.remove()


@pytest.fixture(scope="module")
def busy() -> Iterator[Target]:
    """A server that does more for each command, with all kinds of mail."""
    settings = {"failedloginpause": "0", "conversations": "yes", "imapidletimeout": "1", **ALL_ON}
    server = Instance(services=("imap",), imapd_conf=settings)
    server.allowed_log += REFUSALS
    server.start()
    try:
        selected.fill(server)
        yield Target(server)
    except BaseException:
        server.stop(check=False)
        raise
    server.stop()
    server.remove()


def refill(server: Instance) -> None:
    """Make again what streams may have removed, the right to use the server included."""
    (server.directory / "conf/msg/shutdown").unlink(missing_ok=True)
    with server.imap("admin") as admin:
        for user in USERS:
            for name in (f"user/{user}", f"user/{user}/two"):
                admin.command(f"CREATE {name}")
                admin.command(f"SETACL {name} {user} lrswipkxtecdan")
            admin.command(f"SETQUOTA user/{user} ()")
    with server.imap("ann") as client:
        for number in range(3):
            client.command("APPEND INBOX {}", MESSAGE % (number, number))


def prelude(user: str | None) -> bytes:
    if user is None:
        return b""
    login = b"L LOGIN %b x\r\n" % user.encode("ascii")
    return login if user == "admin" else login + b"S SELECT INBOX\r\n"


def generated(target: Target, seed: int, count: int) -> None:
    played = 0

    @seeded(seed)
    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
    @given(
        st.sampled_from([None, "ann", "ann", "ann", "bob", "admin"]),
        st.lists(COMMANDS, min_size=1, max_size=12),
    )
    def play(user: str | None, commands: list[bytes]) -> None:
        nonlocal played
        if played % 100 == 0:
            refill(target.server)
        played += 1
        lines = [b"t%d %b\r\n" % numbered for numbered in enumerate(commands)]
        target.judge(target.play(prelude(user) + b"".join(lines)))
        target.check()

    play()


def broken(target: Target, seeds: range, service: str = "imap") -> None:
    """Recorded sessions with changed octets, words and lines."""
    target.service = service
    recorded = {name: fuzz.recorded(name) for name in TRANSCRIPTS}
    everything = [command for commands in recorded.values() for command in commands]
    for seed in seeds:
        random = Random(seed)
        if seed % 100 == 0:
            target.service = "imap"
            refill(target.server)
            target.service = service
        commands = random.choice([recorded[random.choice(TRANSCRIPTS)], random.choices(everything, k=15)])
        start = random.randrange(len(commands))
        stream = b"".join(
            fuzz.mutated(random, one, everything) if random.random() < 0.5 else one
            for one in commands[start : start + 20]
        )
        if random.random() < 0.2:
            stream = fuzz.mutated(random, stream, everything)
        before = prelude(random.choice([None, "admin", *USERS]))
        said = target.play(before + stream, cut=random.random() < 0.05, deaf=random.random() < 0.1)
        target.judge(said)
        target.check()
    target.service = "imap"


def broken_conversations(target: Target, seeds: range) -> None:
    """Commands of the conversations that are held with two servers, some with changes."""
    makers = {family.name: family.streams for family in selected.FAMILIES}
    makers |= {name: scripts.streams(name, Spelling()) for name in scripts.names()}
    known: list[tuple[str | None, list[bytes]]] = []
    for name, make in makers.items():
        for stream in islice(make(Random(name)), 30):
            said: dict[str, list[bytes]] = {}
            for exchange in stream.exchanges:
                said.setdefault(exchange.by, []).append(exchange.sent)
            known += [(stream.user_of(by), commands) for by, commands in said.items()]
    everything = [one for _, commands in known for one in commands if 0 < len(one) < 5000]
    for seed in seeds:
        random = Random(seed)
        user, commands = random.choice(known)
        start = random.randrange(max(1, len(commands) - 40))
        sent = b"".join(
            fuzz.mutated(random, one, everything) if random.random() < 0.35 else one
            for one in commands[start : start + 40]
        )
        target.judge(target.play(prelude(user) + sent[: 1 << 20]))
        target.check()


def broken_messages(target: Target, seeds: range) -> None:
    """Messages with changed octets, stored and looked at in every way."""
    originals = [MESSAGE % (1, 1), *corpus.whole()]
    for seed in seeds:
        random = Random(seed)
        stream = b"L LOGIN eve x\r\n"
        for number in range(8):
            mail = fuzz.mutated(random, random.choice(originals), originals)[:200000]
            if random.random() < 0.7:
                # what APPEND would refuse at once
                mail = re.sub(rb"\r?\n|\r", b"\r\n", mail.replace(b"\0", b""))
            stream += b"A%d APPEND INBOX {%d+}\r\n%b\r\n" % (number, len(mail), mail)
        target.judge(target.play(stream + b"S SELECT INBOX\r\n" + LOOK))
        target.check()


def test_generated_commands(target: Target) -> None:
    generated(target, 1, 200)


def test_broken_sessions(target: Target) -> None:
    broken(target, range(120))


def test_broken_sessions_under_tls(target: Target) -> None:
    broken(target, range(1000, 1040), "imaps")


def test_broken_sessions_deflated(target: Target) -> None:
    """Broken behind COMPRESS, and for some the deflated octets themselves."""
    everything = [command for name in TRANSCRIPTS for command in fuzz.recorded(name)]
    for seed in range(2000, 2040):
        random = Random(seed)
        commands = random.choices(everything, k=15)
        stream = zlib.compress(b"".join(fuzz.mutated(random, one, everything) for one in commands), wbits=-15)
        is_damaged = random.random() < 0.3
        if is_damaged:
            stream = fuzz.mutated(random, stream)
        said = target.play(prelude("ann") + b"C COMPRESS DEFLATE\r\n" + stream)
        plain, mark, rest = said.partition(b"\r\nC OK DEFLATE active\r\n")
        assert mark, said[-300:]
        target.judge(plain + b"\r\n" + zlib.decompressobj(wbits=-15).decompress(rest))
        target.check()


def test_broken_conversations(busy: Target) -> None:
    broken_conversations(busy, range(30))


def test_broken_messages(target: Target) -> None:
    broken_messages(target, range(15))


def test_garbage_instead_of_tls_and_deflate(target: Target) -> None:
    random = Random(1)
    for opening in (b"a STARTTLS\r\n", b"L LOGIN ann x\r\na COMPRESS DEFLATE\r\n"):
        for size in (1, 10, 1000, 100000):
            target.play(opening + random.randbytes(size))
            target.check()


NAMED = (
    "CREATE {}", "DELETE {}", "RENAME {} x", "RENAME two {}", "SELECT {}", "STATUS {} (MESSAGES)",
    "SUBSCRIBE {}", "SETACL {} bob lr", "SETACL two {} lr", "DELETEACL two {}", "GETACL {}",
    "LISTRIGHTS {} bob", "MYRIGHTS {}", "GETQUOTA {}", "GETQUOTAROOT {}", "SETQUOTA {} (STORAGE 5)",
    "GETMETADATA {} (/private/comment)", "SETMETADATA {} (/private/comment x)", 'LIST "" {}', "LIST {} *",
    'GETANNOTATION {} "*" "value.priv"', "APPEND {} {3+}\r\nabc", "COPY 1 {}", "UID MOVE 1 {}",
    "SEARCH FOLDER {} ALL", "SCAN {} * x", "RESETKEY {}", "LOGIN {} x", "CREATE two/x {}",
)  # fmt: skip
NAMES = (
    b"a\0b",
    b"user/a\0b",
    b"user/bob/a\0",
    b"user/\0",
    b"\0",
    b"Other Users/b\0b/x",
    b"Other Users/\xfbo\0b",
)


@pytest.mark.parametrize("user", ["ann", "admin", None])
def test_names_that_no_file_can_have(target: Target, user: str | None) -> None:
    """NUL octets in quoted strings; in URLs they are encoded."""
    lines = [b'U URLFETCH "imap://ann@localhost/Other%20Users/b%00b/;UID=1"\r\n']
    for number, command in enumerate(NAMED):
        for name in NAMES:
            line = command.encode().replace(b"{}", b'"%b"' % name, 1)
            lines.append(b"n%d %b\r\n" % (number, line))
    for start in range(0, len(lines), 7):
        target.judge(target.play(prelude(user) + b"".join(lines[start : start + 7])))
        target.check()


def test_deflated_floods(target: Target) -> None:
    """What inflates a thousandfold is a line that is too long, not memory."""
    with target.server.imap("ann") as client:
        client.ok("COMPRESS DEFLATE")
        DeflatedSocket(client)
        try:
            for _ in range(64):
                client.send(b" " * (1 << 20))
            client.finish(b"none")
        except (EOFError, OSError):
            pass
    target.check()
    assert max(peak(process.pid) for process in target.workers()) < 256


def test_a_client_that_does_not_listen(target: Target) -> None:
    """Its answers wait in the server until it listens; no more than a few are made meanwhile."""
    stream = b"L LOGIN ann x\r\nS SELECT INBOX\r\n" + b"F FETCH 1:* (BODY.PEEK[] BODYSTRUCTURE)\r\n" * 4000
    said = target.play(stream, deaf=True)
    assert said.count(b"F OK ") == 4000
    target.check()
    assert max(peak(process.pid) for process in target.workers()) < 256


def test_a_large_message_asked_for_many_times(target: Target) -> None:
    """A line can ask for more than any memory holds; what is made of it leaves before the rest is made."""
    size = 8 << 20
    mail = b"Subject: large\r\n\r\n" + b"0123456789abcde\n" * (size // 16)
    mail = mail.replace(b"e\n", b"\r\n")
    stream = b"L LOGIN bob x\r\nA APPEND two {%d+}\r\n%b\r\nS SELECT two\r\n" % (len(mail), mail)
    asked = b" ".join(b"BODY.PEEK[]<%d.%d>" % (start, size) for start in range(50))
    said = target.play(stream + b"F FETCH * (" + asked + b")\r\n")
    assert len(said) > 49 * size and b"\r\nF OK " in said[-200:]
    assert max(peak(process.pid) for process in target.workers()) < 256


NUMBERS = b",".join(b"%d" % number for number in range(1, 30000, 2))[:130000].rpartition(b",")[0]
HEAVY = {
    "parentheses": b"SEARCH " + b"(" * 50000 + b"ALL" + b")" * 50000,
    "not": b"SEARCH " + b"NOT " * 100000 + b"ALL",
    "or": b"SEARCH " + b"OR " * 50000 + b"ALL " * 50001,
    "keys": b"SEARCH " + b"HEADER x y " * 20000 + b"ALL",
    "numbers": b"SEARCH " + NUMBERS,
    "uids": b"UID FETCH " + NUMBERS + b" FLAGS",
    "the same again": b"UID FETCH " + b",".join([b"1:4294967295"] * 9000) + b" FLAGS",
    "path": b"FETCH 1 BODY[" + b"1." * 50000 + b"1]",
    "fields": b"FETCH 1:* BODY.PEEK[HEADER.FIELDS.NOT (" + b"a " * 20000 + b"b)]",
    "sections": b"FETCH 1:* (" + b" ".join([b"BODY.PEEK[]"] * 5000) + b")",
    "patterns": b'LIST "" "' + b"*%" * 5000 + b'x"',
    "more patterns": b'LIST "" "' + b"*i*n" * 400 + b'x"',
    "criteria": b"SORT (" + b"REVERSE SUBJECT " * 999 + b"DATE) UTF-8 ALL",
    "flags": b"STORE 1 +FLAGS (" + b" ".join(b"k%d" % number for number in range(20000)) + b")",
    "modseq": b"SEARCH MODSEQ " + b"9" * 5000,
    "number": b"FETCH " + b"9" * 100000 + b" FLAGS",
    "known uids": b"SELECT INBOX (QRESYNC (1 1 1:4294967295 (1:4294967295 1:4294967295)))",
    "metadata": b'GETMETADATA (DEPTH infinity) "" (' + b"/private/comment " * 10000 + b"/shared/x)",
}


@pytest.mark.parametrize("command", HEAVY.values(), ids=HEAVY.keys())
def test_commands_made_to_be_slow(target: Target, command: bytes) -> None:
    """Each is answered at once or ends the connection, and costs little."""
    for before in (b"", b"Q ENABLE QRESYNC\r\n"):
        said = target.play(
            b"L LOGIN ann x\r\nS SELECT INBOX\r\n" + before + b"H " + command + b"\r\nN NOOP\r\n"
        )
        ends = [one for one in target.judge(said) if one.startswith((b"H ", b"N OK", b"* BYE"))]
        assert ends, said[-500:]
    target.check()
    assert max(peak(process.pid) for process in target.workers()) < 256


def nested(kind: bytes, count: int) -> bytes:
    return b"Subject: deep\r\n" + kind * count + b"\r\nx\r\n"


HEAVY_MAIL = {
    "multiparts": nested(b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n", 3000),
    "messages": nested(b"Content-Type: message/rfc822\r\n\r\n", 5000),
    "parts": b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * 5000,
    "comments": b"From: " + b"(" * 100000 + b"a@b" + b")" * 100000 + b"\r\n\r\nx",
    "groups": b"To: " + b"g: " * 50000 + b"\r\n\r\nx",
    "quotes": b"To: " + b'"\\' * 100001 + b"\r\n\r\nx",
    "references": b"References: " + b" ".join(b"<%d@x>" % number for number in range(20000)) + b"\r\n\r\nx",
    "re": b"Subject: " + b"Re: " * 100000 + b"x\r\n\r\nx",
    "blobs": b"Subject: " + b"[a] " * 50000 + b"[" * 50000 + b"\r\n\r\nx",
    "forwarded": b"Subject: " + b"[fwd: " * 50000 + b"x" + b"]" * 50000 + b"\r\n\r\nx",
    "words": b"Subject: " + b"=?utf-8?q?=C3=A9?= " * 20000 + b"=?utf-8?q?" * 20000 + b"\r\n\r\nx",
    "parameters": b"Content-Type: text/plain; "
    + b"; ".join(b"name*%d*=%%41" % number for number in range(20000))
    + b"\r\n\r\nx",
    "tags": b"Content-Type: text/html\r\n\r\n"
    + b"<div a='b' " * 50000
    + b"<!--" * 50000
    + b"<script>" * 20000,
    "entities": b"Content-Type: text/html\r\n\r\n" + b"&amp;&#x41;&foo;&" * 50000,
    "quoted-printable": b"Content-Transfer-Encoding: quoted-printable\r\n\r\n" + b"=" * 300000,
    "shifts": b"Content-Type: text/plain; charset=iso-2022-jp\r\n\r\n" + b"\x1b$B\x1b(B" * 50000,
    "dates": b"Date: " + b"(" * 50000 + b"\r\n\r\nx",
    "identifiers": b"Message-ID: " + b"<" * 50000 + b"\r\nIn-Reply-To: " + b"<a " * 50000 + b"\r\n\r\nx",
}


@pytest.mark.parametrize("mail", HEAVY_MAIL.values(), ids=HEAVY_MAIL.keys())
def test_messages_made_to_be_slow(target: Target, mail: bytes) -> None:
    stream = b"L LOGIN eve x\r\nA APPEND INBOX {%d+}\r\n%b\r\nS SELECT INBOX\r\n%b" % (len(mail), mail, LOOK)
    said = target.judge(target.play(stream))
    assert said[-1].startswith(b"D2 OK"), said[-1]
    target.check()


def peak(pid: int) -> int:
    """MiB that a process ever had in memory; 0 if it is gone."""
    try:
        found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    except OSError:
        return 0
    return int(found[1]) >> 10 if found else 0


AGAIN = (
    "NOOP", "CHECK", "CAPABILITY", "NAMESPACE", "ID NIL", "ENABLE QRESYNC", "SELECT INBOX", "EXAMINE INBOX",
    "STATUS INBOX (MESSAGES UNSEEN SIZE HIGHESTMODSEQ)", 'LIST "" *', 'LSUB "" *', "IDLE\r\nDONE",
    'LIST (SUBSCRIBED) "" * RETURN (STATUS (MESSAGES))', "GETACL INBOX", "MYRIGHTS INBOX",
    "GETQUOTAROOT INBOX", "GETMETADATA INBOX (/private/comment)", 'GETANNOTATION INBOX "*" "value.priv"',
    "FETCH 1:* (FLAGS ENVELOPE)", "FETCH 1:* (BODY.PEEK[] BODYSTRUCTURE BINARY.SIZE[1])",
    "UID FETCH 1:* (PREVIEW EMAILID) (CHANGEDSINCE 1 VANISHED)", "SEARCH TEXT x",
    "SEARCH RETURN (ALL) OR SUBJECT a BODY b", "SORT (SUBJECT) UTF-8 ALL", "THREAD REFERENCES UTF-8 ALL",
    "FETCH 9 FLAGS", "NONSENSE", "FETCH 1 (", "SEARCH (", "SELECT nosuch", "UID SEARCH UID 1:*",
    'URLFETCH "imap://ann@localhost/INBOX/;UID=1"', "UNSELECT", "SELECT INBOX", r"STORE 1 FLAGS (\Seen)",
    "STORE 1 FLAGS ()", "SETMETADATA INBOX (/private/comment x)", "SUBSCRIBE two", "UNSUBSCRIBE two",
    "COPY 1 two", "SETACL INBOX bob lr", "DELETEACL INBOX bob", "EXPUNGE", "CREATE INBOX", "APPEND two {x}",
)  # fmt: skip


def repeat(client: ImapClient, command: str, times: int) -> None:
    """Send a command again and again, many at a time."""
    for start in range(0, times, 50):
        count = min(50, times - start)
        client.send(f"r {command}\r\n".encode() * count)
        for _ in range(count):
            client.finish(b"r")


def grown(server: Instance, times: int) -> dict[str, int]:
    """By how many KiB each command made its worker grow in so many times, after as many to get warm."""
    found = {}
    with server.imap("ann") as client:
        worker = Target(server).worker_of(client.socket)
        client.ok("SELECT INBOX")
        for command in AGAIN:
            repeat(client, command, times // 5 + 50)
            start = worker.memory_info().rss
            repeat(client, command, times)
            found[command] = (worker.memory_info().rss - start) >> 10
    return found


def test_nothing_grows(target: Target) -> None:
    refill(target.server)
    growth = grown(target.server, 100)
    assert sum(growth.values()) < 4096, growth
    target.check()


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_nothing_grows_for_long(target: Target) -> None:
    refill(target.server)
    growth = grown(target.server, 5000)
    assert sum(growth.values()) < 4096, growth


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", range(2, 6))
def test_generated_commands_for_long(target: Target, seed: int) -> None:
    generated(target, seed, 3000)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_broken_sessions_for_long(target: Target) -> None:
    broken(target, range(10000, 15000))


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_broken_conversations_for_long(busy: Target) -> None:
    broken_conversations(busy, range(10000, 12000))


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_broken_messages_for_long(target: Target) -> None:
    broken_messages(target, range(10000, 10500))


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_a_worker_that_served_many(target: Target) -> None:
    """Connections of all kinds leave nothing behind in the workers, which serve one after the other."""
    broken(target, range(200))
    before = target.memory()
    broken(target, range(20000, 21000))
    after = target.memory()
    assert all(after[pid] - before[pid] < 8192 for pid in after.keys() & before.keys()), (before, after)
