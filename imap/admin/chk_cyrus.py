"""chk_cyrus(8): tell where mailboxes and message files disagree, without changing anything.

Difference from the original: a mailbox that cannot be opened is said to be so.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import click

from libcyrus import tool
from libcyrus.errors import CyrusError
from libcyrus.mailbox.mailstore import MailStore
from libcyrus.mailbox.reconstruct import Options, reconstruct
from libcyrus.mboxname import Namespace
from libcyrus.records.find import Finder, Viewer
from libcyrus.records.mbentry import MboxEntry
from libcyrus.text import charset

_USAGE_CODE = 255


@click.command("chk_cyrus")
@tool.config_option
@click.option("-P", "partition", metavar="PARTITION", help="Only mailboxes on this partition.")
@click.option("-M", "name", metavar="MAILBOX", help="Only this mailbox, named as mailboxes.db has it.")
@click.argument("ignored", nargs=-1, required=False, metavar="")
def chk_cyrus(
    config_file: str | None, partition: str | None, name: str | None, ignored: tuple[str, ...]
) -> int:
    """Tell where mailboxes and message files disagree, without changing anything."""
    if partition is not None and name is not None:
        raise tool.usage_error()
    # root may be allowed to read them where the Cyrus user is not
    charset.load_codecs()
    store = MailStore(tool.begin(config_file, "chk_cyrus", need_partitions=True))
    try:
        if name is not None:
            click.echo(f"Examining mailbox: {name}", err=True)
        else:
            click.echo(f"Examining partition: {partition or 'ALL PARTITIONS'}", err=True)
        for entry in list(_selected(store, partition, name)):
            click.echo(f"checking: {entry.name}", err=True)
            try:
                _check(store, entry.name)
            except CyrusError as error:
                click.echo(f"{entry.name}: {error}", err=True)
    finally:
        store.close()
    return os.EX_OK


def _selected(store: MailStore, partition: str | None, name: str | None) -> Iterator[MboxEntry]:
    if name is not None:
        found = store.mboxlist.get(name)
        if found is not None:
            yield found
        return
    space = Namespace.from_config(store.config, admin=True)
    for match in Finder(store.mboxlist, Viewer(space, None, None, admin=True)).find(["*"]):
        entry = match.entry if match is not None and match.exact else None
        if entry is None or entry.intermediate or entry.deleted or entry.remote:
            continue
        if partition is None or entry.partition == partition:
            yield entry


def _check(store: MailStore, name: str) -> None:
    options = Options(make_changes=False, stat=False)
    with store.locks.user(store.rules.from_internal(name).userid):
        mailbox = reconstruct(store, name, options, lambda line: print(line, file=sys.stdout))
        mailbox.abort()
        mailbox.close()


main = tool.main(chk_cyrus, usage_code=_USAGE_CODE)
