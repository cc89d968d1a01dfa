"""Whatever lmtpd and timsieved are sent, or find as a script: no traceback, no hang, no growth of memory."""

from __future__ import annotations

import os
import re
import socket
import ssl
from collections.abc import Callable, Iterator
from random import Random

import pytest

from cassandane import fuzz, fuzz_mail
from cassandane.fuzz import Target
from cassandane.fuzz_mail import LmtpTarget, SieveTarget
from cassandane.instance import Instance, give_away, wait_for

SENDMAIL = """#!/bin/sh
printf '220 hi\\r\\n'
while IFS= read -r line; do
    case "$line" in
    EHLO*) printf '250-hi\\r\\n250 DSN\\r\\n' ;;
    DATA*) printf '354 go\\r\\n' ;;
    MAIL*|RCPT*|.?) printf '250 ok\\r\\n' ;;
    QUIT*) printf '221 bye\\r\\n'; exit 0 ;;
    esac
done
"""
REFUSALS = ["can not use sieve script", "File name too long", "cannot be compiled"]
"""What the log may say of input that goes too far."""


@pytest.fixture(scope="module")
def server() -> Iterator[Instance]:
    server = Instance(
        services=("imap", "lmtp", "lmtpauth", "sieve"),
        tls=True,
        imapd_conf={
            "failedloginpause": "0", "autocreate_quota": "0", "sieve_maxscripts": "8",
            "sieve_maxscriptsize": "200", "lmtp_fuzzy_mailbox_match": "yes", "anysievefolder": "yes",
            "duplicatesuppression": "no", "maxmessagesize": "1000000", "chatty": "yes",
            "sasl_mech_list": "PLAIN LOGIN ANONYMOUS",
        },
    )  # fmt: skip
    sendmail = server.directory / "sendmail"
    sendmail.write_text(SENDMAIL)
    sendmail.chmod(0o755)
    server.settings["sendmail"] = str(sendmail)
    server.write_configuration()
    server.allowed_log += REFUSALS
    server.start()
    try:
        server.create_user("ann", "two")
        server.create_user("bob")
        with server.imap("admin") as admin:
            admin.ok("CREATE shared")
            admin.ok("SETACL shared anyone lrsp")
        yield server
    except BaseException:
        server.stop(check=False)
        raise
    wait_for(lambda: not fuzz.zombies(server), "a worker ended and nobody took notice")
    server.stop()
    server.remove()


@pytest.fixture(scope="module")
def lmtp(server: Instance) -> LmtpTarget:
    return LmtpTarget(server, "lmtp")


@pytest.fixture(scope="module")
def sieve(server: Instance) -> SieveTarget:
    return SieveTarget(server, "sieve")


def play(target: Target, stream: Callable[[Random], bytes], seeds: range) -> None:
    for seed in seeds:
        random = Random(seed)
        sent = stream(random)
        target.judge(target.play(sent, cut=random.random() < 0.05, deaf=random.random() < 0.1))
        target.check()


def with_bytecode(target: LmtpTarget, seeds: range) -> None:
    """Mail for a user whose active script is any file."""
    stream = b'AUTHENTICATE "PLAIN" "AGJvYgB4"\r\nPUTSCRIPT "s" "keep;"\r\nSETACTIVE "s"\r\nLOGOUT\r\n'
    SieveTarget(target.server, "sieve").play(stream)
    [path] = target.server.directory.glob("conf/sieve/**/s.bc")
    for seed in seeds:
        random = Random(seed)
        # another file, for one that was met already is not read again
        made = path.with_name("made")
        made.write_bytes(fuzz_mail.bytecode(random))
        give_away(made)
        os.replace(made, path)
        said = target.judge(
            target.play(
                b"LHLO x\r\nMAIL FROM:<x@y.example>\r\nRCPT TO:<bob>\r\nDATA\r\n"
                b"Message-ID: <%d@x>\r\n%b\r\n.\r\nNOOP\r\n"
                % (seed, fuzz_mail.mail(random).replace(b"\n.", b"\n,"))
            )
        )
        target.check()
        assert said[-1].startswith(b"250 "), said[-3:]


def test_lmtp(lmtp: LmtpTarget) -> None:
    play(lmtp, fuzz_mail.lmtp_stream, range(80))


def test_lmtp_with_a_login(server: Instance) -> None:
    play(LmtpTarget(server, "lmtpauth"), fuzz_mail.lmtp_stream, range(1000, 1040))


def test_managesieve(sieve: SieveTarget) -> None:
    play(sieve, fuzz_mail.sieve_stream, range(120))


