"""Extensions of Sieve: their names, which a configuration offers, and what one brings.

Names stand in the order in which the original numbers them; it writes ``require`` in that order. What is not
here is not offered, though it may have an RFC: spamtest, spamtestplus, virustest, enclose, extracttext,
foreverypart, mime, replace, envelope-deliverby, envelope-dsn, convert, imapsieve.
"""

from __future__ import annotations

from enum import Enum

from libcyrus import options as opt
from libcyrus.config import Config


class Extension(Enum):
    """One extension; the value is the name that scripts are told to use."""

    NUMERIC = "comparator-i;ascii-numeric"
    ENCODED_CHARACTER = "encoded-character"
    ENVELOPE = "envelope"
    FILEINTO = "fileinto"
    REGEX = "regex"
    COPY = "copy"
    BODY = "body"
    ENVIRONMENT = "environment"
    VARIABLES = "variables"
    VACATION = "vacation"
    RELATIONAL = "relational"
    IMAP4FLAGS = "imap4flags"
    SUBADDRESS = "subaddress"
    DATE = "date"
    INDEX = "index"
    EDITHEADER = "editheader"
    EREJECT = "ereject"
    REJECT = "reject"
    ENOTIFY = "enotify"
    NOTIFY = "notify"
    IHAVE = "ihave"
    MAILBOX = "mailbox"
    MBOXMETADATA = "mboxmetadata"
    SERVERMETADATA = "servermetadata"
    REDIRECT_DELIVERBY = "redirect-deliverby"
    REDIRECT_DSN = "redirect-dsn"
    VACATION_SECONDS = "vacation-seconds"
    EXTLISTS = "extlists"
    INCLUDE = "include"
    DUPLICATE = "duplicate"
    SPECIAL_USE = "special-use"
    FCC = "fcc"
    MAILBOXID = "mailboxid"
    LOG = "vnd.cyrus.log"
    JMAPQUERY = "vnd.cyrus.jmapquery"
    SNOOZE = "vnd.cyrus.snooze"
    IMIP = "vnd.cyrus.imip"


BASE_NAMES = frozenset({b"comparator-i;octet", b"comparator-i;ascii-casemap"})
"""What a script may require though it is always there."""

_ALIASES = {
    "imapflags": Extension.IMAP4FLAGS,
    "x-cyrus-log": Extension.LOG,
    "x-cyrus-jmapquery": Extension.JMAPQUERY,
    "snooze": Extension.SNOOZE,
    "x-cyrus-snooze": Extension.SNOOZE,
}
_BY_NAME = {each.value.encode(): each for each in Extension} | {
    name.encode(): each for name, each in _ALIASES.items()
}

NOT_BUILT = frozenset({Extension.JMAPQUERY, Extension.IMIP})
"""They need JMAP and calendars; no configuration offers them."""

ALWAYS = frozenset({Extension.NUMERIC, Extension.ENCODED_CHARACTER})

NOT_IN_IHAVE = frozenset({Extension.ENCODED_CHARACTER, Extension.VARIABLES})
"""They change how the script itself is read, so a test comes too late (RFC 5463 section 4)."""

# an option's word that means more than the extension of its name
_OPTION = {
    Extension.EREJECT: "reject",
    Extension.ENOTIFY: "notify",
    Extension.SNOOZE: "snooze",
}

_LISTED = (
    "encoded-character comparator-i;ascii-numeric fileinto reject ereject vacation vacation-seconds "
    "notify enotify include editheader vnd.cyrus.snooze vnd.cyrus.imip envelope environment body "
    "imap4flags date ihave mailbox mboxmetadata servermetadata duplicate vnd.cyrus.jmapquery relational "
    "regex extlists subaddress copy index variables redirect-deliverby redirect-dsn special-use fcc "
    "mailboxid"
).split()


def find(name: bytes) -> Extension | None:
    """The extension that a script calls so; names are compared as they stand."""
    return _BY_NAME.get(name)


def is_known(name: bytes) -> bool:
    """Whether we have what ``name`` stands for, be it offered or not."""
    extension = find(name)
    return name in BASE_NAMES if extension is None else extension not in NOT_BUILT


def offered(config: Config) -> frozenset[Extension]:
    """What scripts may require: ``sieve_extensions``, and what is always there.

    External lists are address books, so they need ``carddav`` among ``httpmodules``.
    """
    words = config[opt.sieve_extensions]
    found = {each for each in Extension if _OPTION.get(each, each.value) in words} | ALWAYS
    if "carddav" not in config[opt.httpmodules]:
        found.discard(Extension.EXTLISTS)
    return frozenset(found - NOT_BUILT)


def brought_by(extension: Extension) -> frozenset[Extension]:
    """What requiring an extension enables: "vacation-seconds" brings "vacation" (RFC 6131 section 4)."""
    if extension is Extension.VACATION_SECONDS:
        return frozenset({extension, Extension.VACATION})
    return frozenset({extension})


def listed(offer: frozenset[Extension]) -> list[str]:
    """The names that ManageSieve tells, in the original's order: all but vnd.cyrus.log."""
    names = {each.value for each in offer}
    if "vacation-seconds" in names:
        names.add("vacation")
    return [name for name in _LISTED if name in names]
