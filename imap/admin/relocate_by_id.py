"""relocate_by_id(8): move mailboxes of the old layout to directories that go by their unique ids.

Differences from the original: a dav or search database is moved, not rewritten; a place in the tree that
``-n`` would make a mailbox of does not end the list; and what was interrupted is finished by the next program
that changes the user's mailboxes.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

import click

from libcyrus import tool
from libcyrus.base.dataclasses import dataclass, replace
from libcyrus.errors import CyrusError
from libcyrus.mailbox.mailstore import MailStore
from libcyrus.mboxname import Namespace
from libcyrus.mboxops import byid, unfinished
from libcyrus.mboxops.checks import Actor
from libcyrus.mboxops.make import create_one
from libcyrus.mboxops.notes import Operation
from libcyrus.records import mbtype as mbtypes
from libcyrus.records.mbentry import MboxEntry


@click.command("relocate_by_id")
@tool.config_option
@click.option("-q", "quiet", is_flag=True, help="Print nothing but errors.")
@click.option("-n", "dry_run", is_flag=True, help="Change nothing, only print what would be renamed.")
@click.option("-u", "users", is_flag=True, help="The arguments are userids.")
@click.argument("names", metavar="MAILBOX...", nargs=-1)
def relocate_by_id(
    config_file: str | None, quiet: bool, dry_run: bool, users: bool, names: tuple[str, ...]
) -> int:
    """Move mailboxes of the old layout to directories that go by their unique ids."""
    config = tool.begin(config_file, "relocate_by_id", need_partitions=True)
    if not names:
        print("please specify a mailbox to recurse from", file=sys.stderr)
        return os.EX_USAGE
    store = MailStore(config)
    say = (lambda line: None) if quiet else print
    run = Run(store, Namespace.from_config(config, admin=True), dry_run, say)
    try:
        if not dry_run:
            unfinished.repair_all(store)
        for name in names:
            run.tree(name, users=users)
    finally:
        store.close()
    return os.EX_OK


main = tool.main(relocate_by_id)


@dataclass(frozen=True, slots=True)
class Run:
    """One invocation. ``say`` gets the lines of the report."""

    store: MailStore
    space: Namespace
    dry_run: bool
    say: Callable[[str], None]

    def tree(self, name: str, *, users: bool) -> None:
        """All mailboxes of a user, or a mailbox with what is below and what delayed deletes left of it."""
        mailboxes = self.store.mboxlist
        internal = mailboxes.rules.inbox(name) if users else self.space.internal(name, None) or ""
        found = list(mailboxes.tree(internal, deleted=True, intermediates=True))
        kind = "user" if users else "mailbox"
        if not found:
            print(f"{name}: {kind} not found", file=sys.stderr)
            return
        old = [entry for entry in found if entry.mbtype & mbtypes.LEGACY_DIRS]
        due = [entry for entry in map(self._promoted, old) if entry is not None]
        if not old:
            print(f"{name}: {kind} already relocated", file=sys.stderr)
        partition = None
        for entry in reversed(due):
            # a place without partition lies where the mailbox below it does
            partition = entry.partition or partition
            self._relocate(replace(entry, partition=partition))

    def _promoted(self, entry: MboxEntry) -> MboxEntry | None:
        """A place in the tree becomes a mailbox; None if it does not (yet)."""
        if not entry.intermediate:
            return entry
        external = self.space.to_external(entry.name, None)
        self.say(f"\nPromoting intermediary: {external}")
        if self.dry_run:
            return None
        try:
            with unfinished.exclusive(self.store, self.store.rules.from_internal(entry.name).userid):
                return create_one(self.store, entry.name, Actor(True, None, None), fill_in=False)
        except CyrusError as error:
            print(f"\tFailed to promote intermediary {external}: {error}", file=sys.stderr)
            return None

    def _relocate(self, entry: MboxEntry) -> None:
        store = self.store
        owner = store.rules.from_internal(entry.name).userid
        external = self.space.to_external(entry.name, None)
        self.say(f"\nRelocating: {external}")
        try:
            with unfinished.exclusive(store, owner):
                renames = byid.paths(store, entry)
                if self.dry_run:
                    for old, new in renames:
                        if os.path.lexists(old):
                            self.say(f"\tRenaming: {old}\t -> {new}")
                    return
                known = store.mboxlist.lookup(entry.name)
                operation = Operation("relocation", (owner,), layout=entry, renames=renames)
                with unfinished.noted(store, operation):
                    reason = byid.carry_out(store, known, renames, self.say)
                if reason:
                    print(f"\t{reason}", file=sys.stderr)
        except CyrusError as error:
            print(f"Failed to relocate {external}: {error}", file=sys.stderr)
