"""The main job with programs that other people wrote: mail comes in over LMTP and is read over IMAP."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from cassandane import reference
from cassandane.clients import ImapClient
from cassandane.instance import Instance
from cassandane.messages import corpus, message, with_attachment

pytestmark = [pytest.mark.reference, pytest.mark.timeout(600)]

COUNT = 1000
_TRACE = re.compile(
    rb"\A(?:(?:Return-Path|Received|X-Cyrus-Session-Id|X-Sieve): [^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*)+"
)


@pytest.fixture(scope="module")
def loaded() -> Iterator[tuple[Instance, list[bytes]]]:
    """A server whose user ``alice`` got ``COUNT`` messages through the original's ``deliver``."""
    server = Instance(prefork=1, imapd_conf={"duplicatesuppression": "no", "munge8bit": "no"})
    server.start()
    mail = corpus(COUNT - 3, largest=12_000)
    mail += [with_attachment(size) for size in (1_000_000, 3_000_000, 5_000_000)]
    try:
        server.create_user("alice", "Folder")
        server.create_user("bob")
        with server.imap("alice") as client:
            client.ok("SETACL Folder anyone p")
        for text in mail:
            server.run("deliver", "alice", kind="reference", stdin=text)
        yield server, mail
    except BaseException:
        server.stop(check=False)
        raise
    server.stop()
    server.remove()


def stored(client: ImapClient, mailbox: str) -> list[tuple[str, bytes]]:
    """(flags without \\Recent, message) of each message, in order."""
    client.ok(f"EXAMINE {mailbox}")
    found = []
    for line in client.ok("FETCH 1:* (FLAGS BODY.PEEK[])").untagged:
        match = re.fullmatch(r"\d+ FETCH \(FLAGS \((.*?)\) BODY\[\] \{(\d+)\}\r\n(.*)\)", line, re.S)
        assert match, line[:200]
        flags = " ".join(sorted(set(match[1].split()) - {"\\Recent"}))
        found.append((flags, match[3].encode("latin-1")))
    return found


def without_trace(text: bytes) -> bytes:
    """The message without the fields that delivery put before it."""
    return _TRACE.sub(b"", text)


def test_every_delivered_message_is_read_back_byte_for_byte(loaded: tuple[Instance, list[bytes]]) -> None:
    server, mail = loaded
    with server.imap("alice") as client:
        found = stored(client, "INBOX")
    assert len(found) == COUNT
    assert [without_trace(text) for _, text in found] == [without_trace(text) for text in mail]


def test_the_originals_reconstruct_finds_nothing(loaded: tuple[Instance, list[bytes]]) -> None:
    server, _ = loaded
    done = server.run("reconstruct", "-n", "-s", "-r", "user/alice", kind="reference")
    assert (done.stderr, done.stdout.split()) == (b"", [b"user/alice", b"user/alice/Folder"])


def test_mbsync_mirrors_out_and_back(loaded: tuple[Instance, list[bytes]], tmp_path: Path) -> None:
    server, _ = loaded
    with server.imap("alice") as client:
        client.ok("SELECT INBOX")
        client.ok(r"STORE 1:400 +FLAGS.SILENT (\Seen)")
        client.ok(r"STORE 200:300 +FLAGS.SILENT (\Flagged \Answered)")
    mbsync(server, tmp_path, "alice", create="Near")
    for state in tmp_path.rglob(".mbsyncstate*"):
        state.unlink()
    mbsync(server, tmp_path, "bob", create="Far")
    with server.imap("alice") as client:
        ours = stored(client, "INBOX")
    with server.imap("bob") as client:
        back = stored(client, "INBOX")
    assert len(back) == COUNT
    # mbsync marks what it uploads with a field of its own.
    back = [(flags, re.sub(rb"^X-TUID: .*\r\n", b"", text, count=1, flags=re.M)) for flags, text in back]
    assert sorted(back) == sorted(ours)


