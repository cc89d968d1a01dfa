"""Which directory holds what of a mailbox, and which partition a new one goes to.

Every partition has a root for messages, and may have others for archived messages and for metadata files (all
of one partition, ``metapartition-NAME``, or one kind of file, ``metadir-KIND-NAME``). Below a root the
directory of a mailbox is ``uuid/A/B/ID``, or in the old layout follows its name.
"""

from __future__ import annotations

import enum
import logging
import os
import random
from typing import Protocol

from libcyrus import options as opt
from libcyrus.base import files, xlog
from libcyrus.base.dataclasses import dataclass
from libcyrus.config import Config
from libcyrus.errors import PartitionUnknown
from libcyrus.mboxname import NameRules, id_path, name_path

log = logging.getLogger(__name__)

MAX_PARTITION_LEN = 64
MAX_MAILBOX_PATH = 4096


class Meta(enum.Enum):
    """The metadata files: the word of ``metapartition_files``, and the file's name."""

    HEADER = "header", "cyrus.header"
    INDEX = "index", "cyrus.index"
    CACHE = "cache", "cyrus.cache"
    EXPUNGE = "expunge", "cyrus.expunge"
    SQUAT = "squat", "cyrus.squat"
    ANNOTATIONS = "annotations", "cyrus.annotations"
    DAV = "dav", "cyrus.dav"
    ARCHIVECACHE = "archivecache", "cyrus.cache"

    @property
    def kind(self) -> str:
        return self.value[0]

    @property
    def filename(self) -> str:
        return self.value[1]


class Placed(Protocol):
    """What has a place on disk: an MboxEntry, for one."""

    @property
    def name(self) -> str: ...

    @property
    def partition(self) -> str | None: ...

    @property
    def path_id(self) -> str | None:
        """The unique id in the path, None for the layout by name."""


class Partitions:
    """Paths by configuration. They are strings without a trailing slash; nothing is looked up on disk."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._rules = NameRules.from_config(config)
        self._selector: Selector | None = None

    def root(self, partition: str | None) -> str:
        """The spool root. Raises PartitionUnknown."""
        root = self._config.partition_dir(partition) if partition is not None else None
        if root is None:
            raise PartitionUnknown
        return root

    def data_dir(self, place: Placed) -> str:
        """The directory of the messages."""
        return self._below(self.root(place.partition), place)

    def archive_dir(self, place: Placed) -> str:
        """The directory of archived messages; without an archive partition the ordinary one."""
        root = self._config.archive_dir(place.partition) if place.partition is not None else None
        return self._below(root or self.root(place.partition), place)

    def meta_dir(self, place: Placed, kind: Meta | None = None) -> str:
        """The directory of one metadata file, or (None) of the metapartition as such."""
        partition = place.partition
        root = None
        if partition is not None:
            root = self._config.metapartition_dir(partition, kind.kind if kind is not None else "")
            if root is None and kind is Meta.ARCHIVECACHE:
                root = self._config.archive_dir(partition)
        return self._below(root or self.root(partition), place)

    def check(self, partition: str) -> None:
        """Raise PartitionUnknown for a partition that no mailbox can be made on."""
        if len(partition) > MAX_PARTITION_LEN:
            raise PartitionUnknown
        self.root(partition)

    def select(self) -> str:
        """The partition for a mailbox that has no parent and was given none. Raises PartitionUnknown.

        ``defaultpartition`` if set, otherwise by ``partition_select_mode`` and the free space.
        """
        default = self._config[opt.defaultpartition]
        if default:
            self.check(default)
            return default
        if self._selector is None:
            self._selector = Selector.from_config(self._config)
        partition = self._selector.select()
        if partition is None:
            raise PartitionUnknown
        self.check(partition)
        return partition

    def _below(self, root: str, place: Placed) -> str:
        if place.path_id is not None:
            path = f"{root}/{id_path(place.path_id)}"
        else:
            path = name_path(root, self._rules.from_internal(place.name))
        if len(path) >= MAX_MAILBOX_PATH:
            raise PartitionUnknown
        return path


@dataclass(frozen=True, slots=True)
class FreeSpace:
    """In KiB: what all partitions' file systems have together, and the one with the most percents free."""

    available: int
    total: int
    best_available: int
    best_total: int


