"""One-time passwords (RFC 2289) as a SASL mechanism (RFC 2444), the client's side.

Whoever logs in may have them on a list or in a device, and is shown the challenge. Otherwise they are made of
the pass-phrase: hashed once with the seed, and then as often as the challenge says.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Sequence

from pysasl.creds.client import ClientCredentials
from pysasl.exception import UnexpectedChallenge
from pysasl.mechanism import ChallengeResponse, ClientMechanism, ServerChallenge

OTP = "OTP"

_CHALLENGE = re.compile(r"\s*otp-(md5|sha1)\s+(\d{1,4})\s+([A-Za-z0-9]{1,16})(?:\s.*)?", re.DOTALL)
_LONGEST_CHALLENGE = 100
_SIZE = 8
_FEW = 490
"""With fewer left, the client begins a new sequence, as libsasl's does."""
_MANY = 499


class OtpClient(ClientMechanism):
    """One exchange. ``ask`` gets the challenge and gives the answer, with ``hex:`` or ``word:`` before it.

    Without ``ask`` the answer is made of the pass-phrase. ``host`` begins the seed of a new sequence.
    """

    def __init__(self, ask: Callable[[str], str] | None, host: str) -> None:
        super().__init__(OTP)
        self._ask = ask
        self._host = host

    def client_attempt(
        self, creds: ClientCredentials, challenges: Sequence[ServerChallenge]
    ) -> ChallengeResponse:
        """See pysasl. Raises UnexpectedChallenge, also where the sequence is used up."""
        match len(challenges):
            case 0:
                names = f"{creds.authzid or creds.authcid}\0{creds.authcid}"
                return ChallengeResponse(b"", names.encode())
            case 1 if len(challenges[0].data) <= _LONGEST_CHALLENGE:
                challenge = challenges[0].data
                text = challenge.decode("utf-8", "replace")
                if self._ask is not None:
                    return ChallengeResponse(challenge, self._ask(text).encode())
                return ChallengeResponse(challenge, self._computed(creds.secret, text).encode())
        raise UnexpectedChallenge

    def _computed(self, phrase: str, challenge: str) -> str:
        found = _CHALLENGE.fullmatch(challenge)
        if found is None or int(found[2]) < 1:
            raise UnexpectedChallenge
        algorithm, number, seed = found[1], int(found[2]), found[3].lower()
        answer = password(algorithm, number, seed, phrase)
        if number >= _FEW:
            return f"hex:{answer}"
        new = self._new_seed(seed)
        return f"init-hex:{answer}:{algorithm} {_MANY} {new}:{password(algorithm, _MANY, new, phrase)}"

    def _new_seed(self, old: str) -> str:
        letters = re.sub(r"[^a-z0-9]", "", self._host.lower())[:2]
        while True:
            seed = f"{letters}{int.from_bytes(os.urandom(2), 'big') % 9999 + 1:04}"
            if seed != old:
                return seed


def password(algorithm: str, number: int, seed: str, phrase: str) -> str:
    """The ``number``-th one-time password before the first, in hexadecimal; ``algorithm``: md5 or sha1."""
    data = _folded(algorithm, seed.lower().encode("ascii") + phrase.encode())
    for _ in range(number):
        data = _folded(algorithm, data)
    return data.hex()


def _folded(algorithm: str, data: bytes) -> bytes:
    """The hash in eight octets (RFC 2289 appendix A)."""
    digest = hashlib.new(algorithm, data, usedforsecurity=False).digest()
    folded = bytearray(digest[:_SIZE])
    for place in range(_SIZE, len(digest)):
        folded[place % _SIZE] ^= digest[place]
    if algorithm == "sha1":
        # its words are written with the other end first
        return bytes(folded[3::-1] + folded[:3:-1])
    return bytes(folded)
