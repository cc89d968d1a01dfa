"""rehash(8): move files to the directories that fulldirhash and hashimapspool ask for.

Differences from the original: ``fulldirhash: no`` means no; archive partitions and the directories of single
kinds of metadata are moved too; what goes by unique ids stays in place; and root becomes the Cyrus user
instead of being turned away.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator

import click

from libcyrus import options as opt
from libcyrus import tool
from libcyrus.config import Config
from libcyrus.mboxops.rehashing import Rehasher, Stuck

_FAILED = 255
_ROOTS = re.compile(r"(?:meta|archive)?partition-|metadir-")


@click.command("rehash")
@click.option("-v", "verbose", is_flag=True, help="Print each directory made or removed, and each rename.")
@click.option("-n", "dry_run", is_flag=True, help="Change nothing, only print what would be done.")
@click.option("-f", "no_full", is_flag=True, help="As with fulldirhash: no.")
@click.option("-F", "full", is_flag=True, help="As with fulldirhash: yes.")
@click.option("-i", "no_spool", is_flag=True, help="As with hashimapspool: no.")
@click.option("-I", "spool", is_flag=True, help="As with hashimapspool: yes.")
@click.option("-h", "wants_help", is_flag=True, help="Print this text.")
@click.argument("path", metavar="IMAPD.CONF", required=False)
def rehash(
    verbose: bool,
    dry_run: bool,
    no_full: bool,
    full: bool,
    no_spool: bool,
    spool: bool,
    wants_help: bool,
    path: str | None,
) -> int:
    """Move files to the directories that fulldirhash and hashimapspool ask for."""
    if wants_help or path is None:
        raise tool.usage_error()
    config = tool.begin(path, "rehash")
    for line in announcements(config, path):
        print(line)
    rehasher = Rehasher(
        say=lambda text: print(text, end="", flush=True),
        full=full or (config[opt.fulldirhash] and not no_full),
        spool=spool or (config[opt.hashimapspool] and not no_spool),
        domains=config[opt.virtdomains] != "off",
        dry_run=dry_run,
        verbose=verbose or dry_run,
    )
    try:
        rehasher.configuration(config.directory)
        if not config[opt.sieveusehomedir]:
            rehasher.scripts(config[opt.sievedir] or "")
        for root in roots(config):
            rehasher.partition(root)
    except Stuck as error:
        print(error, file=sys.stderr)
        return _FAILED
    return 0


main = tool.main(rehash, usage_code=_FAILED)


def announcements(config: Config, path: str) -> Iterator[str]:
    """What is to be told of the configuration, in the order of the file."""
    said = {
        "hashimapspool": "i will also hash partitions." if config[opt.hashimapspool] else None,
        "sieveusehomedir": "you are storing sieve scripts in user's home directories."
        if config[opt.sieveusehomedir]
        else None,
        "sievedir": f"you are using {config[opt.sievedir]} as your sieve directory.",
        "virtdomains": "i will deal with virtual domains." if config[opt.virtdomains] != "off" else None,
    }
    for key in _keys(path):
        line = said.pop(key, None)
        if line is not None:
            yield line


def roots(config: Config) -> list[str]:
    """Every directory that has mailboxes of some partition in it, each once, in the order of the file."""
    return list(dict.fromkeys(text for key, text in config.overflow_items() if _ROOTS.match(key)))


def _keys(path: str) -> Iterator[str]:
    paths = [path]
    for one in paths:
        with open(one, encoding="utf-8", errors="surrogateescape") as stream:
            for line in stream:
                key, mark, value = line.partition(":")
                if key == "@include":
                    paths.append(value.strip())
                elif mark and not key.startswith("#"):
                    yield key.strip()
