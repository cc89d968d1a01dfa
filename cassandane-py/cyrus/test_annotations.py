"""Annotations of mailboxes, the server and messages: ours and the original answer the same commands alike."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence

import pytest

from cassandane.clients import ImapClient, Reply
from cassandane.instance import Instance

pytestmark = pytest.mark.reference

VENDOR = "/vendor/cmu/cyrus-imapd"
MESSAGE = b"From: a@b.example\r\nSubject: y\r\n\r\nbody text\r\n"
DEFINITIONS = """\
# the site's own
/vendor/example/free,mailbox,string,backend,value.shared value.priv,
/vendor/example/count,mailbox,uint,backend,value.shared size.shared,a
/Vendor/Example/UPPER , server , int , proxy_and_backend , value , r
/vendor/example/proxied,mailbox,string,proxy,value.shared,
/vendor/example/mark,message,boolean,backend,value,
/vendor/cmu/cyrus-imapd/mine,mailbox,string,backend,value.shared,
/flags/mine,message,string,backend,value.shared,
/vendor/example/nonsense,nowhere,string,backend,value.shared,
/vendor/example/old,mailbox,content-type,backend,value.shared content-type.shared,
/vendor/example/short,mailbox
 /vendor/example/indented ,	mailbox	,string,backend proxy , VALUE.SHARED,