def mbsync(server: Instance, directory: Path, user: str, *, create: str) -> None:
    (directory / "mail").mkdir(exist_ok=True)
    config = directory / f"mbsyncrc-{user}"
    config.write_text(
        f"""
IMAPAccount {user}
Host 127.0.0.1
Port {server.ports["imap"]}
User {user}
Pass secret
SSLType None
AuthMechs PLAIN

IMAPStore {user}-far
Account {user}

MaildirStore near
Path {directory}/mail/
Inbox {directory}/mail/INBOX

Channel {user}
Far :{user}-far:
Near :near:
Patterns INBOX
Create {create}
Sync All
SyncState {directory}/state-{user}-
"""
    )
    (directory / "mail/INBOX").mkdir(exist_ok=True)
    for name in ("cur", "new", "tmp"):
        (directory / "mail/INBOX" / name).mkdir(exist_ok=True)
    command = [reference.program("mbsync"), "-c", str(config), user]
    home = {**reference.environment(), "HOME": str(directory)}
    done = subprocess.run(command, env=home, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr + server.describe()


def test_curl_lists_and_reads(loaded: tuple[Instance, list[bytes]]) -> None:
    server, mail = loaded
    url = f"imap://127.0.0.1:{server.ports['imap']}"
    listed = curl(url + "/")
    assert b"INBOX\r\n" in listed and b"Folder\r\n" in listed
    assert without_trace(curl(url + "/INBOX;MAILINDEX=5")) == without_trace(mail[4])


def curl(url: str) -> bytes:
    command = [reference.program("curl"), "-sS", "--user", "alice:secret", url]
    done = subprocess.run(command, env=reference.environment(), capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_mutt_opens_the_mailbox_read_only(loaded: tuple[Instance, list[bytes]], tmp_path: Path) -> None:
    server, _ = loaded
    script = shutil.which("script")
    assert script, "util-linux's script gives mutt its terminal"
    url = f"imap://alice:secret@127.0.0.1:{server.ports['imap']}/Folder"
    with server.imap("alice") as client:
        client.append("Folder", message("Read me in mutt", body="the body mutt shows"))
    settings = f"set ssl_starttls=no ssl_force_tls=no wait_key=no folder={tmp_path} mbox={tmp_path}/mbox"
    keys = "push '<pipe-message>cat >shown<enter><quit>'"
    rc = tmp_path / "muttrc"
    rc.write_text(settings + "\n" + keys + "\n")
    command = f"{reference.program('mutt')} -n -F {rc} -R -f '{url}'"
    environment = {**reference.environment(), "HOME": str(tmp_path), "TERM": "xterm"}
    subprocess.run(
        [script, "-qec", command, "/dev/null"], env=environment, cwd=tmp_path, timeout=60,
        stdin=subprocess.DEVNULL, capture_output=True,
    )
    assert b"the body mutt shows" in (tmp_path / "shown").read_bytes()


def test_swaks_delivers_to_several_recipients(loaded: tuple[Instance, list[bytes]]) -> None:
    server, _ = loaded
    data = Path(server.directory) / "swaks.eml"
    data.write_bytes(message("By swaks").replace(b"\r\n", b"\n"))
    os.chmod(data, 0o644)
    command = [
        reference.program("swaks"), "--protocol", "LMTP", "--server", f"127.0.0.1:{server.ports['lmtp']}",
        "--from", "carol@example.org", "--to", "bob,alice+Folder", "--data", f"@{data}", "--silent", "2",
    ]
    done = subprocess.run(command, env=reference.environment(), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    with server.imap("bob") as client:
        client.ok("EXAMINE INBOX")
        assert client.ok('SEARCH HEADER SUBJECT "By swaks"').untagged != ["SEARCH"]
    with server.imap("alice") as client:
        client.ok("EXAMINE Folder")
        assert client.ok('SEARCH HEADER SUBJECT "By swaks"').untagged != ["SEARCH"]
