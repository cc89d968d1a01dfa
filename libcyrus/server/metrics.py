"""What a service counts for Prometheus (option ``prometheus_enabled``), as promstatsd collects it.

Each process keeps its numbers in a file named by its pid, in ``prometheus_stats_dir`` or
``configdirectory/stats``. When it ends it adds them to ``doneprocs.SERVICE``, under a lock on
``.doneprocs.lock``, so that nothing is counted twice. In the byte order of the machine::

    0     ident     char[512]   the service, ended by NUL
    512   metrics   452 times   value: double; last change in milliseconds since 1970: int64

``metric_table`` says what is in which place. The original removes the lock file while it holds the lock, so
whoever got the lock must see whether it is still one that others will ask for.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from struct import Struct

from libcyrus import options as opt
from libcyrus.base import lock
from libcyrus.config import Config
from libcyrus.errors import Fatal
from libcyrus.server import metric_table

log = logging.getLogger(__name__)

REPORT = "report.txt"
"""What promstatsd makes of the files."""

_IDENT_SIZE = 512
_METRIC = Struct("=dq")
_DONE = "doneprocs"

Numbers = dict[int, tuple[float, int]]
"""By place: the value, and when it changed last, in milliseconds since 1970."""


class Metrics:
    """The numbers of this process; the file is made by the first one.

    ``protocol``: ``imap``, ``lmtp`` or ``http``.
    """

    def __init__(self, config: Config, protocol: str) -> None:
        """Raises Fatal (EX_CONFIG) for a ``prometheus_stats_dir`` that is relative or the root."""
        self._directory = directory(config)
        self._ident = config.ident
        self._protocol = protocol
        self._places = metric_table.places()
        self._numbers: Numbers = {}
        self._fd = -1

    @classmethod
    def from_config(cls, config: Config, protocol: str) -> Metrics | None:
        """None where nobody wants numbers."""
        return cls(config, protocol) if config[opt.prometheus_enabled] else None

    def add(self, name: str, number: float = 1) -> None:
        """Count; a gauge may also go down. What cannot be written is logged, and lost."""
        place = self._places[f"{self._protocol}_{name}"]
        value = self._numbers.get(place, (0.0, 0))[0] + number
        self._numbers[place] = value, int(time.time() * 1000)
        try:
            if self._fd < 0:
                self._create()
            lock.exclusive(self._fd)
            try:
                os.pwrite(self._fd, _METRIC.pack(*self._numbers[place]), _offset(place))
            finally:
                lock.release(self._fd)
        except OSError as error:
            log.error("IOERROR: unable to write statistics: %s: %s", self._path(), error.strerror)

    def knows(self, name: str) -> bool:
        return f"{self._protocol}_{name}" in self._places

    def connected(self) -> None:
        """A client has come."""
        self.add("ready_listeners", -1)
        self.add("active_connections")

    def disconnected(self) -> None:
        self.add("active_connections", -1)
        self.add("ready_listeners")

    def close(self, *, failed: bool) -> None:
        """This process ends: leave its numbers with those of the others that ended."""
        if self._fd < 0:
            return
        self.add("ready_listeners", -1)
        self.add("shutdown_total_status_error" if failed else "shutdown_total_status_ok")
        try:
            with _nobody_ends(self._directory):
                self._accumulate()
                # promstatsd -c may have been there
                with suppress(FileNotFoundError):
                    os.unlink(self._path())
        except OSError as error:
            log.error("IOERROR: unable to keep statistics: %s: %s", self._path(), error.strerror)
        os.close(self._fd)
        self._fd = -1

    def _accumulate(self) -> None:
        # whoever reads or writes it holds the lock that we hold
        path = os.path.join(self._directory, f"{_DONE}.{self._ident}")
        done: Numbers = {}
        with suppress(FileNotFoundError):
            done = _read(path)[1]
        _add(done, self._numbers)
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            os.pwrite(fd, _pack(self._ident, done), 0)
        finally:
            os.close(fd)

    def _create(self) -> None:
        """Make the file, which appears as a whole: the original's promstatsd takes an empty one amiss."""
        os.makedirs(self._directory, 0o755, exist_ok=True)
        new = os.path.join(self._directory, f".{os.getpid()}.new")
        fd = os.open(new, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
        try:
            os.pwrite(fd, _pack(self._ident, self._numbers), 0)
            os.rename(new, self._path())
        except OSError:
            os.close(fd)
            raise
        self._fd = fd

    def _path(self) -> str:
        return os.path.join(self._directory, str(os.getpid()))


def directory(config: Config) -> str:
    """Where the files are. Raises Fatal (EX_CONFIG) for a path that is relative or the root."""
    path = config[opt.prometheus_stats_dir]
    if path is None:
        return os.path.join(config.directory, "stats")
    if not path.startswith("/"):
        raise Fatal("prometheus_stats_dir must be fully qualified", os.EX_CONFIG)
    if len(path) < 2:
        raise Fatal("prometheus_stats_dir must not be '/'", os.EX_CONFIG)
    return path


def collect(path: str) -> dict[str, Numbers]:
    """The numbers of all processes that live or have ended, added up by service.

    ``path`` is the directory. Numbers that nobody ever changed are not there. Raises OSError.
    """
    found: dict[str, Numbers] = {}
    with _nobody_ends(path):
        for name in os.listdir(path):
            if not (name[:1].isdigit() or name.startswith("d")):
                continue
            with suppress(OSError):
                ident, numbers = _read(os.path.join(path, name))
                if ident:
                    _add(found.setdefault(ident, {}), numbers)
    return found


def clean(path: str) -> None:
    """Remove all files of the directory ``path``: nothing is counted any more. Raises OSError."""
    with suppress(FileNotFoundError):
        for name in os.listdir(path):
            if not name.startswith("."):
                with suppress(OSError):
                    os.unlink(os.path.join(path, name))


@contextmanager
def _nobody_ends(path: str) -> Iterator[None]:
    """Hold the lock without which no process moves its numbers to those of the ended ones."""
    name = os.path.join(path, f".{_DONE}.lock")
    fd = _take_lock(name)
    while fd < 0:
        fd = _take_lock(name)
    try:
        yield
    finally:
        lock.release_and_close(fd)


def _take_lock(path: str) -> int:
    """The descriptor of the file, made if need be and locked; -1 if it was removed in the meantime."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    with suppress(FileNotFoundError):
        lock.exclusive(fd)
        if os.stat(path).st_ino == os.fstat(fd).st_ino:
            return fd
    lock.release_and_close(fd)
    return -1


def _read(path: str) -> tuple[str, Numbers]:
    """One file. What was cut off counts as zero, as it does where files of other versions are longer."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        lock.shared(fd)
        data = os.read(fd, _size())
    finally:
        lock.release_and_close(fd)
    if len(data) < _IDENT_SIZE:
        return "", {}
    ident = os.fsdecode(data[:_IDENT_SIZE].partition(b"\0")[0])
    whole = _IDENT_SIZE + (len(data) - _IDENT_SIZE) // _METRIC.size * _METRIC.size
    numbers = enumerate(_METRIC.iter_unpack(data[_IDENT_SIZE:whole]))
    return ident, {place: (value, changed) for place, (value, changed) in numbers if changed}


def _add(numbers: Numbers, more: Numbers) -> None:
    for place, (value, changed) in more.items():
        before, last = numbers.get(place, (0.0, 0))
        numbers[place] = before + value, max(last, changed)


def _pack(ident: str, numbers: Numbers) -> bytearray:
    data = bytearray(os.fsencode(ident)[: _IDENT_SIZE - 1].ljust(_size(), b"\0"))
    for place, (value, changed) in numbers.items():
        _METRIC.pack_into(data, _offset(place), value, changed)
    return data


def _size() -> int:
    return _offset(len(metric_table.places()))


def _offset(place: int) -> int:
    return _IDENT_SIZE + place * _METRIC.size
