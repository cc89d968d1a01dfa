"""How imapd words a refusal: the one table from library errors to replies.

Most errors are told by their text with a bare NO, as Cyrus does; response codes are rare. Codes that
depend on the command (TRYCREATE, CANNOT) are added where that command is.
"""

from __future__ import annotations

import logging

from imap.imapd.response import Bad, No, Outcome
from libcyrus import errors

log = logging.getLogger(__name__)

CONNECTION_READONLY = "This connection is configured for read-only access"
NOT_LOGGED_IN = "Please login first"
NO_MAILBOX = "Please select a mailbox first"
UNRECOGNIZED = "Unrecognized command"
UNRECOGNIZED_UID = "Unrecognized UID subcommand"

_BAD = (errors.ProtocolError, errors.BadParameters, errors.UnrecognizedCharset)


def refusal(error: errors.CyrusError) -> Outcome:
    """The tagged reply for an error that ended a command. The error was logged where it was found."""
    if isinstance(error, _BAD):
        return Bad(str(error))
    return No(str(error))
