"""The HTTP service, RSS feeds and metrics."""

from __future__ import annotations

from libcyrus.options.declare import bitfield, duration, integer, string, stringlist, switch

httpallowcompress = switch(
    "httpallowcompress", True, since="2.5.0", doc="Compress responses when client accepts."
)
httpallowcors = string(
    "httpallowcors", None, since="2.5.0", doc="Wildmat of origins allowed cross-origin requests."
)
httpallowtrace = switch("httpallowtrace", False, since="2.5.0", doc="Permit TRACE.")
httpallowedurls = string(
    "httpallowedurls", None, since="2.5.0", doc="Whitelist of served paths under docroot."
)
httpcontentmd5 = switch("httpcontentmd5", False, since="2.5.0", doc="Send Content-MD5 header.")
httpdocroot = string("httpdocroot", None, since="2.5.0", doc="Directory of static content.")
httpkeepalive = duration(
    "httpkeepalive",
    "20s",
    unit="s",
    since="3.1.8",
    doc="Heartbeat period during long requests; 0 off (min 0).",
)
httplogheaders = string("httplogheaders", None, since="3.3.1", doc="Request headers added to access log.")
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
    doc="httpd modules switched on.",
)
httpprettytelemetry = switch(
    "httpprettytelemetry", False, since="2.5.0", doc="Pretty-print generated XML/HTML."
)
httptimeout = duration(
    "httptimeout",
    "5m",
    unit="m",
    since="3.1.8",
    doc="Inactivity timeout; 0 disables persistent connections (min 0).",
)
http_h2_altsvc = string(
    "http_h2_altsvc", None, since="3.6.0", doc="host:port advertised for HTTP/2 via Alt-Svc."
)
http_jwt_key_dir = string(
    "http_jwt_key_dir", None, since="3.6.0", doc="Directory of keys verifying bearer JWTs."
)
http_jwt_max_age = duration(
    "http_jwt_max_age",
    "0s",
    unit="s",
    since="3.6.0",
    doc="Token validity window from iat; 0 ignores iat (>= 0).",
)
websocket_timeout = duration(
    "websocket_timeout", "30m", unit="m", since="3.6.0", doc="WebSocket inactivity limit; 0 disables (min 0)."
)
rss_feedlist_template = string(
    "rss_feedlist_template", None, since="2.5.0", doc="HTML template of feed list."
)
rss_feeds = string("rss_feeds", "*", since="2.5.0", doc="Wildmat of feed mailboxes.")
rss_maxage = duration("rss_maxage", None, unit="d", since="3.1.8", doc="Oldest item shown.")
rss_maxitems = integer("rss_maxitems", 0, unit="items", since="2.5.0", doc="Most items shown; 0 all.")
rss_maxsynopsis = integer(
    "rss_maxsynopsis", 0, unit="characters", since="2.5.0", doc="Synopsis length; 0 full."
)
rss_realm = string("rss_realm", None, since="2.5.0", doc="HTTP auth realm for RSS.")
prometheus_enabled = switch("prometheus_enabled", False, since="3.1.2", doc="Collect service metrics.")
prometheus_need_auth = stringlist(
    "prometheus_need_auth",
    "admin",
    ("none", "user", "admin"),
    since="3.1.2",
    doc="Auth level to read /metrics.",
)
prometheus_update_freq = duration(
    "prometheus_update_freq", "10s", unit="s", since="3.1.8", doc="Report regeneration period; minimum 1s."
)
prometheus_stats_dir = string(
    "prometheus_stats_dir", None, since="3.1.2", doc="Directory of metrics files; else configdirectory/stats."
)
