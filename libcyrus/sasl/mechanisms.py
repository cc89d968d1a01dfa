"""The mechanisms of this build, strongest first, and when each may be offered.

PLAIN and LOGIN send the password in the clear: they are offered only where ``allowplaintext`` or a
security layer from outside (TLS) permits that. The same holds for those that take bearer tokens, which
are as good as passwords to whoever reads them, where tokens can be checked at all. Those that need a
secret of the user's are offered where there is a place that keeps secrets. The -PLUS names need a channel
to bind to, which TLS is. EXTERNAL needs a client certificate that names a user; it takes the place of all
others on a connection that vouches for its user itself.

What carries the mechanisms out is in modules of their own, which load pysasl: see ``exchange``.
"""

from __future__ import annotations

from libcyrus.base.dataclasses import dataclass

EXTERNAL = "EXTERNAL"
ANONYMOUS = "ANONYMOUS"
CRAM_MD5 = "CRAM-MD5"
DIGEST_MD5 = "DIGEST-MD5"
GSSAPI = "GSSAPI"
GSS_SPNEGO = "GSS-SPNEGO"
OAUTH = ("OAUTHBEARER", "XOAUTH2")

DEFAULT_ITERATIONS = 4096
MOST_ITERATIONS = 1_000_000
"""A stored secret that asks for more is not used: its owner's logins would stop the worker."""

SCRAM_HASHES = {f"SCRAM-SHA-{name}": f"sha{name}" for name in ("512", "384", "256", "224", "1")}
"""hashlib's names, by the mechanisms' without -PLUS."""


@dataclass(frozen=True, slots=True)
class Mechanism:
    """``server_first`` ones take no initial response (RFC 4422 section 5).

    ``strongest`` is what its security layers reach, in bits (SSF). ``longest`` bounds a response, in bytes.
    ``proxies`` tells whether who logs in can ask to act for another.
    """

    name: str
    plaintext: bool = False
    secret: bool = False
    binding: bool = False
    token: bool = False
    certified: bool = False
    ticket: bool = False
    server_first: bool = False
    strongest: int = 0
    longest: int = 16384
    proxies: bool = True


def _all() -> dict[str, Mechanism]:
    found = [
        Mechanism(GSS_SPNEGO, ticket=True, strongest=256, proxies=False),
        Mechanism(GSSAPI, ticket=True, strongest=256),
    ]
    for name in SCRAM_HASHES:
        found += [
            Mechanism(f"{name}-PLUS", secret=True, binding=True, longest=2048),
            Mechanism(name, secret=True, longest=2048),
        ]
    found += [
        Mechanism(DIGEST_MD5, secret=True, server_first=True, strongest=128, longest=4096),
        Mechanism(EXTERNAL, certified=True),
        Mechanism(CRAM_MD5, secret=True, server_first=True, longest=1024, proxies=False),
        Mechanism("PLAIN", plaintext=True),
        Mechanism("LOGIN", plaintext=True, longest=1024, proxies=False),
        *(Mechanism(name, plaintext=True, token=True) for name in OAUTH),
        Mechanism(ANONYMOUS, proxies=False),
    ]
    return {mechanism.name: mechanism for mechanism in found}


# in the order in which they are announced
MECHANISMS = _all()


def selected(mech_list: str | None) -> tuple[Mechanism, ...]:
    """The mechanisms of option ``sasl_mech_list`` in its order; all when it is not set.

    A name stands for its -PLUS too.
    """
    if mech_list is None:
        return tuple(MECHANISMS.values())
    names = mech_list.upper().replace(",", " ").split()
    wanted = dict.fromkeys(each for name in names for each in (f"{name}-PLUS", name))
    return tuple(MECHANISMS[name] for name in wanted if name in MECHANISMS)
