"""The conversation with a program over its standard input and output.

Pipes, not a socket: mail programs look at what their standard input is, and believe that a socket leads
to a client of the network.
"""

from __future__ import annotations

import os
import select
import subprocess
import time

from libcyrus.prot.errors import ConnectionClosed, IdleTooLong, LineTooLong

LONGEST_LINE = 64 * 1024
_TO_END = 5.0
"""Seconds that the program has to end by itself once its input is closed."""


class ProgramPipe:
    """``timeout`` is the longest silence in seconds. Raises OSError if the program cannot be started."""

    host = "localhost"

    def __init__(self, arguments: list[str], program: str, *, timeout: float) -> None:
        self._process = subprocess.Popen(
            arguments, executable=program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
        )
        assert self._process.stdin is not None and self._process.stdout is not None
        self._in = self._process.stdout.fileno()
        self._out = self._process.stdin.fileno()
        os.set_blocking(self._out, False)
        self._timeout = timeout
        self._buffer = b""

    def send(self, *lines: bytes) -> None:
        self.write(b"".join(line + b"\r\n" for line in lines))

    def write(self, data: bytes) -> None:
        view = memoryview(data)
        deadline = time.monotonic() + self._timeout
        while view:
            self._wait(select.POLLOUT, deadline)
            try:
                written = os.write(self._out, view)
            except BlockingIOError:
                continue
            except OSError as error:
                raise ConnectionClosed(f"the program is gone: {error.strerror}") from error
            view = view[written:]
            deadline = time.monotonic() + self._timeout

    def flush(self) -> None:
        """Nothing is held back."""

    def receive(self) -> bytes:
        deadline = time.monotonic() + self._timeout
        while (end := self._buffer.find(b"\n")) < 0:
            if len(self._buffer) > LONGEST_LINE:
                raise LineTooLong("line too long")
            self._wait(select.POLLIN, deadline)
            block = os.read(self._in, LONGEST_LINE)
            if not block:
                raise ConnectionClosed("the program has ended")
            self._buffer += block
        line, self._buffer = self._buffer[:end], self._buffer[end + 1 :]
        return line.rstrip(b"\r")

    def receive_literal(self, size: int) -> bytes:
        raise ConnectionClosed("this protocol has no literals")

    def arrives(self, seconds: float) -> bool:
        if self._buffer:
            return True
        poll = select.poll()
        poll.register(self._in, select.POLLIN)
        return bool(poll.poll(seconds * 1000))

    def close(self) -> None:
        """Close both ends; a program that does not end then is killed."""
        process = self._process
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
        try:
            process.wait(_TO_END)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _wait(self, event: int, deadline: float) -> None:
        poll = select.poll()
        poll.register(self._in if event == select.POLLIN else self._out, event)
        if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
            raise IdleTooLong("the program takes too long")
