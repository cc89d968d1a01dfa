"""deliver(8): hand one message to lmtpd, or connect a program that speaks LMTP to its socket."""

from __future__ import annotations

import os
import pwd
import selectors
import socket
import sys
from collections.abc import Sequence

from imap.client.lmtp import Addressee, Client, Result
from libcyrus import options as opt
from libcyrus.base.dataclasses import dataclass, field
from libcyrus.base.getopt import getopt
from libcyrus.base.privileges import PrivilegeError, become_cyrus
from libcyrus.config import Config
from libcyrus.errors import Fatal, ProtocolError
from libcyrus.prot import ProtError, ProtStream
from libcyrus.version import VERSION

NAME = "deliver"
TIMEOUT = 300.0
RELAY_SIZE = 64 * 1024

_LETTERS = "C:df:r:m:a:F:eE:lqD"
_USAGE = (
    "421-4.3.0 usage: deliver [-C <alt_config> ] [-m mailbox] [-a auth] [-r return_path] [-l] [-D]\r\n"
    f"421 4.3.0 {VERSION}\n"
)


class UsageError(Exception):
    """The command line is wrong; the text, if any, goes before the usage."""


@dataclass(slots=True)
class Arguments:
    config_file: str | None = None
    return_path: str | None = None
    mailbox: str | None = None
    authuser: str | None = None
    relay: bool = False
    ignorequota: bool = False
    users: list[str] = field(default_factory=list)


def main() -> int:
    try:
        arguments = parse(sys.argv[1:])
        return run(arguments)
    except UsageError as error:
        sys.stderr.write(f"{error}\n{_USAGE}" if str(error) else _USAGE)
        return os.EX_USAGE
    except Fatal as error:
        print(f"421 4.3.0 deliver: {error}", end="\r\n")
        return error.code


def parse(words: Sequence[str]) -> Arguments:
    """Raises UsageError. -d, -D and -e are taken and change nothing."""
    options, users, understood = getopt(words, _LETTERS, NAME)
    if not understood:
        raise UsageError
    arguments = Arguments(users=users)
    for letter, value in options:
        match letter:
            case "C":
                arguments.config_file = value
            case "r" | "f":
                arguments.return_path = value
            case "m":
                if arguments.mailbox is not None:
                    raise UsageError("deliver: multiple -m options")
                arguments.mailbox = value or None
            case "a":
                if arguments.authuser is not None:
                    raise UsageError("deliver: multiple -a options")
                arguments.authuser = value
            case "F" | "E":
                raise UsageError(f"deliver: '{letter}' option no longer supported")
            case "l":
                arguments.relay = True
            case "q":
                arguments.ignorequota = True
    return arguments


def run(arguments: Arguments) -> int:
    """Raises Fatal, UsageError."""
    config = Config.load(arguments.config_file, NAME, need_partitions=True)
    if os.geteuid() == 0:
        # mail without a return path is then the service's, not root's
        try:
            become_cyrus(config[opt.cyrus_user], config[opt.cyrus_group])
        except PrivilegeError as error:
            raise Fatal(str(error), os.EX_TEMPFAIL) from error
    path = config[opt.lmtpsocket] or os.path.join(config.directory, "socket", "lmtp")
    if arguments.relay:
        return relay(_connect(path, "connect failed"))
    recipients = addressees(arguments, config[opt.postuser] or "")
    sender = arguments.return_path if arguments.return_path is not None else _login_name()
    with _connect(path, "couldn't connect to lmtpd") as sock:
        stream = ProtStream(sock, timeout=TIMEOUT)
        try:
            client = Client(stream, NAME)
        except (ProtError, ProtocolError) as error:
            raise Fatal("couldn't connect to lmtpd", os.EX_CONFIG) from error
        client.transact(sender, recipients, _read_stdin, authuser=arguments.authuser)
        client.quit()
    return exit_code(recipients)


def addressees(arguments: Arguments, postuser: str) -> list[Addressee]:
    """Users, each with the -m folder as +detail; without users that folder is a shared one."""
    if not arguments.users and arguments.mailbox is None:
        raise UsageError
    if not arguments.users:
        return [Addressee(f"{postuser}+{arguments.mailbox}", arguments.ignorequota)]
    addresses = []
    for user in arguments.users:
        if arguments.mailbox is not None:
            local, at, domain = user.partition("@")
            user = f"{local}+{arguments.mailbox}{at}{domain}"
        addresses.append(Addressee(user, arguments.ignorequota))
    return addresses


def exit_code(recipients: Sequence[Addressee]) -> int:
    """75 if one may still get the message later, else 65 if one was refused, which is printed."""
    code = os.EX_OK
    for recipient in recipients:
        if recipient.result is Result.TEMPORARY:
            code = os.EX_TEMPFAIL
        elif recipient.result is Result.PERMANENT:
            print(f"{recipient.address}: {recipient.error}")
            code = code or os.EX_DATAERR
    return code


def relay(sock: socket.socket) -> int:
    """Copy stdin to the server and its answers to stdout, until the server closes the connection."""
    selector = selectors.DefaultSelector()
    selector.register(sock, selectors.EVENT_READ)
    try:
        selector.register(0, selectors.EVENT_READ)
    except PermissionError:
        # a plain file is always ready and cannot be waited for
        while data := os.read(0, RELAY_SIZE):
            sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
    with sock, selector:
        while True:
            ready = selector.select(TIMEOUT)
            if not ready:
                return os.EX_TEMPFAIL
            for key, _ in ready:
                if key.fileobj is sock:
                    data = sock.recv(RELAY_SIZE)
                    if not data:
                        return os.EX_OK
                    _write_all(1, data)
                    continue
                data = os.read(0, RELAY_SIZE)
                if data:
                    sock.sendall(data)
                else:
                    selector.unregister(0)
                    sock.shutdown(socket.SHUT_WR)


def _connect(path: str, failure: str) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.connect(path)
    except OSError as error:
        sock.close()
        sys.stderr.write(f"{failure}: {error.strerror or error}\n")
        raise Fatal(failure, os.EX_CONFIG) from error
    return sock


def _read_stdin(size: int) -> bytes:
    return os.read(0, size)


def _login_name() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError as error:
        raise Fatal("who are you?", os.EX_NOUSER) from error


def _write_all(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]
