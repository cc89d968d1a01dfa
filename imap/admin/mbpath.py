"""mbpath(8): translate mailbox names to the paths of their files."""

from __future__ import annotations

import json
import logging
import os
import sys
from typing import Any

import click

from libcyrus import options as opt
from libcyrus import tool
from libcyrus.base.dataclasses import dataclass
from libcyrus.base.dirhash import hash_letter
from libcyrus.config import Config
from libcyrus.errors import CyrusError, Fatal, MailboxBadFormat, MailboxNonexistent, MailboxReserved
from libcyrus.mboxname import MboxName, Namespace, id_path, sieve_path
from libcyrus.partitions import Partitions
from libcyrus.records import argument
from libcyrus.records import mbtype as mbtypes
from libcyrus.records.mbentry import MboxEntry
from libcyrus.records.mboxlist import Mboxlist
from libcyrus.records.userstate import UserState

log = logging.getLogger(__name__)

_STATE = ("conversations", "counters", "dav", "seen", "sub", "xapianactive")
_KINDS = ("Archive", "Data", "Meta", "Sieve", "User")


@dataclass(frozen=True, slots=True)
class Places:
    """What is needed to say where everything is."""

    config: Config
    mailboxes: Mboxlist
    partitions: Partitions
    state: UserState

    def path(self, kind: str, name: MboxName, entry: MboxEntry) -> str:
        match kind:
            case "Archive":
                return self.partitions.archive_dir(entry)
            case "Meta":
                return self.partitions.meta_dir(entry)
            case "Sieve":
                return self.sieve(name)
            case "User":
                return self.state.path(name, None)
        return self.partitions.data_dir(entry)

    def sieve(self, name: MboxName) -> str:
        """The scripts of the owner; for a shared mailbox, the global ones."""
        sievedir = self.config[opt.sievedir] or ""
        inbox = None
        if name.userid is not None:
            inbox = self.mailboxes.get(self.mailboxes.rules.inbox(name.userid))
        return sieve_path(sievedir, name, inbox.path_id if inbox is not None else None)


def _select(context: click.Context, parameter: click.Parameter, value: bool) -> bool:
    chosen = context.meta.setdefault("mbpath.selectors", [])
    if value:
        chosen.append(parameter.name)
        if len(chosen) > 1:
            raise tool.usage_error("Duplicate selectors given")
    return value


@click.command("mbpath")
@tool.config_option
@click.option("-j", "as_json", is_flag=True, help="Print everything as a JSON object.")
@click.option(
    "-a", "every", is_flag=True, callback=_select, help="Print all paths, each with a word before it."
)
@click.option("-l", "local_only", is_flag=True, help="Say nothing of mailboxes on other servers.")
@click.option("-q", "quiet", is_flag=True, help="Print no error messages.")
@click.option("-s", "stop", is_flag=True, help="Stop at the first error.")
@click.option("-7", "utf7", is_flag=True, help="Names are in modified UTF-7.")
@click.option("-u", "users", is_flag=True, help="Arguments are userids.")
@click.option("-p", "paths", is_flag=True, help="Arguments are paths.")
@click.option("-A", "archive", is_flag=True, callback=_select, help="The directory of archived messages.")
@click.option("-D", "data", is_flag=True, callback=_select, help="The directory of messages (the default).")
@click.option("-M", "meta", is_flag=True, callback=_select, help="The directory of metadata files.")
@click.option("-m", "meta_too", is_flag=True, callback=_select, help="The same as -M.")
@click.option(
    "-S", "sieve", is_flag=True, callback=_select, help="The directory of the user's Sieve scripts."
)
@click.option("-U", "user", is_flag=True, callback=_select, help="The directory of the user's databases.")
@click.argument("names", metavar="MAILBOX-NAME...", nargs=-1)
def mbpath(
    config_file: str | None,
    as_json: bool,
    every: bool,
    local_only: bool,
    quiet: bool,
    stop: bool,
    utf7: bool,
    users: bool,
    paths: bool,
    archive: bool,
    data: bool,
    meta: bool,
    meta_too: bool,
    sieve: bool,
    user: bool,
    names: tuple[str, ...],
) -> int:
    """Translate mailbox names to the paths of their files."""
    if users and paths:
        raise tool.usage_error("Multiple modes given")
    wanted = dict(zip(_KINDS, (archive, data, meta or meta_too, sieve, user), strict=True))
    kinds = _KINDS if every else tuple(kind for kind in _KINDS if wanted[kind]) or ("Data",)
    config = tool.begin(config_file, "mbpath")
    space = Namespace.from_config(config, admin=True)
    mailboxes = Mboxlist(config)
    places = Places(config, mailboxes, Partitions(config), UserState(config, mailboxes))
    code = 0
    try:
        for text in names:
            name = None
            code = 0
            try:
                name = _name(places, space, text, users=users, paths=paths, utf7=utf7)
                entry = _entry(mailboxes, name)
                if entry.remote:
                    _remote(entry, local_only=local_only, stop=stop, quiet=quiet, as_json=as_json)
                elif as_json:
                    print(
                        json.dumps(_json(places, name, entry), indent=2, sort_keys=True, ensure_ascii=False)
                    )
                else:
                    for kind in kinds:
                        lead = f"{kind}: " if len(kinds) > 1 else ""
                        print(lead + places.path(kind, name, entry))
            except CyrusError as error:
                code = _exit_code(error)
                _complain(space, text, name, error, quiet=quiet)
                if stop:
                    raise Fatal("" if quiet else "Error in processing mailbox. Stopping\n", code) from None
    finally:
        mailboxes.close()
    return code


