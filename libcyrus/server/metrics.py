"""What a service counts for Prometheus (option ``prometheus_enabled``), as promstatsd collects it.

Each process keeps its numbers in a file named by its pid, in ``prometheus_stats_dir`` or
``configdirectory/stats``. When it ends it adds them to ``doneprocs.SERVICE``, under a lock on
``.doneprocs.lock``, so that nothing is counted twice. In the byte order of the machine::

    0     ident     char[512]   the service, ended by NUL
    512   metrics   452 times   value: double; last change in milliseconds since 1970: int64

The places of the metrics are the order of the original's definitions, one for each value of a label.
"""

from __future__ import annotations

import logging
import os
import time
from struct import Struct

from libcyrus import options as opt
from libcyrus.base import lock
from libcyrus.config import Config
from libcyrus.errors import Fatal

log = logging.getLogger(__name__)

_IDENT_SIZE = 512
_METRIC = Struct("=dq")
_COUNT = 452
"""Those of other daemons come behind ours."""

_IMAP = (
    "connections_total active_connections ready_listeners shutdown_total_status_ok"
    " shutdown_total_status_error append_total authenticate_total_result_yes authenticate_total_result_no"
    " capability_total compress_total check_total copy_total create_total close_total delete_total"
    " deleteacl_total dump_total expunge_total examine_total fetch_total getacl_total getannotation_total"
    " getmetadata_total getquota_total getquotaroot_total genurlauth_total id_total idle_total logout_total"
    " list_total lsub_total listrights_total myrights_total mupdatepush_total starttls_total store_total"
    " select_total search_total subscribe_total setacl_total setannotation_total setmetadata_total"
    " setquota_total sort_total status_total scan_total thread_total unauthenticate_total unsubscribe_total"
    " unselect_total xbackup_total"
)
_LMTP = (
    "connections_total active_connections ready_listeners shutdown_total_status_ok"
    " shutdown_total_status_error authenticate_total_result_yes authenticate_total_result_no"
    " received_messages_total received_bytes_total received_recipients_total transmitted_messages_total"
    " transmitted_bytes_total"
)
_NAMES = [f"imap_{name}" for name in _IMAP.split()] + [f"lmtp_{name}" for name in _LMTP.split()]
_PLACES = {name: place for place, name in enumerate(_NAMES)}


class Metrics:
    """The numbers of this process; the file is made by the first one. ``protocol``: ``imap`` or ``lmtp``."""

    def __init__(self, config: Config, protocol: str) -> None:
        """Raises Fatal (EX_CONFIG) for a ``prometheus_stats_dir`` that is relative or the root."""
        self._directory = _directory(config)
        self._ident = config.ident
        self._protocol = protocol
        self._values: dict[int, tuple[float, int]] = {}
        self._fd = -1

    @classmethod
    def from_config(cls, config: Config, protocol: str) -> Metrics | None:
        """None where nobody wants numbers."""
        return cls(config, protocol) if config[opt.prometheus_enabled] else None

    def add(self, name: str, number: float = 1) -> None:
        """Count; a gauge may also go down. What cannot be written is logged, and lost."""
        place = _PLACES[f"{self._protocol}_{name}"]
        value = self._values.get(place, (0.0, 0))[0] + number
        self._values[place] = value, int(time.time() * 1000)
        try:
            if self._fd < 0:
                self._create()
            lock.exclusive(self._fd)
            try:
                os.pwrite(self._fd, _METRIC.pack(*self._values[place]), _offset(place))
            finally:
                lock.release(self._fd)
        except OSError as error:
            log.error("IOERROR: unable to write statistics: %s: %s", self._path(), error.strerror)

    def knows(self, name: str) -> bool:
        return f"{self._protocol}_{name}" in _PLACES

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
            with lock.exclusive_file(os.path.join(self._directory, ".doneprocs.lock")):
                self._accumulate()
                os.unlink(self._path())
        except OSError as error:
            log.error("IOERROR: unable to keep statistics: %s: %s", self._path(), error.strerror)
        os.close(self._fd)
        self._fd = -1

    def _accumulate(self) -> None:
        # whoever reads or writes it holds the lock that we hold
        path = os.path.join(self._directory, f"doneprocs.{self._ident}")
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            data = bytearray(os.pread(fd, _offset(_COUNT), 0))
            if len(data) < _offset(_COUNT):
                data = self._empty()
            for place, (value, changed) in self._values.items():
                before, last = _METRIC.unpack_from(data, _offset(place))
                _METRIC.pack_into(data, _offset(place), before + value, max(last, changed))
            os.pwrite(fd, data, 0)
        finally:
            os.close(fd)

    def _create(self) -> None:
        os.makedirs(self._directory, 0o755, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        self._fd = os.open(self._path(), flags, 0o644)
        os.pwrite(self._fd, self._empty(), 0)

    def _empty(self) -> bytearray:
        ident = os.fsencode(self._ident)[: _IDENT_SIZE - 1]
        return bytearray(ident.ljust(_offset(_COUNT), b"\0"))

    def _path(self) -> str:
        return os.path.join(self._directory, str(os.getpid()))


def _offset(place: int) -> int:
    return _IDENT_SIZE + place * _METRIC.size


def _directory(config: Config) -> str:
    path = config[opt.prometheus_stats_dir]
    if path is None:
        return os.path.join(config.directory, "stats")
    if not path.startswith("/"):
        raise Fatal("prometheus_stats_dir must be fully qualified", os.EX_CONFIG)
    if len(path) < 2:
        raise Fatal("prometheus_stats_dir must not be '/'", os.EX_CONFIG)
    return path
