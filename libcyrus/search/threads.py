"""THREAD's algorithms (RFC 5256 section 3, and REFS of draft-ietf-morg-inthread): messages in, trees out.

Nothing here is recursive: a thread may be as deep as there are messages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple


class ThreadMessage(NamedTuple):
    """What threading asks of a message: ``place`` orders messages whose dates are equal.

    ``msgid`` is None for a message without one. ``references`` end with the parent. ``date`` is that of the
    header, or when the message came; ``arrival`` is when it came, in seconds.
    """

    place: int
    msgid: bytes | None
    references: Sequence[bytes]
    subject: bytes
    is_reply: bool
    date: int
    arrival: int


class Thread:
    """A node: a message, or None for one that is only referred to, and its children in order."""

    __slots__ = ("children", "message", "parent")

    def __init__(self, message: ThreadMessage | None = None) -> None:
        self.message = message
        self.parent: Thread | None = None
        self.children: list[Thread] = []

    def adopt(self, child: Thread) -> None:
        child.parent = self
        self.children.append(child)

    def nodes(self) -> Iterator[Thread]:
        """This node and all below it, parents first."""
        waiting = [self]
        while waiting:
            node = waiting.pop()
            yield node
            waiting.extend(node.children)


def ordered_subject(messages: Sequence[ThreadMessage]) -> list[Thread]:
    """ORDEREDSUBJECT: messages of one base subject are the children of the oldest of them."""
    threads: dict[bytes, Thread] = {}
    for message in sorted(messages, key=_by_date):
        first = threads.get(message.subject)
        if first is None:
            threads[message.subject] = Thread(message)
        else:
            first.adopt(Thread(message))
    return sorted(threads.values(), key=_date_of)


def references(messages: Sequence[ThreadMessage]) -> list[Thread]:
    """REFERENCES: parents by References and In-Reply-To, then threads of one subject put together."""
    roots = _linked(messages)
    for root in roots:
        if root.message is None:
            root.children.sort(key=_date_of)
    roots.sort(key=_date_of)
    return _sorted(_by_subject(roots), _date_of)


def refs(messages: Sequence[ThreadMessage]) -> list[Thread]:
    """REFS: parents as in REFERENCES, subjects do not count; the thread with the latest arrival is last."""
    roots = _sorted(_linked(messages), _date_and_arrival_of)
    return sorted(roots, key=_latest_arrival)


ALGORITHMS: dict[str, Callable[[Sequence[ThreadMessage]], list[Thread]]] = {
    "ORDEREDSUBJECT": ordered_subject,
    "REFERENCES": references,
    "REFS": refs,
}


def _linked(messages: Sequence[ThreadMessage]) -> list[Thread]:
    """Steps 1 to 3: link by ids, find the roots, and take out the nodes without message."""
    known: dict[bytes, Thread] = {}
    nodes: list[Thread] = []

    def node_of(msgid: bytes) -> Thread:
        node = known.get(msgid)
        if node is None:
            node = known[msgid] = Thread()
            nodes.append(node)
        return node

    for message in messages:
        own = known.get(message.msgid) if message.msgid is not None else None
        if own is None or own.message is not None:
            # the second message with an id is a thread node nobody can refer to
            duplicate = own is not None
            own = Thread(message)
            nodes.append(own)
            if message.msgid is not None and not duplicate:
                known[message.msgid] = own
        else:
            own.message = message
        parent: Thread | None = None
        for msgid in message.references:
            node = node_of(msgid)
            if parent is not None and node.parent is None and not _is_below(parent, node):
                parent.adopt(node)
            parent = node
        # an earlier guess, from the references of another message; the former parent is told below
        own.parent = None
        if parent is not None and not _is_below(parent, own):
            parent.adopt(own)
    for node in nodes:
        node.children = [child for child in dict.fromkeys(node.children) if child.parent is node]
    return _pruned([node for node in nodes if node.parent is None])


def _is_below(node: Thread, above: Thread) -> bool:
    """Whether ``node`` is ``above``, or somewhere below it."""
    if not above.children:
        return node is above
    at: Thread | None = node
    while at is not None:
        if at is above:
            return True
        at = at.parent
    return False


def _pruned(roots: list[Thread]) -> list[Thread]:
    """Without empty nodes, but for roots with several children: children go to their grandparent."""
    every = [node for root in roots for node in root.nodes()]
    # children before parents
    for node in reversed(every):
        kept: list[Thread] = []
        for child in node.children:
            if child.message is not None:
                kept.append(child)
            else:
                for grandchild in child.children:
                    grandchild.parent = node
                kept.extend(child.children)
        node.children = kept
    found: list[Thread] = []
    for root in roots:
        if root.message is not None or len(root.children) > 1:
            found.append(root)
        elif root.children:
            root.children[0].parent = None
            found.append(root.children[0])
    return found


def _by_subject(roots: list[Thread]) -> list[Thread]:
    """Step 5: put threads with the same base subject together."""
    table: dict[bytes, Thread] = {}
    for root in roots:
        subject = _first(root).subject
        if not subject:
            continue
        old = table.get(subject)
        if (
            old is None
            or (root.message is None and old.message is not None)
            or (_is_reply(old) and root.message is not None and not root.message.is_reply)
        ):
            table[subject] = root
    # which subject a thread has is settled before any of them changes
    subjects = [_first(root).subject for root in roots]
    kept: list[Thread] = []
    for root, subject in zip(roots, subjects, strict=True):
        old = table.get(subject) if subject else None
        if old is None or old is root:
            kept.append(root)
        elif old.message is None and root.message is None:
            for child in root.children:
                old.adopt(child)
        elif old.message is None or (_is_reply(root) and not old.message.is_reply):
            old.adopt(root)
        else:
            # neither is the parent of the other; the table goes on pointing at what holds both
            copy = Thread(old.message)
            for child in old.children:
                copy.adopt(child)
            old.message, old.children = None, []
            old.adopt(root)
            old.adopt(copy)
    return kept


def _is_reply(node: Thread) -> bool:
    return node.message is not None and node.message.is_reply


def _sorted(roots: list[Thread], key: Callable[[Thread], tuple[int, ...]]) -> list[Thread]:
    """Step 6: children and roots in order."""
    every = [node for root in roots for node in root.nodes()]
    for node in reversed(every):
        node.children.sort(key=key)
    return sorted(roots, key=key)


def _first(node: Thread) -> ThreadMessage:
    """The message of a node, or of the first child of one without."""
    message = node.message or node.children[0].message
    assert message is not None
    return message


def _by_date(message: ThreadMessage) -> tuple[int, int]:
    return message.date, message.place


def _date_of(node: Thread) -> tuple[int, int]:
    return _by_date(_first(node))


def _date_and_arrival_of(node: Thread) -> tuple[int, int, int]:
    message = _first(node)
    return message.date, message.arrival, message.place


def _latest_arrival(root: Thread) -> tuple[int, int]:
    arrivals = (node.message.arrival for node in root.nodes() if node.message is not None)
    return max(arrivals), root.message.place if root.message is not None else 0


def pack(threads: Iterable[Thread], number: Callable[[ThreadMessage], int]) -> bytes:
    """Threads as a THREAD response lists them: ``(2)(3 6 (4 23)(44 7 96))``."""
    out: list[str] = []
    waiting: list[Thread | str] = [*reversed(list(threads))]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            out.append(item)
            continue
        out.append("(")
        node = item
        while True:
            if node.message is not None:
                out.append(str(number(node.message)))
            if not node.children:
                out.append(")")
                break
            if node.message is not None:
                out.append(" ")
            if len(node.children) > 1:
                waiting.append(")")
                waiting.extend(reversed(node.children))
                break
            node = node.children[0]
    return "".join(out).encode("ascii")
