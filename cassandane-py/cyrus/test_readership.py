"""arbitron, arbitronsort, cyr_userseen and cvt_xlist_specialuse do what the original's programs do."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator

import pytest

from cassandane import reference
from cassandane.instance import Instance, give_away, program

pytestmark = pytest.mark.reference

MESSAGE = b"Subject: x\r\n\r\nbody\r\n"
XLIST = {"xlist-sent": "Sent-Items", "xlist-Trash": "Bin", "xlist-all": "a"}


def make(**settings: str) -> Instance:
    server = Instance(services=("imap",), imapd_conf=settings)
    try:
        server.start()
        _fill(server)
    except BaseException:
        server.stop(check=False)
        raise
    return server


def _fill(server: Instance) -> None:
    server.create_user("bob", "a", "Sent-Items", "Bin", "a/Bin")
    for user in ("eve", "joe"):
        server.create_user(user, "Bin")
    with server.imap("admin") as admin:
        admin.ok("CREATE shared")
        admin.ok("CREATE news")
        for name in ("shared", "news"):
            admin.ok(f"SETACL {name} anyone lrsi")
        for user in ("eve", "joe"):
            admin.ok(f"SETACL user/bob/a {user} lrs")
    with server.imap("bob") as client:
        for name in ("a", "Shared Folders/shared", "Shared Folders/news"):
            client.append(f'"{name}"', MESSAGE)
    for user, names in {
        "eve": ("Other Users/bob/a", "Shared Folders/shared"),
        "joe": ("Other Users/bob/a", "Shared Folders/shared", "Shared Folders/news"),
        "bob": ("Shared Folders/shared", "a"),
    }.items():
        with server.imap(user) as client:
            for name in names:
                client.ok(f'SELECT "{name}"')
                client.ok("FETCH 1 BODY[]")
                client.ok("UNSELECT")
                client.ok(f'SUBSCRIBE "{name}"')


@pytest.fixture(scope="module")
def legacy() -> Iterator[Instance]:
    """State files in the old layout, which is the one that the original's arbitron knows."""
    server = make(mailbox_legacy_dirs="yes")
    yield server
    server.stop()
    server.remove()


def report(server: Instance, kind: str, *options: str) -> list[str]:
    """The lines, and the names of users in them, in order."""
    done = server.run("arbitron", *options, kind=kind)
    lines = done.stdout.decode().splitlines()
    return sorted(re.sub(r":(\S+)", _sorted_users, line) for line in lines)


def _sorted_users(match: re.Match[str]) -> str:
    return ":" + ",".join(sorted(match[1].split(",")))


@pytest.mark.parametrize(
    "options",
    [
        ("-o",), ("-o", "-u"), ("-o", "-d", "3"), ("-o", "-D", "01012020:01012021"), ("-o", "shared"),
        ("-o", "-u", "user/%/a"), ("-o", "*e*"), ("-o", "-l", "-D", "01012020:01012035"),
    ],
)  # fmt: skip
def test_arbitron_counts_readers(legacy: Instance, options: tuple[str, ...]) -> None:
    ours = report(legacy, "ours", *options)
    assert ours == report(legacy, "reference", *options)
    if options == ("-o", "-u"):
        assert ours == ["news 1:joe", "shared 3:bob,eve,joe", "user/bob/a 2:eve,joe"]


def test_arbitron_counts_subscribers_in_both_layouts(legacy: Instance) -> None:
    expected = ["news 1 1", "shared 3 3", "user/bob/a 2 3"]
    assert report(legacy, "ours") == expected
    current = make()
    try:
        assert report(current, "ours") == expected
        assert "shared 3:bob,eve,joe 3:bob,eve,joe" in report(current, "ours", "-u")
    finally:
        current.stop()
    current.remove()


def test_subscriptions_of_old_versions_count_too(legacy: Instance) -> None:
    for user in "xy":
        path = legacy.directory / f"conf/user/{user}/{user}.sub"
        path.parent.mkdir()
        path.write_text("nowhere\t\nshared\t\nuser.bob.a\t\n")
        give_away(path.parent)
        give_away(path)
    ours, original = (report(legacy, kind, "-u") for kind in ("ours", "reference"))
    # in the files of 3.6 the original finds nothing
    assert original == ["news 1:joe 0", "shared 3:bob,eve,joe 2:x,y", "user/bob/a 2:eve,joe 2:x,y"]
    assert ours[1:] == ["shared 3:bob,eve,joe 5:bob,eve,joe,x,y", "user/bob/a 2:eve,joe 5:bob,eve,joe,x,y"]


