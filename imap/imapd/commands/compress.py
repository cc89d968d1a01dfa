"""COMPRESS (RFC 4978)."""

from __future__ import annotations

import os

from imap.imapd.parse import Parser
from imap.imapd.response import Bad, No, Ok, Outcome, Silent
from imap.imapd.session import Session


def parse(parser: Parser) -> str:
    parser.sp()
    name = os.fsdecode(parser.word())
    parser.eol()
    return name


def run(session: Session, algorithm: str) -> Outcome:
    stream = session.stream
    if stream.compressed:
        return Bad("DEFLATE active via COMPRESS", "COMPRESSIONACTIVE")
    if algorithm.upper() != "DEFLATE":
        return No(f"Unknown COMPRESS algorithm: {algorithm}")
    # loaded only where it is used: most sessions are not compressed
    from libcyrus.prot.deflate import Deflate

    session.out.tagged(session.tag, Ok(f"{algorithm} active"))
    stream.compress(Deflate())
    return Silent()
