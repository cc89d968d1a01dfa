"""cyr_userseen(8): remove what owners have in seen.db about their own mailboxes."""

from __future__ import annotations

import click

from libcyrus import tool
from libcyrus.mailbox.mailstore import MailStore
from libcyrus.mboxops.readership import forget_seen, owners


@click.command("cyr_userseen")
@tool.config_option
@click.option("-d", "remove", is_flag=True, help="Really remove it.")
@click.argument("ignored", metavar="", nargs=-1)
def cyr_userseen(config_file: str | None, remove: bool, ignored: tuple[str, ...]) -> None:
    """Remove what owners have in seen.db about their own mailboxes; without -d only say where."""
    store = MailStore(tool.begin(config_file, "cyr_userseen"))
    try:
        by_user: dict[str, list[str]] = {}
        for userid, entry in owners(store):
            print(f"removing seen for {userid} on {entry.name}")
            by_user.setdefault(userid, []).append(entry.uniqueid or "")
        for userid, uniqueids in by_user.items() if remove else ():
            forget_seen(store, userid, uniqueids)
    finally:
        store.close()


main = tool.main(cyr_userseen, usage_code=255)
