"""XSTATS, Cyrus's own: counters of what this server process has done so far."""

from __future__ import annotations

from imap.imapd.response import Ok
from imap.imapd.session import Session
from libcyrus.base import xstats


def run(session: Session, _args: None) -> Ok:
    words = " ".join(f"{name} {value}" for name, value in xstats.counts())
    session.out.untagged(b"XSTATS " + words.encode("ascii"))
    return Ok()
