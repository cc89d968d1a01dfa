"""LIST asked again: what was answered the last time, while nothing that it depends on has changed."""

from __future__ import annotations

from libcyrus.base import files
from libcyrus.base.dataclasses import dataclass
from libcyrus.mailbox.mailstore import MailStore

_LONGEST_REMEMBERED = 32 * 1024
_MOST_REMEMBERED = 4


@dataclass(frozen=True, slots=True)
class Listed:
    """The finished responses to one LIST, and how many names were looked at for them."""

    lines: bytes
    calls: int


class Repeated:
    """What a session's last LIST commands were answered: clients ask again and again.

    An answer is good as long as mailboxes.db and the annotations, which are all it depends on within a
    session, are in the state that they were in before it was found (see ``files.settled_state``).
    """

    def __init__(self) -> None:
        self._known: dict[str, tuple[object, Listed]] = {}

    def get(self, state: object, pattern: str) -> Listed | None:
        known = self._known.get(pattern)
        return known[1] if known is not None and state is not None and known[0] == state else None

    def put(self, state: object, pattern: str, listed: Listed) -> None:
        """Remember an answer found when the files were in ``state`` (see state_of); None is no good state."""
        if state is None or len(listed.lines) > _LONGEST_REMEMBERED:
            return
        if len(self._known) >= _MOST_REMEMBERED:
            self._known.clear()
        self._known[pattern] = (state, listed)


def state_of(store: MailStore) -> object:
    """What tells a changed list of mailboxes from an unchanged one; None if it changed just now."""
    states: list[tuple[int, int, int] | None] = []
    for path in (store.mboxlist.path, store.annotations.path):
        try:
            state = files.settled_state(path)
        except FileNotFoundError:
            states.append(None)
            continue
        except OSError:
            return None
        if state is None:
            return None
        states.append(state)
    return tuple(states)
