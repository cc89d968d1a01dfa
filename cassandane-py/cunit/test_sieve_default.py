"""The script that new users are given (options autocreate_sieve_*)."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

import pytest

from libcyrus import mboxops
from libcyrus.config import Config
from libcyrus.mailbox.mailstore import MailStore
from sieve.bytecode.program import load
from sieve.compiler import compile_script, rules
from sieve.scripts.default import install_default
from sieve.scripts.directory import directory_of
from sieve.scripts.store import UserScripts

SCRIPT = b'require "fileinto";\nfileinto "INBOX.x";\n'


def give(top: Path, **options: Any) -> dict[str, bytes | str]:
    """Make an INBOX with these options; the files of the user's scripts, links as their targets."""
    (top / "conf").mkdir(exist_ok=True)
    (top / "spool").mkdir(exist_ok=True)
    store = open_store(top, **options)
    try:
        mboxops.autocreate_inbox(store, "a", None, install_default)
        assert store.mboxlist.get("user.a") is not None
        path = Path(directory_of(store, "a").path)
        found = path.iterdir() if path.is_dir() else ()
        return {each.name: os.readlink(each) if each.is_symlink() else each.read_bytes() for each in found}
    finally:
        store.close()


def open_store(top: Path, **options: Any) -> MailStore:
    settings: dict[str, Any] = {
        "configdirectory": str(top / "conf"),
        "sievedir": str(top / "sieve"),
        "autocreate_sieve_script": str(top / "welcome"),
        **options,
    }
    extra = {"partition-default": str(top / "spool")}
    return MailStore(Config.for_tests(defaultpartition="default", extra=extra, **settings))


def bytecode(top: Path, text: bytes = SCRIPT) -> bytes:
    store = open_store(top)
    try:
        return compile_script(text, rules(store.config))
    finally:
        store.close()


def test_the_script_is_active_and_moves_into_the_folder(tmp_path: Path) -> None:
    (tmp_path / "welcome").write_bytes(SCRIPT)
    assert give(tmp_path) == {
        "welcome.script": SCRIPT,
        "welcome.bc": bytecode(tmp_path),
        "defaultbc": "welcome.bc",
    }
    store = open_store(tmp_path)
    with UserScripts(store, "a") as scripts:
        assert [(script.name, script.active) for script in scripts.list()] == [("welcome", True)]
        assert scripts.get("welcome") == SCRIPT
        assert set(os.listdir(scripts.directory.path)) == {"welcome.bc", "defaultbc"}
    store.close()


def test_compiled_forms_are_used_and_saved(tmp_path: Path) -> None:
    (tmp_path / "welcome").write_bytes(SCRIPT)
    compiled = tmp_path / "compiled"
    files = give(tmp_path, autocreate_sieve_script_compiled=str(compiled))
    assert files["welcome.bc"] == bytecode(tmp_path)
    assert not compiled.exists()
    options = {"autocreate_sieve_script_compiled": str(compiled), "autocreate_sieve_script_compile": True}
    (tmp_path / "second").mkdir()
    (tmp_path / "second" / "welcome").write_bytes(SCRIPT)
    give(tmp_path / "second", **options)
    assert compiled.read_bytes() == bytecode(tmp_path)
    compiled.write_bytes(bytecode(tmp_path, b"keep;"))
    (tmp_path / "third").mkdir()
    (tmp_path / "third" / "welcome").write_bytes(SCRIPT)
    assert give(tmp_path / "third", **options)["welcome.bc"] == bytecode(tmp_path, b"keep;")


@pytest.mark.parametrize(
    ("text", "options", "reason"),
    [
        (None, {}, "No such file or directory"),
        (b"frob;", {}, "does not compile"),
        (SCRIPT, {"sieveusehomedir": True}, "home directories"),
    ],
    ids=["missing", "broken", "home"],
)
def test_the_inbox_is_made_without_a_script_that_fails(
    tmp_path: Path,
    text: bytes | None,
    options: dict[str, Any],
    reason: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    if text is not None:
        (tmp_path / "welcome").write_bytes(text)
    with caplog.at_level(logging.WARNING):
        assert give(tmp_path, **options) == {}
    start = "autocreate_sieve: User a, default sieve script creation failed: "
    assert [line for line in caplog.messages if line.startswith(start) and reason in line]


def test_damaged_bytecode_is_compiled_anew(tmp_path: Path) -> None:
    (tmp_path / "welcome").write_bytes(SCRIPT)
    (tmp_path / "compiled").write_bytes(b"CyrSBytecode damaged")
    files = give(tmp_path, autocreate_sieve_script_compiled=str(tmp_path / "compiled"))
    assert load(files["welcome.bc"] if isinstance(files["welcome.bc"], bytes) else b"").code
