"""The HTTP service, RSS feeds and metrics."""

from __future__ import annotations

from libcyrus.options.declare import bitfield, duration, integer, string, stringlist, switch

httpallowcompress = switch(
    "httpallowcompress", True, since="2.5.0", doc="Compress answers for clients that accept it."
)
httpallowcors = string(
    "httpallowcors",
    None,
    since="2.5.0",
    doc="Origins that may make cross-origin requests, as a wildmat pattern.",
)
httpallowtrace = switch("httpallowtrace", False, since="2.5.0", doc="Answer the method TRACE.")
httpallowedurls = string(
    "httpallowedurls",
    None,
    since="2.5.0",
    doc="Paths below httpdocroot that are served, separated by space; all if not set.",
)
httpcontentmd5 = switch("httpcontentmd5", False, since="2.5.0", doc="Send Content-MD5 with answers.")
httpdocroot = string(
    "httpdocroot", None, since="2.5.0", doc="The directory of static content; without one none is served."
)
httpkeepalive = duration(
    "httpkeepalive",
    "20s",
    unit="s",
    since="3.1.8",
    doc="During a long request a sign of life is sent this often; 0 for never.",
)
httplogheaders = string(
    "httplogheaders",
    None,
    since="3.3.1",
    doc="Request headers that are written to the log as well, separated by space.",
)
httpmodules = bitfield(
    "httpmodules",
    (),
    (
        "admin",
        "caldav",
        "carddav",
        "cgi",
        "domainkey",
        "freebusy",
        "ischedule",
        "jmap",
        "prometheus",
        "rss",
        "tzdist",
        "webdav",
    ),
    since="3.1.7",
    doc="What httpd serves.",
)
httpprettytelemetry = switch(
    "httpprettytelemetry", False, since="2.5.0", doc="Indent XML and HTML that is sent, to make it readable."
)
httptimeout = duration(
    "httptimeout",
    "5m",
    unit="m",
    since="3.1.8",
    doc="How long an idle connection is kept; 0 ends it after one request.",
)
http_h2_altsvc = string(
    "http_h2_altsvc", None, since="3.6.0", doc="host:port at which HTTP/2 is offered, announced in Alt-Svc."
)
http_jwt_key_dir = string(
    "http_jwt_key_dir",
    None,
    since="3.6.0",
    doc="The directory of keys that verify JSON Web Tokens; without one they are not accepted.",
)
http_jwt_max_age = duration(
    "http_jwt_max_age",
    "0s",
    unit="s",
    since="3.6.0",
    doc="How long after its time of issue (iat) a token counts; 0 ignores that time.",
)
websocket_timeout = duration(
    "websocket_timeout",
    "30m",
    unit="m",
    since="3.6.0",
    doc="How long an idle WebSocket is kept; 0 for no WebSocket.",
)
rss_feedlist_template = string(
    "rss_feedlist_template", None, since="2.5.0", doc="The HTML template of the list of feeds."
)
rss_feeds = string(
    "rss_feeds", "*", since="2.5.0", doc="Mailboxes that are offered as feeds, as a wildmat pattern."
)
rss_maxage = duration(
    "rss_maxage", None, unit="d", since="3.1.8", doc="The oldest message shown in a feed; without it all are."
)
rss_maxitems = integer(
    "rss_maxitems", 0, unit="items", since="2.5.0", doc="Most messages shown in a feed; 0 for all."
)
rss_maxsynopsis = integer(
    "rss_maxsynopsis",
    0,
    unit="characters",
    since="2.5.0",
    doc="How much of each message a feed shows; 0 for all.",
)
rss_realm = string(
    "rss_realm", None, since="2.5.0", doc="The realm of HTTP authentication for feeds; servername if not set."
)
prometheus_enabled = switch(
    "prometheus_enabled", False, since="3.1.2", doc="Collect metrics of the services."
)
prometheus_need_auth = stringlist(
    "prometheus_need_auth",
    "admin",
    ("none", "user", "admin"),
    since="3.1.2",
    doc="Who may read /metrics.",
)
prometheus_update_freq = duration(
    "prometheus_update_freq",
    "10s",
    unit="s",
    since="3.1.8",
    doc="How often the report of metrics is renewed; at least every second.",
)
prometheus_stats_dir = string(
    "prometheus_stats_dir",
    None,
    since="3.1.2",
    doc="The directory of metrics, best in memory; configdirectory/stats if not set.",
)
