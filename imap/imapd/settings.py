"""What imapd reads from the configuration and its command line, once per process.

Nothing is looked up again while a command runs.
"""

from __future__ import annotations

from imap.imapd.parse import MAX_UINT32, Limits
from libcyrus import options as opt
from libcyrus import version
from libcyrus.base.dataclasses import dataclass
from libcyrus.base.numbers import leading_float
from libcyrus.config import Config
from libcyrus.search.evaluate import Rules

MINIMUM_TIMEOUT = 30 * 60


@dataclass(frozen=True, slots=True)
class Switches:
    """imapd's own command line."""

    imaps: bool = False
    external_ssf: int = 0
    skip_password_check: bool = False
    ignore_quota: bool = False


@dataclass(frozen=True, slots=True)
class Settings:
    """Sizes in octets, times in seconds; ``idle_poll`` 0 switches IDLE off."""

    switches: Switches
    limits: Limits
    max_message_size: int
    timeout: int
    idle_timeout: int
    idle_poll: int
    readonly: bool
    tls_required: bool
    allowplaintext: bool
    allowanonymous: bool
    magicplus: bool
    virtdomains: bool
    autoexpunge: bool
    allowdeleted: bool
    chatty: bool
    command_min_timer: float | None
    disconnect_on_vanished: bool
    failed_login_pause: int
    plaintext_login_pause: int
    plaintext_login_alert: str | None
    id_response: bool
    serverinfo: str
    servername: str
    version: str
    suppressed: frozenset[str]
    annotatemore: bool
    search: Rules
    search_fuzzy_always: bool

    @classmethod
    def from_config(cls, config: Config, switches: Switches) -> Settings:
        timeout = max(config[opt.timeout], MINIMUM_TIMEOUT)
        minimum = config[opt.commandmintimer]
        arguments = config[opt.maxargssize]
        suppressed = frozenset((config[opt.suppress_capabilities] or "").split())
        if config[opt.proxyd_disable_mailbox_referrals]:
            suppressed |= {"MAILBOX-REFERRALS"}
        return cls(
            switches=switches,
            limits=Limits(
                word=config[opt.maxword],
                quoted=config[opt.maxquoted],
                literal=config[opt.maxliteral],
                arguments=max(arguments, 0),
                literal_minus=config[opt.literalminus],
                conversations=config[opt.conversations],
            ),
            max_message_size=config[opt.maxmessagesize] or MAX_UINT32,
            timeout=timeout,
            idle_timeout=config[opt.imapidletimeout] or config[opt.timeout],
            idle_poll=max(config[opt.imapidlepoll], 0),
            readonly=config[opt.readonly],
            tls_required=config[opt.tls_required],
            allowplaintext=config[opt.allowplaintext],
            allowanonymous=config[opt.allowanonymouslogin],
            magicplus=config[opt.imapmagicplus],
            virtdomains=config[opt.virtdomains] != "off",
            autoexpunge=config[opt.autoexpunge],
            allowdeleted=config[opt.allowdeleted],
            chatty=config[opt.chatty],
            command_min_timer=leading_float(minimum) if minimum else None,
            disconnect_on_vanished=config[opt.disconnect_on_vanished_mailbox],
            failed_login_pause=config[opt.failedloginpause],
            plaintext_login_pause=config[opt.plaintextloginpause],
            plaintext_login_alert=config[opt.plaintextloginalert],
            id_response=config[opt.imapidresponse],
            serverinfo=config[opt.serverinfo],
            servername=config.servername,
            version=version.VERSION,
            suppressed=suppressed,
            annotatemore=config[opt.annotation_enable_legacy_commands],
            search=Rules.from_config(config),
            search_fuzzy_always=config[opt.search_fuzzy_always],
        )
