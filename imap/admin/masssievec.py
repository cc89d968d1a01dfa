"""masssievec(8): compile every script of a sievedir of earlier versions, and make its links today's."""

from __future__ import annotations

import os
import subprocess
import sys

import click

from libcyrus import options as opt
from libcyrus import tool
from libcyrus.config import Config

_SCRIPT = ".script"
_BYTECODE = ".bc"
_LINK = "defaultbc"


@click.command()
@click.argument("sievec", metavar="SIEVEC")
@click.argument("config_file", metavar="[FILE]", required=False)
def masssievec(sievec: str, config_file: str | None) -> int:
    """Compile every script below sievedir with the program SIEVEC; FILE stands for /etc/imapd.conf."""
    if os.getuid() == 0:
        print("must not run as root", file=sys.stderr)
        return 1
    config = Config.load(config_file, "masssievec")
    if config[opt.sieveusehomedir]:
        print("you are storing sieve scripts in user's home directories, this script cannot deal with that")
        return 0
    if not os.access(sievec, os.X_OK):
        print(f"{sievec} is not executable")
        return 0
    if not os.path.isabs(sievec):
        print(f"{sievec} is not an absolute path")
        return 0
    root = config[opt.sievedir] or ""
    print(f"you are using {root} as your sieve directory.", flush=True)
    command = [sievec, *([] if config_file is None else ["-C", config_file])]
    for letter in _folders(root):
        for user in _folders(letter):
            print(f"processing user {os.path.basename(user)}", flush=True)
            _compile(command, user)
    return 0


main = tool.main(masssievec)


def _folders(path: str) -> list[str]:
    with os.scandir(path) as found:
        return sorted(entry.path for entry in found if entry.is_dir(follow_symlinks=False))


def _compile(command: list[str], folder: str) -> None:
    for name in sorted(os.listdir(folder)):
        path = f"{folder}/{name}"
        if name in ("default", "default.bc"):
            _link(folder, path, _SCRIPT if name == "default" else _BYTECODE)
        elif name.endswith(_SCRIPT):
            done = subprocess.run([*command, path, path.removesuffix(_SCRIPT) + _BYTECODE])
            if done.returncode:
                print(f"got error compiling {name}.", flush=True)


def _link(folder: str, path: str, suffix: str) -> None:
    """``default`` and ``default.bc`` were the links of earlier versions."""
    if not os.path.islink(path):
        print(f"{os.path.basename(path)} is not a symlink", file=sys.stderr)
        return
    target = os.readlink(path)
    if not target.endswith(suffix) or target == "default.bc":
        return
    try:
        os.symlink(target.removesuffix(suffix) + _BYTECODE, f"{folder}/{_LINK}")
        os.unlink(path)
    except OSError as error:
        print(f"can't symlink {target} to {_LINK}: {error.strerror}", file=sys.stderr)
