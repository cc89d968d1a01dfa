"""cyr_synclog(8): write a record to the sync log.

``-a`` and ``-c``, which the original takes but writes without their word, write APPEND and MAILBOX: a
changed ACL is replicated with its mailbox.
"""

from __future__ import annotations

import click

from libcyrus import tool
from libcyrus.events.sync_log import SyncLog

_PAIRS = ("SEEN", "SUB")


@click.command("cyr_synclog")
@tool.config_option
@click.option("-u", "word", flag_value="USER", help="All of a user.")
@click.option("-U", "word", flag_value="UNUSER", help="A user is gone.")
@click.option("-v", "word", flag_value="META", help="A user's Sieve scripts.")
@click.option("-m", "word", flag_value="MAILBOX", help="A mailbox.")
@click.option("-M", "word", flag_value="UNMAILBOX", help="A mailbox is gone.")
@click.option("-a", "word", flag_value="APPEND", help="Messages came to a mailbox.")
@click.option("-c", "word", flag_value="MAILBOX", help="The ACL of a mailbox.")
@click.option("-q", "word", flag_value="QUOTA", help="A quota root.")
@click.option("-n", "word", flag_value="ANNOTATION", help="Annotations of a mailbox.")
@click.option("-s", "word", flag_value="SEEN", help="Seen state: a user and a mailbox's unique id.")
@click.option("-b", "word", flag_value="SUB", help="A subscription: a user and a mailbox.")
@click.argument("values", metavar="VALUE [VALUE2]", nargs=-1)
def cyr_synclog(config_file: str | None, word: str | None, values: tuple[str, ...]) -> None:
    """Write a record to the sync log; without an option, a whole line as it is given."""
    wanted = 2 if word in _PAIRS else 1
    if len(values) < wanted or not all(values[:wanted]):
        raise tool.usage_error()
    log = SyncLog(tool.begin(config_file, "cyr_synclog"))
    if word is None:
        log.write(values[0].rstrip("\n") + "\n")
    else:
        log.record((word, *values[:wanted]))


main = tool.main(cyr_synclog, usage_code=255)
