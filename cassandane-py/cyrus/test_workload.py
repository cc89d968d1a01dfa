"""The same random work on our server and on the original: their own programs then show the same."""

from __future__ import annotations

import difflib
import time
from itertools import islice

import pytest

from cassandane.instance import Instance, wait_for
from cassandane.messages import message
from cassandane.workload import Side, Step, Steps

SETTINGS = {"allowusermoves": "yes", "altnamespace": "yes", "duplicatesuppression": "no"}
CONFIGURATIONS = [
    ({"expunge_mode": "delayed", "delete_mode": "immediate"}, False),
    ({"expunge_mode": "immediate", "delete_mode": "delayed"}, True),
    ({"expunge_mode": "semidelayed", "delete_mode": "immediate", "mailbox_legacy_dirs": "yes"}, False),
]
CHECK_EACH = 100


def compare(seed: int, steps: int, settings: dict[str, str], *, deliver: bool) -> None:
    settings = SETTINGS | settings
    theirs, ours = Side("reference", settings), Side("ours", settings)
    done: list[Step] = []
    deleted = 0
    try:
        for step in islice(Steps(seed, deliver=deliver), steps):
            done.append(step)
            if step.command.startswith("DELETE "):
                # the original cannot delete two mailboxes of one name within a second
                wait_for(lambda before=deleted: time.time() >= before + 1, "a second to pass")
                deleted = int(time.time())
            answers = ours.do(step), theirs.do(step)
            assert answers[0] == answers[1], "\n".join([*map(str, done[-30:]), *answers])
            if len(done) % CHECK_EACH == 0 or len(done) == steps:
                differences = differing(theirs.state(sizes=not deliver), ours.state(sizes=not deliver))
                assert not differences, "\n".join([*map(str, done[-CHECK_EACH:]), *differences])
    finally:
        theirs.end()
        ours.end()


def differing(theirs: dict[str, object], ours: dict[str, object]) -> list[str]:
    found: list[str] = []
    for part in sorted({*theirs, *ours}):
        old, new = (_lines(state.get(part, [])) for state in (theirs, ours))
        if old != new:
            found += [part, *difflib.unified_diff(old, new, "theirs", "ours", lineterm="", n=0)]
    return found


def _lines(value: object) -> list[str]:
    return value if isinstance(value, list) else [str(value)]


@pytest.mark.reference
@pytest.mark.parametrize(("settings", "deliver"), CONFIGURATIONS, ids=str)
def test_random_work_leaves_the_same(settings: dict[str, str], deliver: bool) -> None:
    compare(6, 100, settings, deliver=deliver)


@pytest.mark.reference
@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", range(100, 106))
@pytest.mark.parametrize(("settings", "deliver"), CONFIGURATIONS, ids=str)
def test_much_random_work_leaves_the_same(seed: int, settings: dict[str, str], deliver: bool) -> None:
    compare(seed, 1000, settings, deliver=deliver)


@pytest.mark.imapd_conf(delete_mode="immediate")
def test_deleting_the_selected_mailbox_frees_files_and_quota(instance: Instance) -> None:
    with instance.imap("admin") as admin:
        admin.ok("SETQUOTA user/cassandane (STORAGE 1000)")
    with instance.imap("cassandane") as client:
        client.ok("CREATE sub")
        client.append("sub", message("one"))
        client.ok("SELECT sub")
        client.ok("DELETE sub")
        client.ok("SELECT INBOX")
    assert not list((instance.directory / "spool").rglob("1."))
    assert instance.run("quota", "-f", "-q").stderr == b""
