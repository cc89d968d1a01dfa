"""Commands at random that make, give away, limit, describe and remove mailboxes: three users, few names."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

from cassandane.conversations.scripts import own_user
from cassandane.conversations.spelling import Spelling
from cassandane.conversations.stream import AS_IS, CUT, DRESSED, PIPELINED, Stream

_STEPS = 70
_PATHS = ("a", "b", "a/b", "a/b/c", "b/a", "Sent", "x y", "a.b", "d/e/f", "&AOk-", "INBOX", "c%d")
_USES = r"\Sent \Trash \Drafts \Junk \Archive \Important \Snoozed \Flagged \All Sent".split()
_RIGHTS = (
    "lrs", "lr", "l", "", "lrswipkxtecda", "lrswipcda", "+a", "-a", "+kx", "-lr", "r", "lx", "lkt", "+0",
    "a", "lrq", "c", "d", "+c", "-d", "lrsipk",
)  # fmt: skip
_IDENTIFIERS = (
    "bob", "eve", "anyone", "-eve", "-anyone", "anonymous", "admin", "group:daemon", "ann", "owner",
)  # fmt: skip
_ENTRIES = (
    "/shared/comment", "/private/comment", "/shared/vendor/cmu/cyrus-imapd/expire", "/private/specialuse",
    "/shared/vendor/cmu/cyrus-imapd/sharedseen", "/shared/check", "/private/sort", "/shared/nosuch",
    "/shared/*", "/private/%", "/shared/vendor/cmu/cyrus-imapd/pop3newuidl",
    "/shared/vendor/cmu/cyrus-imapd/partition",
)  # fmt: skip
_VALUES = ('"x"', "NIL", '"3"', '"on"', '"true"', r'"\\Sent"', '""', "{3+}\r\nabc", '"-1"', '"a \\"b"')
_SELECTIONS = (
    "SUBSCRIBED", "REMOTE", "SUBSCRIBED RECURSIVEMATCH", "SPECIAL-USE",
    "SUBSCRIBED SPECIAL-USE", "VENDOR.CMU-DAV", "SUBSCRIBED REMOTE RECURSIVEMATCH", "",
)  # fmt: skip
_RETURNS = (
    "SUBSCRIBED", "CHILDREN", "SPECIAL-USE", "MYRIGHTS", "STATUS (MESSAGES UNSEEN)",
    "METADATA (/shared/comment)", "SUBSCRIBED CHILDREN", "SPECIAL-USE MYRIGHTS",
    "STATUS (UIDNEXT SIZE) CHILDREN", "",
)  # fmt: skip
_PATTERNS = (
    "*", "%", "a*", "*b", "INBOX", "INBOX%", "%/%", "a/%", "Other*", "Shared*", "%%", "*a*", "user/%", "u*",
    "a", "*c", "S%", "%.%", "*.b", "INBOX.%", "People/*", "Common/%", "Other Users/*", "Shared Folders/%",
    "DELETED*",
)  # fmt: skip
_RESOURCES = ("STORAGE", "MESSAGE", "X-ANNOTATION-STORAGE", "X-NUM-FOLDERS", "NOSUCH")
_ITEMS = (
    "MESSAGES", "UNSEEN", "RECENT", "UIDNEXT", "UIDVALIDITY", "SIZE", "HIGHESTMODSEQ", "CREATEDMODSEQ",
    "NOSUCH",
)  # fmt: skip


class _Wanderer:
    def __init__(self, source: random.Random, spelling: Spelling, family: str) -> None:
        self._source = source
        self._spelling = spelling
        self._family = family

    def name(self, user: str) -> str:
        """A marked name that this user could mean."""
        choose = self._source.choice
        path = choose(_PATHS).replace(" ", "_")
        owner = own_user(choose(("bob", "bob", "eve", "ann")), self._family)
        roll = self._source.random()
        if roll < 0.1:
            return f"<all shared{self._family}>"
        if roll < 0.25:
            return f"<all shared{self._family}/{path}>"
        if roll < 0.35:
            return f"<of {owner}>"
        return f"<of {user if roll < 0.8 and user != 'admin' else owner} {path}>"

    def command(self, user: str) -> str:
        choose, name = self._source.choice, self.name(user)
        other = self.name(user)
        kind = self._source.choices(range(16), (9, 4, 7, 5, 3, 12, 5, 5, 5, 4, 4, 3, 3, 4, 3, 1))[0]
        match kind:
            case 0:
                uses = " ".join(self._source.sample(_USES, choose((1, 1, 1, 2))))
                return f"CREATE {name}" + choose(("", "", "", f" (USE ({uses}))"))
            case 1:
                return f"DELETE {name}"
            case 2:
                if name == f"<of {user}>" and other.startswith("<all"):
                    # the original dies of it, and what it leaves is not ours
                    other = f"<of {user} kept>"
                return f"RENAME {name} {other}"
            case 3:
                return f"SUBSCRIBE {name}"
            case 4:
                return f"UNSUBSCRIBE {name}"
            case 5:
                return self.listing()
            case 6:
                rights = choose(_RIGHTS)
                return f'SETACL {name} {own_user(choose(_IDENTIFIERS), self._family)} "{rights}"'
            case 7:
                return f"{choose(('GETACL', 'MYRIGHTS'))} {name}"
            case 8:
                return f"STATUS {name} ({' '.join(self._source.sample(_ITEMS, 3))})"
            case 9:
                # the original can die of setting those of shared mailboxes
                own = "INBOX" if name.startswith("<all") else name
                return f"SETMETADATA {own} ({choose(_ENTRIES)} {choose(_VALUES)})"
            case 10:
                options = choose(("", "", "(DEPTH 1) ", "(DEPTH infinity) ", "(MAXSIZE 2) "))
                return f"GETMETADATA {options}{name} ({' '.join(self._source.sample(_ENTRIES, 2))})"
            case 11:
                limits = " ".join(
                    f"{one} {choose((-1, 0, 1, 5, 1000))}" for one in self._source.sample(_RESOURCES, 2)
                )
                return f"SETQUOTA {name} ({limits})" if user == "admin" else f"GETQUOTAROOT {name}"
            case 12:
                return f"{choose(('GETQUOTAROOT', 'GETQUOTA'))} {name}"
            case 13:
                return f"APPEND {name} {{17+}}\r\nSubject: x\r\n\r\nabc"
            case 14:
                return f"LISTRIGHTS {name} {own_user(choose(_IDENTIFIERS), self._family)}"
            case _:
                return "NAMESPACE"

    def listing(self) -> str:
        choose = self._source.choice
        reference = choose(('""', '""', '""', '""', "a", "a/", "INBOX", "user/"))
        patterns = [f'"{one}"' for one in self._source.sample(_PATTERNS, choose((1, 1, 1, 2)))]
        pattern = patterns[0] if len(patterns) == 1 else f"({' '.join(patterns)})"
        roll = self._source.random()
        if roll < 0.2:
            return f"LSUB {reference} {patterns[0]}"
        if roll < 0.25:
            return f"XLIST {reference} {patterns[0]}"
        if roll < 0.3:
            return f"{choose(('RLIST', 'RLSUB'))} {reference} {patterns[0]}"
        select = f"({choose(_SELECTIONS)}) " if self._source.random() < 0.35 else ""
        returns = f" RETURN ({choose(_RETURNS)})" if self._source.random() < 0.4 else ""
        return f"LIST {select}{reference} {pattern}{returns}"


def streams(family: str, spelling: Spelling, count: int = 1) -> Callable[[random.Random], Iterator[Stream]]:
    """``count`` streams of ``_STEPS`` commands, and what is there at the end."""

    def make(source: random.Random) -> Iterator[Stream]:
        for number in range(count):
            title = f"{family}{number}"
            wanderer = _Wanderer(source, spelling, title)
            users = ["admin", *(own_user(user, title) for user in ("bob", "eve"))]
            delivery = source.choice((AS_IS, AS_IS, CUT, DRESSED, PIPELINED))
            stream = Stream(f"{family} {number}", source, user=None, delivery=delivery)
            for user in users:
                stream.session(user, user)

            def say(user: str, text: str, stream: Stream = stream) -> None:
                marked, values = spelling.taken_out(user, text)
                stream.say(marked, *(value.replace(b"_", b" ") for value in values), by=user)

            for user in ("bob", "eve", "ann"):
                say("admin", f"CREATE <of {own_user(user, title)}>")
            say("admin", f"CREATE <all shared{title}>")
            say("admin", f"SETACL <all shared{title}> {users[1]} lrswipkxtecda")
            for _ in range(_STEPS):
                user = source.choice((*users, users[1]))
                say(user, wanderer.command(user))
            for user in users:
                say(user, 'LIST "" "*" RETURN (MYRIGHTS SUBSCRIBED)')
                say(user, 'LSUB "" "*"')
            yield stream

    return make
