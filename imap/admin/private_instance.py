"""A private server in one directory, for a first look: what ``make run`` starts.

Everything the server needs is made on the first run: configuration from
``conf/private-*.conf``, a self-signed certificate, an SQLite file of passwords,
two users with an INBOX each and a welcome message. Later runs keep it all.
"""

from __future__ import annotations

import imaplib
import os
import pwd
import secrets
import signal
import smtplib
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import closing
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from pathlib import Path

import click

TOP = Path(__file__).resolve().parents[2]
USERS = ("alice", "bob")
ADMIN = "cyrus"
PORTS = {"IMAP": 1143, "IMAPS": 1993, "LMTP": 1024, "SIEVE": 4190}
START_SECONDS = 30


@click.command("private_instance")
@click.option("--directory", required=True, type=click.Path(path_type=Path), help="Where the server lives.")
def run(directory: Path) -> None:
    """Make the private server if need be, start it, and stay until it is stopped."""
    directory = directory.resolve()
    ports = prepare(directory)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    server = subprocess.Popen(
        [
            str(TOP / "bin/master"), "-D", "-C", str(directory / "imapd.conf"),
            "-M", str(directory / "cyrus.conf"), "-p", str(directory / "master.pid"),
        ],
        start_new_session=True,
    )
    try:
        _wait_until_up(server, ports)
        passwords = _passwords(directory)
        _welcome(passwords, ports)
        click.echo(_instructions(directory, passwords, ports))
        raise SystemExit(server.wait())
    except KeyboardInterrupt:
        click.echo("\nStopping.")
    finally:
        if server.poll() is None:
            server.terminate()
        server.wait()


def prepare(directory: Path) -> dict[str, int]:
    """Make what is missing in ``directory``; the ports of the services."""
    owner = _service_user()
    config = directory / "cyrus.conf"
    for name in ("", "conf", "conf/socket", "conf/db", "conf/log", "conf/msg", "conf/proc", "spool", "tmp"):
        (directory / name).mkdir(mode=0o700, parents=True, exist_ok=True)
    if not config.exists():
        make_certificate(directory)
        _make_passwords(directory)
        words = {"DIR": str(directory), "BIN": str(TOP / "bin"), "USER": owner.pw_name}
        words |= {name: str(_free_port(port)) for name, port in PORTS.items()}
        for name in ("imapd.conf", "cyrus.conf"):
            text = (TOP / "conf" / f"private-{name}").read_text()
            for word, value in words.items():
                text = text.replace(f"@{word}@", value)
            (directory / name).write_text(text)
    if os.geteuid() == 0:
        for path in [directory, *directory.rglob("*")]:
            os.chown(path, owner.pw_uid, owner.pw_gid, follow_symlinks=False)
    return _ports(config.read_text())


def _service_user() -> pwd.struct_passwd:
    """Who the server runs as: the user who starts it, but never root."""
    if os.geteuid():
        return pwd.getpwuid(os.geteuid())
    return pwd.getpwnam("nobody")


def _ports(cyrus_conf: str) -> dict[str, int]:
    found = {}
    for line in cyrus_conf.splitlines():
        name, _, rest = line.strip().partition(" ")
        if name.upper() in PORTS and 'listen="127.0.0.1:' in rest:
            found[name.upper()] = int(rest.partition('listen="127.0.0.1:')[2].partition('"')[0])
    return found


def _free_port(wanted: int) -> int:
    """``wanted`` if nobody listens there, or else any free port."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise click.ClickException("no free port on 127.0.0.1")


def _make_passwords(directory: Path) -> None:
    path = directory / "passwords.sqlite"
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE users (username TEXT PRIMARY KEY, password TEXT NOT NULL)")
        rows = [(user, secrets.token_urlsafe(9)) for user in (*USERS, ADMIN)]
        database.executemany("INSERT INTO users VALUES (?, ?)", rows)
    path.chmod(0o600)


def _passwords(directory: Path) -> dict[str, str]:
    with closing(sqlite3.connect(directory / "passwords.sqlite")) as database:
        return dict(database.execute("SELECT username, password FROM users"))


def make_certificate(directory: Path) -> dict[str, str]:
    """A self-signed certificate for localhost, and the options that name it."""
    from datetime import UTC, datetime, timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=3650))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    certificate_path, key_path = directory / "cert.pem", directory / "key.pem"
    certificate_path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_path.touch(mode=0o600)
    key_path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return {"tls_server_cert": str(certificate_path), "tls_server_key": str(key_path)}


def _wait_until_up(server: subprocess.Popen[bytes], ports: dict[str, int]) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        if server.poll() is not None:
            raise click.ClickException(f"master ended with status {server.returncode}; see the system log")
        try:
            for port in ports.values():
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise click.ClickException("the server did not come up; see the system log")


def _welcome(passwords: dict[str, str], ports: dict[str, int]) -> None:
    """Give every user without an INBOX one, and a first message."""
    with imaplib.IMAP4("127.0.0.1", ports["IMAP"]) as admin:
        admin.login(ADMIN, passwords[ADMIN])
        new = [user for user in USERS if not _has(admin, f"user/{user}")]
        for user in new:
            status, answer = admin.create(f"user/{user}")
            if status != "OK":
                raise click.ClickException(f"cannot create the INBOX of {user}: {answer!r}")
    if new:
        _deliver(new, ports["LMTP"])


def _has(admin: imaplib.IMAP4, mailbox: str) -> bool:
    _, answer = admin.list('""', mailbox)
    return answer != [None]


def _deliver(users: Iterable[str], port: int) -> None:
    with smtplib.LMTP("127.0.0.1", port) as lmtp:
        for user in users:
            message = EmailMessage()
            message["From"] = "Cyrus <cyrus@localhost>"
            message["To"] = f"{user}@localhost"
            message["Subject"] = "Welcome"
            message["Date"] = formatdate(localtime=True)
            message["Message-ID"] = make_msgid(domain="localhost")
            message.set_content("This message came in over LMTP, and you read it over IMAP.\n")
            lmtp.sendmail("cyrus@localhost", [user], message.as_bytes())


def _instructions(directory: Path, passwords: dict[str, str], ports: dict[str, int]) -> str:
    first = USERS[0]
    lines = ["", f"The server is up. It lives in {directory}; the next run keeps its mail.", ""]
    lines += [f"  user {user:8} password {passwords[user]}" for user in USERS]
    lines += [f"  admin {ADMIN:7} password {passwords[ADMIN]}"]
    url = f"imap://{first}:{passwords[first]}@127.0.0.1:{ports['IMAP']}"
    lines += [
        "",
        f"  IMAP   127.0.0.1:{ports['IMAP']} (STARTTLS)    IMAPS  127.0.0.1:{ports['IMAPS']}",
        f"  LMTP   127.0.0.1:{ports['LMTP']} and {directory}/conf/socket/lmtp",
    ]
    if "SIEVE" in ports:  # a server made by an earlier version has none
        lines += [f"  Sieve  127.0.0.1:{ports['SIEVE']} (STARTTLS)"]
    lines += [
        "",
        f"  curl '{url}/INBOX;MAILINDEX=1'",
        f"  mutt -R -e 'set ssl_starttls=no ssl_force_tls=no' -f '{url}/INBOX'",
    ]
    if "SIEVE" in ports:
        login = f"-a {first} -u {first} -p {passwords[first]}"
        lines += [f"  bin/sieveshell {login} 127.0.0.1:{ports['SIEVE']}"]
    lines += ["", "Ctrl-C stops it."]
    return "\n".join(lines)


def _interrupt(signum: int, frame: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(run())
