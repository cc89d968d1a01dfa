"""The metrics that services keep, in the order of the original's definitions, which is that of its files.

Names, labels and help texts are what promstatsd(8) reports. A metric with a label has one place for each
value of that label.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from libcyrus.base.dataclasses import dataclass

Label = tuple[str, tuple[str, ...]]

_STATUS: Label = ("status", ("ok", "error"))
_RESULT: Label = ("result", ("yes", "no"))
_NAMESPACE: Label = (
    "namespace",
    tuple(
        "default admin applepush calendar freebusy addressbook principal notify dblookup ischedule domainkeys"
        " jmap prometheus rss tzdist drive cgi".split()
    ),
)

_IMAP_COMMANDS = (
    "capability compress check copy create close delete deleteacl dump expunge examine fetch getacl"
    " getannotation getmetadata getquota getquotaroot genurlauth id idle logout list lsub listrights"
    " myrights mupdatepush starttls store select search subscribe setacl setannotation setmetadata setquota"
    " sort status scan thread unauthenticate unsubscribe unselect xbackup"
)
_IMAP_WORDING = {"check": "checks", "getannotation": "SETANNOTATIONs"}
_SIEVE = "redirect discard reject fileinto snooze keep notify imip"
_HTTP_METHODS = (
    "acl bind connect copy delete get head lock mkcalendar mkcol move options patch post propfind proppatch"
    " put report search trace unbind unlock"
)
_HTTP_WORDING = {"connect": "CONNECTvs", "search": "SEARCH"}


@dataclass(frozen=True, slots=True)
class Metric:
    """``kind`` is ``counter`` or ``gauge``; ``values`` has one empty value where there is no label."""

    name: str
    help: str
    kind: str = "counter"
    label: str = ""
    values: tuple[str, ...] = ("",)

    def shown_label(self, value: str) -> str:
        """What stands behind the service in the braces of a report."""
        return f',{self.label}="{value}"' if self.label else ""


@cache
def metrics() -> tuple[Metric, ...]:
    """All of them."""
    return (*_imap(), *_lmtp(), *_http())


@cache
def places() -> dict[str, int]:
    """Where each number is: by protocol and name, with label and value behind it if it has one.

    For example ``imap_connections_total``, ``imap_shutdown_total_status_ok``.
    """
    names = []
    for metric in metrics():
        name = metric.name.removeprefix("cyrus_")
        names += [f"{name}_{metric.label}_{value}" if metric.label else name for value in metric.values]
    return {name: place for place, name in enumerate(names)}


def escaped(text: str) -> str:
    """A label's value as it stands in a report. The original forgets that."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _imap() -> Iterator[Metric]:
    yield from _process("imap", active="currently active IMAP")
    yield _counter("imap_append", "The total number of IMAP APPENDs")
    yield _counter("imap_authenticate", "The total number of IMAP AUTHENTICATEs", _RESULT)
    for command in _IMAP_COMMANDS.split():
        wording = _IMAP_WORDING.get(command, f"{command.upper()}s")
        yield _counter(f"imap_{command}", f"The total number of IMAP {wording}")


def _lmtp() -> Iterator[Metric]:
    yield from _process("lmtp", active="active LMTP")
    # its help speaks of IMAP in the original too
    yield _counter("lmtp_authenticate", "The total number of IMAP AUTHENTICATEs", _RESULT)
    yield _counter("lmtp_received_messages", "The number of messages received")
    yield _counter("lmtp_received_bytes", "The number of received bytes")
    yield _counter("lmtp_received_recipients", "The number of received recipients")
    yield _counter("lmtp_transmitted_messages", "The number of messages transmitted")
    yield _counter("lmtp_transmitted_bytes", "The number of bytes transmitted")
    for action in _SIEVE.split():
        yield _counter(f"lmtp_sieve_{action}", f"The number of sieve {action.upper()}s")
    yield _counter("lmtp_sieve_autorespond", "The number of sieve AUTORESPONDs considered")
    yield _counter("lmtp_sieve_autorespond_sent", "The number of sieve AUTORESPONDs sent")


def _http() -> Iterator[Metric]:
    yield from _process("http", active="active HTTP")
    for method in _HTTP_METHODS.split():
        wording = _HTTP_WORDING.get(method, f"{method.upper()}s")
        yield _counter(f"http_{method}", f"The total number of HTTP {wording}", _NAMESPACE)


def _process(protocol: str, *, active: str) -> Iterator[Metric]:
    name, shown = f"cyrus_{protocol}", protocol.upper()
    yield _counter(f"{protocol}_connections", f"The total number of {shown} connections")
    yield Metric(f"{name}_active_connections", f"The number of {active} connections", "gauge")
    yield Metric(f"{name}_ready_listeners", f"The number of currently ready {shown} listeners", "gauge")
    yield _counter(f"{protocol}_shutdown", f"The number of {shown} process shutdowns", _STATUS)


def _counter(name: str, text: str, label: Label = ("", ("",))) -> Metric:
    return Metric(f"cyrus_{name}_total", text, "counter", *label)
