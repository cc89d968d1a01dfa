"""Looking for a text in message files as they are, nothing decoded: what SCAN asks of a mailbox."""

from __future__ import annotations

import time

from libcyrus.errors import CyrusError
from libcyrus.index import contents
from libcyrus.index.contents import MessageFile
from libcyrus.index.view import IndexView

_PIECE = 1024 * 1024


def contains(view: IndexView, text: bytes, *, max_seconds: float = 0.0) -> bool:
    """Whether any message holds the text, ASCII letters in any case; nothing holds the empty text.

    Messages that cannot be read hold nothing, nor does what was not read after ``max_seconds`` (0: no limit).
    """
    if not text:
        return False
    deadline = time.monotonic() + max_seconds if max_seconds else None
    wanted = text.lower()
    for number in range(1, view.exists + 1):
        if deadline is not None and time.monotonic() > deadline:
            return False
        if view.picture.uids[number - 1] not in view.picture.gone and _message_contains(view, number, wanted):
            return True
    return False


def _message_contains(view: IndexView, number: int, wanted: bytes) -> bool:
    try:
        fields = contents.fields(view, number)
        file = MessageFile(view, number, fields)
        try:
            before = b""
            for offset in range(0, fields.size, _PIECE):
                piece = before + file.read(offset, min(_PIECE, fields.size - offset)).lower()
                if wanted in piece:
                    return True
                before = piece[max(0, len(piece) - len(wanted) + 1) :]
        finally:
            file.close()
    except CyrusError:
        pass
    return False
