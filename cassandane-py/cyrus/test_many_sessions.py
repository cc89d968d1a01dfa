"""Sessions at random work in two mailboxes: what each is told stays legal, and in the end all see the truth.

A failing test names the session and shows what it was told; with turns the seed says all that happened.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from cassandane.crowd import Crowd, Role
from cassandane.instance import Instance
from cassandane.messages import message

CAPABILITIES = ("", "CONDSTORE", "QRESYNC")
SHARED_SEEN = '(/shared/vendor/cmu/cyrus-imapd/sharedseen "true")'


@pytest.fixture(scope="module", params=["delayed", "immediate"])
def server(request: pytest.FixtureRequest) -> Iterator[Instance]:
    """Without idled sessions that idle are woken by what they watch, and by nothing else; with it by both."""
    instance = Instance(
        services=("imap", "lmtp"), imapd_conf={"expunge_mode": request.param, "imapidlepoll": "1"}
    )
    if request.param == "immediate":
        instance.start_lines = (f'idled cmd="{instance.command("ours", "idled")}"',)
        instance.write_configuration()
    # what expires while a session still has a number for it
    instance.allowed_log.append("map message file failed")
    instance.start()
    try:
        yield instance
    except BaseException:
        instance.stop(check=False)
        raise
    instance.stop()
    instance.remove()


def roles(server: Instance, owner: str, count: int, *, others: bool, shared: bool) -> list[Role]:
    """Members of all kinds; with ``others`` every third is another user, who may do everything too."""
    server.create_user(owner, "two")
    own = {"one": "INBOX", "two": "two"}
    foreign = {"one": f"Other Users/{owner}", "two": f"Other Users/{owner}/two"}
    with server.imap("admin") as admin:
        for name in (f"user/{owner}", f"user/{owner}/two"):
            admin.ok(f"SETACL {name} bob lrswipkxten")
    if shared:
        with server.imap(owner) as client:
            for name in own.values():
                client.ok(f"SETMETADATA {name} {SHARED_SEEN}")
    members = []
    for place in range(count):
        is_other = others and place % 3 == 2
        members.append(
            Role(
                "bob" if is_other else owner,
                foreign if is_other else own,
                CAPABILITIES[place % 4 % 3],
                examines=place % 2 == 1,
            )
        )
    return members


def name_of(*words: object) -> str:
    return "".join(map(str, words)).lower()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("count", [2, 5, 8])
def test_by_turns(server: Instance, count: int, seed: int) -> None:
    members = roles(server, name_of("turn", count, seed), count, others=seed > 0, shared=seed == 2)
    with Crowd(server, members, seed, shared=seed == 2) as crowd:
        crowd.take_turns(150)
        crowd.check()


@pytest.mark.reference
@pytest.mark.parametrize("seed", [7, 8])
def test_beside_sessions_of_the_original(seed: int) -> None:
    """Every second session is served by the original, which by turns tells what is legal without QRESYNC."""
    server = Instance(
        services=("imap", "imap2"), programs={"imap2": "reference"}, imapd_conf={"expunge_mode": "delayed"}
    )
    server.start()
    try:
        ours = roles(server, "alice", 6, others=True, shared=seed % 2 == 0)
        members = [
            replace(role, service="imap2", enable="") if place % 2 else role
            for place, role in enumerate(ours)
        ]
        with Crowd(server, members, seed, shared=seed % 2 == 0) as crowd:
            crowd.take_turns(150)
            crowd.check()
    except BaseException:
        server.stop(check=False)
        raise
    server.stop()
    server.remove()


@pytest.mark.parametrize("shared", [False, True])
def test_all_at_once(server: Instance, shared: bool) -> None:
    members = roles(server, name_of("once", shared), 8, others=True, shared=shared)
    with Crowd(server, members, 1, shared=shared) as crowd:
        crowd.work_at_once(2)
        crowd.check()


@pytest.mark.long
@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("count", [2, 4, 8])
def test_all_at_once_for_long(server: Instance, count: int, shared: bool) -> None:
    """Mail arrives and expunged messages are removed for good meanwhile."""
    owner = name_of("long", count, shared)
    members = roles(server, owner, count, others=True, shared=shared)
    with Crowd(server, members, count, shared=shared) as crowd:
        for _ in range(4):
            crowd.work_at_once(5)
            with server.lmtp() as lmtp:
                lmtp.deliver(message("delivered", "delivered"), owner)
            server.run("cyr_expire", "-E", "0", "-X", "0", "-D", "0")
            crowd.check()


@pytest.mark.long
@pytest.mark.parametrize("seed", range(10, 40))
def test_by_turns_for_long(server: Instance, seed: int) -> None:
    count = 2 + seed % 7
    shared = seed % 5 == 0
    owner = name_of("far", seed)
    members = roles(server, owner, count, others=seed % 2 == 0, shared=shared)

    def expire(step: int) -> None:
        if step % 200 == 199:
            server.run("cyr_expire", "-E", "0", "-X", "0", "-D", "0")

    with Crowd(server, members, seed, shared=shared) as crowd:
        crowd.take_turns(500, between=expire)
        crowd.check()
