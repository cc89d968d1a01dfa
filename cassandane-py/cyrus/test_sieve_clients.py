"""sieveshell and installsieve: against the original's server, and beside the original's sieveshell."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from cassandane import reference
from cassandane.instance import TOP, Instance

pytestmark = pytest.mark.reference

SCRIPT = "keep;\r\n"
COMMANDS = """\
list
put {dir}/one.sieve
put {dir}/one.sieve two
put {dir}/bad.sieve
put {dir}/missing
list
activate one.sieve
activate none
l
get two
get none
get two {dir}/saved
delete one.sieve
delete two
d none
deactivate
put
get
nonsense
help
list
quit
list
"""


@pytest.fixture(scope="module")
def server() -> Iterator[Instance]:
    instance = Instance(
        services=("imap", "sieve"), programs={"imap": "reference", "sieve": "reference"}, tls=True,
        imapd_conf={"autocreate_quota": "0"},
    )  # fmt: skip
    instance.start()
    try:
        yield instance
    finally:
        instance.stop()
        instance.remove()


def run(program: list[str], environment: dict[str, str], stdin: str = "") -> tuple[int, str]:
    done = subprocess.run(program, env=environment, input=stdin, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout + done.stderr


def ours(name: str) -> list[str]:
    return [sys.executable, "-c", f"import sys; from imap.client.{name} import main; sys.exit(main())"]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(TOP)}


def test_the_same_commands_have_the_same_outcome(server: Instance) -> None:
    outputs = []
    for user, program, surroundings in (
        ("alice", ours("sieveshell"), environment()),
        ("bob", ["perl", reference.program("sieveshell")], reference.environment()),
    ):
        with server.imap(user):
            pass
        folder = server.directory / f"scripts-{user}"
        folder.mkdir()
        (folder / "one.sieve").write_text(SCRIPT)
        (folder / "bad.sieve").write_text("nonsense;\r\n")
        address = f"127.0.0.1:{server.ports['sieve']}"
        login = ["-u", user, "-a", user, "-p", "secret"]
        commands = COMMANDS.format(dir=folder)
        code, output = run([*program, *login, "-e", commands, address], surroundings)
        outputs.append((code, output.replace(str(folder), "DIR")))
        assert (folder / "saved").read_bytes() == SCRIPT.encode()
    (our_code, our_output), (code, output) = outputs
    assert our_output.splitlines() == output.splitlines()
    assert our_code == code == 1


def test_commands_may_be_typed_or_come_from_a_file(server: Instance) -> None:
    with server.imap("carol"):
        pass
    address = f"127.0.0.1:{server.ports['sieve']}"
    login = ["-u", "carol", "-a", "carol", "-p", "secret"]
    code, output = run([*ours("sieveshell"), *login, address], environment(), "list\n")
    assert (code, output) == (0, f"connecting to {address}\n")
    file = server.directory / "commands"
    file.write_text("list\nquit\n")
    assert run([*ours("sieveshell"), *login, "-f", str(file), address], environment()) == (code, output)


def test_who_is_nobody_is_told(server: Instance) -> None:
    login = ["-u", "x", "-a", "x", "-p", "secret"]
    code, output = run([*ours("sieveshell"), *login, "127.0.0.1:1"], environment())
    assert code == 1
    assert "unable to connect to server" in output
    assert run(ours("sieveshell"), environment())[0] == 2


def test_installsieve(server: Instance) -> None:
    with server.imap("dave"):
        pass
    folder = server.directory / "scripts-dave"
    folder.mkdir()
    (folder / "a.sieve").write_text(SCRIPT)
    where = ["-p", str(server.ports["sieve"]), "-u", "dave", "-w", "secret", "127.0.0.1"]
    program = ours("installsieve")
    jobs = ["-i", str(folder / "a.sieve"), "-a", "a.sieve", "-v", "a.sieve", "-l"]
    code, output = run([*program, *jobs, *where], environment())
    assert code == 0
    assert output.splitlines()[2:] == ["keep;", "a.sieve  <- active script"]
    code, output = run([*program, "-d", "a.sieve", *where], environment())
    assert code == 1
    assert "delete failed\nActive script cannot be deleted" in output
