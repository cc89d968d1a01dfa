"""The mailboxes that arguments of administrators' programs mean: names, or paths of directories."""

from __future__ import annotations

import os

from libcyrus import options as opt
from libcyrus.errors import CyrusError
from libcyrus.mboxname import MboxName, Namespace
from libcyrus.text import mutf7

from .mboxlist import Mboxlist

VIEWER = "cyrus"
"""As this user every name is somebody else's, and so spelt in full."""


def from_name(mailboxes: Mboxlist, space: Namespace, text: str, *, utf7: bool = False) -> MboxName:
    """The mailbox an administrator calls ``text``; empty for what can be no name.

    With ``sieve_utf8fileinto`` it is UTF-8, unless ``utf7`` says that it is modified UTF-7.
    """
    if not utf7 and mailboxes.config[opt.sieve_utf8fileinto]:
        try:
            text = mutf7.encode(text).decode("ascii")
        except mutf7.BadModifiedUtf7:
            return mailboxes.rules.empty
    return space.from_external(text, VIEWER) or mailboxes.rules.empty


def from_path(mailboxes: Mboxlist, path: str) -> MboxName:
    """The mailbox whose directory ``path`` is, or (relative) a name below that of the working directory.

    Only directories that go by unique ids are known. ``..`` is the mailbox above. Empty for what is none.
    """
    rules = mailboxes.rules
    relative = not path.startswith("/")
    directory = os.getcwd() if relative else path
    try:
        entry = mailboxes.lookup_uniqueid(directory.rpartition("/")[2])
    except CyrusError:
        return rules.empty
    name = rules.from_internal(entry.name)
    for part in path.split("/") if relative else ():
        if part == "..":
            if not name.boxes:
                return rules.empty
            name = name.with_boxes(*name.boxes[:-1])
        elif part not in ("", "."):
            name = name.child(part)
    if relative and name.localpart is not None and name.boxes == ("INBOX",):
        name = name.with_boxes()
    return name
