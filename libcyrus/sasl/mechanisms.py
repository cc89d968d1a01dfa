"""The mechanisms we offer, as pysasl server mechanisms.

A mechanism here needs the password in the clear: it is offered only where ``allowplaintext`` or a
security layer from outside (TLS, a trusted local socket) permits that.
"""

from __future__ import annotations

from pysasl.mechanism import ServerMechanism
from pysasl.mechanism.login import LoginMechanism
from pysasl.mechanism.plain import PlainMechanism

# in the order in which they are announced
MECHANISMS: dict[str, ServerMechanism] = {
    "PLAIN": PlainMechanism(),
    "LOGIN": LoginMechanism(),
}

# RFC 4616 lets fields be 255 octets; libsasl2 takes passwords of up to 1024.
MAX_RESPONSE = 4096


def selected(mech_list: str | None) -> tuple[str, ...]:
    """The mechanisms that option ``sasl_mech_list`` leaves: all of ours when it is not set."""
    if mech_list is None:
        return tuple(MECHANISMS)
    wanted = {name.upper() for name in mech_list.replace(",", " ").split()}
    return tuple(name for name in MECHANISMS if name in wanted)
