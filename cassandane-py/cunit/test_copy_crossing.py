"""Copies between two users in both directions at once: nobody waits for ever, nothing is lost."""

from __future__ import annotations

import os
import signal
import traceback
from pathlib import Path

from libcyrus import mboxops
from libcyrus.append import Appender, Stage
from libcyrus.auth import AuthState
from libcyrus.base.dataclasses import replace
from libcyrus.config import Config
from libcyrus.index.copy import copy
from libcyrus.index.view import IndexView
from libcyrus.mailbox.mailstore import MailStore

ROUNDS = 40
PATIENCE = 60


def open_store(directory: Path) -> MailStore:
    return MailStore(
        Config.for_tests(
            configdirectory=str(directory / "conf"),
            defaultpartition="default",
            extra={"partition-default": str(directory / "spool")},
        )
    )


def test_copies_that_cross_do_not_wait_for_each_other(tmp_path: Path) -> None:
    for name in ("conf", "spool"):
        (tmp_path / name).mkdir()
    store = open_store(tmp_path)
    for name in ("user.a", "user.b"):
        entry = mboxops.create(store, name, is_admin=True, userid=None, auth=None)
        store.mboxlist.update(replace(entry, acl="friend\tlrswipkxtecdan\t"))
        text = b"Subject: %b\r\n\r\nbody\r\n" % name.encode()
        with Stage.from_bytes(store, text) as stage, Appender.open(store, name) as appender:
            appender.append(stage)
            appender.commit()
    store.close()

    def work(source: str, target: str) -> None:
        signal.alarm(PATIENCE)
        own = open_store(tmp_path)
        friend = AuthState("friend")
        view = IndexView.open(own, source, "friend", friend, readonly=False)
        for _ in range(ROUNDS):
            copy(view, "1", target, friend, by_uid=True, move=False, ignore_quota=True)
            view.release()
        view.close()
        own.close()

    children = []
    for source, target in (("user.a", "user.b"), ("user.b", "user.a")):
        pid = os.fork()
        if not pid:
            try:
                work(source, target)
                os._exit(0)
            except BaseException:
                traceback.print_exc()
                os._exit(1)
        children.append(pid)
    assert [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children] == [0, 0]
    store = open_store(tmp_path)
    for name in ("user.a", "user.b"):
        with store.open(name, write=False) as mailbox:
            assert mailbox.i.exists == ROUNDS + 1
    store.close()


