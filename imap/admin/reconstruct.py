"""reconstruct(8): make mailboxes agree with the message files that are there.

Differences from the original: with ``-n`` nothing at all is written; a mailbox that lost only its
``cyrus.header`` keeps its index; ``-p`` without ``-x`` finds the directory of the mailbox by the name in its
header, where the original crashed; version 10 can be written, too.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import click

from libcyrus import tool
from libcyrus.base.dataclasses import dataclass, field
from libcyrus.errors import CyrusError, Fatal, MailboxNonexistent
from libcyrus.mailbox import index_header, lifecycle, reconstruct_mbentry, repack
from libcyrus.mailbox.mailbox import Mailbox
from libcyrus.mailbox.mailstore import MailStore
from libcyrus.mailbox.reconstruct import Options
from libcyrus.mailbox.reconstruct import reconstruct as reconstruct_mailbox
from libcyrus.mboxname import Namespace
from libcyrus.mboxops import checks, repair_all
from libcyrus.mboxops.checks import Actor
from libcyrus.mboxops.make import create_one
from libcyrus.records.find import Finder, Viewer
from libcyrus.text import charset


@click.command("reconstruct")
@tool.config_option
@click.option("-p", "partition", metavar="PARTITION", help="Make the named mailboxes, on this partition.")
@click.option("-x", "no_import", is_flag=True, help="With -p and -f: make them new, import nothing.")
@click.option("-r", "recurse", is_flag=True, help="Also everything below.")
@click.option("-f", "discover", is_flag=True, help="Look for directories that are no mailbox yet.")
@click.option("-s", "no_stat", is_flag=True, help="Do not compare the sizes of files.")
@click.option("-q", "quiet", is_flag=True, help="Do not name the mailboxes.")
@click.option("-n", "dry_run", is_flag=True, help="Only report.")
@click.option("-G", "parse", is_flag=True, help="Read every message and check that it is the same.")
@click.option("-I", "new_ids", is_flag=True, help="Give a mailbox whose unique id is taken a new one.")
@click.option("-R", "guid_rewrite", is_flag=True, help="Give a message that is not the same a new uid.")
@click.option("-U", "guid_unlink", is_flag=True, help="Remove a message that is not the same.")
@click.option("-o", "ignore_odd", is_flag=True, help="Ignore files that do not belong there.")
@click.option("-O", "remove_odd", is_flag=True, help="Remove files that do not belong there.")
@click.option("-M", "prefer_mboxlist", is_flag=True, help="Trust mailboxes.db, not the mailbox.")
@click.option("-V", "version", metavar="VERSION", help="Convert the index to this version, or max.")
@click.option("-u", "by_userid", is_flag=True, help="Arguments are userids.")
@click.option("-P", "by_path", is_flag=True, help="Arguments are paths of cyrus.header files.")
@click.option("-d", "ignored_d", is_flag=True, hidden=True)
@click.option("-g", "ignored_g", is_flag=True, hidden=True)
@click.option("-k", "ignored_k", is_flag=True, hidden=True)
@click.option("-m", "mailboxes_file", is_flag=True, help="Rebuild mailboxes.db: not supported.")
@click.argument("names", metavar="[MAILBOX...]", nargs=-1)
def reconstruct(
    config_file: str | None,
    partition: str | None,
    no_import: bool,
    recurse: bool,
    discover: bool,
    no_stat: bool,
    quiet: bool,
    dry_run: bool,
    parse: bool,
    new_ids: bool,
    guid_rewrite: bool,
    guid_unlink: bool,
    ignore_odd: bool,
    remove_odd: bool,
    prefer_mboxlist: bool,
    version: str | None,
    by_userid: bool,
    by_path: bool,
    ignored_d: bool,
    ignored_g: bool,
    ignored_k: bool,
    mailboxes_file: bool,
    names: tuple[str, ...],
) -> int:
    """Make mailboxes agree with the message files that are there."""
    if by_userid and by_path or mailboxes_file and (recurse or discover or names):
        raise tool.usage_error()
    # root may be allowed to read them where the Cyrus user is not
    charset.load_codecs()
    for letter, given in (("g", ignored_g), ("k", ignored_k)):
        if given:
            click.echo(f"reconstruct: deprecated option -{letter} ignored", err=True)
    config = tool.begin(config_file, "reconstruct", need_partitions=True)
    if mailboxes_file:
        click.echo("reconstructing mailboxes.db currently not supported", err=True)
        return os.EX_USAGE
    odd_files = "ignore" if ignore_odd else "remove" if remove_odd else "report"
    options = Options(
        make_changes=not dry_run,
        stat=not no_stat,
        parse=parse,
        guid_rewrite=guid_rewrite,
        guid_unlink=guid_unlink,
        odd_files=odd_files,
        quiet=quiet,
    )
    store = MailStore(config)
    run = _Run(
        store,
        Namespace.from_config(config, admin=True),
        options,
        prefer_mboxlist=prefer_mboxlist,
        new_ids=new_ids,
        version=_version(version),
        discover=discover,
        no_import=no_import,
    )
    try:
        if not dry_run:
            repair_all(store)
        if partition is not None:
            run.make(names, partition)
        if not names and (recurse or by_userid):
            click.echo("please specify a mailbox to recurse from", err=True)
            return os.EX_USAGE
        for name in names or ("*",):
            if by_path:
                reconstruct_mbentry.from_header(store, name, _say)
            elif by_userid:
                run.user(name)
            else:
                run.pattern(name)
                if recurse:
                    run.below(name)
        run.discovered()
    finally:
        run.progress.done()
        store.close()
    return os.EX_OK


@dataclass
class _Run:
    """One invocation: what was asked, and which mailboxes were done."""

    store: MailStore
    space: Namespace
    options: Options
    prefer_mboxlist: bool
    new_ids: bool
    version: int
    discover: bool
    no_import: bool
    progress: tool.Progress = field(default_factory=lambda: tool.Progress("mailboxes"))
    done: set[str] = field(default_factory=set)
    found: list[str] = field(default_factory=list)

    def make(self, names: tuple[str, ...], partition: str) -> None:
        """-p: give mailboxes that have files but no record (or nothing at all) their record."""
        if not names:
            text = "When using -p, you must specify a mailbox to attempt to reconstruct."
            raise _usage(text)
        for name in names:
            if "%" in name or "*" in name:
                raise _usage("Using wildcards with -p is not supported.")
            if self.store.mboxlist.get(self._internal(name)) is not None:
                raise _usage(f"Mailbox {name} already exists.  Cannot specify -p.")
        for name in names:
            try:
                self._register(self._internal(name), partition)
            except CyrusError:
                click.echo(f"could not create {name}", err=True)

    def pattern(self, pattern: str) -> None:
        for name in self._find(pattern):
            self.one(name)

    def below(self, pattern: str) -> None:
        """-r: everything below the mailboxes that ``pattern`` means."""
        domain = ""
        if "@" in pattern:
            pattern, _, domain = pattern.partition("@")
            domain = "@" + domain if self.store.rules.virtdomains else ""
        self.pattern(f"{pattern}{self.space.separator}*{domain}")

    def user(self, userid: str) -> None:
        for entry in list(self.store.mboxlist.user_tree(userid, deleted=True)):
            if not entry.remote:
                self.one(entry.name)

    def discovered(self) -> None:
        """-f: make mailboxes of the directories that were found, and look below them, too."""
        while self.found:
            name = self.found.pop(0)
            try:
                self._register(name, None)
            except CyrusError as error:
                click.echo(f"createmailbox {name}: {error}", err=True)
                continue
            self.one(name)

    def one(self, name: str) -> None:
        """Reconstruct one mailbox, once."""
        if name in self.done:
            return
        with self.store.locks.user(self.store.rules.from_internal(name).userid):
            try:
                mailbox = self._open(name)
            except CyrusError as error:
                _fail(name, error, self.version)
                return
            try:
                directory = self._work(mailbox)
            except BaseException:
                mailbox.abort()
                mailbox.close()
                raise
        self.done.add(name)
        if self.options.quiet:
            self.progress.step()
        if self.discover:
            self._look_below(name, directory)

    def _open(self, name: str) -> Mailbox:
        if self.version:
            return self.store.open(name, write=True)
        return reconstruct_mailbox(self.store, name, self.options, _say)

    def _work(self, mailbox: Mailbox) -> str:
        """Compare with mailboxes.db, convert and close; returns the directory."""
        make_changes = self.options.make_changes
        try:
            reconstruct_mbentry.compare(
                mailbox,
                _say,
                make_changes=make_changes,
                prefer_mboxlist=self.prefer_mboxlist,
                new_uniqueid=lifecycle.make_uniqueid if self.new_ids else None,
            )
        except reconstruct_mbentry.UniqueidClash:
            raise SystemExit(1) from None
        external = self.space.to_external(mailbox.name, None) or mailbox.name
        if not self.options.quiet:
            _say(external)
        if make_changes:
            mailbox.commit()
        else:
            mailbox.abort()
        directory = os.path.dirname(mailbox.paths.header)
        if self.version and self.version != mailbox.i.minor_version and make_changes:
            self._convert(mailbox, external)
        mailbox.close()
        return directory

    def _convert(self, mailbox: Mailbox, external: str) -> None:
        before = mailbox.i.minor_version
        try:
            mailbox.relock_exclusively()
            repack.repack(mailbox, self.version)
        except CyrusError as error:
            _say(f"FAILED TO REPACK {external} with new version {error}")
        else:
            _say(f"Converted {external} version {before} to {self.version}")

    def _look_below(self, name: str, directory: str) -> None:
        try:
            children = os.listdir(directory)
        except OSError:
            return
        for child in children:
            if "." in child or not os.path.exists(f"{directory}/{child}/{reconstruct_mbentry.FILENAME}"):
                continue
            below = f"{name}.{child}"
            if self.store.mboxlist.get(below) is None:
                _say(f"discovered {below}")
                self.found.append(below)

    def _find(self, pattern: str) -> Iterator[str]:
        viewer = Viewer(self.space, None, None, admin=True)
        names = []
        for match in Finder(self.store.mboxlist, viewer).find([pattern]):
            if match is None or not match.exact or match.entry is None:
                continue
            if not (match.entry.intermediate or match.entry.deleted or match.entry.remote):
                names.append(match.entry.name)
        yield from names

    def _internal(self, name: str) -> str:
        return self.space.internal(name, None) or ""

    def _register(self, name: str, partition: str | None) -> None:
        """Write the record of a mailbox whose files are there, or make it new."""
        store = self.store
        actor = Actor(True, None, None)
        with store.locks.user(store.rules.from_internal(name).userid):
            entry = None
            if not self.no_import:
                checks.creation(store, name, actor)
                place = partition or self._parent_partition(name)
                entry = reconstruct_mbentry.find_by_name(store, name, place)
            if entry is None:
                create_one(store, name, actor, partition=partition, fill_in=True)
                return
            store.mboxlist.update(entry)

    def _parent_partition(self, name: str) -> str:
        parent = self.store.mboxlist.parent(name)
        if parent is None or parent.partition is None:
            raise MailboxNonexistent
        return parent.partition


def _version(text: str | None) -> int:
    if text is None:
        return 0
    if text.lower() == "max":
        return index_header.MINOR_VERSION
    digits = text[: len(text) - len(text.lstrip("0123456789"))]
    version = int(digits or "0")
    if version and version not in index_header.VERSIONS:
        raise Fatal("index version not supported", os.EX_SOFTWARE)
    return version


def _usage(text: str) -> SystemExit:
    click.echo(text, err=True)
    return SystemExit(os.EX_USAGE)


def _fail(name: str, error: CyrusError, version: int) -> None:
    what = "Failed to open mailbox to set version" if version else "Failed to reconstruct mailbox"
    cause = error.__cause__
    if not version and isinstance(cause, OSError):
        what = cause.strerror or what
    click.echo(f"{name}: {error} {what}", err=True)


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


main = tool.main(reconstruct)
