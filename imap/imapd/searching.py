"""What SEARCH, SORT and THREAD have in common: finding the messages of a program in the selected mailbox."""

from __future__ import annotations

import logging
import re
import time
from array import array

from imap.imapd import annotating
from imap.imapd.search_program import SearchArgs
from imap.imapd.session import Session
from libcyrus.errors import CyrusError, NoSearchEngine
from libcyrus.index.view import IndexView
from libcyrus.search import evaluate
from libcyrus.search.expr import Contains, Expr, Text, nodes

log = logging.getLogger(__name__)

_ALWAYS_FUZZY = "/vendor/cmu/cyrus-imapd/search-fuzzy-always"
# the words of a switch by how they begin, those for yes in the group
_SWITCH = re.compile(rb"(1|y|t|on)|0|n|f|of")


def find(
    session: Session, args: SearchArgs, *, started: float, fuzzy: bool = False
) -> tuple[IndexView, array[int]] | None:
    """The numbers found, rising, after telling what is new; ``started`` as in ``evaluate.find``.

    None if only a search engine could say, or the mailbox is gone: such a command ends well, with nothing
    told. Raises SearchSlow, Cancelled, and what reading the mailbox raises.
    """
    session.tell(expunges=False)
    view = session.selected()
    assert isinstance(view, IndexView)
    if view.is_gone:
        return None
    try:
        found = evaluate.find(
            view,
            args.program,
            session.settings.search,
            started=started,
            annotations=annotating.target(session, view.mailbox),
            internal_name=session.internal_name,
            fuzzy=fuzzy,
            cancelled=session.process.signals.cancelled,
        )
    except NoSearchEngine:
        return None
    return view, found


def always_fuzzy(session: Session, program: Expr) -> bool:
    """Whether every SEARCH is fuzzy: by the client's name, the user's annotation, or the configuration.

    False where it makes no difference to the program.
    """
    if not any(isinstance(node, Contains | Text) for node in nodes(program)):
        return False
    if session.wants_fuzzy:
        return True
    store = session.process.store
    chosen = None
    try:
        inbox = store.mboxlist.inbox(session.user())
        value = store.annotations.lookup_masked(
            inbox.uniqueid or "", inbox.name, _ALWAYS_FUZZY, session.user()
        )
        chosen = _SWITCH.match(value)
    except CyrusError as error:
        # users without INBOX have no annotation either
        log.debug("%s: %s", _ALWAYS_FUZZY, error)
    if chosen is None:
        return session.settings.search_fuzzy_always
    return chosen[1] is not None


def completed(count: int, used: float) -> str:
    """The tagged text; ``used`` is the CPU time at the beginning."""
    return f"Completed ({count} msgs in {time.process_time() - used:.3f} secs)"
