"""The Sender Rewriting Scheme: a return path in our own domain for mail that is passed on.

``SRS0=HASH=DAY=domain=local@ours`` leads a bounce back here, where the hash shows that the address is of
our making; an address that another forwarder rewrote becomes ``SRS1=HASH=forwarder==...@ours``, which leads
there. As in libsrs2: HMAC-SHA1 of the parts in lower case, base64, cut short; days count modulo 1024.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
import time

from libcyrus import options as opt
from libcyrus.config import Config

log = logging.getLogger(__name__)

_BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_HASH_LENGTH = 4
_SEPARATORS = "-+="
_DAY = 24 * 3600


class SenderRewriting:
    """``separator`` follows the tag SRS0 or SRS1; inside an address it is always ``=``."""

    def __init__(
        self, domain: str, secret: str, *, separator: str = "=", hash_length: int = 0, always: bool = False
    ) -> None:
        self._domain = domain
        self._secret = secret.encode()
        self._separator = separator if separator and separator in _SEPARATORS else "="
        self._hash_length = hash_length if hash_length > 0 else _HASH_LENGTH
        self._always = always

    @classmethod
    def from_config(cls, config: Config) -> SenderRewriting | None:
        """None without ``srs_domain``, and without a secret, which an error in the log tells of."""
        domain = config[opt.srs_domain]
        if not domain:
            return None
        secrets = (config[opt.srs_secrets] or "").replace(",", " ").split()
        if not secrets:
            log.error("sieve SRS configuration error: no secrets")
            return None
        return cls(
            domain,
            secrets[0],
            separator=(config[opt.srs_separator] or "")[:1],
            hash_length=config[opt.srs_hashlength],
            always=config[opt.srs_alwaysrewrite],
        )

    def forward(self, sender: str, now: float | None = None) -> str:
        """The return path to use; the sender's own where it need not be rewritten, or cannot."""
        local, at, host = sender.rpartition("@")
        if not at or not local or not host:
            if sender:
                log.error("sieve SRS forward failed (%s, %s): no domain", sender, self._domain)
            return sender
        if not self._always and host.lower() == self._domain.lower():
            return sender
        tag, rest = local[:4].upper(), local[4:]
        if tag == "SRS0" and rest[:1] and rest[0] in _SEPARATORS:
            return self._onward(host, rest)
        if tag == "SRS1" and rest[:1] and rest[0] in _SEPARATORS:
            _, _, behind_hash = rest[1:].partition("=")
            first, equals, inner = behind_hash.partition("=")
            if equals:
                return self._onward(first, inner)
        day = int(time.time() if now is None else now) // _DAY
        stamp = _BASE32[day >> 5 & 31] + _BASE32[day & 31]
        proof = self._hash(stamp, host, local)
        return f"SRS0{self._separator}{proof}={stamp}={host}={local}@{self._domain}"

    def _onward(self, host: str, local: str) -> str:
        """By way of the first forwarder, ``host``; ``local`` is its address without the tag."""
        return f"SRS1{self._separator}{self._hash(host, local)}={host}={local}@{self._domain}"

    def _hash(self, *parts: str) -> str:
        text = "".join(parts).lower().encode("utf-8", "surrogateescape")
        digest = hmac.new(self._secret, text, hashlib.sha1).digest()
        return base64.b64encode(digest).decode("ascii")[: self._hash_length]
