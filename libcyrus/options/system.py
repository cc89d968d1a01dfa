"""Users and groups of the process, logging, debugging, network settings."""

from __future__ import annotations

from libcyrus.options.declare import duration, enum, integer, string, switch

cyrus_group = string(
    "cyrus_group", None, since="3.1.7", doc="The group of the server's processes; the user's own if not set."
)
cyrus_user = string(
    "cyrus_user", None, since="3.0.0", doc="The user of the server's processes; cyrus if not set."
)
proc_path = string(
    "proc_path",
    None,
    since="2.5.0",
    doc=(
        "The directory of the files that tell what processes do, best in memory; configdirectory/proc if "
        "not set."
    ),
)
servername = string(
    "servername",
    None,
    since="2.3.17",
    doc="The name of this host in greetings and headers; what the system calls it if not set.",
)
serverinfo = enum(
    "serverinfo",
    "on",
    ("off", "min", "on"),
    since="2.3.17",
    doc="What greetings and capabilities tell: nothing, the servername (min), or also the version.",
)
temp_path = string("temp_path", "/tmp", since="3.3.0", doc="The directory of temporary files.")
umask = string(
    "umask", "077", since="2.3.17", doc="Permissions that files created by the server do not get, in octal."
)
auditlog = switch(
    "auditlog", False, since="2.4.0", doc="Log every change of a mailbox and of the list of mailboxes."
)
chatty = switch("chatty", False, since="2.5.0", doc="Log every command and every mailbox.")
commandmintimer = string(
    "commandmintimer",
    None,
    unit="seconds, with a fraction if wanted",
    since="2.4.0",
    doc="Log IMAP commands that take longer than this.",
)
debug = switch("debug", False, since="2.5.0", doc="Pass messages of the level debug on to syslog.")
iolog = switch("iolog", False, since="2.5.0", doc="Log how much each command reads and writes.")
logtimestamps = switch("logtimestamps", False, since="2.3.17", doc="Write times into telemetry logs.")
syslog_prefix = string(
    "syslog_prefix", None, since="3.1.8", doc="Put before the program's name in the log, with a slash."
)
syslog_facility = string(
    "syslog_facility",
    None,
    since="2.5.0",
    doc="The facility of syslog, such as MAIL or LOCAL6.",
)
telemetry_bysessionid = switch(
    "telemetry_bysessionid",
    False,
    since="3.0.0",
    doc="Name telemetry logs after the session instead of the process.",
)
debug_command = string(
    "debug_command",
    None,
    since="2.3.17",
    doc="A debugger to run for services that are started with -D; %s is the program, %d its process.",
)
debug_writefail_guid = string(
    "debug_writefail_guid",
    None,
    since="3.6.0",
    doc="For tests: act as if the disk were full for the message with this GUID.",
)
lock_debugtime = string(
    "lock_debugtime",
    None,
    unit="seconds, with a fraction if wanted",
    since="3.1.4",
    doc="Log waits for a lock that take longer than this.",
)
master_bind_errors_fatal = switch(
    "master_bind_errors_fatal",
    False,
    since="3.3.0",
    doc="Let master end when it cannot listen on a port at its start.",
)
client_bind = switch(
    "client_bind", False, since="3.0.0", doc="Make outgoing connections from a certain address."
)
client_bind_name = string("client_bind_name", None, since="3.0.0", doc="That address; servername if not set.")
client_timeout = duration(
    "client_timeout",
    "10s",
    unit="s",
    since="3.1.8",
    doc="How long to wait for a connection to another server.",
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
    doc="The class of service in the IP packets that are sent.",
)
tcp_keepalive = switch("tcp_keepalive", False, since="2.4.0", doc="Let the system probe idle connections.")
tcp_keepalive_cnt = integer(
    "tcp_keepalive_cnt",
    0,
    unit="probes",
    since="2.4.0",
    doc="Probes without answer after which a connection is dead; 0 leaves it to the system.",
)
tcp_keepalive_idle = duration(
    "tcp_keepalive_idle",
    "0",
    unit="s",
    since="3.1.8",
    doc="Idle time before the first probe; 0 leaves it to the system.",
)
tcp_keepalive_intvl = duration(
    "tcp_keepalive_intvl", "0", unit="s", since="3.1.8", doc="Time between probes; 0 leaves it to the system."
)
