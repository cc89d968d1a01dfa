"""What a script wants done in the end, and what excludes what (RFC 5228 section 2.10.4).

The last of two that file into one mailbox counts. Refusing mail excludes everything but discarding it.
"""

from __future__ import annotations

from collections.abc import Iterator

from libcyrus.base.dataclasses import dataclass
from sieve.run.errors import RunError

MOST_REDIRECTS = 100

Edited = bytes | None
"""The header section of a message that the script has edited, None if it is as it came."""


@dataclass(frozen=True, slots=True)
class Target:
    """A mailbox as a script names it: by id, by special use, by name in UTF-8; the first there is."""

    name: bytes
    mailboxid: bytes | None = None
    specialuse: bytes | None = None
    create: bool = False


@dataclass(frozen=True, slots=True)
class Keep:
    """``mailbox`` is the name that the store knows, resolved when the script ran."""

    mailbox: str
    flags: tuple[bytes, ...]
    edited: Edited
    cancels_keep = True
    label = "Keep"


@dataclass(frozen=True, slots=True)
class Fileinto:
    mailbox: str
    target: Target
    flags: tuple[bytes, ...]
    edited: Edited
    cancels_keep: bool
    label = "Fileinto"


@dataclass(frozen=True, slots=True)
class Redirect:
    """``deliverby`` is the BY value of RFC 2852, ``notify`` and ``ret`` are of RFC 3461."""

    address: bytes
    is_list: bool
    deliverby: str | None
    notify: bytes | None
    ret: bytes | None
    edited: Edited
    cancels_keep: bool
    label = "Redirect"


@dataclass(frozen=True, slots=True)
class Discard:
    cancels_keep = True
    label = "Discard"


@dataclass(frozen=True, slots=True)
class Reject:
    reason: bytes
    extended: bool
    cancels_keep = True

    @property
    def label(self) -> str:
        return "eReject" if self.extended else "Reject"


@dataclass(frozen=True, slots=True)
class Snooze:
    """``times`` are seconds after midnight, ``days`` bits from Sunday on; without ``tzid`` in local time."""

    awaken: Target | None
    addflags: tuple[bytes, ...]
    removeflags: tuple[bytes, ...]
    days: int
    times: tuple[int, ...]
    tzid: bytes | None
    flags: tuple[bytes, ...]
    edited: Edited
    cancels_keep = True
    label = "Snooze"


@dataclass(frozen=True, slots=True)
class Vacation:
    """``handle`` tells one reply from another; ``seconds`` pass before the next to the same sender."""

    to: bytes
    sender: bytes
    subject: bytes
    message: bytes
    mime: bool
    seconds: int
    handle: bytes | None
    fcc: Target | None
    fcc_flags: tuple[bytes, ...]
    cancels_keep = False
    label = "Vacation"


@dataclass(frozen=True, slots=True)
class Notification:
    """``method`` and its options; ``id`` is what DENOTIFY looks at."""

    method: bytes
    id: bytes | None
    sender: bytes | None
    options: tuple[bytes, ...]
    priority: str
    message: bytes


Outcome = Keep | Fileinto | Redirect | Discard | Reject | Snooze | Vacation


class Outcomes:
    """In the order in which they are carried out. The methods raise RunError for what may not be together."""

    def __init__(self) -> None:
        self._list: list[Outcome] = []
        self.notifications: list[Notification] = []
        self.tracked: list[tuple[bytes, int]] = []
        """What DUPLICATE is to remember: ids and seconds."""
        self.error: str | None = None
        """Why the script did not come to its end. Then only the notifications count, and the mail is kept."""

    def __iter__(self) -> Iterator[Outcome]:
        return iter(self._list)

    @property
    def keeps_by_itself(self) -> bool:
        """Whether nothing so far stands in the way of the implicit keep."""
        return not any(outcome.cancels_keep for outcome in self._list)

    def file(self, action: Keep | Fileinto) -> None:
        """KEEP or FILEINTO; an earlier one for the same mailbox goes, of KEEP there is one only."""
        self._check(f"{action.label} can not be used with Reject")
        is_keep = isinstance(action, Keep)
        self._list = [
            other
            for other in self._list
            if not (isinstance(other, Keep | Fileinto) and other.mailbox == action.mailbox)
            and not (is_keep and isinstance(other, Keep))
        ]
        self._list.append(action)

    def snooze(self, action: Snooze) -> None:
        self._check("Snooze can not be used with Reject")
        self._list = [other for other in self._list if not isinstance(other, Snooze)]
        self._list.append(action)

    def redirect(self, action: Redirect) -> None:
        self._check("Redirect can not be used with Reject")
        if sum(isinstance(other, Redirect) for other in self._list) >= MOST_REDIRECTS:
            raise RunError("too many redirects")
        self._list.append(action)

    def discard(self) -> None:
        if not any(isinstance(other, Discard) for other in self._list):
            self._list.append(Discard())

    def vacation(self, action: Vacation) -> None:
        text = "Vacation can not be used with Reject or Vacation"
        self._check(text)
        if any(isinstance(other, Vacation) for other in self._list):
            raise RunError(text)
        self._list.append(action)

    def reject(self, action: Reject) -> None:
        if any(not isinstance(other, Discard) for other in self._list):
            raise RunError("[e]Reject can not be used with any other action")
        self._list.append(action)

    def _check(self, text: str) -> None:
        if any(isinstance(other, Reject) for other in self._list):
            raise RunError(text)