def test_damaged_bytecode(lmtp: LmtpTarget) -> None:
    with_bytecode(lmtp, range(60))


@pytest.mark.parametrize("kind", [LmtpTarget, SieveTarget])
def test_garbage_instead_of_tls(kind: type[Target], server: Instance) -> None:
    target = kind(server, "lmtpauth" if kind is LmtpTarget else "sieve")
    random = Random(1)
    for size in (1, 10, 1000, 100000):
        target.play(b"STARTTLS\r\n" + random.randbytes(size))
        target.check()


@pytest.mark.parametrize(
    ("service", "injected", "wanted"),
    [
        ("lmtpauth", b"LHLO injected\r\nNONSENSE\r\n", rb"250[- ][^\0]*\r\n221 [^\r]*\r\n"),
        (
            "sieve",
            b'NOOP "injected"\r\n',
            rb'[^\0]*OK \(TAG \{4\}\r\nmine\) "Done"\r\nOK "Logout Complete"\r\n',
        ),
    ],
)
def test_nothing_that_came_before_tls_counts_under_it(
    service: str, injected: bytes, wanted: bytes, server: Instance
) -> None:
    target = (SieveTarget if service == "sieve" else LmtpTarget)(server, service)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with target.connect() as sock:
        until(sock, rb"(?m)^(?:220|OK)\b[^\n]*\n\Z")
        sock.sendall(b"STARTTLS\r\n" + injected)
        until(sock, rb"(?m)^(?:220|OK)\b[^\n]*\n\Z")
        with context.wrap_socket(sock) as secure:
            said = fuzz.exchange(
                secure, b"LHLO x\r\nQUIT\r\n" if service != "sieve" else b'NOOP "mine"\r\nLOGOUT\r\n'
            )
    assert said is not None
    assert re.fullmatch(wanted, said), said
    assert b"injected" not in said
    assert b"\n500 " not in said
    target.check()


def until(sock: socket.socket, mark: bytes) -> None:
    """Read, octet by octet, up to a mark."""
    heard = b""
    while not re.search(mark, heard):
        octet = sock.recv(1)
        assert octet, heard
        heard += octet


DELIVERIES = (
    b"MAIL FROM:<x@y.example>\r\nRCPT TO:<ann>\r\nRCPT TO:<nobody+x>\r\nRCPT TO:ann\r\nDATA\r\n"
    b"Subject: x\r\n\r\nx\r\n.\r\nVRFY a\r\nMAIL FROM:x\r\nMAIL FROM:<>\r\nRSET\r\n"
    b"AUTH X\r\nNONSENSE\r\nNOOP\r\n"
)
COMMANDS = (
    b'PUTSCRIPT "a" {5+}\r\nkeep;\r\nCHECKSCRIPT "x"\r\nSETACTIVE "a"\r\nLISTSCRIPTS\r\nGETSCRIPT "a"\r\n'
    b'RENAMESCRIPT "a" "b"\r\nHAVESPACE "a" 5\r\nSETACTIVE ""\r\nDELETESCRIPT "b"\r\nNONSENSE\r\nNOOP "x"\r\n'
    b'UNAUTHENTICATE\r\nAUTHENTICATE "PLAIN" "%"\r\nAUTHENTICATE "PLAIN" "AGV2ZQB4"\r\n'
)


def grown(target: Target, stream: bytes, times: int) -> int:
    """By how many KiB a worker grew, at most, when it was told the same again and again."""
    target.play(stream * (times // 2))
    before = target.memory()
    target.judge(target.play(stream * times))
    after = target.memory()
    common = before.keys() & after.keys()
    assert common, (before, after)
    return max(after[pid] - before[pid] for pid in common)


def test_nothing_grows(lmtp: LmtpTarget, sieve: SieveTarget) -> None:
    assert grown(lmtp, DELIVERIES, 60) < 2048
    assert grown(sieve, COMMANDS, 60) < 2048
    lmtp.check()
    sieve.check()


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_nothing_grows_for_long(lmtp: LmtpTarget, sieve: SieveTarget) -> None:
    assert grown(lmtp, DELIVERIES, 3000) < 2048
    assert grown(sieve, COMMANDS, 3000) < 2048


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_lmtp_for_long(lmtp: LmtpTarget) -> None:
    play(lmtp, fuzz_mail.lmtp_stream, range(10000, 13000))


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_managesieve_for_long(sieve: SieveTarget) -> None:
    play(sieve, fuzz_mail.sieve_stream, range(10000, 14000))


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_damaged_bytecode_for_long(lmtp: LmtpTarget) -> None:
    with_bytecode(lmtp, range(10000, 13000))
