"""SORT and THREAD answer as the original does, on one spool that both serve."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from cassandane.clients import ImapClient
from cassandane.instance import Instance

pytestmark = pytest.mark.reference

SUBJECTS = (
    "cheese", "Re: cheese", "RE: Fwd: cheese", "cheese (fwd)", "[list] cheese", "Re[2]: Cheese",
    "[fwd: wine]",
    "Wine", "re: [list] wine", "[wine]", "", "Re:", "=?utf-8?Q?caf=C3=A9?=",
    "=?iso-8859-1?Q?Re:_CAF=C9?=", "fw:x",
    "[Fwd: [Fwd: bread]] (fwd)", "ÄÖ", "[a][b] c", "re [x", "Re: re: bread", "[fwd: ]", "a\r\n folded",
)  # fmt: skip
PEOPLE = (
    "Ann <ann@example.org>", "bob@example.org", '"Carl, X" <carl@b.example>', "zed@a",
    "=?utf-8?Q?=C3=89va?= <e@x>",
    "Group: ann@example.org, bob@x;", "<>", "", "Bob <ANN@example.org>", "ann", "éa <raw@x>",
)  # fmt: skip
DATES = (
    "Mon, 1 Jan 2024 10:00:00 +0000",
    "Mon, 1 Jan 2024 11:30:00 +0200",
    "",
    "nonsense",
    "Tue, 5 Mar 2019 1:2:3 -0800",
)
SORT_KEYS = (
    "ARRIVAL", "CC", "DATE", "FROM", "SIZE", "SUBJECT", "TO", "DISPLAYFROM", "DISPLAYTO", "UID", "MODSEQ",
    r"HASFLAG \Flagged", "HASFLAG Work", r"HASFLAG \Seen", "FOLDER", "RELEVANCY", "SPAMSCORE",
    "ANNOTATION /comment value.shared", "ANNOTATION /comment value.priv",
)  # fmt: skip
MALFORMED = (
    "SORT", "SORT ", "SORT ()", "SORT (", "SORT (DATE) ", "SORT (DATE) UTF-8", "SORT (DATE) X-NO ALL",
    "SORT (DATE UTF-8 ALL",
    "SORT (SUBJECT REVERSE SUBJECT SIZE REVERSE SUBJECT REVERSE SIZE FROM) UTF-8 ALL",
    "SORT (FOO) UTF-8 ALL", "SORT (REVERSE) UTF-8 ALL", "SORT (REVERSE REVERSE DATE) UTF-8 ALL",
    "SORT (DATE) UTF-8 FOO",
    "SORT (DATE)UTF-8 ALL", "SORT (HASFLAG) UTF-8 ALL", "SORT (ANNOTATION /comment) UTF-8 ALL",
    "SORT DATE UTF-8 ALL",
    "SORT (ANNOTATION /comment value.x) UTF-8 ALL", "SORT (DATE) UTF-8 ALL )", "SORT (DATE ) UTF-8 ALL",
    "SORT RETURN (COUNT) (DATE) UTF-8 ALL", "SORT RETURN (X) (DATE) UTF-8 ALL",
    "SORT RETURN () (DATE) UTF-8 ALL",
    "SORT RETURN (MIN MAX COUNT ALL) (SUBJECT) UTF-8 ALL",
    "UID SORT RETURN (ALL RELEVANCY) (REVERSE UID) UTF-8 1:9",
    "SORT RETURN (ALL MIN MAX) (DATE) UTF-8 DELETED",
    "SORT (DATE) UTF-8 RETURN (ALL) ALL", "SORT (DATE) UTF-8 CHARSET UTF-8 ALL",
    "THREAD", "THREAD ", "THREAD FOO", "THREAD FOO UTF-8 ALL", "THREAD REFERENCES", "THREAD REFERENCES UTF-8",
    "THREAD REFERENCES UTF-8 ALL x", "THREAD REFERENCES X-NO ALL", "THREAD references us-ascii DELETED",
    "THREAD REFS UTF-8 FOO",
    'SORT (DATE) "utf-8" SUBJECT x', "THREAD ORDEREDSUBJECT utf-8 BODY x",
)  # fmt: skip


def messages(count: int, seed: int) -> list[bytes]:
    rnd = random.Random(seed)
    made = []
    for number in range(count):
        lines = [f"From: {rnd.choice(PEOPLE)}", f"To: {rnd.choice(PEOPLE)}"]
        if rnd.random() < 0.5:
            lines.append(f"Cc: {rnd.choice(PEOPLE)}, {rnd.choice(PEOPLE)}")
        lines.append(f"Subject: {rnd.choice(SUBJECTS)}")
        date = rnd.choice(DATES)
        if date:
            lines.append(f"Date: {date}")
        if rnd.random() < 0.9:
            lines.append(f"Message-ID: <{rnd.randrange(count * 2)}@example.org>")
        if rnd.random() < 0.6:
            refs = " ".join(f"<{rnd.randrange(count * 2)}@example.org>" for _ in range(rnd.randint(1, 4)))
            lines.append(f"{rnd.choice(['References', 'In-Reply-To'])}: {refs}")
        if rnd.random() < 0.3:
            lines.append(f"X-Spam-Score: {rnd.choice(['1.5', 'x', '10.25', '0.004'])}")
        text = "\r\n".join(lines) + "\r\n\r\n" + "x" * rnd.randrange(200) + f"{number}\r\n"
        made.append(text.encode())
    return made


@pytest.fixture(scope="module")
def server() -> Iterator[Instance]:
    instance = Instance(
        imapd_conf={"rfc2047_utf8": "no"},
        programs={"imap": "reference", "imap2": "ours"},
        master="reference",
        services=("imap", "imap2"),
    ).start()
    instance.create_user("a")
    with instance.imap("a") as client:
        rnd = random.Random(5)
        for seed, name in enumerate(("INBOX", "Small", "Thirty")):
            if name != "INBOX":
                client.ok(f"CREATE {name}")
            for number, message in enumerate(messages((120, 6, 30)[seed], seed)):
                flags = " ".join(rnd.sample([r"\Flagged", r"\Seen", "Work", r"\Answered"], rnd.randrange(3)))
                when = f'"{1 + rnd.randrange(28):2}-Mar-2023 10:{number % 60:02}:00 +0000"'
                client.ok(f"APPEND {name} ({flags}) {when} {{}}", message)
            client.ok(f"SELECT {name}")
            for number in (2, 3, 5):
                value = rnd.choice(["alpha", "beta"])
                values = f'(value.shared "{value}" value.priv "p{number % 3}")'
                client.ok(f"STORE {number} ANNOTATION (/comment {values})")
    yield instance
    instance.stop()
    instance.remove()


@pytest.fixture
def pair(server: Instance) -> Iterator[tuple[ImapClient, ImapClient]]:
    with server.imap("a") as original, server.imap("a", service="imap2") as ours:
        yield original, ours


def differences(pair: tuple[ImapClient, ImapClient], commands: list[str]) -> list[tuple[str, object, object]]:
    found = []
    for command in commands:
        replies = []
        for client in pair:
            reply = client.command(command)
            text = reply.text.partition(" (")[0] if reply.status == "OK" else reply.text
            replies.append(
                ([line.replace(client_tag(line), "TAG") for line in reply.untagged], reply.status, text)
            )
        if replies[0] != replies[1]:
            found.append((command, *replies))
    return found


def client_tag(line: str) -> str:
    return line.split('"')[1] if line.startswith('ESEARCH (TAG "') else "\0"


@pytest.mark.parametrize("mailbox", ["INBOX", "Small", "Thirty"])
def test_every_sort_key_orders_as_the_original_does(
    pair: tuple[ImapClient, ImapClient], mailbox: str
) -> None:
    for client in pair:
        client.ok(f"EXAMINE {mailbox}")
    rnd = random.Random(3)
    commands = [f"SORT ({key}) UTF-8 ALL" for key in SORT_KEYS]
    commands += [f"UID SORT (REVERSE {key}) UTF-8 ALL" for key in SORT_KEYS]
    for _ in range(40):
        keys = " ".join(
            rnd.choice(["", "REVERSE "]) + key for key in rnd.sample(SORT_KEYS, rnd.randint(2, 4))
        )
        commands.append(f"SORT ({keys}) UTF-8 {rnd.choice(['ALL', 'UNSEEN', 'SUBJECT cheese', '2:20'])}")

    assert differences(pair, commands) == []


@pytest.mark.parametrize("mailbox", ["INBOX", "Small", "Thirty"])
def test_every_algorithm_threads_as_the_original_does(
    pair: tuple[ImapClient, ImapClient], mailbox: str
) -> None:
    for client in pair:
        client.ok(f"EXAMINE {mailbox}")
    commands = [
        f"{uid}THREAD {algorithm} UTF-8 {which}"
        for algorithm in ("ORDEREDSUBJECT", "REFERENCES", "REFS")
        for which in ("ALL", "1:5", "UNSEEN", "SUBJECT cheese", "7", "DELETED")
        for uid in ("", "UID ")
    ]

    assert differences(pair, commands) == []


def test_malformed_commands_are_refused_in_the_same_words(pair: tuple[ImapClient, ImapClient]) -> None:
    for client in pair:
        client.ok("EXAMINE INBOX")

    assert differences(pair, list(MALFORMED)) == []
