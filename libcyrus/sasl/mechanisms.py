"""The mechanisms we offer, as pysasl server mechanisms.

PLAIN and LOGIN need the password in the clear: they are offered only where ``allowplaintext`` or a
security layer from outside (TLS) permits that. EXTERNAL takes the place of both on a connection that
vouches for its user itself.

pysasl brings half of the standard library along, so it is loaded when a mechanism is first wanted.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pysasl.mechanism import ServerMechanism

EXTERNAL = "EXTERNAL"

# in the order in which they are announced
_WITH_PASSWORD = ("PLAIN", "LOGIN")

# RFC 4616 lets fields be 255 octets; libsasl2 takes passwords of up to 1024.
MAX_RESPONSE = 4096


@cache
def preload() -> dict[str, ServerMechanism]:
    """All mechanisms by name. Loads pysasl."""
    from pysasl.mechanism.external import ExternalMechanism
    from pysasl.mechanism.login import LoginMechanism
    from pysasl.mechanism.plain import PlainMechanism

    return {"PLAIN": PlainMechanism(), "LOGIN": LoginMechanism(), EXTERNAL: ExternalMechanism()}


def selected(mech_list: str | None) -> tuple[str, ...]:
    """The password mechanisms that option ``sasl_mech_list`` leaves: all when it is not set."""
    if mech_list is None:
        return _WITH_PASSWORD
    wanted = {name.upper() for name in mech_list.replace(",", " ").split()}
    return tuple(name for name in _WITH_PASSWORD if name in wanted)
