"""A buffered two-way stream over one connected socket.

Reading and writing block, with the stream's timeout as the longest silence that is waited through in
either direction. What is written is collected in a list and leaves the process in one piece: when
:meth:`ProtStream.flush` is called, when 128 KiB have gathered, or by itself before a read would
block. Replies to pipelined commands therefore travel together, and a last datum and its tagged answer
share a segment.

A telemetry file, if one is given, receives every block as it crosses the wire (under TLS: the clear
text), marked ``<SECONDS<`` for what came in and ``>SECONDS>`` for what went out.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Protocol

from libcyrus.errors import LayerBroken
from libcyrus.prot.errors import (
    ConnectionClosed,
    IdleTooLong,
    LineTooLong,
    ProtError,
    TlsError,
    Undecodable,
)

if TYPE_CHECKING:
    from libcyrus.prot.deflate import Deflate
    from libcyrus.prot.tls import TlsContext, TlsSession

READ_SIZE = 64 * 1024
LITERAL_READ_SIZE = 256 * 1024
FLUSH_AT = 128 * 1024
SEND_PIECE = 256 * 1024
# reads of what a client sent that nobody wants any more
_MOST_UNREAD = 16


class Writer(Protocol):
    """Where a literal goes: a binary file, or anything else that takes bytes."""

    def write(self, data: bytes, /) -> object: ...


class Layer(Protocol):
    """What protects a connection under a SASL mechanism (``libcyrus.sasl.layer``).

    ``decode`` gives what is whole of what was received so far, perhaps nothing, and raises LayerBroken.
    """

    def encode(self, data: bytes, /) -> bytes: ...

    def decode(self, data: bytes, /) -> bytes: ...


class ProtStream:
    """One connection. ``timeout`` is in seconds, None waits for ever.

    ``before_wait`` is called before each read that may block, and again whenever ``wakeup_fd``
    (the descriptor that signals write to) became readable, which it then has to drain; it may raise
    to end the conversation.
    """

    def __init__(
        self,
        sock: socket.socket,
        *,
        timeout: float | None = None,
        before_wait: Callable[[], None] | None = None,
        wakeup_fd: int | None = None,
    ) -> None:
        self._sock = sock
        self._tls: TlsSession | None = None
        self._layer: Layer | None = None
        self._deflate: Deflate | None = None
        self._buffer = b""
        self._position = 0
        self._pending: list[bytes] = []
        self._pending_size = 0
        self._before_wait = before_wait
        self._wakeup_fd = wakeup_fd
        self._log_fd: int | None = None
        self.bytes_in = 0
        self.bytes_out = 0
        # seconds spent waiting for the network
        self.waited = 0.0
        sock.setblocking(False)
        if sock.family in (socket.AF_INET, socket.AF_INET6):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.timeout = timeout

    # reading

    def readline(self, limit: int) -> bytes:
        """One line with its line feed, at most ``limit`` bytes.

        A last line without line feed is dropped with the connection, as no command is complete
        without one. Raises LineTooLong, ConnectionClosed, IdleTooLong.
        """
        start = self._position
        end = self._buffer.find(b"\n", start, start + limit) + 1
        if end:
            self._position = end
            return self._buffer[start:end]
        pieces = [self._buffer[start:]]
        size = len(pieces[0])
        if size >= limit:
            raise LineTooLong("line too long")
        self._buffer, self._position = b"", 0
        while True:
            try:
                block = self._receive(READ_SIZE)
            except ProtError:
                self._buffer = b"".join(pieces)
                raise
            end = block.find(b"\n", 0, limit - size) + 1
            if end:
                self._buffer, self._position = block, end
                pieces.append(block[:end])
                return b"".join(pieces)
            pieces.append(block)
            size += len(block)
            if size >= limit:
                self._buffer, self._position = b"".join(pieces), 0
                raise LineTooLong("line too long")

    def skip_line(self) -> None:
        """Throw away everything up to and including the next line feed, however long it is."""
        while True:
            end = self._buffer.find(b"\n", self._position) + 1
            if end:
                self._position = end
                return
            self._buffer, self._position = self._receive(READ_SIZE), 0

    def read(self, size: int) -> bytes:
        """Exactly ``size`` bytes. The caller has bounded ``size``."""
        data = self._take(size)
        missing = size - len(data)
        if not missing:
            return data
        pieces = [data]
        while missing:
            block = self._receive(max(READ_SIZE, min(missing, LITERAL_READ_SIZE)))
            if len(block) > missing:
                self._buffer, self._position = block, missing
                block = block[:missing]
            missing -= len(block)
            pieces.append(block)
        return b"".join(pieces)

    def read_some(self, size: int = READ_SIZE) -> bytes:
        """What has arrived, at least one and at most ``size`` bytes; waits if nothing has."""
        data = self._take(size)
        if not data:
            data = self._receive(size)
            if len(data) > size:
                self._buffer, self._position = data, size
                data = data[:size]
        return data

    def unread(self, data: bytes) -> None:
        """Put back bytes just taken by :meth:`read_some`, to be read again first."""
        self._buffer = data + self._buffer[self._position :]
        self._position = 0

    def read_into_file(self, size: int, file: Writer) -> None:
        """Copy a literal of ``size`` bytes to a file in large pieces, never holding all of it.

        An OSError of the file is raised only after the literal has been read to its end, so that
        the conversation can go on.
        """
        failure: OSError | None = None
        missing = size
        while missing:
            data = self._take(missing) or self._receive(LITERAL_READ_SIZE)
            if len(data) > missing:
                self._buffer, self._position = data, missing
                data = data[:missing]
            missing -= len(data)
            if failure is None:
                try:
                    file.write(data)
                except OSError as error:
                    failure = error
        if failure is not None:
            raise failure

    def pending(self) -> bool:
        """Whether a read would return without waiting for the network."""
        if self._position < len(self._buffer):
            return True
        if self._deflate is not None and self._deflate.pending:
            return True
        return self._tls is not None and self._tls.pending() > 0

    def wait_readable(
        self, extra_fds: Iterable[int] = (), timeout: float | None = None
    ) -> list[int]:
        """Flush, then wait until this stream or one of the other descriptors can be read.

        Returns the ready descriptors (this stream's is :meth:`fileno`), empty when ``timeout``
        seconds passed. Input that is already buffered counts as ready at once.
        """
        self.flush()
        own = self._sock.fileno()
        poller = select.poll()
        for fd in extra_fds:
            poller.register(fd, select.POLLIN)
        if self.pending():
            return [own, *(fd for fd, _ in poller.poll(0))]
        poller.register(own, select.POLLIN)
        if self._wakeup_fd is not None:
            poller.register(self._wakeup_fd, select.POLLIN)
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            if self._before_wait is not None:
                self._before_wait()
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            ready = [fd for fd, _ in poller.poll(None if left is None else int(left * 1000) + 1)]
            if ready == [self._wakeup_fd]:
                continue
            if ready or (deadline is not None and time.monotonic() >= deadline):
                return [fd for fd in ready if fd != self._wakeup_fd]

    # writing

    def write(self, data: bytes) -> None:
        """Queue bytes; they leave with the next flush."""
        self._pending.append(data)
        self._pending_size += len(data)
        if self._pending_size >= FLUSH_AT:
            self.flush()

    def writev(self, pieces: Iterable[bytes]) -> None:
        """Queue many pieces, in order."""
        before = len(self._pending)
        self._pending.extend(pieces)
        self._pending_size += sum(map(len, self._pending[before:]))
        if self._pending_size >= FLUSH_AT:
            self.flush()

    def flush(self) -> None:
        """Send all that is queued: one send, unless it is longer than 256 KiB."""
        if not self._pending:
            return
        data = b"".join(self._pending) if len(self._pending) > 1 else self._pending[0]
        self._pending, self._pending_size = [], 0
        if self._log_fd is not None:
            self._log(b">%d>" % int(time.time()), data)
        self.bytes_out += len(data)
        if self._deflate is not None:
            data = self._deflate.deflate(data)
        if self._layer is not None:
            data = self._layer.encode(data)
        if len(data) <= SEND_PIECE:
            self._send(data)
            return
        view = memoryview(data)
        for start in range(0, len(view), SEND_PIECE):
            self._send(view[start : start + SEND_PIECE])

    def discard_output(self) -> None:
        """Forget what was queued and not yet sent."""
        self._pending, self._pending_size = [], 0

    # state

    def discard_input(self) -> None:
        """Throw away what the peer has sent so far, also what is still in the socket."""
        self._buffer, self._position = b"", 0
        with contextlib.suppress(BlockingIOError, OSError):
            for _ in range(_MOST_UNREAD):
                if self._tls is not None or not self._sock.recv(READ_SIZE):
                    break

    def starttls(self, context: TlsContext, *, timeout: float = 360.0) -> TlsSession:
        """Become the server side of a TLS session; whatever came in the clear before is forgotten.

        Call it when the reply that starts the handshake has been written; it is flushed here.
        Raises TlsError when the handshake fails; the connection is then of no further use.
        """
        self.flush()
        self._buffer, self._position = b"", 0
        deadline = time.monotonic() + timeout
        self._tls = context.accept(self._sock, lambda write: self._wait_in_handshake(write, deadline))
        return self._tls

    def starttls_client(
        self,
        context: TlsContext,
        host: str | None = None,
        *,
        resume: TlsSession | None = None,
        timeout: float = 360.0,
    ) -> TlsSession:
        """Become the client side of a TLS session with ``host``, as :meth:`starttls` does the server side."""
        self.flush()
        self._buffer, self._position = b"", 0
        deadline = time.monotonic() + timeout
        self._tls = context.connect(
            self._sock, lambda write: self._wait_in_handshake(write, deadline), host, resume
        )
        return self._tls

    def protect(self, layer: Layer) -> None:
        """Pass everything from now on through a security layer, in both directions (RFC 4422 section 3.7).

        Call it when the reply that ends the exchange has been written; it is flushed here. What the peer
        sent behind its last word is protected already. Raises Undecodable if that is not so.
        """
        self.flush()
        received = self._buffer[self._position :]
        self._buffer, self._position = b"", 0
        self._layer = layer
        self._buffer = self._decoded(received)

    def unprotect(self) -> None:
        """Go back to what is not protected, once what is queued has been sent."""
        self.flush()
        self._layer = None

    def compress(self, deflate: Deflate) -> None:
        """Deflate everything from now on, in both directions (RFC 4978).

        Call it when the reply that announces it has been written; it is flushed here. What the client sent
        behind its command is deflated already.
        """
        self.flush()
        self._deflate = deflate
        deflate.feed(self._buffer[self._position :])
        self._buffer, self._position = b"", 0

    def stop_compressing(self) -> None:
        """Go back to plain text, once what is queued has been sent deflated."""
        self.flush()
        if self._deflate is not None:
            self.unread(self._deflate.rest())
            self._deflate = None

    @property
    def compressed(self) -> bool:
        return self._deflate is not None

    @property
    def tls(self) -> TlsSession | None:
        """The TLS session, None while the conversation is in the clear."""
        return self._tls

    def telemetry(self, fd: int | None) -> None:
        """Copy all traffic from now on to a descriptor (not closed here); None stops."""
        self._log_fd = fd

    def fileno(self) -> int:
        return self._sock.fileno()

    def close(self) -> None:
        """Send what is queued if the peer still takes it, end TLS, close the socket."""
        with contextlib.suppress(ProtError):
            self.flush()
        if self._tls is not None:
            self._tls.shutdown()
        # what is closed unread resets the connection, and our last words may be lost with it
        with contextlib.suppress(OSError):
            for _ in range(_MOST_UNREAD):
                if not self._sock.recv(READ_SIZE):
                    break
        self._sock.close()

    # the socket

    def _take(self, size: int) -> bytes:
        start = self._position
        data = self._buffer[start : start + size]
        self._position = start + len(data)
        return data

    def _receive(self, size: int) -> bytes:
        """A block of what the peer sends, never empty. Queued output goes out first.

        A security layer may have more than ``size`` bytes whole at once.
        """
        if self._deflate is None:
            data = self._receive_clear(size)
        else:
            while not (data := self._deflate.read(size)):
                self._deflate.feed(self._receive_clear(READ_SIZE))
        self.bytes_in += len(data)
        if self._log_fd is not None:
            self._log(b"<%d<" % int(time.time()), data)
        return data

    def _receive_clear(self, size: int) -> bytes:
        """A block as it was before the security layer, if there is one."""
        if self._layer is None:
            return self._receive_raw(size)
        while not (data := self._decoded(self._receive_raw(READ_SIZE))):
            pass
        return data

    def _decoded(self, data: bytes) -> bytes:
        assert self._layer is not None
        try:
            return self._layer.decode(data)
        except LayerBroken as error:
            raise Undecodable(str(error)) from error

    def _receive_raw(self, size: int) -> bytes:
        deadline: float | None = None
        if self._pending:
            self.flush()
            if self._tls is None:
                # the answer to that is still on its way: do not look before it can be there
                if self.timeout is not None:
                    deadline = time.monotonic() + self.timeout
                self._wait(False, deadline)
        while True:
            if self._before_wait is not None:
                self._before_wait()
            try:
                data = self._sock.recv(size) if self._tls is None else self._tls.recv(size)
                break
            except (BlockingIOError, InterruptedError):
                if deadline is None and self.timeout is not None:
                    deadline = time.monotonic() + self.timeout
                self._wait(False, deadline)
            except (OSError, TlsError) as error:
                raise ConnectionClosed(getattr(error, "strerror", None) or str(error)) from error
        if not data:
            raise ConnectionClosed("end of file reached")
        return data

    def _send(self, data: bytes | memoryview) -> None:
        deadline: float | None = None
        while data:
            try:
                sent = self._sock.send(data) if self._tls is None else self._tls.send(data)
            except (BlockingIOError, InterruptedError):
                if deadline is None and self.timeout is not None:
                    deadline = time.monotonic() + self.timeout
                self._wait(True, deadline)
                continue
            except (OSError, TlsError) as error:
                raise ConnectionClosed(getattr(error, "strerror", None) or str(error)) from error
            if sent == len(data):
                return
            deadline = None
            data = memoryview(data)[sent:]

    def _wait_in_handshake(self, write: bool, deadline: float) -> None:
        if self._before_wait is not None:
            self._before_wait()
        self._wait(write, deadline)

    def _wait(self, write: bool, deadline: float | None) -> None:
        """Until the socket is ready or a signal came, or the deadline is over (IdleTooLong)."""
        poller = select.poll()
        poller.register(self._sock, select.POLLOUT if write else select.POLLIN)
        if self._wakeup_fd is not None and not write:
            poller.register(self._wakeup_fd, select.POLLIN)
        left = None
        if deadline is not None:
            left = deadline - time.monotonic()
            if left <= 0:
                raise IdleTooLong("idle for too long")
        began = time.monotonic()
        ready = poller.poll(None if left is None else int(left * 1000) + 1)
        self.waited += time.monotonic() - began
        if not ready:
            raise IdleTooLong("idle for too long")

    def _log(self, mark: bytes, data: bytes) -> None:
        if self._log_fd is not None:
            with contextlib.suppress(OSError):
                os.writev(self._log_fd, [mark, data])
