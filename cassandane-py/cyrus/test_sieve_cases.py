"""The same scripts, envelopes and messages through our lmtpd and the original's: equal mail comes of them.

Each server compiles the scripts itself, its timsieved takes them. Mailboxes, flags, stored messages,
replies and outgoing mail are compared.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from cyrus.test_timsieved import Client

from cassandane import sieve_cases
from cassandane.instance import Instance
from cassandane.sieve_cases import Case

pytestmark = pytest.mark.reference

SENDMAIL = """#!/bin/sh
mail={directory}/outgoing/$$
printf '220 hi\\r\\n'
while IFS= read -r line; do
    printf '%s\\n' "$line" >> $mail
    case "$line" in
    EHLO*) printf '250-hi\\r\\n250 DSN\\r\\n' ;;
    DATA*) printf '354 go\\r\\n' ;;
    MAIL*|RCPT*|.?) printf '250 ok\\r\\n' ;;
    QUIT*) printf '221 bye\\r\\n'; exit 0 ;;
    esac
done
"""
_MASKS = (
    (rb"(?m)^Received: .*\r?\n(?:[ \t].*\r?\n)*", b""),
    (rb"(?m)^X-Cyrus-Session-Id: .*$", b"X-Cyrus-Session-Id: S"),
    (rb"SESSIONID=<[^>]*>", b"SESSIONID=<S>"),
    (rb"<cmu-sieve-[^@]*@", b"<cmu-sieve-N@"),
    (rb"(?m)^Date: .*\d\d:\d\d:\d\d \+0000\r?$(?=\n(?:X-Sieve: CMU))", b"Date: D"),
    (rb"\d+/mail\.example\.org", b"B/mail.example.org"),
    (rb"Cyrus 3\.6\.[^/]*/", b"Cyrus V/"),
)


class World:
    """One server, and what it did; ``others`` are further services and whose programs they are."""

    def __init__(self, program: str, others: Mapping[str, str] | None = None, **settings: str) -> None:
        programs = dict.fromkeys(("imap", "sieve", "lmtp"), program) | dict(others or {})
        self.server = Instance(
            services=tuple(programs), programs=programs,
            imapd_conf={
                "autocreate_quota": "0", "sieve_utf8fileinto": "yes", "duplicatesuppression": "yes",
                **settings,
            },
        )  # fmt: skip
        self._outgoing = self.server.directory / "outgoing"
        self._outgoing.mkdir(mode=0o777)
        self._outgoing.chmod(0o777)
        sendmail = self.server.directory / "sendmail"
        sendmail.write_text(SENDMAIL.format(directory=self.server.directory))
        sendmail.chmod(0o755)
        self.server.settings["sendmail"] = str(sendmail)
        self.server.write_configuration()
        self.server.start()

    def play(self, case: Case) -> list[bytes]:
        """What there is to see afterwards, line by line."""
        user = f"u{case.number}"
        with self.server.imap(user) as imap:
            imap.ok("CREATE INBOX/a")
            imap.ok("CREATE INBOX/b")
        seen = self.give_script(user, case.script)
        with self.server.lmtp() as lmtp:
            replies = lmtp.deliver(case.text(user), user + case.detail, sender=case.sender)
        seen += [reply.encode() for reply in replies]
        seen += self._mailboxes(user)
        seen += self.mails()
        return [masked(line) for line in seen]

    def give_script(self, user: str, script: str) -> list[bytes]:
        """What timsieved said."""
        client = Client(self.server)
        client.log_in(user)
        data = script.replace("\n", "\r\n").encode()
        put = client.say(b'PUTSCRIPT "s" {%d+}\r\n%b' % (len(data), data))
        seen = [b"put: " + put]
        if put == b"OK\r\n":
            seen.append(client.say(b'SETACTIVE "s"'))
        client.sock.close()
        return seen

    def _mailboxes(self, user: str) -> list[bytes]:
        seen = []
        with self.server.imap(user) as imap:
            names = [line.rsplit(" ", 1)[1].strip('"') for line in imap.ok('LIST "" "*"').untagged]
            for name in sorted(names):
                seen.append(f"mailbox {name}".encode())
                imap.ok(f'EXAMINE "{name}"')
                for line in imap.ok("UID FETCH 1:* (FLAGS BODY.PEEK[])").untagged:
                    flags = re.search(r"FLAGS \(([^)]*)\)", line)
                    words = sorted(flags[1].split()) if flags else []
                    seen.append(" ".join(words).encode())
                    seen.append(line.partition("BODY[]")[2].partition("\r\n")[2].encode("latin-1"))
        return seen

    def mails(self) -> list[bytes]:
        """What was sent since it was asked for last."""
        seen = []
        for path in sorted(self._outgoing.iterdir(), key=lambda path: path.stat().st_mtime_ns):
            seen.append(Path(path).read_bytes())
            path.unlink()
        return seen

    def close(self) -> None:
        self.server.stop()
        self.server.remove()


@pytest.fixture(scope="module")
def worlds() -> Iterator[tuple[World, World]]:
    with contextlib.ExitStack() as stack:
        made = []
        for program in ("ours", "reference"):
            world = World(program)
            stack.callback(world.close)
            made.append(world)
        yield made[0], made[1]


def masked(data: bytes) -> bytes:
    for pattern, replacement in _MASKS:
        data = re.sub(pattern, replacement, data)
    return data


def _play(worlds: tuple[World, World], numbers: range, seed: int) -> None:
    for number in numbers:
        case = sieve_cases.case(number, seed)
        ours = worlds[0].play(case)
        try:
            original = worlds[1].play(case)
        except EOFError:
            # its lmtpd died of the script; ours did what it could
            worlds[1].mails()
            assert ours[2].startswith(b"250"), ours[2]
            continue
        assert ours == original, f"case {number} of seed {seed}:\n{case.script}\nfrom {case.sender!r}"


@pytest.mark.parametrize("start", range(0, 80, 40))
def test_random_scripts_do_the_same(worlds: tuple[World, World], start: int) -> None:
    _play(worlds, range(start, start + 40), 1)


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", range(2, 12))
def test_many_more_random_scripts_do_the_same(worlds: tuple[World, World], seed: int) -> None:
    _play(worlds, range(seed * 1000, seed * 1000 + 100), seed)
