"""EXPUNGE (RFC 3501 section 6.4.3) and UID EXPUNGE (RFC 4315 section 2.1)."""

from __future__ import annotations

from imap.imapd.parse import Parser
from imap.imapd.response import Ok
from imap.imapd.session import Session
from libcyrus import acl


def parse_uid(parser: Parser) -> str:
    parser.sp()
    sequence = parser.sequence_set()
    parser.eol()
    return sequence


def run(session: Session, uids: str | None) -> Ok:
    session.require(acl.EXPUNGE)
    view = session.selected()
    before = view.highestmodseq
    view.expunge(uids)
    session.tell(expunges=True, by_uid=uids is not None, refresh=False)
    after = view.highestmodseq
    return Ok(code=f"HIGHESTMODSEQ {after}" if after > before else None)
