"""What this server can do, in the original's order; nothing is listed that is not there.

The greeting shows the short list, CAPABILITY always the whole one, logged in or not.
"""

from __future__ import annotations

from imap.imapd.session import Session

_GREETING = ("IMAP4rev1", "LITERAL+", "ID", "ENABLE")
_BASE = (
    "ACL",
    "ANNOTATE-EXPERIMENT-1",
    "BINARY",
    "CATENATE",
    "CHILDREN",
    "CONDSTORE",
    "CREATE-SPECIAL-USE",
    "ESEARCH",
    "ESORT",
    "LIST-EXTENDED",
    "LIST-MYRIGHTS",
    "LIST-STATUS",
    "MAILBOX-REFERRALS",
    "METADATA",
    "MOVE",
    "MULTIAPPEND",
    "NAMESPACE",
    "OBJECTID",
    "PREVIEW",
    "QRESYNC",
    "QUOTA",
    "RIGHTS=kxten",
    "SAVEDATE",
    "SEARCH=FUZZY",
    "SORT",
    "SORT=DISPLAY",
    "SPECIAL-USE",
    "STATUS=SIZE",
    "THREAD=ORDEREDSUBJECT",
    "THREAD=REFERENCES",
    "UIDPLUS",
    "UNSELECT",
    "URLAUTH",
    "URLAUTH=BINARY",
    "WITHIN",
)
# of drafts, or Cyrus's own
_ANNOTATEMORE = ("ANNOTATEMORE",)
_OWN = (
    "DIGEST=SHA1",
    "LIST-METADATA",
    "NO_ATOMIC_RENAME",
    "SCAN",
    "SORT=MODSEQ",
    "SORT=UID",
    "THREAD=REFS",
    "X-CREATEDMODSEQ",
    "XLIST",
    "XMOVE",
)
_QUOTA_RESOURCES = ("STORAGE", "MESSAGE", "X-ANNOTATION-STORAGE", "X-NUM-FOLDERS")


def greeting(session: Session) -> list[str]:
    """What the greeting announces."""
    return _visible(session, _GREETING) + _security(session)


def full(session: Session) -> list[str]:
    """What CAPABILITY and a successful login announce."""
    settings = session.settings
    legacy = _ANNOTATEMORE if settings.annotatemore else ()
    names = _visible(session, _GREETING + _BASE + legacy + _OWN) + _security(session)
    if session.is_admin:
        names += _visible(session, ("UNAUTHENTICATE",))
    if settings.limits.conversations:
        names.append("XCONVERSATIONS")
    if not session.stream.compressed:
        names += _visible(session, ("COMPRESS=DEFLATE",))
    names += [f"X-QUOTA={name}" for name in _QUOTA_RESOURCES]
    if settings.idle_poll:
        names.append("IDLE")
    names.append(f"APPENDLIMIT={settings.max_message_size}")
    return names


def _visible(session: Session, names: tuple[str, ...]) -> list[str]:
    suppressed = session.settings.suppressed
    return [name for name in names if name not in suppressed] if suppressed else list(names)


def _security(session: Session) -> list[str]:
    """STARTTLS, LOGINDISABLED and the mechanisms, as the state of the connection has them."""
    names = []
    logged_in = session.userid is not None
    if session.process.tls_enabled and not session.tls_active and not logged_in:
        names.append("STARTTLS")
    if session.tls_missing or logged_in or not session.plaintext_allowed:
        names.append("LOGINDISABLED")
    # under TLS or a layer they are told to users who have logged in too: a list that was changed on its way
    # shows in this
    if not session.tls_missing and (not logged_in or session.tls_active or session.sasl.strength):
        mechanisms = session.sasl.mechanisms()
        names += [f"AUTH={name}" for name in mechanisms]
        if mechanisms and not logged_in:
            names.append("SASL-IR")
    return names
