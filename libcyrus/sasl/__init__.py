"""SASL (RFC 4422), server side: mechanisms, password checks, and the exchange that joins them.

``server`` runs an exchange, ``mechanisms`` names what we offer, ``pwcheck`` asks the configured
password verifiers in order. Who may act as whom is decided above, by ``libcyrus.server.login``, and
handed in as a policy. A mechanism may bring a security layer (``layer``), which the stream is given once
the reply of success has been written. ``client`` is the other side.
"""

from libcyrus.sasl.codes import SaslCode, SaslError
from libcyrus.sasl.server import Challenge, Policy, SaslServer, SaslSettings, Success, load, make_server

__all__ = [
    "Challenge",
    "Policy",
    "SaslCode",
    "SaslError",
    "SaslServer",
    "SaslSettings",
    "Success",
    "load",
    "make_server",
]
