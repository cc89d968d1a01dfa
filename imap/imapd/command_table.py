"""Every IMAP command, one entry each: grammar, handler, the states it is legal in, what it may tell.

A name that is not here is answered as Cyrus answers an unknown command. An entry's ``tell`` says when the
loop reports news of the selected mailbox (RFC 3501 section 5.5):

* ``NOTHING``: never, or the handler does it, because only the handler knows the place;
* ``BEFORE``: without expunges, before the handler runs;
* ``AFTER``: without expunges, between the handler and the tagged line: the command used message numbers,
  or simply does not renumber in the original;
* ``AFTER_WITH_EXPUNGES``: the same, and message numbers may change.

``by_uid`` adds the UID to the FETCH responses told. ``writes`` commands are refused under ``readonly: yes``.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from functools import partial
from typing import Any

from imap.imapd import list_options
from imap.imapd.commands import (
    acl,
    annotation,
    append,
    authenticate,
    capability,
    close,
    compress,
    copy,
    create,
    delete,
    elsewhere,
    enable,
    expunge,
    fetch,
    genurlauth,
    idle,
    login,
    logout,
    metadata,
    namespace,
    noop,
    quota,
    reconstruct,
    rename,
    search,
    select,
    sort,
    starttls,
    status,
    store,
    subscribe,
    thread,
    unauthenticate,
    urlfetch,
    xkillmy,
    xmeid,
    xrunannotator,
    xstats,
    xwarmup,
)
from imap.imapd.commands import (
    id as id_command,
)
from imap.imapd.commands import (
    list as list_command,
)
from imap.imapd.parse import Parser, no_arguments, one_mailbox
from imap.imapd.response import Outcome
from imap.imapd.session import Session
from libcyrus.base.dataclasses import dataclass


class State(enum.Flag):
    """RFC 3501 section 3; AUTHENTICATED includes SELECTED."""

    NOT_AUTHENTICATED = enum.auto()
    AUTHENTICATED = enum.auto()
    SELECTED = enum.auto()
    ANY = NOT_AUTHENTICATED | AUTHENTICATED | SELECTED
    LOGGED_IN = AUTHENTICATED | SELECTED


class Tell(enum.Enum):
    NOTHING = enum.auto()
    BEFORE = enum.auto()
    AFTER = enum.auto()
    AFTER_WITH_EXPUNGES = enum.auto()


def _always(_session: Session) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Command:
    """One command. ``run`` gets what ``parse`` made; ``available`` hides it where it is not offered.

    ``listed`` ones are shown in the process list while they run, since they may take long.
    """

    parse: Callable[[Parser], Any]
    run: Callable[[Session, Any], Outcome]
    states: State
    tell: Tell = Tell.NOTHING
    by_uid: bool = False
    writes: bool = False
    listed: bool = False
    available: Callable[[Session], bool] = _always


def _uid(_session: Session, _args: object) -> Outcome:
    """Never reached: the loop goes on to the entry of the command behind UID."""
    raise AssertionError("UID alone is no command")


COMMANDS: dict[str, Command] = {
    # any state
    "CAPABILITY": Command(no_arguments, capability.run, State.ANY, Tell.BEFORE),
    "NOOP": Command(no_arguments, noop.run, State.ANY, Tell.AFTER_WITH_EXPUNGES),
    "LOGOUT": Command(no_arguments, logout.run, State.ANY),
    "ID": Command(id_command.parse, id_command.run, State.ANY),
    "STARTTLS": Command(no_arguments, starttls.run, State.ANY, available=starttls.available),
    "AUTHENTICATE": Command(authenticate.parse, authenticate.run, State.ANY),
    "LOGIN": Command(login.parse, login.run, State.ANY),
    # authenticated
    "COMPRESS": Command(compress.parse, compress.run, State.LOGGED_IN),
    "UNAUTHENTICATE": Command(
        no_arguments, unauthenticate.run, State.LOGGED_IN, available=unauthenticate.available
    ),
    "ENABLE": Command(enable.parse, enable.run, State.LOGGED_IN),
    "SELECT": Command(select.parse, partial(select.run, examine=False), State.LOGGED_IN),
    "EXAMINE": Command(select.parse, partial(select.run, examine=True), State.LOGGED_IN),
    "CREATE": Command(create.parse, create.run, State.LOGGED_IN, Tell.AFTER, writes=True),
    "DELETE": Command(one_mailbox, delete.run, State.LOGGED_IN, Tell.AFTER, writes=True),
    "LOCALCREATE": Command(
        create.parse, partial(create.run, local_only=True), State.LOGGED_IN, Tell.AFTER, writes=True
    ),
    "LOCALDELETE": Command(
        one_mailbox, partial(delete.run, local_only=True), State.LOGGED_IN, Tell.AFTER, writes=True
    ),
    "LOCALAPPEND": Command(append.parse_local, append.run, State.LOGGED_IN, writes=True),
    "RENAME": Command(rename.parse, rename.run, State.LOGGED_IN, writes=True),
    "SUBSCRIBE": Command(
        subscribe.parse, partial(subscribe.run, add=True), State.LOGGED_IN, Tell.AFTER, writes=True
    ),
    "UNSUBSCRIBE": Command(
        subscribe.parse, partial(subscribe.run, add=False), State.LOGGED_IN, Tell.AFTER, writes=True
    ),
    "LIST": Command(partial(list_options.parse, kind=b"LIST"), list_command.run_list, State.LOGGED_IN),
    "XLIST": Command(partial(list_options.parse, kind=b"XLIST"), list_command.run_list, State.LOGGED_IN),
    "SCAN": Command(list_command.parse_scan, list_command.run_list, State.LOGGED_IN),
    "LSUB": Command(list_command.parse_lsub, list_command.run_lsub, State.LOGGED_IN, Tell.NOTHING),
    "RLIST": Command(list_command.parse_rlist, list_command.run_list, State.LOGGED_IN),
    "RLSUB": Command(list_command.parse_rlsub, list_command.run_lsub, State.LOGGED_IN, Tell.NOTHING),
    "NAMESPACE": Command(no_arguments, namespace.run, State.LOGGED_IN, Tell.AFTER),
    "STATUS": Command(status.parse, status.run, State.LOGGED_IN),
    "APPEND": Command(append.parse, append.run, State.LOGGED_IN, writes=True),
    "IDLE": Command(no_arguments, idle.run, State.LOGGED_IN, listed=True, available=idle.available),
    "SETACL": Command(acl.parse_setacl, acl.setacl, State.LOGGED_IN, Tell.AFTER, writes=True),
    "DELETEACL": Command(acl.parse_identifier, acl.setacl, State.LOGGED_IN, Tell.AFTER, writes=True),
    "GETACL": Command(one_mailbox, acl.getacl, State.LOGGED_IN, Tell.BEFORE),
    "LISTRIGHTS": Command(acl.parse_listrights, acl.listrights, State.LOGGED_IN, Tell.BEFORE),
    "MYRIGHTS": Command(one_mailbox, acl.myrights, State.LOGGED_IN, Tell.AFTER),
    "GETQUOTA": Command(one_mailbox, quota.getquota, State.LOGGED_IN, Tell.BEFORE),
    "GETQUOTAROOT": Command(one_mailbox, quota.getquotaroot, State.LOGGED_IN, Tell.AFTER),
    "SETQUOTA": Command(quota.parse_setquota, quota.setquota, State.LOGGED_IN, Tell.AFTER, writes=True),
    "GETANNOTATION": Command(annotation.parse_get, annotation.get, State.LOGGED_IN, Tell.AFTER),
    "SETANNOTATION": Command(
        annotation.parse_set, annotation.set_annotation, State.LOGGED_IN, Tell.AFTER, writes=True
    ),
    "GETMETADATA": Command(metadata.parse_get, metadata.get, State.LOGGED_IN, Tell.AFTER),
    "SETMETADATA": Command(
        metadata.parse_set, metadata.set_metadata, State.LOGGED_IN, Tell.AFTER, writes=True
    ),
    "GENURLAUTH": Command(genurlauth.parse, genurlauth.run, State.LOGGED_IN),
    "RESETKEY": Command(genurlauth.parse_reset, genurlauth.reset, State.LOGGED_IN),
    "RECONSTRUCT": Command(
        reconstruct.parse, reconstruct.run, State.LOGGED_IN, Tell.AFTER, writes=True, listed=True
    ),
    "XFER": Command(elsewhere.parse_xfer, elsewhere.xfer, State.LOGGED_IN, writes=True),
    "MUPDATEPUSH": Command(one_mailbox, elsewhere.mupdatepush, State.LOGGED_IN, writes=True),
    "DUMP": Command(elsewhere.parse_dump, elsewhere.dump, State.LOGGED_IN, writes=True),
    "UNDUMP": Command(elsewhere.parse_undump, elsewhere.dump, State.LOGGED_IN, writes=True),
    "XBACKUP": Command(
        elsewhere.parse_xbackup,
        elsewhere.xbackup,
        State.LOGGED_IN,
        Tell.AFTER,
        writes=True,
        available=elsewhere.xbackup_available,
    ),
    "XFOREVER": Command(no_arguments, xkillmy.forever, State.LOGGED_IN, listed=True),
    "XKILLMY": Command(xkillmy.parse, xkillmy.run, State.LOGGED_IN),
    "XMEID": Command(xmeid.parse, xmeid.run, State.LOGGED_IN),
    "XSTATS": Command(no_arguments, xstats.run, State.LOGGED_IN),
    "XWARMUP": Command(xwarmup.parse, xwarmup.run, State.LOGGED_IN),
    "URLFETCH": Command(urlfetch.parse, urlfetch.run, State.LOGGED_IN),
    # selected
    "CHECK": Command(no_arguments, noop.run, State.SELECTED, Tell.AFTER_WITH_EXPUNGES),
    "CLOSE": Command(no_arguments, partial(close.run, expunge=True), State.SELECTED),
    "UNSELECT": Command(no_arguments, partial(close.run, expunge=False), State.SELECTED),
    "FETCH": Command(fetch.parse, partial(fetch.run, by_uid=False), State.SELECTED),
    "UID FETCH": Command(fetch.parse, partial(fetch.run, by_uid=True), State.SELECTED),
    "STORE": Command(store.parse, partial(store.run, by_uid=False), State.SELECTED, writes=True),
    "UID STORE": Command(store.parse, partial(store.run, by_uid=True), State.SELECTED, writes=True),
    "COPY": Command(copy.parse, partial(copy.run, by_uid=False, move=False), State.SELECTED, writes=True),
    "UID COPY": Command(copy.parse, partial(copy.run, by_uid=True, move=False), State.SELECTED, writes=True),
    "MOVE": Command(copy.parse, partial(copy.run, by_uid=False, move=True), State.SELECTED, writes=True),
    "XMOVE": Command(copy.parse, partial(copy.run, by_uid=False, move=True), State.SELECTED, writes=True),
    "UID MOVE": Command(copy.parse, partial(copy.run, by_uid=True, move=True), State.SELECTED, writes=True),
    "UID XMOVE": Command(copy.parse, partial(copy.run, by_uid=True, move=True), State.SELECTED, writes=True),
    "EXPUNGE": Command(no_arguments, expunge.run, State.SELECTED, writes=True),
    "UID EXPUNGE": Command(expunge.parse_uid, expunge.run, State.SELECTED, writes=True),
    "SEARCH": Command(search.parse, partial(search.run, by_uid=False), State.SELECTED, listed=True),
    "UID SEARCH": Command(search.parse, partial(search.run, by_uid=True), State.SELECTED, listed=True),
    "SORT": Command(sort.parse, partial(sort.run, by_uid=False), State.SELECTED, listed=True),
    "UID SORT": Command(sort.parse, partial(sort.run, by_uid=True), State.SELECTED, listed=True),
    "THREAD": Command(thread.parse, partial(thread.run, by_uid=False), State.SELECTED, listed=True),
    "UID THREAD": Command(thread.parse, partial(thread.run, by_uid=True), State.SELECTED, listed=True),
    "XRUNANNOTATOR": Command(
        xrunannotator.parse, partial(xrunannotator.run, by_uid=False), State.SELECTED, writes=True
    ),
    "UID XRUNANNOTATOR": Command(
        xrunannotator.parse, partial(xrunannotator.run, by_uid=True), State.SELECTED, writes=True
    ),
    "UID": Command(no_arguments, _uid, State.SELECTED),
}
