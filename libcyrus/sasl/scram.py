"""SCRAM (RFC 5802, RFC 7677), with channel binding for the -PLUS names.

The server's secrets come as clear passwords, from which keys are derived with a salt that stays the same
while the server runs, or as stored keys in the form of RFC 5803. A name nobody has gets keys as well,
derived just as slowly, which no proof fits: the exchange tells nobody who has an account, where stored keys
have salts of 16 bytes and the number of iterations that is configured for the others.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import re
from collections.abc import Callable, Sequence

from pysasl.creds.client import ClientCredentials
from pysasl.exception import InvalidResponse, UnexpectedChallenge
from pysasl.mechanism import ChallengeResponse, ClientMechanism, ServerChallenge, ServerMechanism

from libcyrus.base.dataclasses import dataclass, replace
from libcyrus.sasl.codes import SaslCode, SaslError
from libcyrus.sasl.credentials import ProofCredentials
from libcyrus.sasl.mechanisms import MOST_ITERATIONS

_NONCE_BYTES = 18
_SALT_BYTES = 16

# made before workers are forked: a client may keep its salted password from one login to the next
_SALT_KEY = os.urandom(32)

_FIRST = re.compile(
    rb"(?P<header>(?:p=(?P<binding>[A-Za-z0-9.-]+)|(?P<flag>[ny])),(?:a=(?P<authzid>[^,\0]*))?,)"
    rb"n=(?P<user>[^,\0]*),r=(?P<nonce>[!-+\--~]+)(?:,[A-Za-z]=[^,\0]+)*"
)
_FINAL = re.compile(
    rb"(?P<bare>c=(?P<binding>[A-Za-z0-9+/=]+),r=(?P<nonce>[!-+\--~]+)(?:,[A-Za-z]=[^,\0]+)*?)"
    rb",p=(?P<proof>[A-Za-z0-9+/=]+)"
)
_STORED = re.compile(
    rb" *(?P<name>[A-Z0-9-]+) *\$ *(?P<iterations>[0-9]{1,9}):(?P<salt>[A-Za-z0-9+/=]+)"
    rb" *\$ *(?P<stored>[A-Za-z0-9+/=]+):(?P<server>[A-Za-z0-9+/=]+) *"
)
_CHALLENGE = re.compile(
    rb"r=(?P<nonce>[!-+\--~]+),s=(?P<salt>[A-Za-z0-9+/=]+),i=(?P<iterations>[0-9]{1,9})(?:,[A-Za-z]=[^,\0]+)*"
)
_NOT_A_NAME = re.compile(r"=(?!2C|3D)")


@dataclass(frozen=True, slots=True)
class Keys:
    """What the server knows of a user (RFC 5802 section 3). ``known`` is False for nobody's keys."""

    salt: bytes
    iterations: int
    stored: bytes
    server: bytes
    known: bool = True


@dataclass(frozen=True, slots=True)
class Secret:
    """What the challenge tells of a user, and the keys, which are made when a proof is there to be judged.

    ``penalty`` is called before a wrong proof is refused, where the keys took no time: a guess has to cost
    the same for everybody, and for who does not exist.
    """

    salt: bytes
    iterations: int
    keys: Callable[[], Keys]
    penalty: Callable[[], object] | None = None


def secret_from_password(hash_name: str, password: bytes, user: str, iterations: int) -> Secret:
    salt = salt_of(user)
    return Secret(salt, iterations, lambda: keys_from_password(hash_name, password, salt, iterations))


def secret_from_keys(hash_name: str, keys: Keys, iterations: int) -> Secret:
    """``iterations`` is what others' passwords cost."""
    return Secret(
        keys.salt,
        keys.iterations,
        lambda: keys,
        lambda: keys_from_password(hash_name, b"", keys.salt, iterations),
    )


def keys_from_password(hash_name: str, password: bytes, salt: bytes, iterations: int) -> Keys:
    """Derive keys. The password is used as it is stored, as libsasl2 does, without SASLprep."""
    salted = hashlib.pbkdf2_hmac(hash_name, password, salt, iterations)
    client = hmac.digest(salted, b"Client Key", hash_name)
    server = hmac.digest(salted, b"Server Key", hash_name)
    return Keys(salt, iterations, hashlib.new(hash_name, client).digest(), server)


