"""Replication: sync_client, sync_server and the sync log."""

from __future__ import annotations

from libcyrus.options.declare import duration, integer, string, switch

sync_authname = string("sync_authname", None, channel=True, since="2.5.0", doc="Authname towards replica.")
sync_batchsize = integer(
    "sync_batchsize", 8192, unit="messages", since="3.0.0", doc="Messages per mailbox upload round."
)
sync_host = string("sync_host", None, channel=True, since="2.5.0", doc="Replica host.")
sync_log = switch("sync_log", False, since="2.3.17", doc="Write replication action logs.")
sync_log_chain = switch("sync_log_chain", False, since="2.4.0", doc="sync_server logs too, allowing chains.")
sync_log_channels = string("sync_log_channels", None, since="2.5.0", doc="Log once per named channel.")
sync_log_unsuppressable_channels = string(
    "sync_log_unsuppressable_channels", "squatter", since="2.5.0", doc="Channels logged even by sync_server."
)
sync_password = string("sync_password", None, channel=True, since="2.5.0", doc="Password towards replica.")
sync_port = string("sync_port", None, channel=True, since="3.0.0", doc="Service name or port of replica.")
sync_realm = string("sync_realm", None, channel=True, since="2.5.0", doc="Realm towards replica.")
sync_reconnect_maxwait = duration(
    "sync_reconnect_maxwait", "20m", unit="s", since="3.6.0", doc="Upper limit of reconnect backoff; 0 none."
)
sync_repeat_interval = duration(
    "sync_repeat_interval",
    "1s",
    unit="s",
    channel=True,
    since="3.1.8",
    doc="Minimum gap between rolling runs.",
)
sync_rightnow_channel = string(
    "sync_rightnow_channel", None, since="3.3.1", doc="Replicate to this channel inline."
)
sync_shutdown_file = string(
    "sync_shutdown_file", None, channel=True, since="2.5.0", doc="Existence of this file stops sync_client."
)
sync_timeout = duration(
    "sync_timeout", "30m", unit="s", since="3.1.8", doc="Peer response timeout; minimum 3s."
)
sync_try_imap = switch(
    "sync_try_imap", True, channel=True, since="3.0.0", doc="Try IMAP connection before csync."
)
