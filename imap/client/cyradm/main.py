"""cyradm(1)."""

from __future__ import annotations

import getpass
import os
import pwd
import sys
from functools import cache

import click

from imap.client.cyradm import shell as loop
from imap.client.cyradm.admin import Admin, AdminError, Credentials, LostConnection
from imap.client.cyradm.commands import Exit, Refusal, Shell
from libcyrus.prot import TlsError
from libcyrus.sasl import SaslError
from libcyrus.version import VERSION

SYSTEM_FILE = "/usr/local/etc/cyradmrc.pl"
USER_FILE = "~/.cyradmrc.pl"
SECOND_ARGUMENT = "cyradm: may not specify server both with --server and bare arg"


def _version(context: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if wanted:
        print(f"version: Cyrus IMAP {VERSION}")
        context.exit()


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("-u", "--user", metavar="USER", help="Log in as USER.")
@click.option("-z", "--authz", metavar="USER", default="", help="Act for USER.")
@click.option(
    "-r/ ", "--rc/--norc", "use_files", default=True, help="Read the files of commands first, or do not."
)
@click.option("-S", "--systemrc", metavar="FILE", default=SYSTEM_FILE, help="The system's file of commands.")
@click.option("--userrc", metavar="FILE", help=f"The user's, instead of {USER_FILE}.")
@click.option("-s", "--server", "named", metavar="HOST", help="The server.")
@click.option("-p", "--port", metavar="PORT", help="Its port.")
@click.option("-a", "--auth", "mechanism", metavar="MECHANISM", help="Log in with this mechanism.")
@click.option("-w", "--password", metavar="PASSWORD", help="The password, instead of being asked for it.")
@click.option(
    "-t", "--tlskey", metavar="FILE", help="Use TLS, with the certificate and key in FILE if not empty."
)
@click.option("--notls", is_flag=True, help="Use no TLS.")
@click.option("--cafile", metavar="FILE", help="Check the server's certificate with those in FILE.")
@click.option("--cadir", "--capath", "cadir", metavar="DIRECTORY", help="Check it with those in DIRECTORY.")
@click.option("-v", "--version", is_flag=True, is_eager=True, expose_value=False, callback=_version,
              help="Show the version.")  # fmt: skip
@click.argument("where", metavar="[SERVER [PORT]]", nargs=-1)
def cyradm(
    user: str | None,
    authz: str,
    use_files: bool,
    systemrc: str,
    userrc: str | None,
    named: str | None,
    port: str | None,
    mechanism: str | None,
    password: str | None,
    tlskey: str | None,
    notls: bool,
    cafile: str | None,
    cadir: str | None,
    where: tuple[str, ...],
) -> int:
    """Administer the mailboxes of an IMAP server, command by command; "help" lists the commands."""
    if where and named:
        raise click.UsageError(SECOND_ARGUMENT)
    if len(where) > 2:
        raise click.UsageError("too many arguments")
    host = where[0] if where else named
    if len(where) == 2:
        port = where[1]

    @cache
    def ask() -> str:
        return password if password is not None else getpass.getpass("IMAP Password: ")

    credentials = Credentials(
        user=user or os.environ.get("USER") or os.environ.get("LOGNAME") or pwd.getpwuid(os.getuid()).pw_name,
        password=ask,
        authzid=authz,
        mechanism=mechanism,
        tls_key=tlskey,
        tls=not notls,
        ca_file=cafile,
        ca_dir=cadir,
    )
    shell = Shell(
        connect=lambda name, log_in: _connect(name, None, credentials, "server: ", log_in=log_in),
        credentials=lambda: credentials,
        out=sys.stdout,
        err=sys.stderr,
    )
    try:
        if host:
            shell.admin = _connect(host, port, credentials, "cyradm: ", log_in=True)
        if use_files:
            for path in (systemrc, os.path.expanduser(userrc or USER_FILE)):
                if os.path.isfile(path):
                    with open(path, encoding="utf-8", errors="surrogateescape") as lines:
                        loop.run_lines(shell, (line.rstrip("\n") for line in lines))
        loop.run_lines(shell, loop.typed(shell))
    except Refusal as error:
        print(error, file=sys.stderr)
        return 1
    except Exit as end:
        return int(end.args[0])
    return 0


def _connect(host: str, port: str | None, credentials: Credentials, who: str, *, log_in: bool) -> Admin:
    """Raises Refusal."""
    try:
        admin = Admin(host, port)
    except (OSError, LostConnection) as error:
        raise Refusal(f"{who}cannot connect to server") from error
    if log_in:
        try:
            admin.authenticate(credentials)
        except (SaslError, TlsError, AdminError, LostConnection) as error:
            admin.close()
            how = f" with {credentials.mechanism}" if credentials.mechanism is not None else ""
            print(error, file=sys.stderr)
            raise Refusal(f"{who}cannot authenticate to server{how} as {credentials.user}") from error
    return admin


def main() -> int:
    try:
        code = cyradm.main(prog_name="cyradm", standalone_mode=False)
    except click.UsageError as error:
        print(error.format_message(), file=sys.stderr)
        return 1
    except (click.Abort, KeyboardInterrupt):
        return 1
    return int(code or 0)
