"""The second part of the report: how many mailboxes there are on each partition, and what was promised there.

A quota root counts in full on every partition where a mailbox lies that it limits, since all of it may come
to be used there. As in the original, the root of a whole domain counts nowhere.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Container, Iterator

from libcyrus.base.dataclasses import dataclass, field
from libcyrus.mboxname import HIERARCHY_SEPARATOR, MboxName
from libcyrus.records.mboxlist import Mboxlist
from libcyrus.records.quota import NAMES, QuotaDb
from libcyrus.server.metric_table import escaped

# nearly every N record begins like this (see records.mbentry): a kind without flags, so no tombstone
_HEAD = re.compile(rb'%\(T [a-ce-z] (?:I [^ "(){}]+ )?P ([^ "(){}]+) ')


@dataclass(slots=True)
class Partition:
    """What lies on one partition; ``committed`` goes by ``quota.Resource``, in its units."""

    users: int = 0
    mailboxes: int = 0
    deleted: int = 0
    shared: dict[str, int] = field(default_factory=dict)
    committed: list[float] = field(default_factory=lambda: [0.0] * len(NAMES))


def count(mailboxes: Mboxlist, quotas: QuotaDb) -> dict[str, Partition]:
    """Go through both databases once, each. By the name of the partition."""
    rules = mailboxes.rules
    limits = {rules.from_internal(quota.root).dbname: quota.limits for quota in quotas.all()}
    found: dict[str, Partition] = {}
    places: dict[str, set[str]] = {}
    for dbname, partition in _records(mailboxes):
        _count_one(found.setdefault(partition, Partition()), rules.from_db(dbname))
        root = _root_of(dbname, limits) if limits else None
        if root is not None:
            places.setdefault(root, set()).add(partition)
    for root, partitions in places.items():
        for name in partitions:
            committed = found[name].committed
            for resource, limit in enumerate(limits[root]):
                committed[resource] += limit if limit >= 0 else math.inf
    return found


def render(found: dict[str, Partition], stamp: int) -> str:
    """The text; ``stamp`` is in milliseconds since 1970."""
    partitions = [(escaped(name), partition) for name, partition in sorted(found.items())]

    def simple(metric: str, text: str, value: Callable[[Partition], int]) -> str:
        lines = [
            f'{metric}{{partition="{name}"}} {value(partition)} {stamp}\n' for name, partition in partitions
        ]
        return _heading(metric, text) + "".join(lines)

    shared = "cyrus_usage_shared_mailboxes"
    committed = "cyrus_usage_quota_commitment"
    parts = [
        simple("cyrus_usage_deleted_mailboxes", "The number of deleted Cyrus mailboxes", lambda p: p.deleted),
        simple("cyrus_usage_users", "The number of Cyrus user Inboxes", lambda p: p.users),
        simple("cyrus_usage_mailboxes", "The number of Cyrus mailboxes", lambda p: p.mailboxes),
        _heading(shared, "The number of shared Cyrus mailboxes"),
    ]
    for name, partition in partitions:
        for namespace, number in sorted(partition.shared.items()):
            label = f'partition="{name}",namespace="{escaped(namespace)}"'
            parts.append(f"{shared}{{{label}}} {number} {stamp}\n")
    parts.append(_heading(committed, "The amount of quota committed"))
    for name, partition in partitions:
        for resource, amount in zip(NAMES, partition.committed, strict=True):
            parts.append(f'{committed}{{partition="{name}",resource="{resource}"}} {amount:.0f} {stamp}\n')
    return "".join(parts)


def _heading(metric: str, text: str) -> str:
    return f"# HELP {metric} {text}\n# TYPE {metric} gauge\n"


def _records(mailboxes: Mboxlist) -> Iterator[tuple[str, str]]:
    """Database name and partition of every mailbox; what is only a place in the tree has none."""
    for key, data in mailboxes.db.foreach(b"N"):
        head = _HEAD.match(data)
        dbname = key[1:].decode("utf-8", "surrogateescape")
        if head is not None:
            yield dbname, head[1].decode("utf-8", "surrogateescape")
            continue
        entry = mailboxes.entry_of_record(key, data)
        if entry is not None and entry.partition and not entry.deleted:
            yield dbname, entry.partition


def _count_one(partition: Partition, name: MboxName) -> None:
    if name.deleted:
        partition.deleted += 1
    elif name.localpart is None:
        if name.boxes:
            partition.shared[name.boxes[0]] = partition.shared.get(name.boxes[0], 0) + 1
    else:
        partition.users += not name.boxes
        partition.mailboxes += 1


def _root_of(dbname: str, roots: Container[str]) -> str | None:
    """The quota root that limits a mailbox."""
    while dbname and dbname not in roots:
        dbname = dbname.rpartition(HIERARCHY_SEPARATOR)[0]
    return dbname or None
