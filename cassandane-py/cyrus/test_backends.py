"""A whole server on databases of another backend than usual, served by both suites at once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cassandane.instance import Instance
from cassandane.messages import message

BACKENDS = {
    "skiplist": dict.fromkeys(
        (
            "mboxlist_db",
            "annotation_db",
            "duplicate_db",
            "quota_db",
            "seenstate_db",
            "statuscache_db",
            "subscription_db",
            "tls_sessions_db",
            "userdeny_db",
        ),
        "skiplist",
    ),
    # what holds text only: the original dies of others, which its SQL cannot carry
    "sql": dict.fromkeys(("mboxlist_db", "quota_db", "userdeny_db"), "sql")
    | {"sql_engine": "sqlite"},
}


@pytest.fixture(params=sorted(BACKENDS))
def both(request: pytest.FixtureRequest) -> Iterator[Instance]:
    """``imap`` and ``lmtp`` are ours, ``imap2`` and ``lmtp2`` the original's."""
    server = Instance(
        services=("imap", "imap2", "lmtp", "lmtp2"),
        programs={"imap2": "reference", "lmtp2": "reference"},
        imapd_conf={
            "statuscache": "yes",
            "reverseacls": "yes",
            "allowusermoves": "yes",
            **BACKENDS[request.param],
        },
    )
    server.start()
    yield server
    server.stop()
    server.remove()


@pytest.mark.reference
def test_both_suites_share_a_server(both: Instance) -> None:
    with both.imap("admin") as ours, both.imap("admin", service="imap2") as theirs:
        for number in range(6):
            (ours if number % 2 else theirs).ok(f"CREATE user/joe{number}")
            (theirs if number % 2 else ours).ok(f"SETQUOTA user/joe{number} (STORAGE 1000)")
        listed = [sorted(client.ok('LIST "" *').untagged) for client in (ours, theirs)]
        assert listed[0] == listed[1]
        assert len(listed[0]) == 6
    for service in ("lmtp", "lmtp2"):
        with both.lmtp(service=service) as lmtp:
            # the second is a duplicate, whoever delivered the first
            replies = lmtp.deliver(message("lunch", "soon"), *(f"joe{number}" for number in range(6)))
            assert all(reply.startswith("250") for reply in replies)
    for number in range(6):
        for service in ("imap", "imap2"):
            with both.imap(f"joe{number}", service=service) as client:
                assert client.ok("STATUS INBOX (MESSAGES)").untagged == ["STATUS INBOX (MESSAGES 1)"]
                client.ok(f"CREATE {service}")
                client.ok(f"SUBSCRIBE {service}")
                client.ok("SELECT INBOX")
                client.ok("STORE 1 +FLAGS (\\Seen)")
        for service in ("imap", "imap2"):
            with both.imap(f"joe{number}", service=service) as client:
                assert len(client.ok('LSUB "" *').untagged) == 2
                assert client.ok("GETQUOTAROOT INBOX").grep("STORAGE")
    with both.imap("admin", service="imap2") as theirs:
        theirs.ok("SETACL user/joe1 admin lrswipkxtea")
        theirs.ok("RENAME user/joe1 user/moved")
    with both.imap("moved") as client:
        assert client.ok("STATUS INBOX (MESSAGES)").untagged == ["STATUS INBOX (MESSAGES 1)"]
    words = (f"{both.directory}/conf/mailboxes.db", both.settings["mboxlist_db"], "consistent")
    assert both.run("cyr_dbtool", *words, kind="reference").stdout == b"Yes, consistent\n"