main = tool.main(mbpath)


def _name(
    places: Places, space: Namespace, text: str, *, users: bool, paths: bool, utf7: bool
) -> MboxName:
    if users:
        return places.mailboxes.rules.from_userid(text)
    if paths:
        return argument.from_path(places.mailboxes, text)
    return argument.from_name(places.mailboxes, space, text, utf7=utf7)


def _entry(mailboxes: Mboxlist, name: MboxName) -> MboxEntry:
    entry = mailboxes.lookup_all(name.internal)
    if entry.mbtype & mbtypes.RESERVE:
        raise MailboxReserved
    if entry.mbtype & mbtypes.DELETED:
        raise MailboxNonexistent
    if not entry.uniqueid and not entry.remote and not entry.mbtype & mbtypes.LEGACY_DIRS:
        log.error("mbentry has no uniqueid, needs reconstruct: mboxname=<%s>", entry.name)
        raise MailboxBadFormat
    return entry


def _remote(entry: MboxEntry, *, local_only: bool, stop: bool, quiet: bool, as_json: bool) -> None:
    if local_only:
        if stop:
            raise Fatal("" if quiet else "Non-local mailbox. Stopping\n", 255)
    elif not as_json:
        print(f"{entry.server}!{entry.partition}")


def _complain(
    space: Namespace, text: str, name: MboxName | None, error: CyrusError, *, quiet: bool
) -> None:
    if quiet:
        return
    if isinstance(error, MailboxBadFormat):
        print(f"Mailbox has no uniqueid, needs reconstruct: {text}", file=sys.stderr)
    elif isinstance(error, MailboxNonexistent):
        external = space.to_external(name, argument.VIEWER) if name is not None else None
        meant = f" ('{external}')\n" if external is not None and external != text else ""
        print(f"Invalid mailbox name: '{text}'{meant}", file=sys.stderr)


def _exit_code(error: CyrusError) -> int:
    if isinstance(error, (MailboxBadFormat, MailboxNonexistent, MailboxReserved)):
        return os.EX_DATAERR
    return os.EX_SOFTWARE


def _json(places: Places, name: MboxName, entry: MboxEntry) -> dict[str, Any]:
    described: dict[str, Any] = {"boxes": list(name.boxes), "intname": name.internal}
    if name.deleted:
        described["isdeleted"] = name.deleted
    for key, value in (("userid", name.userid), ("domain", name.domain), ("localpart", name.localpart)):
        if value is not None:
            described[key] = value
    answer: dict[str, Any] = {
        "mbname": described,
        "archive": places.path("Archive", name, entry),
        "data": places.path("Data", name, entry),
        "meta": places.path("Meta", name, entry),
    }
    if name.userid is not None:
        state = {suffix: places.state.user_path(name.userid, suffix) for suffix in _STATE}
        answer["user"] = state | {"sieve": places.sieve(name)}
        answer["xapian"] = _search_tiers(places, name, entry)
    return answer


def _search_tiers(places: Places, name: MboxName, entry: MboxEntry) -> dict[str, str]:
    """Where each search tier keeps the user's indexes: ``TIERsearchpartition-PARTITION`` in the
    configuration.
    """
    if name.userid is None or name.localpart is None:
        return {}
    inbox = places.mailboxes.get(places.mailboxes.rules.inbox(name.userid))
    if inbox is None:
        return {}
    tiers = {}
    for key, _ in places.config.overflow_items():
        tier, mark, _ = key.partition("searchpartition-")
        root = places.config.overflow(f"{tier}searchpartition-{entry.partition}") if mark else None
        if root is not None:
            tiers[tier] = root + _search_path(name, inbox)
    return tiers


def _search_path(name: MboxName, inbox: MboxEntry) -> str:
    if inbox.path_id is not None:
        return f"/user/{id_path(inbox.path_id)}"
    full = name.rules.fulldirhash
    domain = f"/domain/{hash_letter(name.domain, full=full)}/{name.domain}" if name.domain is not None else ""
    return f"{domain}/{hash_letter(name.localpart or '', full=full)}/user/{name.localpart}"
