"""Directory and file names computed from mailbox names: the two layouts, lock files.

New mailboxes and users live in directories named after a unique id, ``uuid/A/B/ID`` with the first two
characters of the id. Mailboxes made by older versions (the legacy flag) live below their name, spread over
directories by one hash letter.
"""

from __future__ import annotations

from libcyrus.base.dirhash import hash_letter

from .name import DOT, MboxName, NameRules

SHARED_FILE = "shared"


def id_path(uniqueid: str) -> str:
    """``uuid/A/B/ID``."""
    return f"uuid/{uniqueid[0:1]}/{uniqueid[1:2]}/{uniqueid}"


def name_path(root: str, name: MboxName) -> str:
    """The directory of a legacy mailbox below ``root``; also the base of lock file names."""
    rules = name.rules
    path = root
    if name.domain is not None:
        if rules.hashimapspool:
            path += f"/domain/{hash_letter(name.domain, full=rules.fulldirhash)}/{name.domain}"
        else:
            path += f"/domain/{name.domain}"
    parts = [*name.boxes]
    if name.localpart is not None:
        parts = ["user", name.localpart, *parts]
    if name.deleted:
        parts = [rules.deletedprefix, *parts, f"{name.deleted & 0xFFFFFFFF:X}"]
    if rules.hashimapspool and parts:
        path += "/" + hash_letter(parts[1] if len(parts) > 1 else parts[0], full=rules.fulldirhash)
    return "/".join([path, *(part.replace(".", DOT) for part in parts)])


def lock_path(root: str, name: str, rules: NameRules, suffix: str = ".lock") -> str:
    """The lock file of an internal name, unique id or lock word (``*U*joe``) below the lock directory."""
    return name_path(root, rules.from_internal(name)) + suffix


def user_lock_name(userid: str | None) -> str:
    """The lock word that serialises changes to the mailbox tree of a user (None: of all shared mailboxes)."""
    return "*U*" + (userid or "").replace(".", DOT)


def legacy_state_path(configdirectory: str, name: MboxName, suffix: str | None) -> str:
    """The file ``USER.suffix`` of a user's state in the old layout, or the directory of such files.

    Shared mailboxes share ``shared.suffix``, per domain.
    """
    full = name.rules.fulldirhash
    path = configdirectory
    if name.domain is not None:
        path += f"/domain/{hash_letter(name.domain, full=full)}/{name.domain}"
    if name.localpart is not None:
        path += f"/user/{hash_letter(name.localpart, full=full)}"
    if suffix is None:
        return path
    return f"{path}/{name.localpart if name.localpart is not None else SHARED_FILE}.{suffix}"


def state_path(configdirectory: str, uniqueid: str, suffix: str | None) -> str:
    """The file ``suffix.db``, or the directory, of the state of the user whose INBOX is ``uniqueid``."""
    path = f"{configdirectory}/user/{id_path(uniqueid)}"
    return f"{path}/{suffix}.db" if suffix is not None else path


def sieve_path(sievedir: str, name: MboxName, uniqueid: str | None) -> str:
    """Where a user's Sieve scripts are: by the INBOX's ``uniqueid``, or by name (None) in the old layout."""
    if uniqueid is not None:
        return f"{sievedir}/{id_path(uniqueid)}"
    rules = name.rules
    path = sievedir
    if rules.virtdomains and name.domain is not None:
        path += f"/domain/{hash_letter(name.domain, full=rules.fulldirhash)}/{name.domain}"
    owner = name.localpart if rules.virtdomains else name.userid
    if owner is None:
        return path + "/global"
    return f"{path}/{hash_letter(owner, full=rules.fulldirhash)}/{owner}"