def keys_from_stored(mechanism: str, hash_name: str, values: Sequence[bytes]) -> Keys | None:
    """The first of the ``authPassword`` values (RFC 5803) that is this mechanism's and whole."""
    size = hashlib.new(hash_name).digest_size
    for value in values:
        found = _STORED.fullmatch(value)
        if found is None or found["name"].decode() != mechanism:
            continue
        iterations = int(found["iterations"])
        salt, stored, server = (_unbase64(found[part]) for part in ("salt", "stored", "server"))
        if salt is None or stored is None or server is None:
            continue
        if salt and len(stored) == len(server) == size and 1 <= iterations <= MOST_ITERATIONS:
            return Keys(salt, iterations, stored, server)
    return None


def stored_form(mechanism: str, hash_name: str, password: bytes, iterations: int) -> bytes:
    """A value for ``authPassword`` (RFC 5803), with a salt of its own."""
    keys = keys_from_password(hash_name, password, os.urandom(_SALT_BYTES), iterations)
    salt, stored, server = map(base64.b64encode, (keys.salt, keys.stored, keys.server))
    return b"%b$%d:%b$%b:%b" % (mechanism.encode(), iterations, salt, stored, server)


def is_stored_form(mechanism: str, hash_name: str, password: bytes, value: bytes) -> bool:
    """Whether the value holds a password's keys."""
    keys = keys_from_stored(mechanism, hash_name, [value])
    return keys is not None and keys == keys_from_password(hash_name, password, keys.salt, keys.iterations)


def salt_of(user: str) -> bytes:
    """The salt with which a clear password is used."""
    return hmac.digest(_SALT_KEY, os.fsencode(user), "sha256")[:_SALT_BYTES]


class ScramMechanism(ServerMechanism):
    """One exchange. ``secret(user)`` never fails for want of a user (see :func:`nobody`).

    ``binding(type)`` gives the channel's data of a binding type (RFC 5929, RFC 9266), None where there
    is none. ``plus_offered`` tells whether the client could have chosen the -PLUS name.
    """

    def __init__(
        self,
        name: str,
        hash_name: str,
        secret: Callable[[str], Secret],
        *,
        binding: Callable[[str], bytes | None],
        plus_offered: bool,
    ) -> None:
        super().__init__(name)
        self._hash = hash_name
        self._find_secret = secret
        self._binding = binding
        self._plus = name.endswith("-PLUS")
        self._plus_offered = plus_offered
        self._secret: Secret | None = None

    def server_attempt(self, responses: Sequence[ChallengeResponse]) -> tuple[ProofCredentials, bytes]:
        """See pysasl. Raises InvalidResponse for what RFC 5802 does not allow."""
        if not responses:
            raise ServerChallenge(b"")
        first = _FIRST.fullmatch(responses[0].response)
        if first is None:
            raise InvalidResponse
        user = _saslname(first["user"])
        if not user:
            raise SaslError(SaslCode.FAIL, "no user is named")
        authzid = _saslname(first["authzid"] or b"")
        self._check_flag(first)
        if self._secret is None:
            self._secret = self._find_secret(user)
        secret = self._secret
        if len(responses) == 1:
            nonce = first["nonce"] + base64.b64encode(os.urandom(_NONCE_BYTES))
            salt = base64.b64encode(secret.salt)
            raise ServerChallenge(b"r=%s,s=%s,i=%d" % (nonce, salt, secret.iterations))
        proven, known, signature = self._check_final(first, secret, responses[1])
        credentials = ProofCredentials(user, authzid, proven=proven, known=known)
        return credentials, b"v=" + base64.b64encode(signature)

    def _check_flag(self, first: re.Match[bytes]) -> None:
        """libsasl2's clients bind to the channel under the plain name too, which does no harm."""
        if first["binding"]:
            if not self._channel(first):
                raise InvalidResponse
        elif first["flag"] == b"y" and (self._plus or self._plus_offered):
            # a client that was shown a -PLUS name says this if somebody took the name away
            raise SaslError(
                SaslCode.BADAUTH, "client incorrectly assumed server had no channel binding"
            )
        elif self._plus:
            raise InvalidResponse

    def _check_final(
        self, first: re.Match[bytes], secret: Secret, answer: ChallengeResponse
    ) -> tuple[bool, bool, bytes]:
        final = _FINAL.fullmatch(answer.response)
        if final is None:
            raise InvalidResponse
        bound = _unbase64(final["binding"])
        name = self.name.decode("ascii")
        if bound is None or not hmac.compare_digest(bound, self._expected_binding(first)):
            raise SaslError(SaslCode.BADPROT, f"Channel bindings don't match in {name} input")
        nonce = answer.challenge.partition(b",")[0].removeprefix(b"r=")
        proof = _unbase64(final["proof"])
        if final["nonce"] != nonce:
            raise SaslError(SaslCode.BADPROT, f"Nonce mismatch {name} input")
        if proof is None or len(proof) != hashlib.new(self._hash).digest_size:
            raise InvalidResponse
        keys = secret.keys()
        bare = first.string[first.end("header") :]
        message = b",".join((bare, answer.challenge, final["bare"]))
        signature = hmac.digest(keys.stored, message, self._hash)
        client = bytes(a ^ b for a, b in zip(proof, signature, strict=True))
        matches = hmac.compare_digest(hashlib.new(self._hash, client).digest(), keys.stored)
        if not matches and secret.penalty is not None:
            secret.penalty()
        return matches and keys.known, keys.known, hmac.digest(keys.server, message, self._hash)

    def _expected_binding(self, first: re.Match[bytes]) -> bytes:
        header: bytes = first["header"]
        return header + self._channel(first)

    def _channel(self, first: re.Match[bytes]) -> bytes:
        """What the client says it binds to; empty if to nothing, or to what there is not."""
        if not first["binding"]:
            return b""
        return self._binding(first["binding"].decode("ascii")) or b""


