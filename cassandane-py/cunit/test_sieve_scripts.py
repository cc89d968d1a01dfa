"""Scripts of users on disk: put, list, activate, rename, delete, limits, crashes, and scripts of old."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cassandane import crash
from libcyrus import mboxops
from libcyrus.config import Config
from libcyrus.errors import CyrusError, IoError, MailboxNonexistent
from libcyrus.mailbox.expunge import expunge_stale
from libcyrus.mailbox.mailstore import MailStore
from libcyrus.records import mbtype
from libcyrus.records.dav_db import DavDb
from sieve.bytecode import actions
from sieve.bytecode.program import load
from sieve.errors import (
    BadScriptName,
    ScriptActive,
    ScriptErrors,
    ScriptExists,
    ScriptNonexistent,
    ScriptTooLarge,
    TooManyScripts,
)
from sieve.scripts.directory import directory_of, is_valid_name
from sieve.scripts.store import UserScripts

KEEP, DISCARD, STOP = b"keep;\r\n", b"# \xc3\xa4\r\ndiscard;\r\n", b"stop;"


def new_store(top: Path, **options: Any) -> MailStore:
    settings: dict[str, Any] = {
        "configdirectory": str(top / "conf"),
        "sievedir": str(top / "sieve"),
        "servername": "mail.example.org",
        **options,
    }
    extra = {"partition-default": str(top / "spool")}
    return MailStore(Config.for_tests(defaultpartition="default", extra=extra, **settings))


def with_scripts(top: Path, action: Callable[[UserScripts], None]) -> None:
    store = new_store(top)
    try:
        with UserScripts(store, "a") as scripts:
            action(scripts)
    finally:
        store.close()


@pytest.fixture
def top(tmp_path: Path) -> Path:
    (tmp_path / "conf").mkdir()
    (tmp_path / "spool").mkdir()
    store = new_store(tmp_path)
    mboxops.create(store, "user.a", is_admin=True, userid=None, auth=None)
    store.close()
    return tmp_path


@pytest.fixture
def store(top: Path) -> Iterator[MailStore]:
    store = new_store(top)
    yield store
    store.close()


@pytest.fixture
def scripts(store: MailStore) -> Iterator[UserScripts]:
    with UserScripts(store, "a") as scripts:
        yield scripts


def listed(scripts: UserScripts) -> list[str]:
    return [script.name + "*" * script.active for script in scripts.list()]


def files(scripts: UserScripts) -> set[str]:
    return set(os.listdir(scripts.directory.path))


def active_code(scripts: UserScripts) -> tuple[actions.Action, ...]:
    return load(Path(scripts.directory.path, "defaultbc").read_bytes()).code


def test_put_list_and_get(scripts: UserScripts) -> None:
    assert listed(scripts) == []
    scripts.put("first", KEEP)
    scripts.put("zw\u00f6lf", DISCARD)
    assert listed(scripts) == ["first", "zw\u00f6lf"]
    assert scripts.get("first") == KEEP
    assert scripts.get("zw\u00f6lf") == DISCARD
    assert files(scripts) == {"first.bc", "zw\u00f6lf.bc"}


def test_the_folder_is_hidden_and_of_its_own_type(store: MailStore, scripts: UserScripts) -> None:
    scripts.put("x", KEEP)
    entry = store.mboxlist.lookup_all("user.a.#sieve")
    assert mbtype.kind(entry.mbtype) == mbtype.SIEVE
    with store.open("user.a.#sieve", write=False) as mailbox:
        [record] = mailbox.records()
        message = bytes(mailbox.map_message(record))
    header, _, text = message.partition(b"\r\n\r\n")
    assert text == KEEP
    assert header.startswith(b"From: <a@mail.example.org>\r\nSubject: x\r\nDate: ")
    assert b"\r\nContent-Type: application/sieve; charset=utf-8\r\nContent-Length: 7\r\n" in header


def test_replacing_keeps_one_message_and_the_state(store: MailStore, scripts: UserScripts) -> None:
    scripts.put("x", KEEP)
    scripts.activate("x")
    scripts.put("x", DISCARD)
    assert listed(scripts) == ["x*"]
    assert scripts.get("x") == DISCARD
    assert active_code(scripts) == (actions.Discard(),)
    with store.open("user.a.#sieve", write=False) as mailbox:
        [record] = mailbox.records(expunged=False)
        assert (record.uid, record.system_flags) == (2, 2)


def test_one_script_is_active(scripts: UserScripts) -> None:
    for name, text in (("one", KEEP), ("two", DISCARD)):
        scripts.put(name, text)
    scripts.activate("one")
    assert (listed(scripts), active_code(scripts)) == (["one*", "two"], (actions.Keep(()),))
    scripts.activate("two")
    assert (listed(scripts), active_code(scripts)) == (["one", "two*"], (actions.Discard(),))
    assert os.readlink(f"{scripts.directory.path}/defaultbc") == "two.bc"
    scripts.activate(None)
    assert listed(scripts) == ["one", "two"]
    assert files(scripts) == {"one.bc", "two.bc"}
    scripts.activate(None)


def test_renaming_keeps_content_and_state(scripts: UserScripts) -> None:
    scripts.put("old", DISCARD)
    scripts.put("other", KEEP)
    scripts.activate("old")
    with pytest.raises(ScriptExists):
        scripts.rename("old", "other")
    scripts.rename("old", "new")
    assert listed(scripts) == ["new*", "other"]
    assert scripts.get("new") == DISCARD
    assert files(scripts) == {"new.bc", "other.bc", "defaultbc"}
    assert active_code(scripts) == (actions.Discard(),)
    with pytest.raises(ScriptNonexistent):
        scripts.rename("old", "newer")


def test_deleting(store: MailStore, scripts: UserScripts) -> None:
    scripts.put("x", KEEP)
    scripts.activate("x")
    with pytest.raises(ScriptActive):
        scripts.delete("x")
    scripts.activate(None)
    scripts.delete("x")
    assert (listed(scripts), files(scripts)) == ([], set())
    for action in (scripts.delete, scripts.get, scripts.activate):
        with pytest.raises(ScriptNonexistent):
            action("x")
    with store.open("user.a.#sieve", write=False) as mailbox:
        assert not list(mailbox.records(expunged=False))
    scripts.put("x", DISCARD)
    assert scripts.get("x") == DISCARD


def test_rows_of_deleted_scripts_go_with_their_messages(top: Path) -> None:
    store = new_store(top, expunge_mode="delayed")

    def rows() -> list[str]:
        with DavDb.of_user(store.config, store.userstate, "a") as db:
            return [name for [name] in db.execute("SELECT name FROM sieve_scripts WHERE alive = 0")]

    with UserScripts(store, "a") as scripts:
        for name in ("one", "two"):
            scripts.put(name, KEEP)
            scripts.delete(name)
        assert rows() == ["one", "two"]
        with store.open("user.a.#sieve", write=True) as mailbox:
            assert expunge_stale(mailbox, 1 << 31) == 2
            mailbox.commit()
        scripts.put("three", KEEP)
        scripts.delete("three")
        assert rows() == ["three"]
    store.close()


def test_what_does_not_compile_is_not_put(scripts: UserScripts) -> None:
    scripts.put("x", KEEP)
    for text in (b"frob;", b"keep"):
        with pytest.raises(ScriptErrors):
            scripts.put("x", text)
        with pytest.raises(ScriptErrors):
            scripts.check(text)
    scripts.check(KEEP)
    assert scripts.get("x") == KEEP
    assert files(scripts) == {"x.bc"}


def test_number_and_size_are_limited(top: Path) -> None:
    store = new_store(top, sieve_maxscripts=2, sieve_maxscriptsize=1)
    with UserScripts(store, "a") as scripts:
        scripts.put("one", KEEP)
        scripts.put("two", KEEP)
        with pytest.raises(TooManyScripts, match="only allowed 2 scripts"):
            scripts.put("three", KEEP)
        scripts.put("two", DISCARD)
        with pytest.raises(ScriptTooLarge, match="1024 bytes"):
            scripts.put("two", b"#" * 1025)
        with pytest.raises(ScriptTooLarge):
            scripts.check_space("one", 1025)
        with pytest.raises(TooManyScripts):
            scripts.check_space("three", 1)
        scripts.check_space("one", 1024)
        assert listed(scripts) == ["one", "two"]
    store.close()


@pytest.mark.parametrize(
    ("name", "valid"),
    [
        ("a", True), ("a b", True), (".", True), ("..", True), ("\u20ac", True), ("x" * 1012, True),
        ("defaultbc", True), ("", False), ("a/b", False), ("../x", False), ("a\nb", False), ("a\0", False),
        ("a\x7f", False), ("\u2028", False), ("x" * 1013, False), ("\u20ac" * 340, False),
        ("\udcff", False),
    ],
)  # fmt: skip
def test_names(scripts: UserScripts, name: str, valid: bool) -> None:
    """RFC 5804 section 1.6."""
    assert is_valid_name(name) is valid
    if not valid:
        for action in (scripts.get, scripts.delete, scripts.activate):
            with pytest.raises(BadScriptName):
                action(name)
        with pytest.raises(BadScriptName):
            scripts.put(name, KEEP)
    elif len(name) < 200:
        scripts.put(name, KEEP)
        scripts.activate(name)
        assert active_code(scripts) == (actions.Keep(()),)


def test_without_inbox_there_are_no_scripts(store: MailStore) -> None:
    with pytest.raises(MailboxNonexistent):
        UserScripts(store, "nobody")


def test_scripts_of_old_move_in(store: MailStore) -> None:
    directory = Path(directory_of(store, "a").path)
    directory.mkdir(parents=True)
    for name, text in (("one", KEEP), ("two", DISCARD), ("broken", b"frob;"), ("jmap_vacation", STOP)):
        (directory / f"{name}.script").write_bytes(text)
        os.utime(directory / f"{name}.script", (1_000_000_000, 1_000_000_000))
    (directory / "jmap_vacation.bc").write_bytes(b"old")
    (directory / "defaultbc").symlink_to("two.bc")
    with UserScripts(store, "a") as scripts:
        vacation = "urn:ietf:params:jmap:vacationresponse"
        assert listed(scripts) == ["one", "two*", vacation] or listed(scripts) == [vacation, "one", "two*"]
        assert scripts.get("two") == DISCARD
        assert files(scripts) == {
            "one.bc", "two.bc", f"{vacation}.bc", "defaultbc", "broken.script",
        }  # fmt: skip
        assert active_code(scripts) == (actions.Discard(),)


def test_bytecode_and_link_are_made_again(store: MailStore) -> None:
    with UserScripts(store, "a") as scripts:
        scripts.put("x", DISCARD)
        scripts.put("y", KEEP)
        scripts.activate("x")
        path = Path(scripts.directory.path)
    (path / "x.bc").unlink()
    (path / "defaultbc").unlink()
    with UserScripts(store, "a") as scripts:
        assert active_code(scripts) == (actions.Discard(),)
    (path / "defaultbc").unlink()
    (path / "defaultbc").symlink_to("y.bc")
    with UserScripts(store, "a") as scripts:
        assert active_code(scripts) == (actions.Discard(),)
        scripts.activate(None)
    (path / "defaultbc").symlink_to("y.bc")
    with UserScripts(store, "a") as scripts:
        assert "defaultbc" not in files(scripts)


def test_a_lost_database_is_made_again(store: MailStore) -> None:
    with UserScripts(store, "a") as scripts:
        for name, text in (("x", DISCARD), ("zw\u00f6lf", KEEP), ("x", STOP)):
            scripts.put(name, text)
        scripts.activate("zw\u00f6lf")
        before = [(script.name, scripts.get(script.name)) for script in scripts.list()]
    os.unlink(store.userstate.user_path("a", "dav"))
    with UserScripts(store, "a") as scripts:
        # in the order of the messages
        assert listed(scripts) == ["zw\u00f6lf*", "x"]
        assert [(script.name, scripts.get(script.name)) for script in scripts.list()] == before[::-1]
        scripts.put("x", KEEP)
        scripts.delete("x")
        assert listed(scripts) == ["zw\u00f6lf*"]


def test_scripts_of_a_folder_that_is_gone_are_gone(store: MailStore) -> None:
    with UserScripts(store, "a") as scripts:
        scripts.put("x", DISCARD)
    mboxops.delete(store, "user.a.#sieve", is_admin=True, userid=None, auth=None, force=True)
    with UserScripts(store, "a") as scripts:
        assert listed(scripts) == []
        scripts.put("y", DISCARD)
        assert listed(scripts) == ["y"]


def test_a_full_disk_leaves_all_as_it_was(scripts: UserScripts, monkeypatch: pytest.MonkeyPatch) -> None:
    scripts.put("x", KEEP)
    scripts.activate("x")
    before = files(scripts)

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    for call in ("fsync", "rename"):
        with monkeypatch.context() as patch:
            patch.setattr(os, call, full)
            with pytest.raises(CyrusError):
                scripts.put("y", DISCARD)
        assert listed(scripts) in (["x*"], ["x*", "y"])
        assert scripts.get("x") == KEEP
        assert active_code(scripts) == (actions.Keep(()),)
    assert before <= files(scripts)


OPERATIONS: dict[str, Callable[[UserScripts], None]] = {
    "put": lambda scripts: scripts.put("new", STOP),
    "replace": lambda scripts: scripts.put("one", STOP),
    "replace the active one": lambda scripts: scripts.put("two", STOP),
    "activate": lambda scripts: scripts.activate("one"),
    "deactivate": lambda scripts: scripts.activate(None),
    "rename": lambda scripts: scripts.rename("two", "new"),
    "delete": lambda scripts: scripts.delete("one"),
}


def picture(top: Path) -> tuple[object, ...]:
    """What clients see, and what mail runs through, when the scripts are opened the next time."""
    seen: list[object] = []

    def look(scripts: UserScripts) -> None:
        seen.append(listed(scripts))
        seen.append([scripts.get(script.name) for script in scripts.list()])
        link = Path(scripts.directory.path, "defaultbc")
        seen.append(active_code(scripts) if link.is_symlink() else None)
        seen.append(sorted(name for name in files(scripts) if name.endswith(".bc")))

    with_scripts(top, look)
    return tuple(seen)


@pytest.mark.parametrize("action", OPERATIONS.values(), ids=OPERATIONS.keys())
@pytest.mark.parametrize(
    ("first", "every"),
    [(2, 4), pytest.param(0, 1, marks=pytest.mark.long)],
    ids=["some", "all"],
)
def test_whoever_dies_leaves_the_old_state_or_the_new(
    action: Callable[[UserScripts], None],
    first: int,
    every: int,
    top: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    def prepare(scripts: UserScripts) -> None:
        scripts.put("one", KEEP)
        scripts.put("two", DISCARD)
        scripts.activate("two")

    with_scripts(top, prepare)
    saved = tmp_path_factory.mktemp("saved") / "top"
    shutil.copytree(top, saved, symlinks=True)
    before = picture(top)
    with_scripts(top, action)
    after = picture(top)
    assert before != after
    step = first
    while True:
        shutil.rmtree(top)
        shutil.copytree(saved, top, symlinks=True)

        def work(step: int = step) -> None:
            crash.die_at(step)
            with_scripts(top, action)

        code = crash.in_child(work)
        left = picture(top)
        # bytecode of no script may be left over, which nothing runs
        assert left[:3] in (before[:3], after[:3]), step
        if code != crash.DIED:
            assert (code, left) == (0, after)
            break
        step += every
    assert step > 5


def test_databases_of_other_versions(tmp_path: Path) -> None:
    path = str(tmp_path / "user" / "dav.db")
    with DavDb(path, 1.0) as db:
        db.execute("DROP TABLE sieve_scripts")
        db.execute("PRAGMA user_version = 11")
    with DavDb(path, 1.0) as db:
        assert db.execute("SELECT count(*) FROM sieve_scripts") == [(0,)]
        assert db.execute("PRAGMA user_version") == [(14,)]
        db.execute("PRAGMA user_version = 9")
    with pytest.raises(IoError):
        DavDb(path, 1.0)
    Path(path).write_bytes(b"no database" * 100)
    with pytest.raises(IoError):
        DavDb(path, 1.0)