"""

_MASKS = (
    (r"\(\d+\.\d+ sec\)", "(T sec)"),
    (r"in \d+\.\d+ secs", "in T secs"),
    (r'TAG "[^"]*"', "TAG"),
    (r"(UIDVALIDITY|APPENDUID|COPYUID) \d+", r"\1 N"),
    (r"MAILBOXID \([^)]*\)", "MAILBOXID (ID)"),
    (r"[0-9a-f]{8}-[0-9a-f-]{27}|\b[0-9a-z]{24}\b", "ID"),
    (r'"[ 0-9]\d-\w\w\w-\d{4} [0-9:]{8} \+\d{4}"', "TIME"),
    (r'/freespace([a-z/]*)" (\(?"value.shared" )?"[0-9]+(;?)[0-9]*"', r"/freespace\1 N\3"),
    # the original is at a loss when a file is to be removed that is not there
    (r"NO Unknown code ____ 255", "OK Completed"),
    (r'(synccrcs"(?: \("value.shared")?) "\d+ \d+"( "size.shared" "\d+")?', r"\1 CRCS"),
)
_FLAGS = re.compile(r"\d+ FETCH \(FLAGS \([^)]*\)( UID \d+)?\)")


def masked(reply: Reply) -> list[str]:
    lines = [*reply.untagged, f"{reply.status} {reply.text}"]
    for pattern, replacement in _MASKS:
        lines = [re.sub(pattern, replacement, line) for line in lines]
    return lines


class Pair:
    """The same session on both servers."""

    def __init__(self, ours: ImapClient, original: ImapClient) -> None:
        self.clients = ours, original

    def command(self, text: str | bytes, *literals: bytes) -> list[str]:
        """The masked answer; fails if the two are not equal."""
        ours, original = (masked(client.command(text, *literals)) for client in self.clients)
        if isinstance(text, str) and ".SILENT" in text:
            # the original tells flags even if it is asked to be silent
            original = [line for line in original if not _FLAGS.fullmatch(line)]
        assert ours == original, text
        return ours


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[Instance, Instance]]:
    ours = Instance(services=("imap",))
    original = Instance(services=("imap",), programs={"imap": "reference"}, master="reference")
    for server in (ours, original):
        definitions = server.directory / "annotations.def"
        definitions.write_text(DEFINITIONS)
        server.settings["annotation_definitions"] = str(definitions)
        server.settings["annotation_enable_legacy_commands"] = "yes"
        server.write_configuration()
    started = []
    try:
        for server in (ours, original):
            server.start()
            started.append(server)
            for user in ("bob", "eve"):
                server.create_user(user, "a", "b", "b/c")
            with server.imap("bob") as client:
                client.append("INBOX", MESSAGE, MESSAGE, MESSAGE)
                client.ok("SETACL a eve lrs")
                client.ok("SETACL b eve lrswipkxtea")
        yield ours, original
    finally:
        for server in started:
            server.stop(check=False)
    ours.remove()
    original.remove()


def sessions(servers: tuple[Instance, Instance], user: str) -> Iterator[Pair]:
    with servers[0].imap(user) as ours, servers[1].imap(user) as original:
        yield Pair(ours, original)


@pytest.fixture
def bob(servers: tuple[Instance, Instance]) -> Iterator[Pair]:
    yield from sessions(servers, "bob")


@pytest.fixture
def eve(servers: tuple[Instance, Instance]) -> Iterator[Pair]:
    yield from sessions(servers, "eve")


@pytest.fixture
def admin(servers: tuple[Instance, Instance]) -> Iterator[Pair]:
    yield from sessions(servers, "admin")


ENTRIES = (
    *("/check", "/checkperiod", "/comment", "/sort", "/specialuse", "/thread", "/unknown", "/motd", "/admin"),
    *(
        f"{VENDOR}/{name}"
        for name in (
            "annotsize archive delete duplicatedeliver expire lastpop hasalarms foldermodseq lastupdate "
            "news2mail partition pop3newuidl pop3showafter search-fuzzy-always server sharedseen sieve size "
            "sortorder squat synccrcs uniqueid usermodseq usercounters freespace freespace/total "
            "freespace/percent/most shutdown color"
        ).split()
    ),
    *(
        f"/vendor/example/{name}"
        for name in ("free", "count", "upper", "proxied", "old", "nonsense", "short", "indented")
    ),
)
VALUES = (
    'NIL', '""', '"5"', '"-5"', '"true"', '"False"', '"\\\\Sent"', '"Sent Trash"', '"\\\\All"', '"x"',
    '"01-Feb-2020 10:00:00 +0100"', '"Sat, 1 Feb 2020 10:00:00 +0100"', '" 7"', '"yes"',
    '"99999999999999999999"', '"quote\\"d 50% \\\\"',
)  # fmt: skip
PLACES = [
    *(("bob", place) for place in ("INBOX", "a", '""')),
    *(("admin", place) for place in ("user/bob", "user/bob/a", '""')),
    *(("eve", place) for place in ('"Other Users/bob/a"', '"Other Users/bob/b"', '""')),
]


@pytest.mark.parametrize(("user", "place"), PLACES)
def test_entries_take_and_give_the_same_values(
    servers: tuple[Instance, Instance], user: str, place: str
) -> None:
    source = random.Random(f"{user} {place}")
    for pair in sessions(servers, user):
        for entry in ENTRIES:
            set_and_get(pair, place, entry, source.sample(VALUES, 2))


@pytest.mark.long
@pytest.mark.parametrize(("user", "place"), PLACES)
def test_every_entry_takes_and_gives_the_same_values(
    servers: tuple[Instance, Instance], user: str, place: str
) -> None:
    for pair in sessions(servers, user):
        for entry in ENTRIES:
            set_and_get(pair, place, entry, VALUES)


def set_and_get(pair: Pair, place: str, entry: str, values: Sequence[str]) -> None:
    for value in values:
        # nobody could log in any more
        if entry.endswith("/shutdown") and value != "NIL":
            continue
        for kind, tree in (("shared", "shared"), ("priv", "private")):
            pair.command(f'SETANNOTATION {place} "{entry}" ("value.{kind}" {value})')
            pair.command(f'GETANNOTATION {place} "{entry}" ("value" "size")')
            pair.command(f"GETMETADATA {place} /{tree}{entry}")
    pair.command(f"SETMETADATA {place} (/shared{entry} NIL)")
    pair.command(f"SETMETADATA {place} (/private{entry} NIL)")


# messages

MESSAGE_COMMANDS = (
    'FETCH 1 (ANNOTATION (/comment (value size)))',
    'FETCH 1 (UID ANNOTATION (("/comment" /altsubject) (value.priv value.shared)) FLAGS)',
    'FETCH 1 ANNOTATION (* value)',
    'FETCH 1:* (ANNOTATION (% "value"))',
    'STORE 1 ANNOTATION (/comment (value.priv "mine" value.shared {5+}\r\nours!))',
    'STORE 2 ANNOTATION (/comment (value.priv "b") /altsubject (value.shared "x y"))',
    "FETCH 1:* (ANNOTATION (/comment (value size)))",
    "FETCH 1:* (ANNOTATION ((/comment /altsubject) value.shared))",
    "UID STORE 1:3 ANNOTATION (/altsubject (value.priv \"all\"))",
    "FETCH 1:* (ANNOTATION (* (value size)))",
    "FETCH 1 (ANNOTATION (/comment value) ANNOTATION (/altsubject size) RFC822.SIZE)",
    'STORE 1 ANNOTATION (/comment (value.priv NIL))',
    'STORE 1 ANNOTATION (/comment (value.shared ""))',
    'STORE 1 ANNOTATION (/unknown (value.priv "x"))',
    'STORE 1 ANNOTATION (/comment (size.priv "x"))',
    'STORE 1 ANNOTATION (/flags/x (value.priv "x"))',
    'STORE 1 ANNOTATION (/vendor/example/mark (value.priv "TRUE"))',
    'STORE 1 ANNOTATION (/vendor/example/mark (value.priv "perhaps"))',
    'STORE 1 ANNOTATION (/vendor/cmu/cyrus-imapd/snoozed (value.priv "x"))',
    'STORE 1 ANNOTATION.SILENT (/vendor/cmu/cyrus-imapd/createdmodseq (value.shared "1234"))',
    'STORE 1 ANNOTATION /comment (value.priv "x")',
    'STORE 1 ANNOTATION (/comment value.priv "x")',
    'STORE 1 ANNOTATION (/comment (value.priv x))',
    'STORE 1 ANNOTATION (/comment (value.priv))',
    'STORE 1 ANNOTATION (/comment (value.priv "x")',
    'STORE 1 ANNOTATION (/comment (value.priv "x") ())',
    'STORE 1 ANNOTATION (/comment (value.priv "x")) x',
    "STORE 1 ANNOTATION ()",
    "STORE 1 ANNOTATION",
    "STORE 9 ANNOTATION (/comment (value.priv \"x\"))",
    "FETCH 1 ANNOTATION",
    "FETCH 1 (ANNOTATION)",
    "FETCH 1 (ANNOTATION /comment value)",
    "FETCH 1 (ANNOTATION ())",
    "FETCH 1 (ANNOTATION (/comment))",
    "FETCH 1 (ANNOTATION (() value))",
    "FETCH 1 (ANNOTATION (/comment ()))",
    "FETCH 1 (ANNOTATION (/comment (value))",
    "FETCH 1 (ANNOTATION (/comment value) X)",
    "FETCH 1 (ANNOTATION (/comment value.nothing))",
    "FETCH 1 (ANNOTATION (/comment va*))",
    "FETCH 1:* (ANNOTATION ((* /comment) (value size)))",
    'APPEND INBOX ANNOTATION (/comment (value.priv "new")) {9+}\r\nA: b\r\n\r\nc',
    'APPEND INBOX (\\Seen) "01-Feb-2020 10:00:00 +0100" ANNOTATION (/comment (value.shared {3+}\r\nnew)) '
    '{9+}\r\nA: b\r\n\r\nc',
    'APPEND INBOX annotation (/comment (value.shared "a")) annotation (/altsubject (value.shared "b")) '
    '{9+}\r\nA: b\r\n\r\nc',
    "FETCH 1:* (ANNOTATION (* value))",
    "SELECT INBOX (ANNOTATE)",
    "SELECT INBOX (annotate ANNOTATE)",
    "SELECT INBOX (ANNOTATE",
    "SELECT INBOX ()",
    "SELECT INBOX ANNOTATE",
    "SELECT INBOX",
    "GETMETADATA INBOX (/shared/vendor/cmu/cyrus-imapd/annotsize)",
    "COPY 2:5 a",
    "MOVE 2 b",
    "EXAMINE a",
    "FETCH 1:* (ANNOTATION (* value))",
    "EXAMINE b",
    "FETCH 1:* (ANNOTATION (* value))",
    "GETMETADATA b (/shared/vendor/cmu/cyrus-imapd/annotsize)",
)


def test_messages_carry_annotations(bob: Pair) -> None:
    bob.command("SELECT INBOX")
    for command in MESSAGE_COMMANDS:
        bob.command(command)


def test_rights_decide_about_annotations_of_messages(eve: Pair) -> None:
    for mailbox in ("a", "b"):
        assert eve.command(f'SELECT "Other Users/bob/{mailbox}"')[-1].startswith("OK ")
        for kind in ("priv", "shared"):
            eve.command(f'STORE 1 ANNOTATION (/comment (value.{kind} "hers"))')
        eve.command("FETCH 1:* (ANNOTATION (* (value size)))")


def test_searches_find_annotations(bob: Pair) -> None:
    bob.command("CREATE searched")
    for _ in range(5):
        bob.command("APPEND searched {9+}\r\nA: b\r\n\r\nc")
    bob.command("SELECT searched")
    bob.command('STORE 1,2 ANNOTATION (/comment (value.priv "one two"))')
    bob.command('STORE 2,3 ANNOTATION (/comment (value.shared "two three") /altsubject (value.shared "two"))')
    for entry in ("/comment", "/altsubject", "*", "%", "/unknown", '"/com*"', "{8+}\r\n/comment"):
        for attribute in ("value", "value.shared", "value.priv", '"value"'):
            for value in ('"two"', '"one"', "NIL", '""', '"TWO"', "{3+}\r\ntwo"):
                bob.command(f"SEARCH ANNOTATION {entry} {attribute} {value}")
    for keys in (
        'NOT ANNOTATION /comment value "two"', 'OR ANNOTATION /comment value "one" 5', "ANNOTATION",
        'ANNOTATION /comment', "ANNOTATION /comment value", "ANNOTATION /comment size NIL",
        "ANNOTATION /comment value two", 'ANNOTATION "" value "x"', 'ANNOTATION /comment value NIL SEEN',
        'ANNOTATION /comment value (', 'FROM x ANNOTATION /comment value "two"',
    ):  # fmt: skip
        bob.command(f"SEARCH {keys}")
        bob.command(f"UID SEARCH RETURN (COUNT ALL) {keys}")
    bob.command("UNSELECT")
    bob.command("DELETE searched")


# commands about mailboxes and the server; the original does half of one that fails on the second mailbox

COMMANDS = (
    'SETANNOTATION INBOX "/comment" ("value.priv" "mine" "value.shared" "ours")',
    'SETANNOTATION INBOX ("/comment" ("value.priv" "x") "/sort" ("value.shared" "y"))',
    'GETANNOTATION INBOX "/comment" "value.priv"',
    'GETANNOTATION INBOX "/comment" ("value.priv" "size.priv")',
    'GETANNOTATION INBOX "*" "value"',
    'GETANNOTATION INBOX "%" "value"',
    'GETANNOTATION INBOX "/c*" "*"',
    'GETANNOTATION INBOX "/%" ("value.%" "size.*")',
    'GETANNOTATION INBOX ("/sort" "/comment" "/sort") "value"',
    'GETANNOTATION INBOX ("*" "/comment") "value.shared"',
    'GETANNOTATION INBOX "/vendor/*" "value.shared"',
    'GETANNOTATION INBOX "/vendor/%" "value.shared"',
    'GETANNOTATION INBOX "/vendor/%/%/s%" "value.shared"',
    'GETANNOTATION INBOX "/COMMENT" "value"',
    'GETANNOTATION INBOX "/comment" "VALUE"',
    'GETANNOTATION INBOX "/comment" "content-type"',
    'GETANNOTATION INBOX "/comment" "nothing"',
    'GETANNOTATION INBOX "" "value"',
    'GETANNOTATION "*" "/comment" "value.priv"',
    'GETANNOTATION "%" "/comment" "value.priv"',
    'GETANNOTATION "INBOX*" "/comment" "value.priv"',
    'GETANNOTATION "nosuch" "/comment" "value.priv"',
    'GETANNOTATION "nosuch*" "/comment" "value.priv"',
    'GETANNOTATION "" "*" "value"',
    'GETANNOTATION "" "/c*" "value"',
    'GETANNOTATION INBOX /comment value',
    'GETANNOTATION INBOX "/comment" value',
    'GETANNOTATION INBOX () "value"',
    'GETANNOTATION INBOX ("/comment" "value"',
    'GETANNOTATION INBOX "/comment"',
    'GETANNOTATION INBOX "/comment" ()',
    'GETANNOTATION INBOX "/comment" ("value"',
    'GETANNOTATION INBOX "/comment" "value" x',
    'GETANNOTATION INBOX',
    'GETANNOTATION',
    'GETANNOTATION {5+}\r\nINBOX {8+}\r\n/comment {5+}\r\nvalue',
    'SETANNOTATION INBOX "/comment" ("value.priv" {6+}\r\nab\x00cd\n)',
    'GETANNOTATION INBOX "/comment" "value"',
    'SETANNOTATION INBOX "/comment" ("value.priv" {0+}\r\n)',
    'GETANNOTATION INBOX "/comment" "value"',
    'SETANNOTATION INBOX "/comment" ("value.priv" NIL "value.shared" NIL)',
    'SETANNOTATION INBOX "/comment" ("value.priv" "1" "value.priv" "2")',
    'GETANNOTATION INBOX "/comment" "value"',
    'SETANNOTATION INBOX "/comment" ("size.priv" "1")',
    'SETANNOTATION INBOX "/comment" ("content-type.priv" "text/plain" "value.priv" "3")',
    'SETANNOTATION INBOX "/comment" ("value" "1")',
    'SETANNOTATION INBOX "/comment" (value.priv "1")',
    'SETANNOTATION INBOX "/comment" ("value.priv" atom)',
    'SETANNOTATION INBOX "/comment" ("value.priv")',
    'SETANNOTATION INBOX "/comment" ("value.priv" "x"',
    'SETANNOTATION INBOX "/comment" "value.priv" "x"',
    'SETANNOTATION INBOX "/comment" ()',
    'SETANNOTATION INBOX ("/comment" ("value.priv" "x")',
    'SETANNOTATION INBOX ()',
    'SETANNOTATION INBOX /comment ("value.priv" "x")',
    'SETANNOTATION INBOX "/comment" ("value.priv" "x") y',
    'SETANNOTATION INBOX "/Comment" ("value.priv" "x")',
    'SETANNOTATION "*" "/comment" ("value.priv" "everywhere")',
    'GETANNOTATION "*" "/comment" "value"',
    'SETANNOTATION "b*" ("/sort" ("value.shared" "s") "/checkperiod" ("value.priv" "12"))',
    'SETANNOTATION "b*" ("/sort" ("value.shared" "s") "/checkperiod" ("value.priv" "no"))',
    'SETANNOTATION "a" "/specialuse" ("value.priv" "\\\\Sent \\\\Junk")',
    'SETANNOTATION "b" "/specialuse" ("value.priv" "\\\\Sent")',
    'SETANNOTATION "a" "/specialuse" ("value.priv" "\\\\sent")',
    'GETANNOTATION "*" "/specialuse" "value.priv"',
    'SETANNOTATION "a" "/specialuse" ("value.priv" NIL)',
    'SETANNOTATION "nosuch" "/comment" ("value.priv" "x")',
    'SETANNOTATION "" "/comment" ("value.priv" "private to me")',
    'SETANNOTATION "" "/comment" ("value.shared" "not allowed")',
    'GETANNOTATION "" "/comment" "value"',
    'SETMETADATA INBOX (/private/comment "My comment")',
    'SETMETADATA INBOX (/shared/comment {4+}\r\nab\x00c /private/Sort "s")',
    'GETMETADATA INBOX /private/comment',
    'GETMETADATA INBOX (/private/comment /shared/comment)',
    'GETMETADATA INBOX (/private/comment /shared/sort)',
    'GETMETADATA "INBOX" (/PRIVATE/COMMENT)',
    'GETMETADATA INBOX (MAXSIZE 5) /private/comment',
    'GETMETADATA (MAXSIZE 5) INBOX (/private/comment /private/sort)',
    'GETMETADATA (MAXSIZE 9) INBOX /private/comment',
    'GETMETADATA (MAXSIZE 10) INBOX /private/comment',
    'GETMETADATA (MAXSIZE 0) INBOX /private/comment',
    'GETMETADATA (MAXSIZE x) INBOX /private/comment',
    'GETMETADATA (MAXSIZE) INBOX /private/comment',
    'GETMETADATA (MAXSIZE -1) INBOX /private/comment',
    'GETMETADATA (MAXSIZE 5 DEPTH 1) INBOX /private',
    'GETMETADATA (DEPTH 1) INBOX (/private /shared)',
    'GETMETADATA (DEPTH infinity) INBOX (/private)',
    'GETMETADATA (DEPTH INFINITY) INBOX (/private/comment)',
    'GETMETADATA (DEPTH 0) INBOX (/private/comment)',
    'GETMETADATA (DEPTH 2) INBOX (/private/comment)',
    'GETMETADATA (DEPTH 1) (MAXSIZE 1) /private/comment',
    'GETMETADATA (FOO 1) INBOX /private/comment',
    'GETMETADATA INBOX (DEPTH 1) /shared',
    'GETMETADATA (INBOX a b) /private/comment',
    'GETMETADATA (INBOX nosuch a) /private/comment',
    'GETMETADATA (DEPTH 1) (INBOX a) (/private/comment)',
    'GETMETADATA "*" /private/comment',
    'GETMETADATA ("*") /private/comment',
    'GETMETADATA nosuch /private/comment',
    'GETMETADATA "" /shared/comment',
    'GETMETADATA "" (/shared/admin /private/comment)',
    'GETMETADATA "" (DEPTH infinity) /shared',
    'GETMETADATA (DEPTH infinity) "" /private',
    'GETMETADATA INBOX comment',
    'GETMETADATA INBOX /sharedx',
    'GETMETADATA INBOX (/shared/comment x)',
    'GETMETADATA INBOX ()',
    'GETMETADATA INBOX (/shared/comment',
    'GETMETADATA INBOX',
    'GETMETADATA',
    'GETMETADATA ',
    'GETMETADATA INBOX ',
    'GETMETADATA {5+}\r\nINBOX {16+}\r\n/private/comment',
    'GETMETADATA INBOX /private/com*',
    'GETMETADATA INBOX /private/%',
    'SETMETADATA INBOX ()',
    'SETMETADATA INBOX /private/comment "x"',
    'SETMETADATA INBOX (/private/comment)',
    'SETMETADATA INBOX (/private/comment x)',
    'SETMETADATA INBOX (/private/comment "x" /bad "y")',
    'SETMETADATA INBOX (/private/comment "x"',
    'SETMETADATA INBOX (/private/comment "x") y',
    'SETMETADATA INBOX (/private/comment "x" /private/comment "y")',
    'SETMETADATA INBOX (/private "x")',
    'SETMETADATA INBOX',
    'SETMETADATA',
    'SETMETADATA nosuch (/private/comment "x")',
    'SETMETADATA "a*" (/private/comment "x")',
    'SETMETADATA INBOX (/private/checkperiod "x")',
    f'SETMETADATA INBOX (/shared{VENDOR}/pop3showafter "nonsense")',
    f'SETMETADATA INBOX (/shared{VENDOR}/sharedseen "maybe")',
    f'SETMETADATA INBOX (/shared{VENDOR}/uniqueid "x")',
    f'SETMETADATA INBOX (/shared{VENDOR}/expire "5")',
    f'SETMETADATA INBOX (/private{VENDOR}/expire "5")',
    'GETMETADATA INBOX (/private/comment /shared/comment)',
    f'GETMETADATA INBOX (/shared{VENDOR}/annotsize /shared{VENDOR}/foldermodseq)',
    'STATUS INBOX (HIGHESTMODSEQ)',
    'STATUS a (HIGHESTMODSEQ)',
    'SELECT INBOX',
    'SETMETADATA INBOX (/private/comment "selected")',
    'SETMETADATA a (/private/comment "selected")',
    'NOOP',
    f'SETMETADATA INBOX (/shared{VENDOR}/sharedseen "true")',
    'FETCH 1 FLAGS',
    f'SETMETADATA INBOX (/shared{VENDOR}/sharedseen "false")',
    'UNSELECT',
)


@pytest.mark.parametrize("user", ["bob", "eve", "admin"])
def test_commands_are_answered_alike(servers: tuple[Instance, Instance], user: str) -> None:
    for pair in sessions(servers, user):
        for command in COMMANDS:
            pair.command(command)
