"""mkimap(8): make the directories that a configuration needs.

Unlike the original it makes missing directories above them too, knows archive partitions, and may be run
again.
"""

from __future__ import annotations

import os
import sys

import click

from libcyrus import tool
from libcyrus.config import Config
from libcyrus.errors import Fatal

_CONFIG = ("proc", "db", "socket", "log", "msg", "ptclient", "sync", "lock", "user", "quota")
_PARTITION = ("stage.", "sync.")
_SETTINGS = ("partition-", "metapartition-", "archivepartition-")


@click.command("mkimap")
@click.option("-C", "config_file", metavar="FILE", help="Read FILE instead of /etc/imapd.conf.")
@click.argument("path", metavar="[IMAPD.CONF]", required=False)
def mkimap(config_file: str | None, path: str | None) -> int:
    """Make the directories that a configuration needs."""
    if path is not None and config_file is not None:
        raise tool.usage_error("only one configuration file can be given")
    path = path or config_file
    print(f"reading configure file {path or '/etc/imapd.conf'}...")
    config = tool.begin(path, "mkimap")
    print(f"I will configure directory {config.directory}.")
    roots = partition_roots(config)
    for root in roots:
        print(f"I saw partition {root}.")
    print("done")
    if not roots:
        raise Fatal(f"No partition defined in {config.path}", os.EX_CONFIG)
    print(f"configuring {config.directory}...")
    complete = _make_tree(config.directory, _CONFIG)
    for root in roots:
        print(f"creating {root}...")
        complete &= _make_tree(root, _PARTITION)
    print("done")
    return os.EX_OK if complete else os.EX_CANTCREAT


main = tool.main(mkimap)


def partition_roots(config: Config) -> list[str]:
    """Every directory that some partition, meta- or archive partition is in, each once."""
    found = [text for name, text in config.overflow_items() if name.startswith(_SETTINGS)]
    return list(dict.fromkeys(found))


def _make_tree(root: str, names: tuple[str, ...]) -> bool:
    """Make what can be made; False when something is missing in the end."""
    complete = _make(root)
    for name in names:
        complete &= _make(f"{root}/{name}")
    return complete


def _make(path: str) -> bool:
    try:
        os.makedirs(path, 0o755, exist_ok=True)
    except OSError as error:
        print(f"can't create {path}: {error.strerror}", file=sys.stderr)
        return False
    return True
