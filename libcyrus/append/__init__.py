"""Putting messages into mailboxes: the staged file, the append transaction, copies between mailboxes."""

from __future__ import annotations

from libcyrus.append.append import Appender
from libcyrus.append.stage import Stage

__all__ = ["Appender", "Stage"]
