"""IDLE (RFC 2177): tell changes of the selected mailbox as they happen, until the client says DONE.

A watch on the mailbox's index wakes us at once, and idled, if it runs, when something changed or the
administrator ends service; every ``imapidlepoll`` seconds we look anyway. A client that idles longer than
``imapidletimeout`` is disconnected.
"""

from __future__ import annotations

import logging
import time

from imap.imapd.response import Bad, Ok, Outcome, Silent
from imap.imapd.session import Session
from libcyrus.events.idle import NO_MAILBOX, Idler
from libcyrus.events.watch import Watch

log = logging.getLogger(__name__)


def available(session: Session) -> bool:
    return session.settings.idle_poll > 0


def run(session: Session, _args: None) -> Outcome:
    session.out.continuation(b"idling")
    watch, mboxname = None, NO_MAILBOX
    if session.index is not None:
        watch = session.process.watcher.watch(session.index.watch_path)
        mboxname = session.index.mboxname
    idler = session.process.idler
    if idler is not None and not idler.start(mboxname):
        idler = None
    try:
        interrupted = _wait(session, watch, idler)
    finally:
        if watch is not None:
            watch.close()
        if idler is not None:
            idler.stop(mboxname)
    if not interrupted:
        session.closing = True
        return Silent()
    parser = session.parser
    parser.next_line()
    session.tell(expunges=True)
    if parser.word().lower() == b"done" and parser.at_eol():
        return Ok()
    return Bad("Invalid Idle continuation")


def _wait(session: Session, watch: Watch | None, idler: Idler | None) -> bool:
    """Tell news until the client writes something; False if the session has to end."""
    settings = session.settings
    deadline = time.monotonic() + settings.idle_timeout if settings.idle_timeout > 0 else None
    own = session.stream.fileno()
    sources = [source for source in (watch, idler) if source is not None]
    extra = [source.fileno() for source in sources]
    while True:
        session.tell(expunges=True)
        if session.index is not None:
            session.index.release()
        left = (
            settings.idle_poll if deadline is None else min(settings.idle_poll, deadline - time.monotonic())
        )
        ready = session.stream.wait_readable(extra, max(left, 0))
        if own in ready:
            return True
        if deadline is not None and time.monotonic() >= deadline:
            log.debug("timeout for user '%s' while idling", session.userid)
            return False
        if ready:
            for source in sources:
                source.drain()
        session.process.check_shutdown(session)
        if session.closing:
            return False
