"""quota(8): report how much is used under each quota root, and count it anew.

Differences from the original: ``-n`` leaves the mailboxes alone too (there it repairs their quota roots), and
a root of a whole domain (``domain!``) is not taken for an unused one.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

import click

from libcyrus import tool
from libcyrus.errors import QuotarootNonexistent
from libcyrus.mailbox.mailstore import MailStore
from libcyrus.mboxname import Namespace
from libcyrus.mboxops import repair_all
from libcyrus.mboxops.quotafix import QuotaFixer, Selection
from libcyrus.records.quota import NAMES, UNITS, Quota

_HEADING = "   Quota   % Used     Used             Resource Root"
_SYNC_TIMEOUT = 30.0


@click.command("quota")
@tool.config_option
@click.option("-d", "domain", metavar="DOMAIN", help="Only mailboxes of DOMAIN.")
@click.option("-f", "fix", is_flag=True, help="Count anew and correct what is wrong.")
@click.option("-q", "quiet", is_flag=True, help="With -f, do not report.")
@click.option("-J", "as_json", is_flag=True, help="Report in JSON.")
@click.option("-n", "report_only", is_flag=True, help="With -f, say what is wrong and change nothing.")
@click.option("-u", "users", is_flag=True, help="The arguments are userids.")
@click.option("-Z", "test_sync", is_flag=True, hidden=True)
@click.argument("specs", metavar="[MAILBOX-SPEC]...", nargs=-1)
def quota(
    config_file: str | None,
    domain: str | None,
    fix: bool,
    quiet: bool,
    as_json: bool,
    report_only: bool,
    users: bool,
    test_sync: bool,
    specs: tuple[str, ...],
) -> None:
    """Report how much is used under each quota root, and count it anew."""
    config = tool.begin(config_file, "quota", need_partitions=True)
    space = Namespace.from_config(config, admin=True)
    store = MailStore(config)
    waiter = _TestSync(config.directory) if test_sync else None
    progress = tool.Progress("mailboxes")

    def counted(name: str) -> None:
        progress.step()
        if waiter is not None:
            waiter.done(name)

    fixer = QuotaFixer(
        store,
        lambda line: print(line, file=sys.stderr),
        report_only,
        waiter.wait if waiter is not None else None,
        counted,
    )
    try:
        if fix and not report_only:
            repair_all(store)
        with store.locks.quota_change():
            selection = _selection(space, domain, specs, users=users)
            fixer.find_roots(selection)
            if fix:
                fixer.fix(selection)
                progress.done()
        if not fix or not quiet:
            _report(store, space, fixer.remaining(), as_json=as_json)
    finally:
        store.close()


main = tool.main(quota)


def _selection(space: Namespace, domain: str | None, specs: tuple[str, ...], *, users: bool) -> Selection:
    if users and specs:
        return Selection(userids=specs)
    lead = f"{domain}!" if domain is not None else ""
    return Selection(tuple(lead + (space.internal(spec, None) or "") for spec in specs) or (lead,))


def _report(store: MailStore, space: Namespace, roots: list[str], *, as_json: bool) -> None:
    objects: dict[str, Any] = {}
    if not as_json:
        print(_HEADING)
    for root in roots:
        try:
            found = store.quota.read(root)
        except QuotarootNonexistent:
            break
        name = space.to_external(root, None) or root
        if as_json:
            objects[name] = _json(found)
        else:
            for resource in range(len(NAMES)):
                print(_line(found, resource, name))
    if as_json:
        print(json.dumps(objects, indent=2, ensure_ascii=False))


def _json(found: Quota) -> dict[str, dict[str, int]]:
    report = {}
    for resource, name in enumerate(NAMES):
        report[name] = {"used": found.used[resource]}
        if found.limits[resource] > 0:
            report[name]["limit"] = found.limits[resource] * UNITS[resource]
    return report


def _line(found: Quota, resource: int, name: str) -> str:
    limit, used = found.limits[resource], found.used[resource] // UNITS[resource]
    if limit > 0:
        columns = f" {limit:7d} {used * 100 // limit:8d}"
    elif limit == 0:
        columns = "       0         "
    else:
        columns = " " * 17
    return f"{columns} {used:8d} {NAMES[resource]:>20} {name}"


class _TestSync:
    """For tests: wait for ``quota-sync/MAILBOX`` before each mailbox, and remove it afterwards."""

    def __init__(self, directory: str) -> None:
        self._directory = directory

    def wait(self, name: str) -> None:
        deadline = time.monotonic() + _SYNC_TIMEOUT
        while not os.path.exists(self._path(name)) and time.monotonic() < deadline:
            time.sleep(0.02)

    def done(self, name: str) -> None:
        if os.path.exists(self._path(name)):
            os.unlink(self._path(name))

    def _path(self, name: str) -> str:
        return f"{self._directory}/quota-sync/{name}"
