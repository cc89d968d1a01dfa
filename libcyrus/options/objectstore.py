"""Messages kept in an object store."""

from __future__ import annotations

from libcyrus.options.declare import duration, integer, string, switch

object_storage_enabled = switch(
    "object_storage_enabled", False, since="3.0.0", doc="Keep archived messages in object storage."
)
object_storage_dummy_spool = string(
    "object_storage_dummy_spool", None, since="3.0.0", doc="Directory of test object store."
)
openio_namespace = string("openio_namespace", None, since="3.0.0", doc="OpenIO namespace.")
openio_account = string("openio_account", None, since="3.0.0", doc="OpenIO account.")
openio_rawx_timeout = duration(
    "openio_rawx_timeout", "30s", unit="s", since="3.1.8", doc="OpenIO RAWX timeout."
)
openio_proxy_timeout = duration(
    "openio_proxy_timeout", "5s", unit="s", since="3.1.8", doc="OpenIO proxy timeout."
)
openio_autocreate = switch("openio_autocreate", False, since="3.0.0", doc="Auto-create OpenIO containers.")
openio_verbosity = string(
    "openio_verbosity",
    None,
    since="3.0.0",
    doc="OpenIO log verbosity: warning, notice, info, debug, trace, quiet.",
)
caringo_hostname = string("caringo_hostname", None, since="3.0.0", doc="Caringo host.")
caringo_port = integer("caringo_port", 80, since="3.0.0", doc="Caringo port.")
