"""The Murder: frontends, backends, mupdate and proxying."""

from __future__ import annotations

from libcyrus.options.declare import enum, integer, string, stringlist, switch

defaultserver = string("defaultserver", None, since="2.3.17", doc="Backend for new mailboxes; else freest.")
mupdate_authname = string("mupdate_authname", None, since="2.3.17", doc="SASL authname towards mupdate.")
mupdate_config = enum(
    "mupdate_config",
    "standard",
    ("standard", "unified", "replicated"),
    since="2.3.17",
    doc="Murder topology.",
)
mupdate_connections_max = integer(
    "mupdate_connections_max",
    128,
    unit="connections",
    since="2.3.17",
    doc="Max connections per mupdate process.",
)
mupdate_password = string("mupdate_password", None, since="2.3.17", doc="SASL password towards mupdate.")
mupdate_port = integer("mupdate_port", 3905, since="2.3.17", doc="Mupdate port.")
mupdate_realm = string("mupdate_realm", None, since="2.3.17", doc="SASL realm towards mupdate.")
mupdate_retry_delay = integer(
    "mupdate_retry_delay", 20, unit="seconds", since="2.3.17", doc="Base delay between reconnects."
)
mupdate_server = string(
    "mupdate_server", None, since="2.3.17", doc="Mupdate master host; set means murder member."
)
mupdate_username = string(
    "mupdate_username", "", since="2.3.17", doc="SASL authorization name towards mupdate."
)
mupdate_workers_max = integer(
    "mupdate_workers_max", 50, unit="threads", since="2.3.17", doc="Max worker threads."
)
mupdate_workers_maxspare = integer(
    "mupdate_workers_maxspare", 10, unit="threads", since="2.3.17", doc="Max idle worker threads."
)
mupdate_workers_minspare = integer(
    "mupdate_workers_minspare", 2, unit="threads", since="2.3.17", doc="Min idle worker threads."
)
mupdate_workers_start = integer(
    "mupdate_workers_start", 5, unit="threads", since="2.3.17", doc="Initial worker threads."
)
proxy_authname = string("proxy_authname", "proxy", since="2.3.17", doc="Authname towards backends.")
proxy_compress = switch("proxy_compress", False, since="2.3.17", doc="Use compression towards backends.")
proxy_password = string("proxy_password", None, since="2.3.17", doc="Default password towards backends.")
proxy_realm = string("proxy_realm", None, since="2.3.17", doc="SASL realm towards backends.")
proxyd_allow_status_referral = switch(
    "proxyd_allow_status_referral", False, since="2.3.17", doc="Frontend may refer STATUS."
)
proxyd_disable_mailbox_referrals = switch(
    "proxyd_disable_mailbox_referrals", False, since="2.3.17", doc="Frontend never issues mailbox referrals."
)
proxyservers = string("proxyservers", None, since="2.3.17", doc="Users/groups allowed to proxy others.")
serverlist = string("serverlist", None, since="2.3.17", doc="Backend names considered for CREATE placement.")
serverlist_select_mode = stringlist(
    "serverlist_select_mode",
    "freespace-most",
    (
        "random",
        "freespace-most",
        "freespace-percent-most",
        "freespace-percent-weighted",
        "freespace-percent-weighted-delta",
    ),
    since="2.5.0",
    doc="How backend for new mailbox is chosen.",
)
serverlist_select_usage_reinit = integer(
    "serverlist_select_usage_reinit",
    0,
    unit="operations",
    since="2.5.0",
    doc="Operations before backend usage refresh.",
)
serverlist_select_soft_usage_limit = integer(
    "serverlist_select_soft_usage_limit",
    0,
    unit="percent",
    since="2.5.0",
    doc="Usage percent excluding a backend; 0 none.",
)
