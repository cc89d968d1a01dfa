"""Users and groups of the process, logging, debugging, network settings."""

from __future__ import annotations

from libcyrus.options.declare import duration, enum, integer, string, switch

cyrus_group = string(
    "cyrus_group", None, since="3.1.7", doc="Group services run as; env CYRUS_GROUP overrides."
)
cyrus_user = string("cyrus_user", None, since="3.0.0", doc="User services run as; env CYRUS_USER overrides.")
proc_path = string("proc_path", None, since="2.5.0", doc="Directory of per-process info files.")
servername = string("servername", None, since="2.3.17", doc="Hostname shown in greetings; else gethostname.")
serverinfo = enum(
    "serverinfo",
    "on",
    ("off", "min", "on"),
    since="2.3.17",
    doc="How much identity greeting/capability reveal.",
)
temp_path = string("temp_path", "/tmp", since="3.3.0", doc="Directory for temporary files.")
umask = string("umask", "077", since="2.3.17", doc="Octal umask of programs.")
auditlog = switch("auditlog", False, since="2.4.0", doc="Log every message-file and mailbox-list change.")
chatty = switch("chatty", False, since="2.5.0", doc="Syslog each command/mailbox touched.")
commandmintimer = string(
    "commandmintimer",
    None,
    unit="seconds, with a fraction if wanted",
    since="2.4.0",
    doc="Log IMAP commands slower than this.",
)
debug = switch("debug", False, since="2.5.0", doc="Pass LOG_DEBUG messages.")
iolog = switch("iolog", False, since="2.5.0", doc="Log per-command I/O counters.")
logtimestamps = switch("logtimestamps", False, since="2.3.17", doc="Timestamps inside telemetry logs.")
syslog_prefix = string("syslog_prefix", None, since="3.1.8", doc="Prepended to syslog ident; env overrides.")
syslog_facility = string(
    "syslog_facility",
    None,
    since="2.5.0",
    doc="Syslog facility name: DAEMON, MAIL, NEWS, USER, LOCAL0..LOCAL7.",
)
telemetry_bysessionid = switch(
    "telemetry_bysessionid", False, since="3.0.0", doc="Name telemetry files by session id."
)
debug_command = string(
    "debug_command", None, since="2.3.17", doc="printf-style debugger command run with service -D."
)
debug_writefail_guid = string(
    "debug_writefail_guid", None, since="3.6.0", doc="Simulate disk-full for message with this GUID."
)
lock_debugtime = string(
    "lock_debugtime",
    None,
    unit="seconds, with a fraction if wanted",
    since="3.1.4",
    doc="Log lock waits longer than this.",
)
master_bind_errors_fatal = switch(
    "master_bind_errors_fatal", False, since="3.3.0", doc="Startup bind failure stops master."
)
client_bind = switch(
    "client_bind", False, since="3.0.0", doc="Bind a specific local address for outgoing connections."
)
client_bind_name = string(
    "client_bind_name", None, since="3.0.0", doc="Address to bind when client_bind; else servername."
)
client_timeout = duration(
    "client_timeout", "10s", unit="s", since="3.1.8", doc="Timeout connecting to backends."
)
qosmarking = enum(
    "qosmarking",
    "cs0",
    (
        "cs0",
        "cs1",
        "cs2",
        "cs3",
        "cs4",
        "cs5",
        "cs6",
        "cs7",
        "af11",
        "af12",
        "af13",
        "af21",
        "af22",
        "af23",
        "af31",
        "af32",
        "af33",
        "af41",
        "af42",
        "af43",
        "ef",
    ),
    since="2.5.0",
    doc="DSCP class for IP packets.",
)
tcp_keepalive = switch("tcp_keepalive", False, since="2.4.0", doc="Enable TCP keepalive.")
tcp_keepalive_cnt = integer(
    "tcp_keepalive_cnt", 0, unit="probes", since="2.4.0", doc="Probes before dead; 0 system."
)
tcp_keepalive_idle = duration(
    "tcp_keepalive_idle", "0", unit="s", since="3.1.8", doc="Idle time before probes; 0 system."
)
tcp_keepalive_intvl = duration(
    "tcp_keepalive_intvl", "0", unit="s", since="3.1.8", doc="Gap between probes; 0 system."
)
