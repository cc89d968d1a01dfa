"""mbtool(8): give mailboxes other unique ids, and messages internal dates that fit.

Difference from the original: with ``-r`` annotations, seen state and conversations go along to the new id.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import click

from libcyrus import tool
from libcyrus.base import times
from libcyrus.errors import CyrusError
from libcyrus.mailbox.mailstore import MailStore
from libcyrus.mailbox.normalize import normalize_internaldates
from libcyrus.mboxname import Namespace
from libcyrus.mboxops import reid
from libcyrus.records.find import Finder, Viewer
from libcyrus.text import charset


@click.command("mbtool")
@tool.config_option
@click.option("-r", "new_ids", count=True, help="Give the mailboxes new unique ids.")
@click.option("-t", "dates", count=True, help="Correct internal dates that are a day or more off.")
@click.argument("patterns", metavar="MAILBOX...", nargs=-1)
def mbtool(config_file: str | None, new_ids: int, dates: int, patterns: tuple[str, ...]) -> int:
    """Give mailboxes other unique ids, or messages internal dates that fit."""
    if new_ids + dates != 1 or not patterns:
        raise tool.usage_error()
    # root may be allowed to read them where the Cyrus user is not
    charset.load_codecs()
    store = MailStore(tool.begin(config_file, "mbtool"))
    space = Namespace.from_config(store.config, admin=True)
    try:
        for pattern in patterns:
            for name in list(_find(store, space, pattern)):
                external = space.to_external(name, "cyrus") or name
                _out(f"Working on {external}...\n")
                try:
                    if new_ids:
                        reid.change_uniqueid(store, name)
                    else:
                        _normalize(store, name)
                except reid.HasDirectoryById:
                    _out(f"Non-legacy mailbox, cannot reid: {external}")
                except CyrusError as error:
                    # as in the original, one that cannot be worked on ends its pattern
                    click.echo(f"{external}: {error}", err=True)
                    break
    finally:
        store.close()
    return os.EX_OK


def _normalize(store: MailStore, name: str) -> None:
    with store.open(name, write=True) as mailbox:
        for record, old in normalize_internaldates(mailbox):
            before, after = times.to_rfc5322(old), times.to_rfc5322(record.internaldate)
            _out(f"  {record.uid}: {before} => {after}\n")


def _find(store: MailStore, space: Namespace, pattern: str) -> Iterator[str]:
    for match in Finder(store.mboxlist, Viewer(space, None, None, admin=True)).find([pattern]):
        if match is not None and match.exact and match.entry is not None:
            yield match.entry.name


def _out(text: str) -> None:
    sys.stdout.write(text)


main = tool.main(mbtool)
