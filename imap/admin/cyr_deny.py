"""cyr_deny(8): keep a user from using services, and allow it again.

As with the original, ``-a`` and ``-l`` fail while there is no database.
"""

from __future__ import annotations

import os
import sys

import click

from libcyrus import tool
from libcyrus.errors import CyrusError, IoError, NotFound
from libcyrus.records.userdeny import DEFAULT_MESSAGE, UserDeny
from libcyrus.server import proc

_FAILED = 1


@click.command("cyr_deny")
@tool.config_option
@click.option("-s", "services", metavar="WILDMATS", help="Only services that these fit, with commas between.")
@click.option("-m", "message", metavar="MESSAGE", help="What to tell the user.")
@click.option("-a", "allowing", count=True, help="Allow everything again.")
@click.option("-l", "listing", count=True, help="List who is denied what.")
@click.argument("users", metavar="[USER]", nargs=-1)
def cyr_deny(
    config_file: str | None,
    services: str | None,
    message: str | None,
    allowing: int,
    listing: int,
    users: tuple[str, ...],
) -> int:
    """Keep a user from using services, and allow it again."""
    changing = allowing + listing
    if changing > 1 or (changing and (services is not None or message is not None)):
        raise tool.usage_error()
    if len(users) != (0 if listing else 1):
        raise tool.usage_error()
    config = tool.begin(config_file, "cyr_deny")
    denials = UserDeny(config)
    try:
        denials.open(create=not changing)
    except CyrusError as error:
        reason = os.strerror(2) if isinstance(error, NotFound) else IoError.text
        return _failed(f"failed to open deny db: {reason}")
    try:
        if listing:
            what = "list entries"
            print(f"{'Username':<30} {'Service(s)':<20} Message")
            for userid, denial in denials.all():
                print(f"{userid:<30} {denial.patterns:<20} {denial.message}")
        elif allowing:
            what = f"allow access for {users[0]}"
            denials.delete(users[0])
        else:
            what = f"deny access for {users[0]}"
            denials.set(
                users[0],
                "*" if services is None else services,
                DEFAULT_MESSAGE if message is None else message,
            )
            proc.end_user(proc.directory(config), users[0])
    except CyrusError as error:
        return _failed(f"failed to {what}: {error}")
    finally:
        denials.close()
    return os.EX_OK


def _failed(text: str) -> int:
    print(f"cyr_deny: {text}", file=sys.stderr)
    return _FAILED


main = tool.main(cyr_deny)