class ScramClient(ClientMechanism):
    """One exchange. ``binding`` is the channel's data of the type ``kind``, None where there is no channel.

    ``could_bind`` tells the server that the plain name was chosen because no -PLUS name was offered.
    """

    def __init__(
        self,
        name: str,
        hash_name: str,
        *,
        kind: str = "",
        binding: bytes | None = None,
        could_bind: bool = False,
    ) -> None:
        super().__init__(name)
        self._hash = hash_name
        self._plus = name.endswith("-PLUS")
        self._flag = f"p={kind}" if self._plus else "y" if could_bind else "n"
        self._binding = binding if self._plus and binding else b""
        self._nonce = base64.b64encode(os.urandom(_NONCE_BYTES))
        self._expected: bytes | None = None
        self.server_proven = False

    def client_attempt(
        self, creds: ClientCredentials, challenges: Sequence[ServerChallenge]
    ) -> ChallengeResponse:
        """See pysasl. Raises UnexpectedChallenge, also for a server that does not know the password."""
        bare = b"n=%s,r=%s" % (_written(creds.authcid), self._nonce)
        authzid = b"a=" + _written(creds.authzid) if creds.authzid else b""
        header = b"%s,%s," % (self._flag.encode("ascii"), authzid)
        match len(challenges):
            case 0:
                return ChallengeResponse(b"", header + bare)
            case 1:
                challenge = challenges[0].data
                return ChallengeResponse(challenge, self._prove(creds.secret, header, bare, challenge))
            case 2 if self._expected is not None:
                last = challenges[1].data
                if not hmac.compare_digest(last, b"v=" + base64.b64encode(self._expected)):
                    raise UnexpectedChallenge
                self.server_proven = True
                return ChallengeResponse(last, b"")
        raise UnexpectedChallenge

    def _prove(self, secret: str, header: bytes, bare: bytes, challenge: bytes) -> bytes:
        found = _CHALLENGE.fullmatch(challenge)
        salt = _unbase64(found["salt"]) if found is not None else None
        if found is None or salt is None or not found["nonce"].startswith(self._nonce):
            raise UnexpectedChallenge
        iterations = int(found["iterations"])
        if found["nonce"] == self._nonce or not 1 <= iterations <= MOST_ITERATIONS:
            raise UnexpectedChallenge
        salted = hashlib.pbkdf2_hmac(self._hash, os.fsencode(secret), salt, iterations)
        client = hmac.digest(salted, b"Client Key", self._hash)
        without = b"c=%s,r=%s" % (base64.b64encode(header + self._binding), found["nonce"])
        message = b",".join((bare, challenge, without))
        signature = hmac.digest(hashlib.new(self._hash, client).digest(), message, self._hash)
        self._expected = hmac.digest(hmac.digest(salted, b"Server Key", self._hash), message, self._hash)
        proof = bytes(a ^ b for a, b in zip(client, signature, strict=True))
        return without + b",p=" + base64.b64encode(proof)


def nobody(hash_name: str, user: str, iterations: int) -> Secret:
    """The secret of a user who does not exist; as slow to judge a proof by as a real one."""
    salt = salt_of(user)

    def keys() -> Keys:
        made = keys_from_password(hash_name, os.urandom(16), salt, iterations)
        return replace(made, known=False)

    return Secret(salt, iterations, keys)


def _saslname(written: bytes) -> str:
    text = written.decode("utf-8")
    if _NOT_A_NAME.search(text):
        raise InvalidResponse
    return text.replace("=2C", ",").replace("=3D", "=")


def _written(name: str) -> bytes:
    return name.replace("=", "=3D").replace(",", "=2C").encode()


def _unbase64(text: bytes) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        return None
