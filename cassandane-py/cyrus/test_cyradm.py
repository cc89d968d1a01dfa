"""Our cyradm beside Debian's, on the same server: the same words for every command."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator

import pytest

from cassandane import reference
from cassandane.instance import Instance, program

pytestmark = pytest.mark.reference

# one session; what is printed for each line has to be the same
LINES = r"""
server
cm NAME/Work
cm NAME/Work
create NAME/Work/Deep
create --specialuse \Sent NAME/Sent
cm --partition nowhere NAME/Bad
createmailbox shared/NOBODY default
lm NAME*
lm NAME/%
lm Work* NAME/
lm -special NAME/*
lm nothing*
sub NAME/Work
lm -subscribed
unsub NAME/Work
lm -subscribed
lam NAME
sam NAME/Work anyone lrs
sam NAME/Work bob read carol all
lam NAME/Work
sam NAME/Work bob +d carol -x eve write dan none
lam NAME/Work
sam NAME/W* fred read
lam NAME/W*
dam NAME/Work carol
dam NAME/W* fred
lam NAME/Work
sam NAME/Work bob bad!rights
lam NAME/Nowhere
sq NAME 1000
lq NAME
lqr NAME/Work/Deep
lqm shared/NOBODY
sq NAME STORAGE many
sq NAME NOSUCH 5
sq NAME none
mboxcfg NAME/Work comment 'a comment with words'
mboxcfg NAME/Work expire 30
mboxcfg NAME/Work squat 1
mboxcfg NAME/Work news2mail someone@example.org
mboxcfg --private NAME/Work comment "mine alone"
mboxcfg NAME/Work /vendor/nobody/nothing 1
mboxcfg NAME/Nowhere comment lost
info NAME/Work
mboxcfg NAME/Work comment none
setmd NAME/Work expire none
setmd NAME/Work specialuse \\Archive
setmd --private NAME/Work /shared/comment exact
getmd NAME/Work comment
setinfo motd 'Hello there'
setinfo admin mailto:admin@example.org
info
setinfo motd none
setinfo admin none
rename NAME/Work NAME/Play
renm NAME/Nothing NAME/Something
reconstruct NAME/Play
xfer NAME/Play mail.example.net
dm NAME/Play
sam NAME/Play admin all
dm NAME/Play/Deep
sam NAME/* admin all
dm NAME/*
dm shared/NOBODY
sam shared/NOBODY admin all
dm shared/NOBODY
help listquota
lm >/dev/null
echo hello
disc
lm
""".strip()


@pytest.fixture(scope="module", params=["ours", "reference"])
def server(request: pytest.FixtureRequest) -> Iterator[Instance]:
    programs = {"imap": request.param}
    with_tls = Instance(services=("imap",), programs=programs, master=request.param, tls=True)
    with_tls.start()
    for name in ("olga", "otto"):
        with_tls.create_user(name)
    yield with_tls
    with_tls.stop()
    with_tls.remove()


def session(kind: str, server: Instance, typed: str, *options: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [program(kind, "cyradm"), "--norc", "--user", "admin", "--password", "secret", "--auth", "PLAIN",
         "--port", str(server.ports["imap"]), *options, "localhost"],
        input=typed.encode(), capture_output=True, timeout=120, env=reference.environment(),
    )  # fmt: skip


def answers(done: subprocess.CompletedProcess[bytes], name: str) -> list[list[str]]:
    """What was printed for each line: without the order of a hash, and with one name for all users."""
    text = done.stdout.decode().replace(name, "NAME")
    varying = "lastupdate|lastpop|uniqueid|mailboxid|createdmodseq|uidvalidity|size|foldermodseq|synccrcs"
    text = re.sub(rf"({varying}):.*", r"\1: N", text)
    text = re.sub(r"(freespace|most|total): [\d;]+", r"\1: N", text)
    found = []
    for part in re.split(r"(?:localhost|cyradm)> ", text):
        found.append(sorted(line.rstrip() for line in part.splitlines() if line.strip()))
    return found


def test_every_command(server: Instance) -> None:
    typed = LINES + "\n"
    theirs = session("reference", server, typed.replace("NAME", "user/olga").replace("NOBODY", "one"))
    ours = session("ours", server, typed.replace("NAME", "user/otto").replace("NOBODY", "two"))
    lines = ["", *LINES.splitlines(), ""]
    expected, found = answers(theirs, "olga"), answers(ours, "otto")
    expected = [[line.replace("shared/one", "shared/two") for line in part] for part in expected]
    different = [
        (line, theirs, ours)
        for line, theirs, ours in zip(lines, expected, found, strict=True)
        if theirs != ours
    ]
    assert different == []
    said = ours.stderr.decode().replace("otto", "NAME").splitlines()
    original = theirs.stderr.decode().replace("olga", "NAME").splitlines()
    assert said == original


def test_login(server: Instance) -> None:
    assert session("ours", server, "lm\n").returncode == 0
    assert session("ours", server, "lm\n", "-t", "").returncode == 0
    assert session("ours", server, "exit 3\n").returncode == 3
    authz = session("ours", server, "lm\n", "--authz", "olga").stdout
    assert b"INBOX" in authz
    checked = session("ours", server, "lm\n", "--tlskey", "", "--cafile", "/etc/hostname")
    assert (checked.returncode, b"cannot authenticate" in checked.stderr) == (1, True)


@pytest.fixture
def refusing() -> Iterator[Instance]:
    """A server that wants TLS before passwords, and knows none that is right."""
    options = {"allowplaintext": "no", "failedloginpause": "0", "sasl_saslauthd_path": "/nonexistent"}
    options["sasl_pwcheck_method"] = "saslauthd"
    instance = Instance(services=("imap",), imapd_conf=options, tls=True)
    instance.allowed_log.append("cannot connect to saslauthd")
    instance.start()
    yield instance
    instance.stop()
    instance.remove()


def test_a_refused_password_is_said_and_no_more(refusing: Instance) -> None:
    words = ["--norc", "--user", "admin", "--password", "secret", "--port", str(refusing.ports["imap"])]
    said = {}
    for kind in ("reference", "ours"):
        done = subprocess.run(
            [program(kind, "cyradm"), *words, "localhost"],
            input=b"", capture_output=True, timeout=60, env=reference.environment(),
        )  # fmt: skip
        assert done.returncode in (1, 255)
        said[kind] = done.stderr.splitlines()
    # before the last line stands what the server said
    assert len(said["ours"]) == 2
    assert said["ours"][-1] == said["reference"][-1]


def test_files_of_commands(server: Instance, tmp_path: object) -> None:
    path = f"{tmp_path}/rc"
    with open(path, "w") as file:
        file.write("echo from the file\nlam user/olga\n")
    done = subprocess.run(
        [program("ours", "cyradm"), "--userrc", path, "-u", "admin", "-w", "secret", "-a", "LOGIN",
         "localhost", str(server.ports["imap"])],
        input=b"", capture_output=True, timeout=60,
    )  # fmt: skip
    assert done.stdout.startswith(b"from the file\nolga lrswipkxtecdan\n")


def test_no_option_and_no_command_is_missing() -> None:
    helped, listed = [], []
    for kind in ("ours", "reference"):
        said = subprocess.run(
            [program(kind, "cyradm"), "--help"], capture_output=True, env=reference.environment()
        ).stdout.decode()
        helped.append(set(re.findall(r"(?m)^  .*?--([a-z]+|\[no\]rc)", said)))
        said = subprocess.run(
            [program(kind, "cyradm"), "--norc"], input=b"help\n", capture_output=True,
            env=reference.environment(),
        ).stdout.decode()
        rows = [line.split("  ")[0].removeprefix("cyradm> ") for line in said.splitlines()]
        listed.append({name for row in rows for name in row.split(", ") if name})
    assert helped[1] - {"[no]rc"} <= helped[0] and "rc" in helped[0]
    assert listed[1] <= listed[0]
    assert len(listed[1]) > 40
