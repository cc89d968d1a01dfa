"""Every option of either ``deliver`` with either lmtpd: output, exit code and what becomes of the mail."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from cassandane.instance import Instance

pytestmark = pytest.mark.reference

TEXT = b"Message-ID: <%d@x>\nSubject: s\n\nhello\n"
CASES = [
    ("joe",),
    ("-r", "me@example.org", "joe"),
    ("-f", "me@example.org", "joe"),
    ("-r", "", "joe"),
    ("-r", "me@example.org", "-m", "open", "joe"),
    ("-r", "me@example.org", "-m", "closed", "joe"),
    ("-r", "me@example.org", "-m", "missing", "joe"),
    ("-r", "me@example.org", "-a", "joe", "-m", "closed", "joe"),
    ("-r", "me@example.org", "-m", "shared"),
    ("-r", "me@example.org", "-a", "writer", "-m", "shared"),
    ("-r", "me@example.org", "-m", "", "joe"),
    ("-r", "me@example.org", "full"),
    ("-r", "me@example.org", "-q", "full"),
    ("-d", "-D", "-e", "-r", "me@example.org", "joe"),
    ("-e", "joe"),
    ("-r", "me@example.org", "joe", "sue", "nobody"),
    ("-r", "me@example.org", "full", "nobody"),
    ("nobody",),
    ("-F", "x", "joe"),
    ("-E", "1", "joe"),
    ("-a", "joe", "-a", "sue", "joe"),
    ("-m", "a", "-m", "b", "joe"),
    ("-z", "joe"),
    ("-r",),
    (),
]


@pytest.fixture(scope="module", params=["ours", "reference"])
def server(request: pytest.FixtureRequest) -> Iterator[Instance]:
    programs = dict.fromkeys(("imap", "lmtpunix"), request.param)
    instance = Instance(
        services=tuple(programs), programs=programs,
        imapd_conf={"autocreate_quota": "0", "duplicatesuppression": "no"},
    )  # fmt: skip
    instance.start()
    for user in ("joe", "sue", "full"):
        with instance.imap(user) as imap:
            imap.ok("CREATE INBOX/open")
            imap.ok("SETACL INBOX/open anyone p")
            imap.ok("CREATE INBOX/closed")
    with instance.imap("admin") as admin:
        admin.ok("CREATE shared")
        for who, rights in (("anyone", "l"), ("writer", "lrp"), ("joe", "lrs")):
            admin.ok(f"SETACL shared {who} {rights}")
        admin.ok("SETQUOTA user/full (STORAGE 0)")
    # the first message may go beyond a quota
    instance.run("deliver", "full", stdin=b"Message-ID: <first@x>\n\nx\n")
    try:
        yield instance
    finally:
        instance.stop()
        instance.remove()


def outcome(server: Instance, kind: str, arguments: tuple[str, ...], number: int) -> tuple[object, ...]:
    done = server.run("deliver", *arguments, kind=kind, stdin=TEXT % number, check=False)
    return (done.returncode, masked(done.stdout), masked(done.stderr), found(server, number))


def found(server: Instance, number: int) -> list[str]:
    """Where the message is, and under what return path."""
    seen = []
    for user in ("joe", "sue", "full"):
        with server.imap(user) as imap:
            names = [line.split('"/" ')[1].strip('"') for line in imap.ok('LIST "" "*"').untagged]
            for name in sorted(names):
                if name.endswith("shared") and user != "joe":
                    continue
                imap.ok(f'EXAMINE "{name}"')
                for line in imap.ok("UID FETCH 1:* BODY.PEEK[HEADER]").untagged:
                    if f"<{number}@x>" in line:
                        path = re.search(r"Return-Path: .*", line)
                        seen.append(f"{user} {name} {path[0].strip() if path else ''}")
    return seen


def masked(text: bytes) -> bytes:
    text = re.sub(rb"421 4\.3\.0 \S*3\.6\S*", b"421 4.3.0 VERSION", text)
    return re.sub(rb"(?m)^\S*deliver: (?=invalid option|option requires)", b"deliver: ", text)


def test_every_option(server: Instance) -> None:
    different = []
    for number, arguments in enumerate(CASES):
        ours = outcome(server, "ours", arguments, 2 * number)
        original = outcome(server, "reference", arguments, 2 * number + 1)
        if ours != original:
            different.append((arguments, ours, original))
    assert not different
