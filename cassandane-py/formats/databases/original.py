"""The databases that the original's programs leave after a little use of each.

``python -m formats.databases.original`` in this folder's grandparent writes the golden files anew.
"""

from __future__ import annotations

import shutil
import ssl
from contextlib import suppress
from pathlib import Path

from cassandane.instance import Instance

HERE = Path(__file__).parent

# options of the server, some of which make it keep a database at all
OPTIONS = {
    "statuscache": "yes",
    "conversations": "yes",
    "reverseacls": "yes",
    "annotation_allow_undefined": "yes",
    "unixhierarchysep": "no",
    "altnamespace": "no",
    "tls_versions": "tls1_2",
    "syslog_prefix": "cyrus",
}

MESSAGE = b"""Message-Id: <%d@example.org>
Date: Sun, 1 Nov 2026 10:00:00 +0000
From: Ann <ann@example.org>
To: joe@example.org
Subject: lunch
In-Reply-To: <0@example.org>

Text %d.
""".replace(b"\n", b"\r\n")


def use(server: Instance) -> None:
    server.create_user("joe", "sub", "gone")
    with server.imap("admin") as admin:
        admin.ok("CREATE shared")
        admin.ok("SETACL shared joe lrswi")
        admin.ok("SETQUOTA user.joe (STORAGE 1000 MESSAGE 50)")
        admin.ok("CREATE user.old")
        admin.ok("SETACL user.old admin lrswipkxtea")
        admin.ok("DELETE user.old")
    with server.lmtp() as lmtp:
        for number in range(3):
            lmtp.deliver(MESSAGE % (number, number), "joe")
    with server.imap("joe") as joe:
        joe.ok("SUBSCRIBE INBOX")
        joe.ok("SUBSCRIBE INBOX.sub")
        joe.ok("SUBSCRIBE shared")
        joe.ok("SETMETADATA INBOX (/private/comment {} /shared/comment {})", b"mine", b"ours")
        joe.ok("SELECT INBOX")
        joe.ok("STORE 1 +FLAGS (\\Seen \\Flagged)")
        joe.ok('STORE 2 ANNOTATION (/comment (value.priv "a note"))')
        joe.ok("COPY 1:2 shared")
        joe.ok("SELECT shared")
        joe.ok("STORE 1 +FLAGS (\\Seen)")
        joe.ok("STATUS INBOX (MESSAGES UNSEEN UIDNEXT)")
        joe.ok("STATUS shared (MESSAGES UNSEEN)")
        joe.ok("DELETE INBOX.gone")
        joe.ok('GENURLAUTH "imap://joe@mail.example.org/INBOX/;uid=1;urlauth=anonymous" INTERNAL')
    with server.imap("admin") as admin:
        admin.ok("SETMETADATA {} (/shared/comment {})", b"", b"a server")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.options |= ssl.OP_NO_TICKET
    client = server.imap()
    client.ok("STARTTLS")
    client.socket = stream = context.wrap_socket(client.socket)
    client.ok("LOGOUT")
    with suppress(ssl.SSLError):
        stream.unwrap()  # waits until the server has closed; a client that goes first makes it forget
    client.close()
    server.run("cyr_deny", "-s", "pop*,!imap", "-m", "not now", "ann", kind="reference")
    server.run("cyr_deny", "joe", kind="reference")


def make() -> Instance:
    """A stopped server whose databases are to be looked at; the caller removes it."""
    services = ("imap", "lmtp")
    server = Instance(
        services=services,
        programs=dict.fromkeys(services, "reference"),
        master="reference",
        imapd_conf=OPTIONS,
        tls=True,
    )
    server.start()
    try:
        use(server)
    finally:
        server.stop(check=False)
    return server


def _main() -> None:
    server = make()
    conf = server.directory / "conf"
    for path in [*conf.rglob("*.db"), *(server.directory / "spool").rglob("cyrus.annotations")]:
        print(path.relative_to(server.directory), path.stat().st_size)
        if path.stat().st_size:
            shutil.copy(path, HERE / path.name)
    for path in (conf / "quota").rglob("user.*"):
        (HERE / "quota/j").mkdir(parents=True, exist_ok=True)
        shutil.copy(path, HERE / "quota/j" / path.name)
    server.remove()


if __name__ == "__main__":
    _main()