def test_old_states_are_pruned(legacy: Instance) -> None:
    path = str(legacy.directory / "conf/user/j/joe.seen")
    kind = legacy.run("cyr_dbtool", path, "twoskip", "show")
    records = dict(line.split("\t", 1) for line in kind.stdout.decode().splitlines())
    aged = next(iter(records))
    legacy.run("cyr_dbtool", path, "twoskip", "set", aged, "1 1000000000 1 1000000000 1")
    legacy.run("arbitron", "-p", "2")
    left = legacy.run("cyr_dbtool", path, "twoskip", "show").stdout.decode()
    assert aged not in left
    assert left.count("\n") == len(records) - 1


def test_arbitron_refuses_what_the_original_refuses(legacy: Instance) -> None:
    for options in (["-d", "0"], ["-d", "x"], ["-D", "1"], ["-D", "01x12020"], ["-p", "0"], ["-z"],
                    ["-D", "01012020", "-d", "3"]):  # fmt: skip
        codes = {
            legacy.run("arbitron", *options, kind=kind, check=False).returncode
            for kind in ("ours", "reference")
        }
        assert codes == {64}, options


@pytest.mark.parametrize("name", ["arbitronsort", "arbitronsort.pl"])
def test_arbitronsort_ranks(name: str) -> None:
    lines = b"shared 3 10\nnews 12 1\na b 3 7\nuser/x 0 7\nnews 2 2\nnot this\nuser/y 3:a,b 4:c\n\xe9 1 1\n"
    outputs = [
        subprocess.run([program(kind, which)], input=lines, capture_output=True, env=environment).stdout
        for kind, which, environment in (
            ("ours", name, None), ("reference", "arbitronsort", reference.environment()),
        )  # fmt: skip
    ]
    assert outputs[0] == outputs[1]
    assert outputs[0].startswith(b"1: a b - 3\n2: shared - 3\n")


def test_owners_seen_records_are_removed(legacy: Instance) -> None:
    ours = legacy.run("cyr_userseen").stdout
    assert ours == legacy.run("cyr_userseen", kind="reference").stdout
    assert b"removing seen for bob on user.bob.a\n" in ours
    path = str(legacy.directory / "conf/user/b/bob.seen")
    examined = legacy.run("mbexamine", "user/bob/a").stdout.decode()
    found = re.search(r"Mailbox Unique ID: (\S+)", examined) or re.search(r"ID: (\S+)", examined)
    assert found is not None
    legacy.run("cyr_dbtool", path, "twoskip", "set", found[1], "1 1700000000 1 1700000000 1")
    before = legacy.run("cyr_dbtool", path, "twoskip", "show").stdout.decode()
    assert found[1] in before
    assert legacy.run("cyr_userseen", "-d").stdout == ours
    left = legacy.run("cyr_dbtool", path, "twoskip", "show").stdout.decode()
    assert found[1] not in left
    assert left.count("\n") == before.count("\n") - 1
    assert legacy.run("cyr_userseen", "-x", check=False).returncode == 255


def test_xlist_settings_become_annotations() -> None:
    found = []
    for kind in ("ours", "reference"):
        server = make(**XLIST)
        try:
            outputs = []
            for arguments in (["-v", "user/eve*"], ["user/j%/%"], ["-v", "*"], ["-v", "user.bob.*"]):
                done = server.run("cvt_xlist_specialuse", *arguments, kind=kind)
                outputs.append((sorted(done.stdout.decode().splitlines()), done.stderr))
            with server.imap("bob") as client:
                outputs.append((client.ok('LIST "" "%"').untagged, b""))
                uses = client.ok("GETMETADATA (Bin a Sent-Items) /private/specialuse")
                outputs.append((uses.untagged, b""))
            assert server.run("cvt_xlist_specialuse", "-v", kind=kind, check=False).returncode == 64
            found.append(outputs)
        finally:
            server.stop()
        server.remove()
    assert found[0] == found[1]
    assert r"set specialuse \trash for user.bob.Bin" in found[0][2][0]


def test_without_xlist_settings_there_is_nothing_to_do(legacy: Instance) -> None:
    ours, original = (
        legacy.run("cvt_xlist_specialuse", "*", kind=kind).stderr for kind in ("ours", "reference")
    )
    assert ours == original == f"no xlist- settings in {legacy.config}, nothing to do\n".encode()
