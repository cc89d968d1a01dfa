"""Whole conversations over a socket pair: no master, no network, and no input that breaks the daemon."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from imap.imapd import main
from imap.imapd.command_table import COMMANDS
from imap.imapd.process import Process
from libcyrus import mboxops
from libcyrus.base.signals import Signals
from libcyrus.config import Config
from libcyrus.server.connection import Connection
from libcyrus.server.proc import ProcFile
from libcyrus.server.program import Service


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    directory: Path = tmp_path_factory.mktemp("imapd")
    (directory / "spool").mkdir()
    (directory / "conf/proc").mkdir(parents=True)
    config = Config.for_tests(
        ident="imap",
        configdirectory=str(directory / "conf"),
        defaultpartition="default",
        servername="mail.example.org",
        allowplaintext=True,
        maxword=1000,
        maxquoted=1000,
        maxliteral=1000,
        maxmessagesize=5000,
        extra={
            "partition-default": str(directory / "spool"),
            "sasl_pwcheck_method": "alwaystrue",
            "sasl_mech_list": "PLAIN LOGIN",
        },
    )
    service = Service("imap", config, [], [], Signals(), ProcFile(str(directory / "conf/proc")))
    made = main.init(service)
    for name in ("user.joe", "user.joe.sub"):
        mboxops.create(made.store, name, is_admin=True, userid="admin", auth=None)
    yield made
    made.close()


def converse(process: Process, data: bytes) -> bytes:
    """What the daemon says to a client that sends all this and then closes its side."""
    ours, theirs = socket.socketpair()
    for end in (ours, theirs):
        for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
            end.setsockopt(socket.SOL_SOCKET, option, 1 << 20)
    with ours, theirs:
        theirs.sendall(data)
        theirs.shutdown(socket.SHUT_WR)
        main.serve(process, Connection(ours))
        theirs.setblocking(False)
        said = []
        while block := theirs.recv(1 << 20):
            said.append(block)
        return b"".join(said)


def test_a_conversation_from_greeting_to_goodbye(process: Process) -> None:
    said = converse(
        process,
        b"1 CAPABILITY\r\n2 LOGIN joe x\r\n3 SELECT INBOX\r\n4 NOOP\r\n5 UNSELECT\r\n6 LOGOUT\r\n",
    ).split(b"\r\n")
    assert said[0].startswith(b"* OK [CAPABILITY IMAP4rev1 ")
    assert said[1].startswith(b"* CAPABILITY IMAP4rev1 ")
    tagged = [line for line in said if re.match(rb"\d ", line)]
    assert [line[:4] for line in tagged] == [b"%d OK" % number for number in range(1, 7)]
    assert said[-3] == b"* BYE LOGOUT received"


def test_a_connection_that_just_ends_is_no_event(process: Process) -> None:
    assert converse(process, b"").count(b"\r\n") == 1
    assert converse(process, b"1 LOGIN joe x\r\n2 SEL").count(b"\r\n") == 2


def test_what_is_not_built_is_unknown(process: Process) -> None:
    said = converse(process, b"1 LOGIN joe x\r\n2 XCONVFETCH x\r\n3 SYNCAPPLY x\r\n")
    assert said.count(b" BAD Unrecognized command\r\n") == 2
    assert b"XCONVFETCH" not in said


LOGIN = b"login LOGIN joe x\r\n"
SELECT = b"select SELECT INBOX\r\n"
PIECES = st.one_of(
    st.sampled_from([name.encode() for name in COMMANDS]),
    st.sampled_from(
        [
            b"INBOX", b"sub", b"1:*", b"1", b"(", b")", b"()", b'"', b'""', b"NIL", b"*", b"%", b"\\Seen",
            b"{3}\r\nabc", b"{3+}\r\nabc", b"{0}\r\n", b"{2000}\r\n", b"~{3+}\r\nabc", b"{9999999999}", b"{",
            b"(MESSAGES)", b"FLAGS", b"+FLAGS.SILENT", b"BODY[]", b"BODY.PEEK[HEADER.FIELDS (Subject)]",
            b"ALL", b"UNSEEN", b"CHARSET", b"SINCE", b"1-Jan-2020", b"(STORAGE 1)", b"lrs", b"DONE",
            b"\r\n", b"\n", b"\r", b"\0", b"\xff", b"a" * 1001,
        ]
    ),
    st.binary(max_size=6),
)  # fmt: skip
LINES = st.lists(
    st.lists(PIECES, max_size=7).map(lambda pieces: b"t " + b" ".join(pieces) + b"\r\n"), max_size=8
).map(b"".join)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(before=st.sampled_from([b"", LOGIN, LOGIN + SELECT]), data=LINES)
def test_any_octets_are_answered_or_end_the_connection(process: Process, before: bytes, data: bytes) -> None:
    said = converse(process, before + data)
    assert said.startswith(b"* OK ")
    assert said.endswith(b"\r\n")
