"""Making an INBOX, and what should come with it, for a user who has none.

The options ``autocreate_*`` say for whom, which folders, which subscriptions and what quota.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress

from libcyrus import acl as acls
from libcyrus import options as opt
from libcyrus.auth import ANONYMOUS, AuthState, new_state
from libcyrus.base.xlog import NOTICE
from libcyrus.errors import AnnotationBadEntry, CyrusError, MailboxNonexistent
from libcyrus.mailbox.mailstore import MailStore
from libcyrus.mboxname import Namespace
from libcyrus.records.annotate import SPECIALUSE
from libcyrus.records.find import Finder, Viewer
from libcyrus.records.mbentry import MboxEntry
from libcyrus.records.quota import UNLIMITED, Resource

from . import annotation, checks, quotaroot, setacl, unfinished
from .checks import Actor
from .make import create_one
from .subscribe import subscribe

log = logging.getLogger(__name__)

_XLIST = "xlist-"


def autocreate_inbox(
    store: MailStore,
    userid: str,
    auth: AuthState | None = None,
    install_script: Callable[[MailStore, str], None] | None = None,
) -> MboxEntry:
    """Make the INBOX of ``userid`` with folders, quota and subscriptions as configured; returns its entry.

    ``install_script`` gives the user the configured Sieve script; it is above the library.

    Admins, proxies, the anonymous user and whoever is not among ``autocreate_users`` get none:
    MailboxNonexistent. What fails after the INBOX itself is logged and left out. Whether to call this at all
    is the caller's decision (``autocreate_quota``, ``autocreate_post``).
    """
    config = store.config
    auth = auth or new_state(config, userid)
    log.debug("autocreateinbox: autocreate inbox for user %s was called", userid)
    if userid == ANONYMOUS or auth is None:
        raise MailboxNonexistent
    if auth.is_a(config[opt.admins]) or auth.is_a(config[opt.proxyservers]):
        raise MailboxNonexistent
    if not auth.is_a(config[opt.autocreate_users]):
        log.debug(
            "autocreateinbox: User %s does not belong to the autocreate_users. No mailbox is created", userid
        )
        raise MailboxNonexistent
    inbox = store.rules.inbox(userid)
    admin = Actor(True, userid, auth)
    limits = _limits(store)
    # the lock for the limits comes before the namespace
    with unfinished.exclusive(store, userid, quota_change=limits is not None):
        existing = store.mboxlist.get(inbox)
        if existing is not None:
            return existing
        try:
            entry = create_one(store, inbox, admin, tell=True)
            subscribe(store, inbox, userid, auth, add=True, force=True)
            if limits is not None:
                quotaroot.set_quotas(store, inbox, limits)
        except CyrusError as error:
            log.error("autocreateinbox: User %s, INBOX failed. %s", userid, error)
            raise
        log.log(NOTICE, "autocreateinbox: User %s, INBOX was successfully created", userid)
        _make_folders(store, userid, admin)
        _subscribe_shared(store, userid, auth)
        if config[opt.autocreate_sieve_script] and install_script is not None:
            _give_script(store, userid, install_script)
    return entry


def _give_script(store: MailStore, userid: str, install: Callable[[MailStore, str], None]) -> None:
    try:
        install(store, userid)
    except CyrusError as error:
        log.warning("autocreate_sieve: User %s, default sieve script creation failed: %s", userid, error)
    else:
        text = "autocreate_sieve: User %s, default sieve script creation succeeded"
        log.log(NOTICE, text, userid)


def _limits(store: MailStore) -> list[int] | None:
    """Those of the quota root that comes with the INBOX, if one does."""
    storage, messages = store.config[opt.autocreate_quota], store.config[opt.autocreate_quota_messages]
    if storage < 0 and messages < 0:
        return None
    limits = [UNLIMITED] * len(Resource)
    # zero asks for the INBOX, not for a limit
    limits[Resource.STORAGE] = storage or UNLIMITED
    limits[Resource.MESSAGE] = messages or UNLIMITED
    return limits


def _make_folders(store: MailStore, userid: str, admin: Actor) -> None:
    subscribed = _words(store.config[opt.autocreate_subscribe_folders])
    made = counted = 0
    for folder in _words(store.config[opt.autocreate_inbox_folders]):
        name = store.rules.inbox(userid, *(part for part in folder.split(".") if part))
        try:
            create_one(store, name, admin, tell=True)
        except CyrusError as error:
            log.warning("autocreateinbox: User %s, subfolder %s creation failed. %s", userid, folder, error)
            continue
        made += 1
        log.log(NOTICE, "autocreateinbox: User %s, subfolder %s creation succeeded.", userid, folder)
        if folder in subscribed:
            try:
                subscribe(store, name, userid, admin.auth, add=True, force=True)
            except CyrusError as error:
                log.warning(
                    "autocreateinbox: User %s, subscription to  %s failed. %s", userid, folder, error
                )
            else:
                counted += 1
                log.log(NOTICE, "autocreateinbox: User %s, subscription to %s succeeded", userid, folder)
        _set_specialuse(store, userid, folder, name)
        _set_acl(store, userid, folder, name)
    if made:
        log.info("User %s, Inbox subfolders, created %d, subscribed %d", userid, made, counted)


def _set_specialuse(store: MailStore, userid: str, folder: str, name: str) -> None:
    """``xlist-USE: FOLDER`` names the folder for a special use."""
    for key, value in store.config.overflow_items():
        if not key.startswith(_XLIST) or value != folder:
            continue
        use = "\\" + key[len(_XLIST) :]
        try:
            existing = checks.find_specialuse(store, userid, use)
            if existing is not None:
                log.log(
                    NOTICE,
                    "autocreate: not setting specialuse %s for %s, already exists as %s",
                    use, name, existing.name,
                )  # fmt: skip
                continue
            # the configuration may name uses that clients cannot ask for
            with suppress(AnnotationBadEntry):
                use = checks.validate_specialuse(store, userid, [use])
            annotation.write(store, name, SPECIALUSE, userid, use.encode())
            log.info("autocreate: set specialuse %s for %s", use, name)
        except CyrusError as error:
            log.warning("autocreate: failed to set specialuse %s for %s: %s", use, name, error)


def _set_acl(store: MailStore, userid: str, folder: str, name: str) -> None:
    """``autocreate_acl: FOLDER IDENTIFIER RIGHTS``."""
    text = store.config.overflow("autocreate_acl")
    words = (text or "").split()
    if not words or words[0] != folder:
        return
    if len(words) != 3:
        log.warning("autocreate: ignoring invalid autocreate_acl: %s", text)
        return
    try:
        acls.check_rights(words[2])
    except CyrusError as error:
        text = "autocreate_acl %s: ignoring invalid rights string '%s': %s"
        log.warning(text, folder, words[2], error)
        return
    try:
        setacl.set_acl(store, name, words[1], words[2], is_admin=True, userid=userid, auth=None)
    except CyrusError as error:
        log.error("autocreate_acl %s: unable to setacl for %s to %s: %s", folder, words[1], words[2], error)


def _subscribe_shared(store: MailStore, userid: str, auth: AuthState) -> None:
    space = Namespace.from_config(store.config)
    viewer = Viewer(space, userid, auth)
    if store.config[opt.autocreate_subscribe_sharedfolders_all]:
        for found in Finder(store.mboxlist, viewer).find(["*"]):
            if found is not None and found.exact and found.name.localpart is None:
                _try_to_subscribe(store, userid, auth, found.name.internal, explicit=False)
        return
    for name in _words(store.config[opt.autocreate_subscribe_sharedfolders]):
        _try_to_subscribe(store, userid, auth, name, explicit=True)


def _try_to_subscribe(store: MailStore, userid: str, auth: AuthState, name: str, *, explicit: bool) -> None:
    try:
        if store.rules.from_internal(name).is_user:
            return
        subscribe(store, name, userid, auth, add=True)
    except CyrusError as error:
        if explicit:
            log.warning("autosubscribe: User %s to folder %s, subscription failed: %s", userid, name, error)
        return
    if explicit:
        log.log(NOTICE, "autosubscribe: User %s to folder %s, subscription succeeded", userid, name)


def _words(text: str | None) -> list[str]:
    return [word.strip() for word in (text or "").split("|") if word.strip()]
