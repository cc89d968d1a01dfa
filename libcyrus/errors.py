"""The errors of the library, one class for each condition a front end words differently.

The default texts are those of the original's error table, since clients and
scripts match on them. Nothing here knows IMAP, LMTP or exit codes: each front
end keeps one table from these classes to its replies.
"""

from __future__ import annotations


class CyrusError(Exception):
    """A refusal or failure with a reason that a user may be told."""

    text = "Internal Error"

    def __init__(self, text: str | None = None) -> None:
        super().__init__(text or self.text)


class Fatal(Exception):
    """The process cannot go on; ``code`` is a sysexits number."""

    def __init__(self, text: str, code: int) -> None:
        super().__init__(text)
        self.code = code


# the machine failed us


class InternalError(CyrusError):
    text = "Internal Error"


class IoError(CyrusError):
    text = "System I/O error"


class SysError(CyrusError):
    text = "Operating System Error"


class NoSpace(CyrusError):
    text = "mail system storage has been exceeded"


# databases


class NotFound(CyrusError):
    text = "Item does not exist"


class AlreadyExists(CyrusError):
    """A cyrusdb ``create`` met an existing key."""

    text = "Item already exists"


class DatabaseCorrupt(IoError):
    """A database file fails its own checks; it is left as it is."""

    text = "Database format corruption detected"


class Again(CyrusError):
    text = "Retry operation"


# permission and limits


class PermissionDenied(CyrusError):
    text = "Permission denied"


class QuotaExceeded(CyrusError):
    text = "Over quota"


class MessageTooLarge(CyrusError):
    text = "Message size exceeds fixed limit"


class MessageTooBig(CyrusError):
    text = "[TOOBIG] Message size exceeds fixed limit"


class UserFlagsExhausted(CyrusError):
    text = "Too many user flags in mailbox"


# mailboxes


class MailboxBadFormat(CyrusError):
    text = "Mailbox has an invalid format"


class MailboxChecksum(CyrusError):
    text = "Mailbox format corruption detected"


class MailboxNotSupported(CyrusError):
    text = "Operation is not supported on mailbox"


class MailboxNonexistent(CyrusError):
    text = "Mailbox does not exist"


class MailboxExists(CyrusError):
    text = "Mailbox already exists"


class MailboxBadName(CyrusError):
    text = "Invalid mailbox name"


class MailboxBadType(CyrusError):
    text = "Invalid mailbox type"


class ServerUnavailable(CyrusError):
    """Another server would have to do it, and cannot be asked."""

    text = "Server(s) unavailable to complete operation"


class RemoteDenied(CyrusError):
    """Another server was asked, and would not."""

    text = "The remote Server(s) denied the operation"


class MailboxMoved(CyrusError):
    """The mailbox ``mboxname`` is on its way to another server."""

    text = "Mailbox has been moved to another server"

    def __init__(self, mboxname: str = "") -> None:
        super().__init__()
        self.mboxname = mboxname


class MailboxRemote(MailboxMoved):
    """It is there, and we do not work on it from here."""

    text = "Server(s) unavailable to complete operation"


class MailboxReserved(CyrusError):
    text = "Mailbox is currently reserved"


class MailboxLocked(CyrusError):
    text = "Mailbox is locked"


class MailboxDisabled(CyrusError):
    text = "Delivery to mailbox is disabled"


class MailboxSpecialUse(CyrusError):
    text = "SPECIAL-USE flag conflict"


class MailboxHasChildren(CyrusError):
    text = "[HASCHILDREN] Mailbox has inferior hierarchical names"


class PartitionUnknown(CyrusError):
    text = "Unknown/invalid partition"


class NamespaceBadPrefix(CyrusError):
    text = "Invalid namespace prefix in configuration file"


class InvalidIdentifier(CyrusError):
    text = "Invalid identifier"


class InvalidRights(CyrusError):
    text = "Invalid rights"


class QuotarootNonexistent(CyrusError):
    text = "Quota root does not exist"


class UnsupportedQuota(CyrusError):
    text = "Unsupported quota resource"


class UserLegacyDirs(CyrusError):
    text = "User is using legacy mailbox directories.  Reconstruct user first."


# messages


class MessageContainsNull(CyrusError):
    text = "Message contains NUL characters"


class MessageContainsNewline(CyrusError):
    text = "Message contains bare newlines"


class MessageContains8Bit(CyrusError):
    text = "Message contains non-ASCII characters in headers"


class MessageBadHeader(CyrusError):
    text = "Message contains invalid header"


class MessageNoBlankLine(CyrusError):
    text = "Message has no header/body separator"


class ZeroLengthLiteral(CyrusError):
    text = "Zero-length message literal"


class UnknownCte(CyrusError):
    text = "[UNKNOWN-CTE] Can not process the binary data"


class UnrecognizedCharset(CyrusError):
    text = "Unrecognized character set"


class Cancelled(CyrusError):
    """The user asked for the running command to be given up."""

    text = "Command cancelled by user"


class SearchSlow(CyrusError):
    text = "Search taking too long - try reducing the set of messages searched"


class NoSearchEngine(CyrusError):
    """What was asked takes an index of the mail's words, which nobody keeps."""

    text = "Internal Error"


class NoSuchMessage(CyrusError):
    text = "No matching messages"


# protocols and logins


class ProtocolError(CyrusError):
    text = "Bad protocol"


class BadUrl(CyrusError):
    text = "Bad URL"


class BadParameters(CyrusError):
    text = "Syntax error in parameters"


class Disabled(CyrusError):
    text = "Command is disabled by configuration"


class InvalidUser(CyrusError):
    text = "Invalid user"


class InvalidLogin(CyrusError):
    text = "Login incorrect"


class AnonymousNotPermitted(CyrusError):
    text = "Anonymous login is not permitted"


class SaslFail(CyrusError):
    text = "Authentication failed"


class SaslCancel(CyrusError):
    text = "Client cancelled authentication"


class SaslProtocol(CyrusError):
    text = "Protocol error during authentication"


class LayerBroken(CyrusError):
    text = "decoding error"


# annotations


class AnnotationBadEntry(CyrusError):
    text = "Invalid annotation entry"


class AnnotationBadValue(CyrusError):
    text = "Invalid annotation value"


# conversations


class ConversationGuidLimit(CyrusError):
    text = "Too many identical emails"
