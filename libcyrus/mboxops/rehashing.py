"""Moving what goes by name to the directories that the options ``fulldirhash`` and ``hashimapspool`` ask for.

Users' databases, quota roots, Sieve scripts and mailboxes of the old layout are filed under one letter, the
first of the name or (``fulldirhash``) ``A`` to ``W``. Each is moved by one rename, so whoever is interrupted
can begin again. What goes by unique ids (``uuid``) stays where it is.
"""

from __future__ import annotations

import os
import string
from collections.abc import Callable, Iterator

from libcyrus.base.dataclasses import dataclass
from libcyrus.base.dirhash import hash_letter
from libcyrus.mailbox.paths import UNFINISHED

FIRST_LETTERS = tuple(string.ascii_lowercase)
FULL_LETTERS = tuple(string.ascii_uppercase[:23])
_LETTERS = frozenset(FIRST_LETTERS + FULL_LETTERS)
_NEVER = frozenset(("lost+found", "stage.", "sync.", "domain", "uuid", UNFINISHED))
_CONFIG = ("user", "proc", "lock", "db", "socket", "log", "msg", "quota")


class Stuck(Exception):
    """Something is in two places, or cannot be read or moved: that is for the administrator."""


@dataclass(slots=True)
class Rehasher:
    """``say`` gets the report in pieces, with their line ends; with ``dry_run`` nothing else happens."""

    say: Callable[[str], object]
    full: bool
    spool: bool
    """Whether partitions are hashed too."""
    domains: bool
    dry_run: bool = False
    verbose: bool = False

    def configuration(self, directory: str) -> None:
        """The configuration directory: what users have, and quota roots."""
        self.say(f"converting configuration directory {directory}... ")
        for name in _CONFIG:
            self._make(f"{directory}/{name}")
        if self.domains:
            self.say("domain ")
            self._make(f"{directory}/domain")
            self._domains(f"{directory}/domain", self._domain_state, hashed=True)
        self.say("user ")
        self._users(f"{directory}/user")
        self.say("quota ")
        self._quotas(f"{directory}/quota")
        self.say("done\n")

    def scripts(self, directory: str) -> None:
        """``sievedir``."""
        self.say(f"sieve {directory}... ")
        self._make(directory)
        self._scripts(directory)
        self.say("done\n")

    def partition(self, directory: str) -> None:
        """A root of messages, archived messages or metadata."""
        self.say(f"partition {directory}... ")
        self._make(directory)
        self._make(f"{directory}/stage.")
        self._mailboxes(directory)
        self.say("done\n")

    # what is in the directories

    def _domain_state(self, directory: str) -> None:
        if os.path.isdir(f"{directory}/quota"):
            self._quotas(f"{directory}/quota")
        if os.path.isdir(f"{directory}/user"):
            self._users(f"{directory}/user")

    def _users(self, directory: str) -> None:
        found = dict(self._items(directory))
        self._move(directory, found, lambda name: name)
        self._tidy(directory)

    def _quotas(self, directory: str) -> None:
        found = dict(self._items(directory))
        self._move(directory, found, lambda root: root.partition(".")[2] if "." in root else root)
        self._tidy(directory)

    def _scripts(self, directory: str, *, in_domain: bool = False) -> None:
        found = dict(self._items(directory))
        if self.domains and not in_domain:
            self._make(f"{directory}/domain")
            self._domains(
                f"{directory}/domain", lambda path: self._scripts(path, in_domain=True), hashed=True
            )
        self._move(directory, found, lambda name: name)
        self._tidy(directory)

    def _mailboxes(self, directory: str, *, in_domain: bool = False) -> None:
        found: dict[str, str] = {}
        for name, path in self._items(directory, once=False):
            for inner in self._list(path):
                key = f"{name}/{inner}"
                self._put(found, key, f"{path}/{inner}")
        if self.domains and not in_domain:
            self._make(f"{directory}/domain")
            self._domains(
                f"{directory}/domain",
                lambda path: self._mailboxes(path, in_domain=True),
                hashed=self.spool,
            )
        self._move(directory, found, _word_of_mailbox, hashed=self.spool)
        self._tidy(directory, hashed=self.spool, deep=True)

    def _domains(self, directory: str, work: Callable[[str], None], *, hashed: bool) -> None:
        found = dict(self._items(directory))
        for name in _in_order(found):
            work(found[name])
        self._move(directory, found, lambda domain: domain, hashed=hashed)
        self._tidy(directory, hashed=hashed)

    # finding and moving

    def _items(self, directory: str, *, once: bool = True) -> Iterator[tuple[str, str]]:
        """Names and paths in a directory and in its letters. Raises Stuck for what is there twice."""
        seen: dict[str, str] = {}
        letters = []
        for name in self._list(directory):
            if name in _LETTERS:
                letters.append(name)
            elif name not in _NEVER:
                self._put(seen, name, f"{directory}/{name}")
                yield name, f"{directory}/{name}"
        for letter in letters:
            path = f"{directory}/{letter}"
            if not os.path.isdir(path):
                continue
            for name in self._list(path):
                if once:
                    self._put(seen, name, f"{path}/{name}")
                yield name, f"{path}/{name}"

    def _list(self, directory: str) -> list[str]:
        try:
            return [name for name in sorted(os.listdir(directory)) if not name.startswith(".")]
        except OSError as error:
            self.say(f"Failed to open directory {directory}\n")
            if not self.dry_run:
                raise Stuck(f"cannot read {directory}: {error.strerror}") from error
            return []

    def _put(self, found: dict[str, str], name: str, path: str) -> None:
        if name in found:
            raise Stuck(f"FOUND BOTH {found[name]} and {path} - you need to fix this by hand")
        found[name] = path

    def _move(
        self, directory: str, found: dict[str, str], word: Callable[[str], str], *, hashed: bool = True
    ) -> None:
        for name in _in_order(found):
            target = f"{directory}/{name}"
            if hashed:
                target = f"{directory}/{hash_letter(word(name), full=self.full)}/{name}"
            if found[name] != target:
                self._make(os.path.dirname(target))
                self._do(f"rename {found[name]} to {target}", os.rename, found[name], target)

    def _tidy(self, directory: str, *, hashed: bool = True, deep: bool = False) -> None:
        """Remove the letters that nothing is filed under any more, ``deep`` with a level below."""
        unused: tuple[str, ...] = ()
        if self.full or not hashed:
            unused += FIRST_LETTERS
        if not self.full or not hashed:
            unused += FULL_LETTERS
        for letter in unused:
            path = f"{directory}/{letter}"
            if not os.path.isdir(path):
                continue
            for name in self._list(path) if deep else ():
                self._remove(f"{path}/{name}")
            self._remove(path)

    # one call each

    def _make(self, directory: str) -> None:
        if os.path.isdir(directory):
            return
        self._make(os.path.dirname(directory))
        self._do(f"mkdir {directory}", os.mkdir, directory, 0o755)

    def _remove(self, directory: str) -> None:
        if not os.path.isdir(directory):
            return
        if not self.dry_run and (names := os.listdir(directory)):
            if self.verbose:
                self.say(f"rmdir {directory}: ")
            plural = "" if len(names) == 1 else "s"
            count = f"{len(names)} extra item{plural}"
            self.say(f"skipped, {count} found, including {directory}/{names[0]}\n")
            return
        self._do(f"rmdir {directory}", os.rmdir, directory)

    def _do(self, what: str, call: Callable[..., None], *arguments: object) -> None:
        if self.verbose:
            self.say(f"{what}: ")
        if not self.dry_run:
            try:
                call(*arguments)
            except OSError as error:
                raise Stuck(f"failed to {what}: {error.strerror}") from error
        if self.verbose:
            self.say("skipped\n" if self.dry_run else "done\n")


def _word_of_mailbox(name: str) -> str:
    """What decides the letter: the level below the top, or for a file of a top-level mailbox the top."""
    top, _, below = name.partition("/")
    return top if "." in below else below


def _in_order(names: dict[str, str]) -> list[str]:
    return sorted(names, key=os.fsencode)
