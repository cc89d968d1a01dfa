"""Which events are told, and telling them.

The options ``event_notifier`` (without one nothing is told), ``event_groups``, ``event_extra_params``,
``event_exclude_flags``, ``event_exclude_specialuse``, ``event_content_inclusion_mode`` and
``event_content_size`` decide.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from libcyrus import options as opt
from libcyrus.base.dataclasses import dataclass
from libcyrus.config import Config
from libcyrus.events.mboxevent.event import MboxEvent
from libcyrus.events.mboxevent.kinds import GROUPS, NAMES, EventType
from libcyrus.events.mboxevent.params import Param, expected
from libcyrus.events.notify import Notifier

_ALL_FOLDERS: Final = "all"


@dataclass(frozen=True, slots=True)
class Content:
    """How much of a new message its event carries, as configured; a ``limit`` of 0 octets is none."""

    mode: str
    limit: int

    def span(self, size: int, header_size: int) -> tuple[int, int] | None:
        """From where to where, of a message with these sizes; None for nothing at all."""
        limit = self.limit
        match self.mode:
            case "message":
                return 0, min(size, limit) if limit else size
            case "header":
                return 0, min(header_size, limit) if limit else header_size
            case "body":
                return header_size, min(size, header_size + limit) if limit else size
            case "headerbody":
                return 0, min(size, header_size + limit) if limit else size
        return (0, size) if not limit or size <= limit else None


class EventSender:
    """Makes events and sends them to notifyd. Made after fork, where ``event_notifier`` is set.

    ``session_id`` and ``client_id`` are those of whom this process serves.
    """

    def __init__(self, config: Config) -> None:
        self._method = config[opt.event_notifier] or ""
        self._notifier = Notifier(config)
        self._ident = config.ident
        self.servername: str = config.servername
        enabled = EventType.CANCELLED
        for word in config[opt.event_groups]:
            enabled |= GROUPS[word]
        extra = config[opt.event_extra_params]
        self._expected = {kind: expected(kind, extra) for kind in NAMES if kind & enabled}
        self._excluded_flags = frozenset((config[opt.event_exclude_flags] or "").lower().split())
        words = (config[opt.event_exclude_specialuse] or "").split()
        self.inboxes_only = any(word.lower() == _ALL_FOLDERS for word in words)
        self.excluded_uses = frozenset(words)
        self.content = Content(
            config[opt.event_content_inclusion_mode], max(0, config[opt.event_content_size])
        )
        self.session_id: object = ""
        self.client_id = ""

    def new(self, kind: EventType) -> MboxEvent | None:
        """An event that happens now; None if nobody wants to hear of such."""
        wanted = self._expected.get(kind)
        if wanted is None:
            return None
        event = MboxEvent(kind, wanted)
        event.put_if_wanted(Param.SERVICE, self._ident)
        event.put_if_wanted(Param.SERVERFQDN, self.servername)
        event.put_if_wanted(Param.SESSIONID, str(self.session_id))
        event.put_if_wanted(Param.CLIENT_ID, self.client_id)
        event.put_if_wanted(Param.SESSION_ID, str(self.session_id))
        return event

    def told_flags(self, names: Iterable[str]) -> list[str]:
        """Flags without those of ``event_exclude_flags``."""
        return [name for name in names if name.lower() not in self._excluded_flags]

    def send(self, *events: MboxEvent | None) -> None:
        """Send what is complete of them, in this order; never holding up the caller.

        A failure is in the log only. Of two events in a row that set and clear flags, one that clears \\Seen
        goes first, since more messages are unseen after it.
        """
        queue = [event for event in events if event is not None]
        for number in range(len(queue) - 1):
            if queue[number].kind == EventType.FLAGS_SET and queue[number + 1].unsees:
                queue[number : number + 2] = queue[number + 1], queue[number]
        for event in queue:
            if event.is_complete:
                for text in event.texts():
                    self._notifier.notify(
                        self._method, "EVENT", message=text, shorter=event.without_content()
                    )

    def close(self) -> None:
        self._notifier.close()
