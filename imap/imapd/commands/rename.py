"""RENAME (RFC 3501 section 6.3.5), with Cyrus's third argument: a partition to move to."""

from __future__ import annotations
