"""XRUNANNOTATOR and UID XRUNANNOTATOR, Cyrus's own: have ``annotation_callout`` look at messages again."""

from __future__ import annotations

import time
from functools import partial

from imap.imapd import annotating
from imap.imapd.parse import Parser
from imap.imapd.response import No, Ok, Outcome
from imap.imapd.session import Session
from libcyrus.errors import CyrusError
from libcyrus.index import annotator
from libcyrus.index.view import IndexView


def parse(parser: Parser) -> str:
    parser.sp()
    sequence = parser.sequence_set()
    parser.eol()
    return sequence


def run(session: Session, sequence: str, *, by_uid: bool) -> Outcome:
    started = time.process_time()
    view = session.selected()
    assert isinstance(view, IndexView)
    failure: CyrusError | None = None
    try:
        annotator.run(view, sequence, partial(annotating.target, session, to_store=True), by_uid=by_uid)
    except CyrusError as error:
        failure = error
    session.tell(expunges=by_uid, by_uid=by_uid, refresh=False)
    spent = f"({time.process_time() - started:.3f} sec)"
    return Ok(f"Completed {spent}") if failure is None else No(f"{failure} {spent}")
