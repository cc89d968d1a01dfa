"""cvt_xlist_specialuse(8): turn the ``xlist-FLAG`` settings of old versions into special-use annotations.

The flag is written as the setting spells it, in lower case, whether or not 3.6 has such a special use.
"""

from __future__ import annotations

import os
import sys

import click

from libcyrus import mboxops, tool
from libcyrus.errors import CyrusError
from libcyrus.mailbox.mailstore import MailStore
from libcyrus.mboxname import Namespace
from libcyrus.records.annotate import SPECIALUSE
from libcyrus.records.find import Finder, Found, Viewer

_PREFIX = "xlist-"


@click.command("cvt_xlist_specialuse")
@tool.config_option
@click.option("-v", "verbose", is_flag=True, help="Tell what is done.")
@click.argument("patterns", metavar="MAILBOX...", nargs=-1, required=True)
def cvt_xlist_specialuse(config_file: str | None, verbose: bool, patterns: tuple[str, ...]) -> None:
    """Give special uses to mailboxes whose names the settings xlist-FLAG say."""
    config = tool.begin(config_file, "cvt_xlist_specialuse", need_partitions=True)
    flags = {}
    for name, folder in config.overflow_items():
        if name.startswith(_PREFIX):
            flags[folder] = "\\" + name.removeprefix(_PREFIX)
            if verbose:
                print(f"will set {flags[folder]} for folders named {folder}")
    if not flags:
        path = config_file or "/etc/imapd.conf"
        print(f"no xlist- settings in {path}, nothing to do", file=sys.stderr)
        return
    store = MailStore(config)
    try:
        viewer = Viewer(Namespace.from_config(config, admin=True), None, None, admin=True)
        for found in list(Finder(store.mboxlist, viewer).find(list(patterns))):
            if found is not None and found.exact:
                _convert(store, found, flags, verbose=verbose)
    finally:
        store.close()


main = tool.main(cvt_xlist_specialuse)


def _convert(store: MailStore, found: Found, flags: dict[str, str], *, verbose: bool) -> None:
    name = found.name
    if name.userid is None or len(name.boxes) != 1 or name.boxes[0] not in flags:
        return
    flag = flags[name.boxes[0]]
    existing = mboxops.find_specialuse(store, name.userid, flag)
    if existing is not None:
        if verbose:
            print(
                f"not setting specialuse {flag} for {name.internal}, already exists as {existing.name}"
            )
        return
    try:
        mboxops.write_annotation(store, name.internal, SPECIALUSE, name.userid, os.fsencode(flag))
    except CyrusError as error:
        print(f"failed to set specialuse {flag} for {name.internal}: {error}", file=sys.stderr)
        return
    if verbose:
        print(f"set specialuse {flag} for {name.internal}")
