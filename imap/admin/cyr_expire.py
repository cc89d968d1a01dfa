"""cyr_expire(8): expire and archive messages, remove what was expunged or deleted, prune delivery marks."""

from __future__ import annotations

import os
import sys

import click

from libcyrus import options as opt
from libcyrus import tool
from libcyrus.base.signals import ShutdownRequested, Signals
from libcyrus.mailbox.mailstore import MailStore
from libcyrus.mboxname import Namespace
from libcyrus.mboxops.expire import Expirer, Plan, parse_duration
from libcyrus.records.duplicate import DuplicateDb


@click.command("cyr_expire")
@tool.config_option
@click.option("-A", "archive", metavar="AGE", help="Archive messages older than this.")
@click.option("-D", "delete", metavar="AGE", help="Remove mailboxes deleted longer ago.")
@click.option("-E", "expire", metavar="AGE", help="Prune marks of deliveries older than this.")
@click.option("-X", "expunge", metavar="AGE", help="Remove messages expunged longer ago.")
@click.option("-p", "prefix", metavar="PREFIX", help="Only mailboxes whose names begin so.")
@click.option("-u", "userid", metavar="USERID", help="Only the mailboxes of this user.")
@click.option("-a", "no_annotations", is_flag=True, help="Ignore the annotations of mailboxes.")
@click.option("-c", "no_conversations", is_flag=True, help="Leave conversations alone.")
@click.option("-t", "userflags", is_flag=True, help="Remove user flags that are not used.")
@click.option("-v", "verbose", count=True, help="Tell what is done.")
@click.option("-x", "no_expunge", is_flag=True, help="Remove no messages.")
@click.option("-h", "show_help", is_flag=True, help="Print this.")
@click.argument("ignored", metavar="", nargs=-1)
def cyr_expire(
    config_file: str | None,
    archive: str | None,
    delete: str | None,
    expire: str | None,
    expunge: str | None,
    prefix: str | None,
    userid: str | None,
    no_annotations: bool,
    no_conversations: bool,
    userflags: bool,
    verbose: int,
    no_expunge: bool,
    show_help: bool,
    ignored: tuple[str, ...],
) -> int:
    """Expire messages and what is kept about them.

    Ages are a number, perhaps with a fraction, and a unit: d for days (so without a unit), h, m, s.
    """
    if show_help or prefix is not None and userid is not None:
        raise tool.usage_error()
    ages = [_age(text) for text in (archive, delete, expire, expunge)]
    if ages == [None] * 4 and not userflags:
        click.echo("Missing arguments.", err=True)
        raise tool.usage_error()
    config = tool.begin(config_file, "cyr_expire")
    signals = Signals()
    signals.install()
    plan = Plan(
        archive=ages[0],
        deleted=ages[1],
        duplicates=ages[2],
        expunged=ages[3],
        userflags=userflags,
        expunge=not no_expunge,
        annotations=not no_annotations,
        conversations=config[opt.conversations] and not no_conversations,
        prefix=Namespace.from_config(config, admin=True).internal(prefix, None) or "" if prefix else "",
        userid=userid,
    )
    duplicates = DuplicateDb(config)
    if not duplicates.opens():
        click.echo("cyr_expire: unable to init duplicate delivery database", err=True)
        return 1
    duplicates.close()
    store = MailStore(config)
    try:
        Expirer(store, plan, _say if verbose else _silent, signals.check).run()
    except ShutdownRequested:
        return os.EX_TEMPFAIL
    finally:
        store.close()
    return os.EX_OK


def _age(text: str | None) -> int | None:
    if text is None:
        return None
    seconds = parse_duration(text)
    if seconds is None:
        raise tool.usage_error()
    return seconds


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")


def _silent(text: str) -> None:
    pass


main = tool.main(cyr_expire)
