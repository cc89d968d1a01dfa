"""What this suite calls itself, in greetings, ``cyr_info version`` and the ID response."""

from __future__ import annotations

PACKAGE = "cyrus-imapd"

CYRUS_VERSION = "3.6.7"
"""The release of Cyrus IMAP whose behaviour is ours."""

RELEASE = "0.1.0"
"""Our own release."""

VERSION = f"{CYRUS_VERSION}-py-{RELEASE}"
