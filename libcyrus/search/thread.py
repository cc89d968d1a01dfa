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
from libcyrus.search.sort import ENVELOPE, HEADERS, MessageFacts
from libcyrus.search.threads import Thread, ThreadMessage

_REFERENCES = FieldFilter([b"references"])
_MOST_REFERENCES = 10000
_NO_SUBJECT = BaseSubject(b"", 0)


def thread(view: IndexView, algorithm: str, numbers: Sequence[int], *, utf8: bool) -> list[Thread]:
    """The threads of these messages, rising numbers; ``place`` of each is its index in ``numbers``."""
    facts = MessageFacts(view, numbers, utf8=utf8)
    by_subject = algorithm != "REFS"
    subjects = facts.subjects() if by_subject else [_NO_SUBJECT] * len(numbers)
    dates, arrivals = facts.dates(), facts.words(OFFSET_INTERNALDATE)
    if algorithm == "ORDEREDSUBJECT":
        ids: Iterator[tuple[bytes | None, list[bytes]]] = ((None, []) for _ in numbers)
    else:
        ids = _ids(facts)
    messages = [
        ThreadMessage(place, msgid, references, subject.text, bool(subject.replies), date, arrival)
        for place, ((msgid, references), subject, date, arrival) in enumerate(
            zip(ids, subjects, dates, arrivals, strict=True)
        )
    ]
    return threads.ALGORITHMS[algorithm](messages)


def _ids(facts: MessageFacts) -> Iterator[tuple[bytes | None, list[bytes]]]:
    """The message id, and the ids that lead to the parent: of References, or the first of In-Reply-To."""
    for item, headers in facts.item_pairs(ENVELOPE, HEADERS):
        try:
            in_reply_to, message_id = nstring.parse_reply_ids(item)
        except ValueError:
            yield None, []
            continue
        own = find_msgids(message_id or b"", 1)
        references = find_msgids(_REFERENCES.apply(headers), _MOST_REFERENCES)
        if not references:
            references = find_msgids(in_reply_to or b"", 1)
        yield (own[0] if own else None), references
