"""ctl_cyrusdb(8): prepare the server's databases at startup, and keep copies of them.

The copies of a checkpoint are taken under each database's read lock (the
original copies without, and may catch half a commit).
"""

from __future__ import annotations

import errno
import logging
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING

import click

from libcyrus import cyrusdb, tool
from libcyrus import options as opt
from libcyrus.base import files, xlog
from libcyrus.base.dataclasses import dataclass, replace
from libcyrus.base.xlog import NOTICE, xsyslog
from libcyrus.config import Config
from libcyrus.errors import CyrusError, Fatal
from libcyrus.mailbox import header
from libcyrus.mailbox.paths import UNFINISHED, MailboxPaths
from libcyrus.mboxname import NameRules
from libcyrus.options.declare import Option
from libcyrus.records import mbtype as mbtypes
from libcyrus.records.mbentry import MboxEntry
from libcyrus.records.mboxlist import Mboxlist
from libcyrus.records.upgrade import upgrade

if TYPE_CHECKING:
    from libcyrus.mailbox.mailstore import MailStore

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Known:
    """A database of the whole server. ``archived`` ones cannot be made again."""

    name: str
    backend: Option[str]
    path: Option[str | None]
    archived: bool = False

    def file(self, config: Config) -> str:
        return config[self.path] or f"{config.directory}/{self.name}"


DATABASES = (
    Known("mailboxes.db", opt.mboxlist_db, opt.mboxlist_db_path, archived=True),
    Known("quotas.db", opt.quota_db, opt.quota_db_path, archived=True),
    Known("annotations.db", opt.annotation_db, opt.annotation_db_path, archived=True),
    Known("backups.db", opt.backup_db, opt.backup_db_path, archived=True),
    Known("deliver.db", opt.duplicate_db, opt.duplicate_db_path),
    Known("tls_sessions.db", opt.tls_sessions_db, opt.tls_sessions_db_path),
    Known("ptclient/ptscache.db", opt.ptscache_db, opt.ptscache_db_path),
    Known("statuscache.db", opt.statuscache_db, opt.statuscache_db_path),
)


@click.command("ctl_cyrusdb")
@tool.config_option
@click.option("-r", "recovering", count=True, help="Recover: run once, before the server starts.")
@click.option("-x", "no_cleanup", is_flag=True, help="With -r: leave the mailbox list as it is.")
@click.option("-c", "checkpointing", count=True, help="Copy the databases to db.backup1.")
@click.argument("words", metavar="", nargs=-1)
def ctl_cyrusdb(
    config_file: str | None, recovering: int, no_cleanup: bool, checkpointing: int, words: tuple[str, ...]
) -> int:
    """Prepare the server's databases at startup, or keep copies of them."""
    if recovering + checkpointing != 1 or (no_cleanup and not recovering):
        raise tool.usage_error()
    config = tool.begin(config_file, "ctl_cyrusdb", before=load_if_unfinished if recovering else None)
    for known in DATABASES:
        if config[known.backend] not in cyrusdb.BUILT:
            raise Fatal(f"cyrusdb backend {config[known.backend]} not supported", os.EX_CONFIG)
    message = "recovering cyrus databases" if recovering else "checkpointing cyrus databases"
    log.log(NOTICE, message)
    if recovering:
        recover(config, cleanup=not no_cleanup)
        done = True
    else:
        done = checkpoint(config)
    log.log(NOTICE, "done %s", message)
    return os.EX_OK if done else 1


# recovery


def recover(config: Config, *, cleanup: bool) -> None:
    """Bring files to the configured backends, and the list of mailboxes into order."""
    stamp_skiplists(config)
    settings = cyrusdb.Settings.from_config(config)
    for known in DATABASES:
        convert(known.file(config), config[known.backend], settings)
    if cleanup:
        Mboxlist(config).close()  # says what is wrong with a damaged one
        upgrade(config, partial(id_from_header, config))
        mailboxes = Mboxlist(config)
        try:
            lacking = [entry for entry in mailboxes.all(intermediates=True) if lacks_something(entry)]
            if lacking:
                with mailstore(config) as store:
                    for entry in lacking:
                        if entry.mbtype & mbtypes.RESERVE:
                            remove_reserved(store, entry)
                        else:
                            restore_uniqueid(store, entry)
            mailboxes.set_racl(config[opt.reverseacls])
        finally:
            mailboxes.close()
        finish_operations(config)


def load_if_unfinished(config: Config) -> None:
    """Load what ``finish_operations`` needs, which a server in good order starts without."""
    if left_unfinished(config):
        import_module("libcyrus.mboxops")
        import_module("libcyrus.text.charset").load_codecs()


def left_unfinished(config: Config) -> bool:
    directory = f"{config.directory}/{UNFINISHED}"
    return os.path.isdir(directory) and bool(os.listdir(directory))


def finish_operations(config: Config) -> None:
    """Put right what processes that died left of creating, renaming and removing mailboxes."""
    if left_unfinished(config):
        from libcyrus.mboxops import repair_all

        with mailstore(config) as store:
            repair_all(store)


def stamp_skiplists(config: Config) -> None:
    """Let skiplist databases be recovered when next opened.

    The stamp is the time since when that is done. After a clean shutdown, of
    which a file left by the administrator's scripts tells, the old one stays.
    """
    directory = f"{config.directory}/db"
    stamp, clean = f"{directory}/skipstamp", f"{directory}/skipcleanshutdown"
    try:
        if files.remove(clean) and os.path.exists(stamp):
            log.log(NOTICE, "skiplist: clean shutdown detected, starting normally")
            return
        log.log(NOTICE, "skiplist: clean shutdown file missing, updating recovery stamp")
        files.replace(stamp, int(time.time()).to_bytes(4), mode=0o644)
    except OSError as error:
        xsyslog(log, logging.ERROR, "DBERROR: write failed", error, filename=stamp)


