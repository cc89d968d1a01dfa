"""THREAD for one selected mailbox: collect what the algorithms of ``threads`` ask of each message."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from libcyrus.index.view import IndexView
from libcyrus.mailbox.index_record import OFFSET_INTERNALDATE
from libcyrus.message import nstring
from libcyrus.message.msgids import find_msgids
from libcyrus.message.prune import FieldFilter
from libcyrus.search import threads
from libcyrus.search.base_subject import BaseSubject
from libcyrus.search.sort import ENVELOPE, HEADERS, SUBJECT, MessageFacts
from libcyrus.search.threads import Thread, ThreadMessage

_REFERENCES = FieldFilter([b"references"])
_MOST_REFERENCES = 10000
_NO_SUBJECT = BaseSubject(b"", 0)


def thread(view: IndexView, algorithm: str, numbers: Sequence[int], *, utf8: bool) -> list[Thread]:
    """The threads of these messages, rising numbers; ``place`` of each is its index in ``numbers``."""
    facts = MessageFacts(view, numbers, utf8=utf8)
    dates, arrivals = facts.dates(), facts.words(OFFSET_INTERNALDATE)
    messages = [
        ThreadMessage(place, msgid, references, subject.text, bool(subject.replies), date, arrival)
        for place, ((msgid, references, subject), date, arrival) in enumerate(
            zip(_read(facts, algorithm), dates, arrivals, strict=True)
        )
    ]
    return threads.ALGORITHMS[algorithm](messages)


def _read(facts: MessageFacts, algorithm: str) -> Iterator[tuple[bytes | None, list[bytes], BaseSubject]]:
    """Of each message what the algorithm needs: id, ids that lead to the parent, and subject."""
    if algorithm == "ORDEREDSUBJECT":
        for subject in facts.subjects():
            yield None, [], subject
    elif algorithm == "REFS":
        for envelope, headers in facts.several_items(ENVELOPE, HEADERS):
            yield *_ids(envelope, headers), _NO_SUBJECT
    else:
        for envelope, headers, item in facts.several_items(ENVELOPE, HEADERS, SUBJECT):
            yield *_ids(envelope, headers), facts.subject_of(item)


def _ids(envelope: bytes, headers: bytes) -> tuple[bytes | None, list[bytes]]:
    """The message id, and the ids that lead to the parent: of References, or the first of In-Reply-To."""
    try:
        in_reply_to, message_id = nstring.parse_reply_ids(envelope)
    except ValueError:
        return None, []
    own = find_msgids(message_id or b"", 1)
    references = find_msgids(_REFERENCES.apply(headers), _MOST_REFERENCES)
    if not references:
        references = find_msgids(in_reply_to or b"", 1)
    return (own[0] if own else None), references
