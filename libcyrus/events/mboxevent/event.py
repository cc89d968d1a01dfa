"""One event: what was found out about it so far, and its texts."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final

from libcyrus.base import times
from libcyrus.base.seqset import SeqSet
from libcyrus.errors import CyrusError, Fatal
from libcyrus.events.mboxevent import kinds
from libcyrus.events.mboxevent.jsontext import Json, dump, dump_or_none
from libcyrus.events.mboxevent.kinds import EventType
from libcyrus.events.mboxevent.params import Param

log = logging.getLogger(__name__)

_TWO_KEYS: Final = (Param.SERVER_ADDRESS, Param.CLIENT_ADDRESS)
_DELETED: Final = "\\Deleted"
_SEEN: Final = "\\Seen"


class MboxEvent:
    """An event of the type ``kind``, which happens now; ``expected`` are the parameters it should have.

    ``cancel`` makes it one that is not sent.
    """

    __slots__ = ("_flags", "_midset", "_old_uids", "_uids", "_values", "expected", "kind", "when")

    def __init__(self, kind: EventType, expected: frozenset[Param]) -> None:
        self.kind = kind
        self.expected = expected
        self.when = time.time()
        self._values: dict[Param, Json] = {Param.PID: os.getpid()}
        self._uids: list[int] = []
        self._old_uids: list[int] = []
        self._midset: dict[bytes, None] = {}
        self._flags: dict[str, str] = {}

    def __contains__(self, param: Param) -> bool:
        """Whether this parameter is known already."""
        return param in self._values

    def wants(self, param: Param) -> bool:
        return param in self.expected

    def put(self, param: Param, value: Json) -> None:
        """Say what a parameter is. A pair for the two with two keys; None is left out."""
        self._values[param] = value

    def put_if_wanted(self, param: Param, value: Json) -> None:
        if param in self.expected:
            self._values[param] = value

    def cancel(self) -> None:
        self.kind = EventType.CANCELLED

    @contextmanager
    def harmlessly(self) -> Iterator[None]:
        """Look something up for it; if that fails, rather tell nothing than let fail what is told of."""
        try:
            yield
        except (CyrusError, Fatal, OSError) as error:
            log.error("mboxevent: nothing is told of something: %s", error)
            self.cancel()

    # messages

    def add_uids(self, uids: Iterable[int]) -> None:
        """These messages too, in ascending order."""
        self._uids.extend(uids)

    def add_old_uids(self, uids: Iterable[int]) -> None:
        """What they were before they were copied."""
        self._old_uids.extend(uids)

    def add_message_id(self, message_id: bytes | None) -> None:
        self._midset.setdefault(b"NIL" if message_id is None else message_id)

    @property
    def count(self) -> int:
        """How many messages it is about."""
        return len(self._uids)

    @property
    def first_uid(self) -> int:
        return self._uids[0] if self._uids else 0

    def forget_uids(self) -> None:
        """The URL says already which message it is."""
        self._uids.clear()

    # flags

    def add_flags(self, names: Iterable[str]) -> None:
        """Of the first spelling of a flag the case is kept."""
        for name in names:
            self._flags.setdefault(name.lower(), name)

    @property
    def unsees(self) -> bool:
        """It takes away \\Seen, so that more messages are unseen after it."""
        return self.kind == EventType.FLAGS_CLEAR and _SEEN.lower() in self._flags

    # text

    @property
    def is_complete(self) -> bool:
        """Whether there is something to tell."""
        if not self.kind:
            return False
        if self.kind & kinds.NEW_MESSAGES:
            return Param.URI in self._values
        if self.kind & (EventType.FLAGS_SET | EventType.FLAGS_CLEAR) and not self._flags:
            return False
        if self.kind & (kinds.MESSAGE_EVENTS | kinds.FLAGS_EVENTS):
            return bool(self._uids)
        if self.kind & kinds.QUOTA_EVENTS:
            # of other resources RFC 5423 knows nothing
            return Param.QUOTA_STORAGE in self._values or Param.QUOTA_MESSAGES in self._values
        return True

    def texts(self) -> list[str]:
        """Its JSON texts: one, but several for flags that have events of their own (RFC 5423 section 4.2)."""
        self.put_if_wanted(Param.TIMESTAMP, times.to_iso8601_local(self.when))
        if self._uids:
            self._values[Param.UIDSET] = str(SeqSet.of(self._uids))
        if self._old_uids:
            self._values[Param.OLD_UIDSET] = str(SeqSet.of(self._old_uids))
        if self._midset:
            self._values[Param.MIDSET] = list(self._midset)
        flags = dict(self._flags)
        found = []
        if self.kind == EventType.FLAGS_SET:
            for name, kind in ((_DELETED, EventType.MESSAGE_TRASH), (_SEEN, EventType.MESSAGE_READ)):
                if flags.pop(name.lower(), None) is not None:
                    found.append(self._text(kind))
        if flags:
            self._values[Param.FLAG_NAMES] = " ".join(flags.values())
        if flags or not found:
            found.append(self._text(self.kind))
        return found

    def without_content(self) -> str | None:
        """The text without the message itself, if that is in it; to be called after ``texts``."""
        if self._values.pop(Param.MESSAGE_CONTENT, None) is None:
            return None
        return self._text(self.kind)

    def _text(self, kind: EventType) -> str:
        members: list[tuple[str, Json]] = [("event", kinds.NAMES[kind])]
        for param in Param:
            if param not in self._values:
                continue
            value = self._values[param]
            if value is None:
                continue
            if param in _TWO_KEYS:
                assert isinstance(value, tuple)
                members += zip(param.value.split(), value, strict=True)
            else:
                members.append((param.value, value))
        texts = ((key, dump_or_none(value)) for key, value in members)
        return "{" + ",".join(f"{dump(key)}:{text}" for key, text in texts if text is not None) + "}"