def convert(path: str, backend: str, settings: cyrusdb.Settings) -> None:
    """Give a file the format that is configured for it, where its own can be recognised.

    What belongs into tables of a server stays: its rows may be newer.
    """
    found = cyrusdb.detect(path)
    if found is None or found == backend:
        return
    log.log(NOTICE, "converting %s from %s to %s", path, found, backend)
    try:
        cyrusdb.open_db(backend, path, convert=True, settings=settings).close()
    except (CyrusError, Fatal) as error:
        log.log(NOTICE, "conversion failed %s", path)
        log.error("%s: %s", path, error)


def lacks_something(entry: MboxEntry) -> bool:
    """Whether a mailbox was not finished, or comes from a version that had no unique ids."""
    if entry.mbtype & mbtypes.RESERVE:
        return True
    return not entry.uniqueid and not entry.remote and not entry.intermediate


def id_from_header(config: Config, entry: MboxEntry) -> str | None:
    """The unique id of a mailbox whose record, of an old version, has none; None if it has no header."""
    try:
        path = MailboxPaths(config, NameRules.from_config(config), entry).header
        with open(path, "rb") as stream:
            return header.unpack(stream.read()).uniqueid
    except (OSError, CyrusError) as error:
        log.warning("cannot read the unique id of mailbox '%s': %s", entry.name, error)
        return None


def remove_reserved(store: MailStore, entry: MboxEntry) -> None:
    """Finish what a crash left of the creation of a mailbox."""
    from libcyrus.mailbox import lifecycle

    try:
        with store.lock_users(store.rules.from_internal(entry.name).userid):
            store.mboxlist.delete(entry.name)
            lifecycle.remove_files(store, entry)
    except CyrusError as error:
        log.error("could not remove reserved mailbox '%s': %s", entry.name, error)
    else:
        log.log(NOTICE, "removed reserved mailbox '%s'", entry.name)


def restore_uniqueid(store: MailStore, entry: MboxEntry) -> None:
    """Complete a record of an older version from the mailbox's own header."""
    try:
        with store.open(entry, write=True) as mailbox:
            uniqueid = mailbox.header.uniqueid
            if not uniqueid:
                from libcyrus.mailbox.lifecycle import make_uniqueid

                uniqueid = mailbox.header.uniqueid = make_uniqueid()
                mailbox.header_changed()
                xsyslog(
                    log,
                    logging.INFO,
                    "mailbox header had no uniqueid, creating one",
                    mboxname=entry.name,
                    newuniqueid=uniqueid,
                )
            xsyslog(
                log,
                logging.INFO,
                "mbentry had no uniqueid, setting from header",
                mboxname=entry.name,
                newuniqueid=uniqueid,
            )
            store.mboxlist.update(replace(entry, uniqueid=uniqueid))
    except CyrusError as error:
        log.debug("restore_uniqueid: opening %s returned %s", entry.name, error)


@contextmanager
def mailstore(config: Config) -> Iterator[MailStore]:
    """The mailboxes themselves, loaded here because a server in good order starts without them."""
    from libcyrus.mailbox.mailstore import MailStore

    store = MailStore(config)
    try:
        yield store
    finally:
        store.close()


# checkpoint

# small files of their own, and what SQL looks after: the original copies neither
_NOT_ARCHIVED = ("quotalegacy", "sql")


def checkpoint(config: Config) -> bool:
    """Copy what cannot be made again into db.backup1, whose last content becomes db.backup2.

    Old copies are only given up when the new ones are complete. (The original gives them up first.)
    """
    directory = f"{config.directory}/db"
    settings = cyrusdb.Settings.from_config(config)
    latest, previous = f"{directory}.backup1", f"{directory}.backup2"
    new = latest + ".NEW"
    try:
        remove_copies(new)
        os.mkdir(new, 0o755)
        for known in DATABASES:
            if known.archived and config[known.backend] not in _NOT_ARCHIVED:
                archive(known.file(config), config[known.backend], new, settings)
        files.fsync_dir(new)
        remove_copies(previous)
        with suppress(FileNotFoundError):
            os.rename(latest, previous)
        os.rename(new, latest)
        files.fsync_dir(config.directory)
    except (OSError, CyrusError) as error:
        log.error("DBERROR: archive %s: %s", directory, error)
        print("ctl_cyrusdb: unable to archive environment", file=sys.stderr)
        with suppress(OSError):
            remove_copies(new)
        return False
    return True


def remove_copies(directory: str) -> None:
    """Remove a directory of files, if there is one."""
    with suppress(FileNotFoundError):
        for name in os.listdir(directory):
            if not name.startswith("."):
                files.remove(f"{directory}/{name}")
        os.rmdir(directory)


def archive(path: str, backend: str, directory: str, settings: cyrusdb.Settings) -> None:
    if not os.path.exists(path):
        log.debug("not archiving database file: %s: %s", path, os.strerror(errno.ENOENT))
        return
    log.debug("archiving database file: %s", path)
    try:
        with quiet(path, backend, settings):
            files.copy(path, f"{directory}/{os.path.basename(path)}")
    except (OSError, CyrusError) as error:
        if isinstance(error, OSError):
            xlog.ioerror(log, "copying database failed", error, filename=path)
        log.error("DBERROR: error archiving database file: %s", path)
        raise


@contextmanager
def quiet(path: str, backend: str, settings: cyrusdb.Settings) -> Iterator[None]:
    """Hold off writers."""
    with cyrusdb.open_db(backend, path, settings=settings) as database, database.transaction(shared=True):
        yield


main = tool.main(ctl_cyrusdb, usage_code=255)
