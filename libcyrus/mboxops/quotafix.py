"""Counting quota roots anew while the server runs.

Each root's record carries the new sums and the last mailbox counted into them; a delivery to a mailbox
counted already changes the sums too (see ``QuotaDb.update_used``). So nothing is lost between counting a
mailbox and writing the sums in place of the old ones.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

from libcyrus.base.dataclasses import dataclass, field
from libcyrus.errors import CyrusError, QuotarootNonexistent
from libcyrus.mailbox.mailstore import MailStore
from libcyrus.mboxname import is_prefix
from libcyrus.records import mbtype as mbtypes
from libcyrus.records.mbentry import MboxEntry
from libcyrus.records.quota import NAMES

log = logging.getLogger(__name__)

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Selection:
    """Which roots and mailboxes: all of ``prefixes`` (internal), or the trees of ``userids``."""

    prefixes: tuple[str, ...] = ("",)
    userids: tuple[str, ...] = ()


@dataclass(slots=True)
class QuotaFixer:
    """One run; hold the quota change lock meanwhile. ``say`` gets the lines an administrator reads.

    With ``report_only`` differences are told and nothing is changed but for the sums in progress. ``before``
    and ``after`` are called with the name of each mailbox that is counted.
    """

    store: MailStore
    say: Say
    report_only: bool = False
    before: Callable[[str], None] | None = None
    after: Callable[[str], None] | None = None
    roots: list[str] = field(default_factory=list)
    _used: set[str] = field(default_factory=set)
    _removed: set[str] = field(default_factory=set)

    def remaining(self) -> list[str]:
        """The roots that are still there, in order."""
        return [root for root in self.roots if root not in self._removed]

    def find_roots(self, selection: Selection) -> None:
        """Collect the roots, and clear away the sums of a run that was interrupted."""
        for root in self._selected_roots(selection):
            with self.store.quota.transaction() as change:
                quota = change.read(root)
                if quota.scan_mailbox is not None:
                    quota.scan_mailbox = None
                    quota.scan_used = [0, 0, 0, 0]
                    change.write(quota)
            self.roots.append(root)

    def fix(self, selection: Selection) -> None:
        """Count every mailbox, then put the sums in place. Raises what opening a mailbox does."""
        if selection.userids:
            for userid in selection.userids:
                inbox = self.store.rules.inbox(userid)
                for entry in self.store.mboxlist.user_tree(userid):
                    self._count(entry, inbox)
        else:
            for prefix in selection.prefixes:
                for entry in self.store.mboxlist.all(prefix):
                    self._count(entry, prefix)
        for root in self.roots:
            self._finish(root)

    def _selected_roots(self, selection: Selection) -> Iterator[str]:
        if not selection.userids:
            for prefix in selection.prefixes:
                for quota in list(self.store.quota.all(prefix)):
                    yield quota.root
            return
        for userid in selection.userids:
            for quota in list(self.store.quota.all(self.store.rules.inbox(userid))):
                if self.store.rules.from_internal(quota.root).userid == userid:
                    yield quota.root

    def _count(self, entry: MboxEntry, prefix: str) -> None:
        if entry.mbtype & mbtypes.REMOTE:
            return
        if self.before is not None:
            self.before(entry.name)
        root = max((root for root in self.roots if _covers(root, entry.name)), key=len, default=None)
        if root is not None:
            self._used.add(root)
        try:
            mailbox = self.store.open(entry.name, write=True)
        except CyrusError as error:
            self._complain(f"failed opening header for mailbox '{entry.name}'", error)
            raise
        with mailbox:
            old = mailbox.quotaroot
            # a root above what was asked for is not ours to judge
            ours = root is not None or (old is not None and len(old) >= len(prefix))
            if old != root and ours:
                self.say(f"{entry.name}: quota root {old or '(none)'} --> {root or '(none)'}")
                if not self.report_only:
                    mailbox.set_quotaroot(root)
            if root is not None:
                usage = mailbox.usage()
                with self.store.quota.transaction() as change:
                    quota = change.read(root)
                    quota.scan_used = [used + more for used, more in zip(quota.scan_used, usage, strict=True)]
                    quota.scan_mailbox = entry.name
                    change.write(quota)
        if self.after is not None:
            self.after(entry.name)

    def _finish(self, root: str) -> None:
        if root not in self._used:
            self._removed.add(root)
            self.say(f"{root}: removed")
            if not self.report_only:
                self.store.quota.delete(root)
            return
        try:
            with self.store.quota.transaction() as change:
                quota = change.read(root)
                for resource, name in enumerate(NAMES):
                    old, new = quota.used[resource], quota.scan_used[resource]
                    if old != new:
                        self.say(f"{root}: {name} usage was {old}, now {new}")
                        if not self.report_only:
                            quota.used[resource] = new
                quota.scan_mailbox = None
                quota.scan_used = [0, 0, 0, 0]
                change.write(quota)
        except QuotarootNonexistent as error:
            self._complain(f"failed reading quotaroot '{root}'", error)
            raise

    def _complain(self, text: str, error: CyrusError) -> None:
        log.error("%s: %s", text, error)
        self.say(f"{text}: {error}")


def _covers(root: str, name: str) -> bool:
    """Whether a mailbox counts for a root of this name; ``domain!`` covers the whole domain."""
    return name.startswith(root) if root.endswith("!") else is_prefix(name, root)
