"""tls_sessions.db: sessions of TLS 1.2 clients without tickets, in our servers and in the original's.

It takes an OpenSSL that is a library of its own, as Debian's packages have it: the servers run with these.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cassandane.debian_modules import OnDebianModules
from cassandane.instance import HARDENED, Instance
from cassandane.tls_scan import Handshake, openssl
from libcyrus.cyrusdb import open_db

pytestmark = pytest.mark.reference

TLS12 = ("-tls1_2", "-no_ticket")


@pytest.fixture(scope="module")
def server() -> Iterator[Instance]:
    """``imap`` is ours with one connection a worker, ``imap2`` the original's."""
    missing = OnDebianModules.missing()
    if missing:
        pytest.skip(missing)
    services = ("imap", "imap2")
    options = {"tls_sessions_db": "skiplist"}
    one = OnDebianModules(
        services=services, programs={"imap2": "reference"}, tls=True, imapd_conf=options
    )
    one.settings["tls_sessions_db_path"] = str(database(one))
    one.write_configuration()
    text = re.sub(r'^(  imap cmd="[^"]*)"', r'\1 -U 1"', one.cyrus_conf.read_text(), flags=re.MULTILINE)
    one.cyrus_conf.write_text(text)
    one.wrapper = HARDENED
    one.start()
    try:
        yield one
    except BaseException:
        one.stop(check=False)
        raise
    one.stop()
    one.remove()


def connect(server: Instance, service: str, *arguments: str | Path) -> Handshake:
    shown = openssl(server.ports[service], *TLS12, *arguments, starttls="imap")
    assert shown.protocol == "TLSv1.2", shown.output
    return shown


def session_id(shown: Handshake) -> bytes:
    found = re.search(r"^ +Session-ID: ([0-9A-F]+)$", shown.output, re.MULTILINE)
    assert found is not None, shown.output
    return bytes.fromhex(found[1])


def database(server: Instance) -> Path:
    return server.directory / "conf/other_sessions.db"


@pytest.mark.parametrize(
    ("begun", "continued"), [("imap", "imap"), ("imap", "imap2"), ("imap2", "imap"), ("imap2", "imap2")]
)
def test_a_session_goes_on_by_its_id_in_whichever_process(
    server: Instance, tmp_path: Path, begun: str, continued: str
) -> None:
    kept = tmp_path / "session"
    first = connect(server, begun, "-sess_out", kept)
    assert not first.reused
    for service in (continued, begun, continued):
        again = connect(server, service, "-sess_in", kept)
        assert again.reused, again.output
        assert session_id(again) == session_id(first)
    with open_db("skiplist", database(server)) as sessions:
        data = sessions.fetch(session_id(first))
    assert data is not None
    assert data[8:].startswith(b"\x30")


def test_ours_are_as_the_originals(server: Instance, tmp_path: Path) -> None:
    """The same life, and the same fields: only keys, ids and times differ."""
    records = {}
    for service in ("imap", "imap2"):
        shown = connect(server, service, "-sess_out", tmp_path / service)
        with open_db("skiplist", database(server)) as sessions:
            data = sessions.fetch(session_id(shown))
        assert data is not None
        records[service] = data
    expires = {service: int.from_bytes(data[:8], sys.byteorder) for service, data in records.items()}
    assert abs(expires["imap"] - expires["imap2"]) < 100
    assert len(records["imap"]) == len(records["imap2"])


@pytest.mark.parametrize("service", ["imap", "imap2"])
def test_what_has_expired_or_was_removed_does_not_go_on(
    server: Instance, tmp_path: Path, service: str
) -> None:
    kept = tmp_path / "session"
    first = session_id(connect(server, "imap", "-sess_out", kept))
    with open_db("skiplist", database(server)) as sessions:
        data = sessions.fetch(first)
        assert data is not None
        sessions.store(first, bytes(8) + data[8:])
    assert not connect(server, service, "-sess_in", kept).reused
    with open_db("skiplist", database(server)) as sessions:
        assert sessions.fetch(first) is None
    with open_db("skiplist", database(server)) as sessions:
        sessions.store(first, data[:8] + b"no session at all")
    assert not connect(server, service, "-sess_in", kept).reused


def test_tls_prune_knows_them(server: Instance, tmp_path: Path) -> None:
    first = session_id(connect(server, "imap", "-sess_out", tmp_path / "session"))
    server.run("tls_prune")
    with open_db("skiplist", database(server)) as sessions:
        data = sessions.fetch(first)
        assert data is not None
        sessions.store(first, bytes(8) + data[8:])
    server.run("tls_prune")
    with open_db("skiplist", database(server)) as sessions:
        assert sessions.fetch(first) is None


def test_sessions_with_tickets_are_not_kept(server: Instance) -> None:
    def count() -> int:
        with open_db("skiplist", database(server)) as sessions:
            return sum(1 for _ in sessions.foreach())

    connect(server, "imap")
    before = count()
    for version in ("-tls1_2", "-tls1_3"):
        assert openssl(server.ports["imap"], version, starttls="imap").ok
    assert count() == before
    connect(server, "imap")
    assert count() == before + 1
    assert os.path.getsize(database(server))
