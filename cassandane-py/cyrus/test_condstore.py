"""CONDSTORE and QRESYNC (RFC 7162): both servers are told the same and must say the same."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from cassandane.clients import ImapClient
from cassandane.instance import Instance

pytestmark = pytest.mark.reference

MESSAGE = "From: a@example.org\r\nSubject: {}\r\n\r\nbody\r\n"
_MASKS = (
    (r'"[ \d]\d-\w{3}-\d{4} [\d:]{8} \+0000"', "TIME"),
    (r"\d+\.\d+ secs?", "T secs"),
    (r"MAILBOXID \([^)]*\)", "MAILBOXID"),
    (r"(UIDVALIDITY|APPENDUID|COPYUID) \d+", r"\1 V"),
)
_MODSEQ = re.compile(r"HIGHESTMODSEQ (\d+)|UIDVALIDITY (\d+)")

# a line is for session 1 or 2; {V} is the UIDVALIDITY, {H} the last HIGHESTMODSEQ told, {-n} one n lower
SCRIPTS = {
    "enable": """
        1 ENABLE
        1 ENABLE FOO
        1 ENABLE CONDSTORE FOO
        1 ENABLE QRESYNC
        1 ENABLE CONDSTORE QRESYNC
        2 ENABLE QRESYNC CONDSTORE
    """,
    "who enables": """
        1 SELECT INBOX
        1 FETCH 1 FLAGS
        1 STORE 1 +FLAGS (one)
        1 FETCH 1:2 (MODSEQ)
        1 FETCH 1 (FLAGS MODSEQ)
        1 STORE 2 +FLAGS (two)
        2 SELECT INBOX
        2 STORE 3 (UNCHANGEDSINCE 1000) +FLAGS (three)
        2 STORE 3 +FLAGS.SILENT (four)
        1 NOOP
        1 CLOSE
        1 SELECT INBOX (CONDSTORE)
        1 STORE 1 -FLAGS (one)
        2 SEARCH MODSEQ 1
    """,
    "conditional store": """
        1 SELECT INBOX (CONDSTORE)
        2 SELECT INBOX
        1 STORE 1:3 (UNCHANGEDSINCE {H}) +FLAGS (one)
        1 NOOP
        2 STORE 2 +FLAGS (two)
        1 STORE 1:3 (UNCHANGEDSINCE {-1}) +FLAGS.SILENT (three)
        1 UID STORE 1:* (UNCHANGEDSINCE {-2}) -FLAGS (one)
        1 STORE 1:* (UNCHANGEDSINCE 0) FLAGS ()
        1 STORE 1 (UNCHANGEDSINCE 99999999999999999999999999) +FLAGS (x)
        1 STORE 1 (UNCHANGEDSINCE 5) ANNOTATION (/comment (value.shared "x"))
        1 NOOP
        2 NOOP
    """,
    "changed since": """
        1 ENABLE CONDSTORE
        1 SELECT INBOX
        1 STORE 2 +FLAGS (a)
        1 STORE 4 +FLAGS (b)
        1 FETCH 1:* (FLAGS) (CHANGEDSINCE {H})
        1 FETCH 1:* (UID) (CHANGEDSINCE {-1})
        1 UID FETCH 1:* (FLAGS) (CHANGEDSINCE 1)
        1 UID FETCH 1:* (FLAGS) (CHANGEDSINCE 0)
        1 UID FETCH 90 (FLAGS) (CHANGEDSINCE 1)
        1 FETCH 1:* FAST (CHANGEDSINCE {-3})
    """,
    "search": """
        1 SELECT INBOX (CONDSTORE)
        1 STORE 2 +FLAGS (a)
        1 SEARCH MODSEQ {H}
        1 SEARCH MODSEQ "/flags/\\\\draft" all 2
        1 UID SEARCH MODSEQ 1
        1 SEARCH NOT MODSEQ 3
        1 SEARCH OR MODSEQ 9999999 ALL
        1 SEARCH RETURN (MIN) MODSEQ 1
        1 SEARCH RETURN (MAX) MODSEQ 1
        1 SEARCH RETURN (MIN MAX) MODSEQ 1
        1 SEARCH RETURN (ALL COUNT) MODSEQ 1
        1 SEARCH RETURN (COUNT) MODSEQ 1
        1 SEARCH RETURN (ALL) MODSEQ 99999999
        1 SORT (DATE) UTF-8 MODSEQ 2
        1 THREAD REFERENCES UTF-8 MODSEQ 2
        1 SORT RETURN (ALL) (REVERSE MODSEQ) UTF-8 MODSEQ 2
        1 SEARCH MODSEQ
        1 SEARCH MODSEQ x
        1 SEARCH MODSEQ "/flags/x" 1
    """,
    "vanished": """
        1 ENABLE QRESYNC
        1 SELECT INBOX
        2 SELECT INBOX
        2 STORE 2,4 +FLAGS (\\Deleted)
        1 NOOP
        2 EXPUNGE
        1 NOOP
        1 STORE 1 +FLAGS (x)
        1 STORE 3 +FLAGS (\\Deleted)
        1 EXPUNGE
        1 UID FETCH 1:* (FLAGS) (CHANGEDSINCE 1 VANISHED)
        1 UID FETCH 1:2 (FLAGS) (CHANGEDSINCE 1 VANISHED)
        1 UID FETCH 1:* (FLAGS) (CHANGEDSINCE {H} VANISHED)
        1 UID FETCH 1:* (FLAGS) (VANISHED)
        1 FETCH 1:* (FLAGS) (CHANGEDSINCE 1 VANISHED)
        2 UID FETCH 1:* (FLAGS) (CHANGEDSINCE 1 VANISHED)
        2 NOOP
        1 UID STORE 1 +FLAGS (\\Deleted)
        1 UID EXPUNGE 1
        1 MOVE 1 INBOX/Other
        1 CLOSE
    """,
    "resynchronise": """
        2 SELECT INBOX
        1 ENABLE QRESYNC
        1 SELECT INBOX
        1 UNSELECT
        2 STORE 1 +FLAGS (x)
        2 STORE 2,5 +FLAGS (\\Deleted)
        2 EXPUNGE
        1 SELECT INBOX (QRESYNC ({V} {-1}))
        1 SELECT INBOX (QRESYNC ({V} {H}))
        1 SELECT INBOX (QRESYNC ({V} 1 1:3))
        1 SELECT INBOX (QRESYNC ({V} 1 1:* (1:3 1:3)))
        1 EXAMINE INBOX (QRESYNC ({V} 1 (1:3 1:3)))
        1 SELECT INBOX (QRESYNC (7 1))
        1 SELECT INBOX (QRESYNC ({V} 999999))
        1 SELECT INBOX (CONDSTORE QRESYNC ({V} 1) ANNOTATE)
    """,
    "malformed": """
        1 SELECT INBOX (QRESYNC (1 1))
        1 ENABLE QRESYNC
        1 SELECT INBOX (QRESYNC)
        1 SELECT INBOX (QRESYNC ())
        1 SELECT INBOX (QRESYNC (0 1))
        1 SELECT INBOX (QRESYNC (1))
        1 SELECT INBOX (QRESYNC (1 x))
        1 SELECT INBOX (QRESYNC (1 1 x))
        1 SELECT INBOX (QRESYNC (1 1 1:2 x))
        1 SELECT INBOX (QRESYNC (1 1 1:2 (1)))
        1 SELECT INBOX (QRESYNC (1 1 1:2 (1 2))
        1 SELECT INBOX (FOO)
        1 SELECT INBOX (CONDSTORE
        1 SELECT INBOX
        1 FETCH 1 FLAGS (CHANGEDSINCE)
        1 FETCH 1 FLAGS (CHANGEDSINCE x)
        1 FETCH 1 FLAGS (CHANGEDSINCE 1
        1 FETCH 1 FLAGS (FOO 1)
        1 FETCH 1 FLAGS CHANGEDSINCE 1
        1 STORE 1 (UNCHANGEDSINCE) FLAGS (x)
        1 STORE 1 (UNCHANGEDSINCE x) FLAGS (x)
        1 STORE 1 (UNCHANGEDSINCE 1 FLAGS (x)
        1 STORE 1 (FOO) FLAGS (x)
        1 STORE 1 () FLAGS (x)
        1 UID FETCH 1 FLAGS (VANISHED)
    """,
}


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[Instance, Instance]]:
    ours = Instance(services=("imap",))
    original = Instance(services=("imap",), programs={"imap": "reference"}, master="reference")
    started = []
    try:
        for server in (ours, original):
            server.start()
            started.append(server)
        yield ours, original
    finally:
        for server in started:
            server.stop(check=server is ours)
    ours.remove()
    original.remove()


def play(server: Instance, user: str, script: str) -> list[object]:
    """What the server said to each line."""
    server.create_user(user)
    said: list[object] = []
    with server.imap(user) as preparing:
        preparing.ok("CREATE Other")
        for number in range(1, 7):
            preparing.append("INBOX", MESSAGE.format(number).encode())
    known = {"H": "1", "V": "1"}
    sessions = {number: server.imap(user) for number in "12"}
    for line in script.strip().splitlines():
        number, _, command = line.strip().partition(" ")
        command = (
            command.replace("INBOX/Other", "Other").replace("{V}", known["V"]).replace("{H}", known["H"])
        )
        command = re.sub(r"\{-(\d+)\}", lambda found: str(int(known["H"]) - int(found[1])), command)
        reply = sessions[number].command(command)
        for text in (*reply.untagged, reply.text):
            for modseq, uidvalidity in _MODSEQ.findall(text):
                known["H"], known["V"] = modseq or known["H"], uidvalidity or known["V"]
        said.append(
            (line.strip(), [_masked(one) for one in reply.untagged], reply.status, _masked(reply.text))
        )
    for session in sessions.values():
        session.close()
    return said


def _masked(text: str) -> str:
    for pattern, masked in _MASKS:
        text = re.sub(pattern, masked, text)
    return text


@pytest.mark.parametrize("name", SCRIPTS)
def test_both_servers_say_the_same(servers: tuple[Instance, Instance], name: str) -> None:
    user = name.replace(" ", "")
    ours, original = (play(server, user, SCRIPTS[name]) for server in servers)
    differences = [pair for pair in zip(ours, original, strict=True) if pair[0] != pair[1]]
    assert differences == []


def test_a_search_that_finds_nothing_has_no_mod_sequence(imap: ImapClient) -> None:
    """RFC 7162 section 3.1.5; the original says (MODSEQ 1)."""
    imap.ok("SELECT INBOX")

    assert imap.ok("SEARCH MODSEQ 99999999").untagged == ["SEARCH"]
