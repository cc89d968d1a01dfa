"""Messages kept in an object store."""

from __future__ import annotations

from libcyrus.options.declare import duration, integer, string, switch

object_storage_enabled = switch(
    "object_storage_enabled", False, since="3.0.0", doc="Keep archived messages in an object store."
)
object_storage_dummy_spool = string(
    "object_storage_dummy_spool", None, since="3.0.0", doc="The directory of an object store for tests."
)
openio_namespace = string("openio_namespace", None, since="3.0.0", doc="The namespace in OpenIO.")
openio_account = string("openio_account", None, since="3.0.0", doc="The account in OpenIO.")
openio_rawx_timeout = duration(
    "openio_rawx_timeout",
    "30s",
    unit="s",
    since="3.1.8",
    doc="How long to wait for OpenIO's storage services.",
)
openio_proxy_timeout = duration(
    "openio_proxy_timeout", "5s", unit="s", since="3.1.8", doc="How long to wait for OpenIO's proxy."
)
openio_autocreate = switch(
    "openio_autocreate", False, since="3.0.0", doc="Create missing containers in OpenIO."
)
openio_verbosity = string(
    "openio_verbosity",
    None,
    since="3.0.0",
    doc="What OpenIO's client logs: warning, notice, info, debug, trace or quiet.",
)
caringo_hostname = string("caringo_hostname", None, since="3.0.0", doc="The host of Caringo.")
caringo_port = integer("caringo_port", 80, since="3.0.0", doc="The port of Caringo.")
