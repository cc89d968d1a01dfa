"""sieveshell(1): a user's Sieve scripts on a server, command by command."""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from typing import IO

import click

from imap.client.managesieve import ManageSieve, ScriptError
from libcyrus.backend.dialect import Refused
from libcyrus.errors import BadParameters, ProtocolError
from libcyrus.prot import ProtError, TlsError
from libcyrus.sasl import SaslError
from libcyrus.sasl.client import Login

_USAGE = {
    "put": "put <filename> [<target name>]\n                 - upload script to server\n",
    "get": "get <name> [<filename>]\n                 - get script. if no filename display to stdout\n",
    "delete": "delete <name>    - delete script.\n",
    "activate": "activate <name>  - set a script as the active script\n",
    "deactivate": "deactivate       - deactivate all scripts\n",
}
_SHORT = {"p": "put", "l": "list", "ls": "list", "a": "activate", "da": "deactivate", "d": "delete",
          "g": "get", "q": "quit", "?": "help"}  # fmt: skip
_HELP = (
    "Usage:\n"
    "  sieveshell [-u username] [-a authname] [-r realm] <server>\n"
    "\n"
    "help             - this screen\n"
    "list             - list scripts on server\n" + "".join(_USAGE.values()) + "quit             - quit\n"
)


class Shell:
    """Runs commands; ``status`` is 1 once one has failed."""

    def __init__(self, server: ManageSieve, out: IO[str]) -> None:
        self._server = server
        self._out = out
        self.status = 0
        self.over = False

    def run(self, line: str) -> None:
        """One command. Raises ProtError, ProtocolError when the connection is of no more use."""
        words = line.split()
        if not words:
            return
        name = _SHORT.get(words[0], words[0])
        if name not in _COMMANDS:
            self._out.write(f"Invalid command: {words[0]}\n")
            self.status = 1
            return
        command, least, most = _COMMANDS[name]
        arguments = words[1:]
        if name in _USAGE and not least <= len(arguments) <= most:
            self._out.write(_USAGE[name])
            return
        try:
            command(self, *arguments[:most])
        except ScriptError as error:
            self._failed(name, _PREFIX.get(name, "") + str(error))
        except OSError as error:
            self._failed(name, error.strerror or str(error))

    def _failed(self, name: str, text: str) -> None:
        self._out.write(f"{'upload' if name == 'put' else name} failed: {text}\n")
        self.status = 1

    def put(self, filename: str, target: str | None = None) -> None:
        with open(filename, "rb") as file:
            self._server.put(os.path.basename(target if target is not None else filename), file.read())

    def get(self, name: str, filename: str | None = None) -> None:
        script = self._server.get(name)
        if filename is None:
            self._out.write(script.decode("utf-8", "surrogateescape"))
            return
        with open(filename, "wb") as file:
            file.write(script)

    def list(self) -> None:
        for script in self._server.list():
            self._out.write(f"{script.name} {' <- active script' if script.active else ''}\n")

    def delete(self, name: str) -> None:
        self._server.delete(name)

    def activate(self, name: str) -> None:
        self._server.activate(name)

    def deactivate(self) -> None:
        self._server.activate("")

    def quit(self) -> None:
        self.over = True

    def help(self) -> None:
        self._out.write(_HELP)


_COMMANDS: dict[str, tuple[Callable[..., None], int, int]] = {
    "put": (Shell.put, 1, 2),
    "get": (Shell.get, 1, 2),
    "list": (Shell.list, 0, 0),
    "delete": (Shell.delete, 1, 1),
    "activate": (Shell.activate, 1, 1),
    "deactivate": (Shell.deactivate, 0, 0),
    "quit": (Shell.quit, 0, 0),
    "help": (Shell.help, 0, 0),
}
"""What runs a command, and how many arguments it takes."""
_PREFIX = {
    "put": "put script: ",
    "delete": "Deleting script: ",
    "activate": "Setting script active: ",
    "deactivate": "Setting script active: ",
}


def _typed() -> Iterator[str]:
    """Lines from a terminal, with history, or from standard input."""
    if not sys.stdin.isatty():
        yield from sys.stdin
        return
    with suppress(ImportError):
        import readline  # noqa: F401 - makes input() edit lines
    while True:
        try:
            yield input("> ")
        except EOFError:
            return


def login(user: str, authname: str, realm: str, password: str | None) -> Callable[[], Login]:
    """Who to be; the password is asked for once, when it is needed and was not given."""

    @cache
    def ask() -> str:
        return password if password is not None else getpass.getpass("Please enter your password: ")

    return lambda: Login(
        authcid=authname, password=ask, authzid="" if user == authname else user, realm=realm or None
    )


def connect(server: str, who: Callable[[], Login], mechanism: str | None = None) -> ManageSieve:
    """Raises click.ClickException, which says what went wrong."""
    try:
        return ManageSieve(server, who, mechanism=mechanism)
    except (OSError, ProtError, ProtocolError, Refused, SaslError, TlsError, BadParameters) as error:
        text = error.code.text if isinstance(error, SaslError) else str(error)
        raise click.ClickException(f"unable to connect to server: {text}") from error


@click.command(context_settings={"help_option_names": ["-?", "--help"]})
@click.option("-u", "--user", "--username", metavar="USER", help="Whose scripts; of the one who logs in.")
@click.option("-a", "--authname", metavar="USER", help="Log in as USER.")
@click.option("-r", "--realm", metavar="REALM", default="", help="The realm to log in to.")
@click.option("-p", "--password", metavar="PASSWORD", help="The password, instead of being asked for it.")
@click.option("-e", "--exec", "text", metavar="COMMANDS", help="Run these commands, a line each.")
@click.option("-f", "--execfile", metavar="FILE", help="Run the commands in FILE.")
@click.argument("server", metavar="SERVER[:PORT]")
def sieveshell(
    user: str | None,
    authname: str | None,
    realm: str,
    password: str | None,
    text: str | None,
    execfile: str | None,
    server: str,
) -> int:
    """Work on your Sieve scripts on a server; "help" lists the commands."""
    me = os.environ.get("USER", "")
    authname = authname or me
    if execfile:
        try:
            with open(execfile) as file:
                text = file.read()
        except OSError as error:
            raise click.ClickException(f"unable to open file: {error.strerror}") from error
    lines = _typed() if not text and not execfile else iter((text or "").splitlines())
    print(f"connecting to {server}", flush=True)
    connection = connect(server, login(user or authname, authname, realm, password))
    shell = Shell(connection, sys.stdout)
    try:
        for line in lines:
            shell.run(line)
            sys.stdout.flush()
            if shell.over:
                break
        connection.close()
    except (ProtError, ProtocolError) as error:
        raise click.ClickException(f"connection to server lost: {error}") from error
    return shell.status


def main() -> int:
    return run_client(sieveshell, "sieveshell")


def run_client(command: click.Command, name: str) -> int:
    """Run a command; what it was called wrongly with is told with its usage, and 2 returned."""
    try:
        return int(command.main(prog_name=name, standalone_mode=False) or 0)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return 1
