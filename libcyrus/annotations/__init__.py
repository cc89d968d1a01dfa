"""Annotations as users see them: which there are, who may read and set them, in what form.

``records.annotate`` stores values, ``mailbox.annotations`` counts those of messages; rights, types, computed
values and the quota are here. A ``Target`` says what is annotated and who asks.
"""

from __future__ import annotations

from .arrival import Arrival
from .definitions import Definitions
from .entries import Scope
from .fetch import Found, Query, attributes_named, fetch
from .store import Planned, Setting, plan, store_mailboxes, store_message, store_server
from .target import Target

__all__ = [
    "Arrival",
    "Definitions",
    "Found",
    "Planned",
    "Query",
    "Scope",
    "Setting",
    "Target",
    "attributes_named",
    "fetch",
    "plan",
    "store_mailboxes",
    "store_message",
    "store_server",
]