def free_space(config: Config) -> FreeSpace:
    """Measured now. Two partitions on one file system count once."""
    by_device: dict[int, _Choice] = {}
    for choice in Selector.from_config(config).measured():
        by_device.setdefault(choice.device, choice)
    spaces = list(by_device.values())
    best = max(
        (space for space in spaces if 0 < space.available <= space.total),
        key=lambda space: space.available / space.total,
        default=_Choice("", ""),
    )
    return FreeSpace(
        sum(space.available for space in spaces),
        sum(space.total for space in spaces),
        best.available,
        best.total,
    )


@dataclass
class _Choice:
    name: str
    root: str
    device: int = 0
    available: int = 0
    total: int = 0
    weight: float = 0.0


class Selector:
    """Chooses among partitions by free space, as the modes of ``partition_select_mode`` say.

    A partition that is fuller than ``soft_limit`` percent is chosen only if all are. Free space is asked for
    again after ``reinit`` choices (0: never).
    """

    def __init__(self, roots: dict[str, str], mode: str, *, soft_limit: int = 0, reinit: int = 0) -> None:
        self._choices = [_Choice(name, root) for name, root in roots.items()]
        self._mode = mode
        self._soft_free = 100.0 - soft_limit
        self._reinit = reinit
        self._count = 0
        self._random = mode == "random"
        self._weigh()

    @classmethod
    def from_config(cls, config: Config) -> Selector:
        excluded = (config[opt.partition_select_exclude] or "").replace(",", " ").split()
        roots = {
            name: root
            for name in config.partitions()
            if name not in excluded and (root := config.partition_dir(name)) is not None
        }
        return cls(
            roots,
            config[opt.partition_select_mode],
            soft_limit=config[opt.partition_select_soft_usage_limit],
            reinit=config[opt.partition_select_usage_reinit],
        )

    def select(self) -> str | None:
        """A partition's name; None when there is none to choose."""
        self._count += 1
        if self._reinit > 0 and self._count > self._reinit:
            self._weigh()
            self._count = 1
        usable = [choice for choice in self._choices if choice.weight]
        if not usable:
            return None
        if self._random:
            return random.choice(usable).name
        if self._mode == "freespace-most":
            return max(usable, key=lambda choice: choice.available).name
        if self._mode == "freespace-percent-most":
            return max(usable, key=lambda choice: choice.weight).name
        return random.choices(usable, [choice.weight for choice in usable])[0].name

    def measured(self) -> list[_Choice]:
        """All partitions to choose from, with their space."""
        for choice in self._choices:
            self._measure(choice)
        return self._choices

    def _weigh(self) -> None:
        self._random = self._mode == "random"
        if not self._random:
            devices: set[int] = set()
            for choice in self._choices:
                self._measure(choice)
                if self._mode in ("freespace-most", "freespace-percent-most"):
                    # two partitions on one file system count once
                    if choice.device in devices:
                        choice.weight = 0.0
                        continue
                    devices.add(choice.device)
                choice.weight = 100.0 * choice.available / choice.total if choice.total > 0 else -1.0
                if not 0.0 <= choice.weight <= 100.0:
                    self._random = True
        if self._random:
            for choice in self._choices:
                choice.weight = 50.0
            return
        roomy = [choice.weight for choice in self._choices if choice.weight > self._soft_free]
        least = min(roomy or [choice.weight for choice in self._choices], default=0.0)
        for choice in self._choices:
            if roomy and choice.weight <= self._soft_free:
                choice.weight = 0.0
            elif self._mode == "freespace-percent-weighted-delta":
                # half a percent keeps the fullest one in play
                choice.weight = max(0.0, choice.weight - least + 0.5)

    def _measure(self, choice: _Choice) -> None:
        choice.device = choice.available = choice.total = 0
        try:
            try:
                status = os.statvfs(choice.root)
            except FileNotFoundError:
                files.mkdirs(choice.root)
                status = os.statvfs(choice.root)
        except OSError as error:
            xlog.ioerror(log, "statvfs", error, path=choice.root)
            return
        choice.device = status.f_fsid
        choice.available = status.f_bavail * status.f_frsize // 1024
        choice.total = status.f_blocks * status.f_frsize // 1024
