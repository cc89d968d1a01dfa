"""Replication: sync_client, sync_server and the sync log."""

from __future__ import annotations

from libcyrus.options.declare import duration, integer, string, switch

sync_authname = string(
    "sync_authname", None, channel=True, since="2.5.0", doc="The name with which to log in to the replica."
)
sync_batchsize = integer(
    "sync_batchsize",
    8192,
    unit="messages",
    since="3.0.0",
    doc="Most messages sent for one mailbox at a time.",
)
sync_host = string("sync_host", None, channel=True, since="2.5.0", doc="The replica.")
sync_log = switch("sync_log", False, since="2.3.17", doc="Write down what changes, for sync_client.")
sync_log_chain = switch(
    "sync_log_chain",
    False,
    since="2.4.0",
    doc="Let sync_server write down what it changes, for a replica of the replica.",
)
sync_log_channels = string(
    "sync_log_channels",
    None,
    since="2.5.0",
    doc="Names of channels, separated by space, each of which gets a log of its own.",
)
sync_log_unsuppressable_channels = string(
    "sync_log_unsuppressable_channels",
    "squatter",
    since="2.5.0",
    doc="Channels to which sync_server too writes what it changes.",
)
sync_password = string(
    "sync_password", None, channel=True, since="2.5.0", doc="The password for the replica."
)
sync_port = string(
    "sync_port",
    None,
    channel=True,
    since="3.0.0",
    doc="The port of the replica, or its service name; imap and then csync if not set.",
)
sync_realm = string("sync_realm", None, channel=True, since="2.5.0", doc="The SASL realm of the replica.")
sync_reconnect_maxwait = duration(
    "sync_reconnect_maxwait",
    "20m",
    unit="s",
    since="3.6.0",
    doc=(
        "The longest wait before connecting again, as waits grow from try to try; 0 lets them grow "
        "without limit."
    ),
)
sync_repeat_interval = duration(
    "sync_repeat_interval",
    "1s",
    unit="s",
    channel=True,
    since="3.1.8",
    doc="The shortest time between two runs of rolling replication.",
)
sync_rightnow_channel = string(
    "sync_rightnow_channel",
    None,
    since="3.3.1",
    doc="The channel to which changes are replicated before the client gets its answer.",
)
sync_shutdown_file = string(
    "sync_shutdown_file",
    None,
    channel=True,
    since="2.5.0",
    doc="The file whose existence ends rolling replication.",
)
sync_timeout = duration(
    "sync_timeout",
    "30m",
    unit="s",
    since="3.1.8",
    doc="How long to wait for the replica; at least 3 seconds.",
)
sync_try_imap = switch(
    "sync_try_imap",
    True,
    channel=True,
    since="3.0.0",
    doc="Try an IMAP connection to the replica before csync.",
)
