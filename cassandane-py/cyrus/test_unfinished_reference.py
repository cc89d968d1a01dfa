"""After an operation on whole users that was interrupted, the original's tools find nothing to mend.

What was left is put right by ``ctl_cyrusdb -r`` or by the user's next login.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from cassandane.crash import DIED, die_at, in_child
from cassandane.instance import Instance, give_away
from cassandane.messages import message
from libcyrus import mboxops
from libcyrus.config import Config
from libcyrus.mailbox.mailstore import MailStore

pytestmark = pytest.mark.reference

Action = Callable[[MailStore], None]


def rename_user(store: MailStore) -> None:
    mboxops.rename(store, "user.joe", "user.ann", is_admin=True, userid=None, auth=None)


def delete_user(store: MailStore) -> None:
    mboxops.delete(store, "user.joe", is_admin=True, userid=None, auth=None, force=True)


def move_user(store: MailStore) -> None:
    mboxops.rename(store, "user.joe", "user.joe", is_admin=True, userid=None, auth=None, partition="two")


@pytest.fixture(
    scope="module",
    params=[pytest.param("no", id="by id"), pytest.param("yes", id="by name", marks=pytest.mark.long)],
)
def spool(request: pytest.FixtureRequest) -> Iterator[tuple[Instance, Path]]:
    """A server that is down, and a copy of its directory."""
    server = Instance(
        imapd_conf={"mailbox_legacy_dirs": request.param, "allowusermoves": "yes", "altnamespace": "no"},
        services=("imap",),
    )
    server.settings["partition-two"] = f"{server.directory}/two"
    server.write_configuration()
    (server.directory / "two").mkdir()
    server.start()
    with server.imap("admin") as admin:
        for name in ("user/joe", "user/joe/x", "user/joe/x/y"):
            admin.ok(f"CREATE {name}")
        admin.ok("SETQUOTA user/joe (STORAGE 1000)")
        admin.ok("SETQUOTA user/joe/x (MESSAGE 50)")
    with server.imap("joe") as joe:
        for name in ("INBOX", "INBOX/x", "INBOX/x/y"):
            joe.append(name, message("kept"))
            joe.ok(f"SUBSCRIBE {name}")
    server.stop()
    saved = server.directory.with_name(server.directory.name + ".saved")
    shutil.copytree(server.directory, saved)
    yield server, saved
    shutil.rmtree(saved)
    server.remove()


def put_back(server: Instance, saved: Path) -> None:
    shutil.rmtree(server.directory)
    shutil.copytree(saved, server.directory)
    own(server)


def own(server: Instance) -> None:
    for path in (server.directory, *server.directory.rglob("*")):
        # a server that runs may have removed it meanwhile
        with suppress(FileNotFoundError):
            give_away(path)


@pytest.mark.parametrize("action", [rename_user, delete_user, move_user])
def test_the_original_has_nothing_to_mend(spool: tuple[Instance, Path], action: Action) -> None:
    server, saved = spool

    def work(step: int) -> None:
        die_at(step)
        store = MailStore(Config.load(server.config, "imap"))
        action(store)
        os._exit(0)

    steps = 0
    put_back(server, saved)
    while in_child(partial(work, steps)) == DIED:
        steps += 40
        put_back(server, saved)
    assert steps > 40
    for step in range(7, steps, max(20, steps // 4)):
        put_back(server, saved)
        in_child(partial(work, step))
        own(server)
        server.run("ctl_cyrusdb", "-r")
        own(server)
        counted = server.run("quota", "-f", "-q", kind="reference")
        assert (counted.stdout, counted.stderr) == (b"", b""), step
        assert b"-->" not in server.run("reconstruct", "-n", "-G", kind="reference").stdout, step
        assert server.run("ctl_mboxlist", "-v").stdout == b"", step


def test_login_finishes_what_was_left(spool: tuple[Instance, Path]) -> None:
    server, saved = spool
    for step in (20, 50):
        put_back(server, saved)

        def work(step: int = step) -> None:
            die_at(step)
            rename_user(MailStore(Config.load(server.config, "imap")))

        assert in_child(work) == DIED
        # not at the start, which would do it too
        left = server.directory / "conf/unfinished"
        kept = {path.name: path.read_bytes() for path in left.iterdir()}
        shutil.rmtree(left)
        own(server)
        server.start()
        left.mkdir()
        for name, content in kept.items():
            (left / name).write_bytes(content)
        own(server)
        found = []
        for user in ("joe", "ann"):
            with server.imap(user) as client:
                found.append(len(client.ok('LSUB "" *').untagged))
        assert sorted(found) == [0, 3], step
        server.stop()
        assert list(left.iterdir()) == []
        assert server.run("ctl_mboxlist", "-v").stdout == b""
