"""What a selected mailbox looks like to a protocol front end, and how it reports news.

The front end owns the words of the protocol, the view owns the message numbers. A view keeps two
pictures: the mailbox as it is, and the mailbox as the client was last told. `SelectedView.changes`
moves the second picture to the first and returns the difference as plain values, in the order in which
they must be sent (RFC 3501 section 7; section 5.5 on when an EXPUNGE may be sent):

1. `expunged`: one message number each, every one already counted after those before it; or, to a client
   that wants UIDs (RFC 7162 section 3.2.10), `vanished`;
2. `exists` and `recent`, only if the number of messages differs from what was told;
3. `flag_names_changed`: FLAGS and PERMANENTFLAGS must be sent again;
4. `fetches`: messages whose flags changed since they were last told.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from libcyrus.base.dataclasses import dataclass
from libcyrus.base.seqset import SeqSet


@dataclass(frozen=True, slots=True)
class FlagUpdate:
    """One message's flags; ``flags`` is the finished list, parentheses included, in wire order."""

    msgno: int
    uid: int
    modseq: int
    flags: bytes


@dataclass(frozen=True, slots=True)
class Updates:
    """What the client has not been told yet; the module says in which order to send it.

    ``mailbox_gone``: the mailbox was deleted or renamed away. ``expunged`` then empties the view.
    """

    expunged: Sequence[int] = ()
    vanished: SeqSet | None = None
    exists: int | None = None
    recent: int = 0
    flag_names_changed: bool = False
    fetches: Sequence[FlagUpdate] = ()
    mailbox_gone: bool = False

    def __bool__(self) -> bool:
        told = self.exists is not None or self.flag_names_changed or self.mailbox_gone
        return bool(told or self.expunged or self.fetches)


NOTHING_NEW = Updates()


class SelectedView(Protocol):
    """A mailbox opened by SELECT or EXAMINE.

    Made by ``view.IndexView.open(store, mboxname, userid, auth, readonly=...)``, which raises
    ``MailboxNonexistent``, ``MailboxBadType`` or an ``IoError``; whether the user may read the mailbox is
    for the caller to see from `rights`. Between commands the view holds no lock; `release` says that a
    command is over.
    """

    @property
    def mboxname(self) -> str:
        """The internal mailbox name."""

    @property
    def uniqueid(self) -> str: ...

    @property
    def readonly(self) -> bool:
        """Opened by EXAMINE, or by SELECT under ``readonly: yes``."""

    @property
    def rights(self) -> int:
        """The user's rights as a mask; when ``readonly``, without those that allow a change."""

    @property
    def is_gone(self) -> bool:
        """The mailbox was deleted or renamed away."""

    @property
    def exists(self) -> int:
        """The number of messages, by the client's picture."""

    @property
    def recent(self) -> int: ...

    @property
    def first_unseen(self) -> int:
        """Number of the first message without \\Seen, or 0 if there is none."""

    @property
    def uidvalidity(self) -> int: ...

    @property
    def uidnext(self) -> int: ...

    @property
    def highestmodseq(self) -> int: ...

    @property
    def flag_names(self) -> tuple[str, ...]:
        """The mailbox's user flags, in slot order."""

    @property
    def can_create_flags(self) -> bool:
        """A user flag slot is still free."""

    @property
    def quotaroot(self) -> str | None: ...

    @property
    def with_expunged(self) -> bool:
        """Whether expunged messages are among those that have numbers."""
        ...

    @property
    def watch_path(self) -> str:
        """The cyrus.index file, whose change means that `changes` may have something to say."""

    def changes(self, *, expunges: bool, refresh: bool = True) -> Updates:
        """Take what is new, to be told now; without ``expunges`` no message number may change.

        With ``refresh`` the mailbox is first locked and read again, cheaply if it did not change; without it
        only what a command of this session did or saw is reported. An expunge held back is reported by a
        later call that allows it. Also records \\Recent as given to this session.
        """

    def expunge(self, uids: str | None = None) -> None:
        """Remove the messages marked \\Deleted, or those of them in the UID set; `changes` reports them.

        The caller has checked the right. Raises an ``IoError`` or ``MailboxNonexistent``.
        """

    def release(self) -> None:
        """End of a command: let go of locks and of the open mailbox, keeping what makes reopening cheap."""

    def close(self) -> None:
        """Leave the mailbox without expunging."""
