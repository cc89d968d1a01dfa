"""The boundaries of the multiparts that are open at a point of a message (RFC 2046 section 5.1.1)."""

from __future__ import annotations

from typing import Final

_SPACE: Final = frozenset(b" \t\n\v\f\r")


class Boundaries:
    """A stack of boundaries, outermost first. Many may be open; a line is compared once per length."""

    def __init__(self, *, strict: bool) -> None:
        self._strict = strict
        self._stack: list[bytes] = []
        self._outermost: dict[bytes, int] = {}
        self._lengths: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._stack)

    @property
    def longest(self) -> int:
        """The length in bytes of the longest boundary."""
        return max(self._lengths, default=0)

    def push(self, boundary: bytes) -> None:
        if boundary not in self._outermost:
            self._outermost[boundary] = len(self._stack)
            self._lengths[len(boundary)] = self._lengths.get(len(boundary), 0) + 1
        self._stack.append(boundary)

    def close(self, number: int) -> None:
        """Close boundary ``number`` and all inside it; 0 closes all."""
        while len(self._stack) > number:
            boundary = self._stack.pop()
            if self._outermost[boundary] == len(self._stack):
                del self._outermost[boundary]
                left = self._lengths[len(boundary)] = self._lengths[len(boundary)] - 1
                if not left:
                    del self._lengths[len(boundary)]

    def matches(self, line: bytes) -> bool:
        """Whether a line, its two dashes taken off, is a delimiter; a closing one closes its multipart.

        The outermost boundary that fits counts. The line may be cut off four
        bytes after the longest boundary.
        """
        found = -1
        for length in self._lengths:
            number = self._outermost.get(line[:length], -1)
            if number < 0 or len(line) < length or 0 <= found < number:
                continue
            follows = line[length : length + 2]
            # another boundary may start with this one
            longer = len(follows) > 1 and follows != b"--" and follows[0] and follows[0] not in _SPACE
            if self._strict or not longer:
                found = number
        if found < 0:
            return False
        size = len(self._stack[found])
        if line[size : size + 2] == b"--":
            self.close(found)
        return True
