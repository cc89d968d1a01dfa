"""installsieve(1): the older client of ManageSieve, one job a call."""

from __future__ import annotations

import os
import sys

import click

from imap.client.managesieve import ManageSieve, ScriptError
from imap.client.sieveshell import connect, login, run_client
from libcyrus.errors import ProtocolError
from libcyrus.prot import ProtError


@click.command()
@click.option("-v", "--views", "view", metavar="NAME", help="Show a script.")
@click.option("-l", "--list", "list_all", is_flag=True, help="List the scripts.")
@click.option("-p", "--port", metavar="PORT", type=int, help="The server's port.")
@click.option("-i", "--installs", "install", metavar="FILE", help="Put the script in FILE on the server.")
@click.option("-a", "--activates", "activate", metavar="NAME", help="Make a script the active one.")
@click.option("-d", "--deletes", "delete", metavar="NAME", help="Delete a script.")
@click.option("-m", "--mechanism", metavar="MECHANISM", help="Log in with this mechanism.")
@click.option("-g", "--gets", "get", metavar="NAME", help="Save a script to the file NAME.")
@click.option("-u", "--username", metavar="USER", default="", help="Log in as USER.")
@click.option("-w", "--password", metavar="PASSWORD", help="The password, instead of being asked for it.")
@click.argument("server", metavar="SERVER[:PORT]")
def installsieve(
    view: str | None,
    list_all: bool,
    port: int | None,
    install: str | None,
    activate: str | None,
    delete: str | None,
    mechanism: str | None,
    get: str | None,
    username: str,
    password: str | None,
    server: str,
) -> int:
    """Work on your Sieve scripts on a server, in this order: install, delete, activate, get, view, list."""
    print("NOTE: This program is deprecated. Please use sieveshell\n", flush=True)
    name = username or os.environ.get("USER", "")
    where = server if port is None else f"{server}:{port}"
    scripts = connect(where, login(name, name, "", password), mechanism)
    jobs = (
        ("upload failed", install, _install),
        ("delete failed", delete, ManageSieve.delete),
        ("activate failed", activate, ManageSieve.activate),
        ("get failed", get, _save),
        ("get failed", view, _show),
        ("list failed", "" if list_all else None, _list),
    )
    for failure, argument, run in jobs:
        if argument is None:
            continue
        try:
            run(scripts, argument)
        except (ScriptError, OSError, ProtError, ProtocolError) as error:
            print(f"{failure}\n{error}", file=sys.stderr)
            return 1
    scripts.close()
    return 0


def _install(scripts: ManageSieve, path: str) -> None:
    with open(path, "rb") as file:
        scripts.put(os.path.basename(path), file.read())


def _save(scripts: ManageSieve, name: str) -> None:
    script = scripts.get(name)
    with open(name, "wb") as file:
        file.write(script)


def _show(scripts: ManageSieve, name: str) -> None:
    sys.stdout.write(scripts.get(name).decode("utf-8", "surrogateescape"))


def _list(scripts: ManageSieve, _nothing: str) -> None:
    for script in scripts.list():
        print(f"{script.name} {' <- active script' if script.active else ''}")


def main() -> int:
    return run_client(installsieve, "installsieve")
