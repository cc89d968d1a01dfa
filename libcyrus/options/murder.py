"""The Murder: frontends, backends, mupdate and proxying."""

from __future__ import annotations

from libcyrus.options.declare import enum, integer, string, stringlist, switch

defaultserver = string(
    "defaultserver",
    None,
    since="2.3.17",
    doc="The backend on which new mailboxes are made; the one with most space if not set.",
)
mupdate_authname = string(
    "mupdate_authname", None, since="2.3.17", doc="The name with which to log in to the mupdate master."
)
mupdate_config = enum(
    "mupdate_config",
    "standard",
    ("standard", "unified", "replicated"),
    since="2.3.17",
    doc="How the servers of a Murder share mailboxes.",
)
mupdate_connections_max = integer(
    "mupdate_connections_max",
    128,
    unit="connections",
    since="2.3.17",
    doc="Most connections to one mupdate process.",
)
mupdate_password = string(
    "mupdate_password", None, since="2.3.17", doc="The password for the mupdate master."
)
mupdate_port = integer("mupdate_port", 3905, since="2.3.17", doc="The port of the mupdate master.")
mupdate_realm = string("mupdate_realm", None, since="2.3.17", doc="The SASL realm of the mupdate master.")
mupdate_retry_delay = integer(
    "mupdate_retry_delay",
    20,
    unit="seconds",
    since="2.3.17",
    doc="How long to wait before connecting to the mupdate master again; a random part is added.",
)
mupdate_server = string(
    "mupdate_server",
    None,
    since="2.3.17",
    doc="The mupdate master. Setting it makes this server part of a Murder.",
)
mupdate_username = string(
    "mupdate_username", "", since="2.3.17", doc="The SASL authorization identity for the mupdate master."
)
mupdate_workers_max = integer(
    "mupdate_workers_max", 50, unit="threads", since="2.3.17", doc="Most worker threads of mupdate."
)
mupdate_workers_maxspare = integer(
    "mupdate_workers_maxspare", 10, unit="threads", since="2.3.17", doc="Most idle worker threads of mupdate."
)
mupdate_workers_minspare = integer(
    "mupdate_workers_minspare",
    2,
    unit="threads",
    since="2.3.17",
    doc="Fewest idle worker threads of mupdate.",
)
mupdate_workers_start = integer(
    "mupdate_workers_start", 5, unit="threads", since="2.3.17", doc="Worker threads that mupdate starts with."
)
proxy_authname = string(
    "proxy_authname", "proxy", since="2.3.17", doc="The name with which to log in to backends."
)
proxy_compress = switch("proxy_compress", False, since="2.3.17", doc="Compress connections to backends.")
proxy_password = string("proxy_password", None, since="2.3.17", doc="The password for backends.")
proxy_realm = string("proxy_realm", None, since="2.3.17", doc="The SASL realm of backends.")
proxyd_allow_status_referral = switch(
    "proxyd_allow_status_referral", False, since="2.3.17", doc="Let a frontend refer clients for STATUS too."
)
proxyd_disable_mailbox_referrals = switch(
    "proxyd_disable_mailbox_referrals",
    False,
    since="2.3.17",
    doc="Let a frontend never refer clients to backends.",
)
proxyservers = string(
    "proxyservers",
    None,
    since="2.3.17",
    doc="Users and groups that may act for others, that is, frontends; separated by space.",
)
serverlist = string(
    "serverlist",
    None,
    since="2.3.17",
    doc="Backends among which the place of new mailboxes is chosen, separated by space.",
)
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
    doc="How that choice is made.",
)
serverlist_select_usage_reinit = integer(
    "serverlist_select_usage_reinit",
    0,
    unit="operations",
    since="2.5.0",
    doc="After so many choices the use of backends is looked up again; 0 for never.",
)
serverlist_select_soft_usage_limit = integer(
    "serverlist_select_soft_usage_limit",
    0,
    unit="percent",
    since="2.5.0",
    doc="Backends that are fuller than this are not chosen, unless all are; 0 for no limit.",
)
