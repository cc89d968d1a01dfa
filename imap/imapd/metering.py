"""Which command counts as what, for Prometheus.

What makes no sense is not counted. In the original that depends on how far it reads the arguments of a
command before somebody is given it.
"""

from __future__ import annotations

from imap.imapd.response import No, Ok, Outcome
from libcyrus.server.metrics import Metrics

_COUNTED_AS = {"move": "copy", "xmove": "copy", "xlist": "list", "localappend": "append"}


def count(metrics: Metrics, name: str, outcome: Outcome) -> None:
    """Count a command that was carried out, well or not; ``name`` is that of the command table."""
    word = name.removeprefix("UID ").lower()
    if word in ("login", "authenticate"):
        if isinstance(outcome, Ok):
            metrics.add("authenticate_total_result_yes")
        elif isinstance(outcome, No) and (word == "authenticate" or outcome.text.startswith("Login failed")):
            metrics.add("authenticate_total_result_no")
        return
    metric = f"{_COUNTED_AS.get(word, word)}_total"
    if metrics.knows(metric):
        metrics.add(metric)
