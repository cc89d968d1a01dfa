"""cyr_pwd(8): print the name of the mailbox whose directory is the working directory."""

from __future__ import annotations

import sys

import click

from libcyrus import tool
from libcyrus.mboxname import Namespace
from libcyrus.records import argument
from libcyrus.records.mboxlist import Mboxlist

_USAGE = 255


@click.command("cyr_pwd")
@tool.config_option
@click.argument("_rest", nargs=-1, metavar="")
def cyr_pwd(config_file: str | None, _rest: tuple[str, ...]) -> None:
    """Print the name of the mailbox whose directory is the working directory."""
    config = tool.begin(config_file, "cyr_pwd")
    mailboxes = Mboxlist(config)
    try:
        name = argument.from_path(mailboxes, ".")
    finally:
        mailboxes.close()
    external = Namespace.from_config(config, admin=True).to_external(name, argument.VIEWER)
    if name.internal and external:
        print(external)
    else:
        print("ERROR: not in Cyrus UUID mailbox directory", file=sys.stderr)


main = tool.main(cyr_pwd, usage_code=_USAGE)
