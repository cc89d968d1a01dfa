"""Random Sieve scripts, envelopes and messages, and what a server makes of them.

A script is put together of tests and actions over all extensions; a few are wrong on purpose. Everything
follows from a seed, so that a case can be played again.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

REQUIRE = (
    "fileinto reject ereject vacation vacation-seconds enotify envelope environment body imap4flags date "
    "ihave mailbox mboxmetadata servermetadata duplicate relational regex subaddress copy index variables "
    "redirect-deliverby redirect-dsn special-use fcc mailboxid editheader vnd.cyrus.log "
    "comparator-i;ascii-numeric encoded-character"
).split()

MESSAGES = (
    "From: Bob <bob+list@example.com>\nTo: {me}\nSubject: hello world\n"
    "Date: Mon, 23 Nov 2026 10:30:05 +0130\n"
    "X-Tag: one\nX-Tag: two\nX-Num: 42\n\nplain text here\n",
    "From: =?utf-8?q?J=C3=B6rg?= <joerg@sub.example.com>\nTo: other@example.org, {me}\nCc: {me}\n"
    "Subject: =?iso-8859-1?q?gr=FC=DFe?= from\n =?utf-8?b?w7xiZXI=?=\nDate: Sun, 01 Feb 2026 23:59:59 -0800\n"
    "X-Spam-Score: 7.5\nMIME-Version: 1.0\nContent-Type: multipart/alternative; boundary=b\n\n"
    "--b\nContent-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\n"
    "gr=FC=DFe here\n--b\nContent-Type: text/html; charset=utf-8\n\n<p>text <b>bold</b></p>\n--b--\n",
    "From: list-request@lists.example.net\nTo: list@lists.example.net\nSubject: [list] digest\n"
    "List-Id: <list.lists.example.net>\nPrecedence: bulk\nDate: Tue, 24 Nov 2026 00:00:00 +0000\n\nbody\n",
    'From: "a, b" <x.y@example.com>, second@example.com\nSender: "Boss" <boss@corp.example>\n'
    "To: undisclosed-recipients:;\nSubject: \nDate: nonsense\nX-Num: 007\n\n\n",
    "From: MAILER-DAEMON@example.com\nTo: {me}\nSubject: Undelivered*? \\ mail\n"
    "Auto-Submitted: auto-replied\nDate: 1 Jan 70 00:00 GMT\nX-Tag:   spaced   \n\ntext\n",
    "From: carl@example.com\nReply-To: replies@example.com\nTo: {me}\nBcc: {me}\n"
    "Subject: A very long subject that goes on and on and on so that it will have to be folded somewhere\n"
    "Date: Mon, 23 Nov 2026 22:00:00 +0000\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=x\n\n"
    "--x\nContent-Type: message/rfc822\n\nFrom: inner@example.com\nSubject: inner\n\ninner text\n"
    "--x\nContent-Type: application/octet-stream\nContent-Transfer-Encoding: base64\n\naGlkZGVu\n--x--\n",
)
SENDERS = ("bob@example.com", "joerg+x@sub.example.com", "", "owner-list@example.net", "carl@example.com")

_HEADERS = ("subject", "from", "to", "cc", "x-tag", "x-num", "x-spam-score", "date", "X-None", "sender")
_WORDS = (
    "hello", "world", "e", "", "*", "hello*", "?ello *", "*e*", "grüße", "gr", "text", "one", "42", "7",
    "bob", "example.com", "bob+list@example.com", "x", "2026", "${1}", "${0}", "a.b", "\\\\*", "two",
)  # fmt: skip
_REGEXES = (
    "^h(e)(l+)o", "[a-z]+ [a-z]+", "e", "", ".*(o).*", "^$", "(a|b|[0-9])+", "gr.{1,4}e", r"\\bworld\\b",
    "${1}",
)  # fmt: skip
_MATCHES = ("", ":is", ":contains", ":contains", ":matches", ":matches", ":regex", ":value", ":count")
_MODIFIERS = (":lower", ":upper", ":lowerfirst", ":upperfirst", ":quotewildcard", ":length")
_FOLDERS = ("INBOX", "INBOX/a", "INBOX/b", "INBOX/new", "INBOX/none", "other", "INBOX/${1}", "user/nobody")
_FLAGS = (r"\\Seen", r"\\Flagged", r"\\deleted", "$work", "a b", "A", r"\\Recent", "x(y", "")
_ADDRESSES = ("one@example.org", "two@example.org", r'\"a b\"@example.org', "three@example.org")
_PARTS = "year month day date hour minute second time weekday zone julian iso8601 std11".split()
_RELATIONS = ("gt", "ge", "lt", "le", "eq", "ne")


@dataclass(frozen=True)
class Case:
    number: int
    script: str
    sender: str
    detail: str
    message: str

    def text(self, user: str) -> bytes:
        """The message for a user, with an id of its own."""
        head = f"Message-ID: <case{self.number}@example.com>\n"
        return (head + self.message.replace("{me}", f"{user}@example.org")).replace("\n", "\r\n").encode()


def case(number: int, seed: int = 1) -> Case:
    maker = _Maker(random.Random(f"{seed}/{number}"))
    detail = maker.pick("", "", "", "+a", "+none")
    return Case(number, maker.script(), maker.pick(*SENDERS), detail, maker.pick(*MESSAGES))


class _Maker:
    def __init__(self, chance: random.Random) -> None:
        self._chance = chance

    def pick(self, *choices: str) -> str:
        return self._chance.choice(choices)

    def some(self, choices: tuple[str, ...], most: int = 3) -> str:
        """One string, or a list of some."""
        count = self._chance.randint(1, most)
        words = [f'"{self.pick(*choices)}"' for _ in range(count)]
        return words[0] if count == 1 else f"[{', '.join(words)}]"

    def maybe(self, text: str, odds: float = 0.3) -> str:
        return f" {text}" if self._chance.random() < odds else ""

    def script(self) -> str:
        required = ", ".join(f'"{word}"' for word in REQUIRE)
        lines = [f"require [{required}];"]
        lines += [self.statement(0) for _ in range(self._chance.randint(1, 5))]
        if self._chance.random() < 0.03:
            lines.append(self.pick("nonsense;", 'fileinto;', 'if header "a" "b" keep;', '"', "redirect 5;"))
        return "\n".join(lines) + "\n"

    def statement(self, depth: int) -> str:
        if depth < 3 and self._chance.random() < 0.55:
            text = f"if {self.test(0)} {self.block(depth)}"
            if self._chance.random() < 0.3:
                text += f"\nelsif {self.test(0)} {self.block(depth)}"
            if self._chance.random() < 0.4:
                text += f"\nelse {self.block(depth)}"
            return text
        return self.action()

    def block(self, depth: int) -> str:
        inner = "\n".join(self.statement(depth + 1) for _ in range(self._chance.choice((0, 1, 1, 1, 2))))
        return "{\n" + inner + "\n}"

    def action(self) -> str:
        return self._chance.choice(_ACTIONS)(self)

    def test(self, depth: int) -> str:
        if depth < 3 and self._chance.random() < 0.2:
            inner = ", ".join(self.test(depth + 1) for _ in range(self._chance.randint(1, 3)))
            return self.pick(f"anyof ({inner})", f"allof ({inner})", f"not {self.test(depth + 1)}")
        return self._chance.choice(_TESTS)(self)

    def comparison(self, haystack: str, words: tuple[str, ...] = _WORDS) -> str:
        """Match type, comparator, what is looked at, and what for."""
        kind = self.pick(*_MATCHES)
        if kind in (":value", ":count"):
            comparator = "i;ascii-numeric" if kind == ":count" else self.pick("i;ascii-numeric", "i;octet")
            relation = self.pick(*_RELATIONS)
            return f' {kind} "{relation}" :comparator "{comparator}" {haystack} {self.some(words)}'
        comparator = self.pick("", "", ' :comparator "i;octet"', ' :comparator "i;ascii-casemap"')
        wanted = self.some(_REGEXES if kind == ":regex" else words)
        return f" {kind}{comparator} {haystack} {wanted}"

    # actions

    def keep(self) -> str:
        return f"keep{self.maybe(':flags ' + self.some(_FLAGS))};"

    def fileinto(self) -> str:
        options = self.maybe(":copy") + self.maybe(":create", 0.6)
        options += self.maybe(":flags " + self.some(_FLAGS), 0.2)
        options += self.maybe(r':specialuse "\\Trash"', 0.05) + self.maybe(':mailboxid "none"', 0.05)
        return f'fileinto{options} "{self.pick(*_FOLDERS)}";'

    def redirect(self) -> str:
        options = self.maybe(":copy") + self.maybe(':notify "NEVER"', 0.2) + self.maybe(':ret "HDRS"', 0.2)
        return f'redirect{options} "{self.pick(*_ADDRESSES[:2])}";'

    def flag(self) -> str:
        variable = self.maybe('"list"', 0.2)
        return f"{self.pick('setflag', 'addflag', 'addflag', 'removeflag')}{variable} {self.some(_FLAGS)};"

    def set(self) -> str:
        modifiers = self.maybe(self.pick(*_MODIFIERS))
        value = self.pick("Hello", "${1}", "${0} ${2}", "${v}x", "a*b?c", "${x}", "übel", "${v}${v}")
        return f'set{modifiers} "{self.pick("v", "x", "V")}" "{value}";'

    def vacation(self) -> str:
        options = self.maybe(':subject "away é"') + self.maybe(':from "me@example.org"')
        options += self.maybe(':handle "h"') + self.maybe(":mime", 0.1) + self.maybe(":days 3")
        options += self.maybe(f":addresses {self.some(_ADDRESSES)}")
        options += self.maybe(':fcc "INBOX/a" :flags "\\\\Seen"', 0.2)
        return f'vacation{options} "I am away ${{1}}";'

    def refuse(self) -> str:
        return self.pick('reject "no thanks";', 'ereject "no\nway";', 'reject "né";')

    def edit(self) -> str:
        return self.pick(
            'addheader "X-New" "new ${1}";',
            'addheader :last "X-New" "last é";',
            'deleteheader "x-tag";',
            'deleteheader :index 1 "x-tag";',
            'deleteheader :contains "x-tag" "tw";',
            'deleteheader :matches "subject" "*o*";',
        )

    def end(self) -> str:
        return self.pick("stop;", "discard;", "discard;", "keep;", 'log "logged ${1}";')

    # tests

    def header(self) -> str:
        index = self.maybe(self.pick(":index 1", ":index 2", ":index 1 :last"), 0.1)
        return f"header{index}{self.comparison(self.some(_HEADERS))}"

    def address(self) -> str:
        part = self.maybe(self.pick(":all", ":localpart", ":domain", ":user", ":detail"), 0.8)
        return f"address{part}{self.comparison(self.some(('from', 'to', 'cc', 'sender')))}"

    def envelope(self) -> str:
        part = self.maybe(self.pick(":all", ":localpart", ":domain", ":user", ":detail"), 0.8)
        return f"envelope{part}{self.comparison(self.some(('from', 'to'), 2))}"

    def body(self) -> str:
        what = self.pick("", ":text", ":raw", ':content "text"', ':content ["text/html", "application"]')
        kind = self.pick("", ":contains", ":contains", ":matches")
        return f"body {what} {kind} {self.some(_WORDS)}"

    def date(self) -> str:
        zone = self.pick(':zone "+0000"', ':zone "-0330"', ":originalzone")
        kind = self.pick("", ":contains", ":matches", ':value "ge" :comparator "i;ascii-numeric"')
        wanted = self.some(("2026", "11", "23", "2026-11-23", "10", "*", "1", "0", "+0130", "*3*"))
        return f'date {zone} {kind} "{self.pick("date", "x-tag", "X-None")}" "{self.pick(*_PARTS)}" {wanted}'

    def string(self) -> str:
        texts = ("${1}", "${v}", "${list}", "abc", "hello world")
        return f"string{self.comparison(self.some(texts))}"

    def has_flag(self) -> str:
        variable = self.maybe('"list"', 0.2)
        return f"hasflag{self.comparison(variable, _FLAGS)}"

    def other(self) -> str:
        return self.pick(
            f"exists {self.some(_HEADERS)}", "size :over 300", "size :under 1K", "true", "false",
            f"mailboxexists {self.some(_FOLDERS)}", 'environment "phase" "during"',
            'environment :matches "name" "Cyrus*"', 'ihave ["fileinto", "date"]', 'ihave "none"',
            f'duplicate :uniqueid "{self.pick("a", "b")}"', "duplicate", r'specialuse_exists "\\Trash"',
            'metadataexists "INBOX" "/private/comment"', 'valid_notify_method "mailto:a@b"',
            'mailboxidexists "none"', 'servermetadataexists "/shared/none"',
        )  # fmt: skip


_ACTIONS = (
    _Maker.keep, _Maker.fileinto, _Maker.fileinto, _Maker.fileinto, _Maker.redirect, _Maker.flag, _Maker.flag,
    _Maker.set, _Maker.set, _Maker.vacation, _Maker.refuse, _Maker.edit, _Maker.end,
)  # fmt: skip
_TESTS = (
    _Maker.header, _Maker.header, _Maker.header, _Maker.address, _Maker.address, _Maker.envelope, _Maker.body,
    _Maker.date, _Maker.string, _Maker.has_flag, _Maker.other, _Maker.other,
)  # fmt: skip
