r"""The batch language of ``cyr_dbtool``: one command a line, keys and values as IMAP strings.

``BEGIN``, ``SHOW [prefix]``, ``SET key value``, ``GET key``, ``DELETE key``,
``COMMIT``, ``ABORT``. A string is an atom, ``"quoted"`` or ``{size+}`` CRLF and
so many bytes. Answers are records, ``key SP value LF``, in the same syntax. A
command outside BEGIN and COMMIT is a transaction of its own. A last line
without its end is not carried out; what was begun and not committed is undone.
"""

from __future__ import annotations

import re
from typing import BinaryIO

from libcyrus.errors import BadParameters, CyrusError, MailboxLocked, MailboxNonexistent, NotFound

from .interface import Database, Records, Transaction

_ATOM = re.compile(rb"[\x1f\x21\x23-\x24\x26-\x27\x2b-\x5b\x5d-\x7a\x7c-\x7e]{1,1023}")
_QUOTED = re.compile(rb"[^\0\r\n\"\\%\x80-\xff]*")
_LONGEST_QUOTED = 1024
_WORD_ENDS = b' \t\n\v\f\r()"'


def run(database: Database, commands: BinaryIO, answers: BinaryIO) -> str | None:
    """Carry out all commands; returns None, or the original's message about the one that failed."""
    return _Batch(database, commands, answers).run()


def atom_or_string(text: bytes) -> bytes:
    """``text`` as the shortest of atom, quoted string and literal that can hold it."""
    if not text:
        return b'""'
    if _ATOM.fullmatch(text) and text != b"NIL":
        return text
    if len(text) < _LONGEST_QUOTED and _QUOTED.fullmatch(text):
        return b'"%b"' % text
    return b"{%d}\r\n%b" % (len(text), text)


class _Batch:
    def __init__(self, database: Database, commands: BinaryIO, answers: BinaryIO) -> None:
        self._database = database
        self._in = commands
        self._out = answers
        self._begun = False
        self._transaction: Transaction | None = None

    def run(self) -> str | None:
        line = 0
        word = b""
        try:
            while True:
                line += 1
                word, after = self._word()
                if not after:
                    return None
                words: list[bytes] = []
                while after == b" " and len(words) < 2:
                    text, after = self._string()
                    words.append(text)
                if after == b"\r":
                    after = self._in.read(1)
                if after != b"\n":
                    raise BadParameters()
                if word:
                    self._execute(word, *(words + [b"", b""])[:2])
        except CyrusError as error:
            return f"FAILED: line {line} at cmd {word.decode('utf-8', 'surrogateescape')} with error {error}"
        finally:
            self._out.flush()
            if self._transaction is not None:
                self._transaction.abort()

    def _execute(self, command: bytes, key: bytes, value: bytes) -> None:
        match command:
            case b"BEGIN":
                if self._begun:
                    raise MailboxLocked()
                self._begun = True
            case b"SHOW":
                for record in self._records().foreach(key):
                    self._answer(*record)
                self._out.flush()
            case b"SET":
                self._records().store(key, value)
            case b"GET":
                found = self._records().fetch(key)
                if found is not None:
                    self._answer(key, found)
                    self._out.flush()
            case b"DELETE":
                self._records().delete(key)
            case b"COMMIT" | b"ABORT":
                self._end(command == b"COMMIT")
            case _:
                raise MailboxNonexistent()

    def _records(self) -> Records:
        if not self._begun:
            return self._database
        if self._transaction is None:
            self._transaction = self._database.transaction()
        return self._transaction

    def _end(self, commit: bool) -> None:
        if not self._begun:
            raise NotFound()
        transaction, self._transaction = self._transaction, None
        self._begun = False
        if transaction is not None:
            if commit:
                transaction.commit()
            else:
                transaction.abort()

    def _answer(self, key: bytes, value: bytes) -> None:
        self._out.write(b"%b %b\n" % (atom_or_string(key), atom_or_string(value)))

    def _word(self) -> tuple[bytes, bytes]:
        """The bytes up to white space, a parenthesis or a quote, and that one; it is empty at the end."""
        word = bytearray()
        while True:
            byte = self._in.read(1)
            if not byte or byte in _WORD_ENDS:
                return bytes(word), byte
            word += byte

    def _string(self) -> tuple[bytes, bytes]:
        """One string and the byte behind it; raises ``BadParameters``."""
        first = self._in.read(1)
        if first == b'"':
            return self._quoted(), self._in.read(1)
        if first == b"{":
            return self._literal(), self._in.read(1)
        if not first or first in b" ()\r\n":
            raise BadParameters()
        rest, after = self._word() if first not in _WORD_ENDS else (b"", first)
        return first + rest, after

    def _quoted(self) -> bytes:
        text = bytearray()
        while True:
            byte = self._in.read(1)
            if byte == b"\\":
                byte = self._in.read(1)
            elif byte == b'"':
                return bytes(text)
            if byte in (b"", b"\r", b"\n"):
                raise BadParameters()
            text += byte

    def _literal(self) -> bytes:
        size = bytearray()
        while (byte := self._in.read(1)).isdigit() and len(size) < 10:
            size += byte
        if byte == b"+":
            byte = self._in.read(1)
        if not size or byte != b"}" or self._in.read(2) != b"\r\n":
            raise BadParameters()
        text = self._in.read(int(size))
        if len(text) != int(size):
            raise BadParameters()
        return text
