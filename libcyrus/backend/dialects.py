"""The protocols by name."""

from __future__ import annotations

from libcyrus.backend.dialect import Dialect
from libcyrus.backend.http import Http
from libcyrus.backend.imap import Imap
from libcyrus.backend.nntp import Nntp
from libcyrus.backend.pop3 import Pop3
from libcyrus.backend.sieve import Sieve
from libcyrus.backend.starred import Csync, Mupdate
from libcyrus.backend.xmtp import Lmtp, Smtp

DIALECTS: dict[str, type[Dialect]] = {
    kind.name: kind for kind in (Imap, Pop3, Nntp, Lmtp, Smtp, Mupdate, Sieve, Csync, Http)
}
