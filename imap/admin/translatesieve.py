"""translatesieve(8): write the names of mailboxes in old scripts as a new configuration has them.

Only ``fileinto "NAME";`` on one line, with white space before it, is known, as in the original. A script
is replaced by a rename, with what it said before or after, never less.
"""

from __future__ import annotations

import os
import re
import sys

import click

from libcyrus import options as opt
from libcyrus import tool
from libcyrus.base import files
from libcyrus.config import Config

_FILEINTO = re.compile(rb'(\s+fileinto\s+")([^"]*)("\s*;)')
_INBOX = b"inbox"



class Translation:
    """From one way to write names to another. Internal names stay."""

    def __init__(self, config: Config, *, was_unix: bool, was_alternative: bool) -> None:
        self.old, self.new = (b"/" if unix else b"." for unix in (was_unix, config[opt.unixhierarchysep]))
        self.to_alternative: bool = config[opt.altnamespace] and not was_alternative
        self.to_standard: bool = was_alternative and not config[opt.altnamespace]
        self._users = (config[opt.userprefix] or "").encode()
        self._shared = (config[opt.sharedprefix] or "").encode()

    @property
    def changes(self) -> bool:
        return self.old != self.new or self.to_alternative or self.to_standard

    def line(self, line: bytes) -> bytes:
        return _FILEINTO.sub(lambda found: found[1] + self.name(found[2]) + found[3], line, count=1)

    def name(self, name: bytes) -> bytes:
        if name.lower() == _INBOX:
            return name
        if self.to_alternative:
            if name.lower().startswith(_INBOX + self.old):
                name = name[len(_INBOX) + 1 :]
            elif name.startswith(b"user" + self.old):
                name = self._users + name[len(b"user") :]
            else:
                name = self._shared + self.old + name
        return name.replace(self.old, self.new)


@click.command()
@click.option("-f", "force", is_flag=True, help="Go on after errors.")
@click.option("-a", "was_alternative", is_flag=True, help="The scripts were written for altnamespace: yes.")
@click.option("-u", "was_unix", is_flag=True, help="The scripts were written for unixhierarchysep: yes.")
@click.option("-n", "dry_run", is_flag=True, help="Show what would be changed, and change nothing.")
@click.option("-v", "verbose", is_flag=True, help="Show what is changed.")
@tool.config_option
def translatesieve(
    config_file: str | None, verbose: bool, dry_run: bool, was_unix: bool, was_alternative: bool, force: bool
) -> int:
    """Rewrite the names of mailboxes in the scripts below sievedir for a changed configuration."""
    if os.getuid() == 0:
        print("must not run as root", file=sys.stderr)
        return 1
    config = Config.load(config_file, "translatesieve")
    translation = Translation(config, was_unix=was_unix, was_alternative=was_alternative)
    if not translation.changes:
        return _fatal("There's been no change to Unix hierarchy separator or the alternate namespace")
    if translation.to_standard:
        return _fatal("this utility *cannot* convert from altnamespace to traditional!")
    root = config[opt.sievedir] or ""
    print(f"translating sievedir {root}... ", flush=True)
    for letter in _folders(root):
        for user in _folders(letter):
            for path in _scripts(user):
                try:
                    _translate(path, translation, verbose=verbose or dry_run, dry_run=dry_run)
                except OSError as error:
                    text = f"cannot translate {path}: {error.strerror}"
                    if not (force or dry_run):
                        return _fatal(text)
                    print(f"error: {text}")
    print("done")
    return 0


main = tool.main(translatesieve)


def _fatal(text: str) -> int:
    print(f"fatal error: {text}")
    return 1


def _folders(path: str) -> list[str]:
    with os.scandir(path) as found:
        return sorted(entry.path for entry in found if entry.is_dir(follow_symlinks=False))


def _scripts(folder: str) -> list[str]:
    return sorted(f"{folder}/{name}" for name in os.listdir(folder) if name.endswith(".script"))


def _translate(path: str, translation: Translation, *, verbose: bool, dry_run: bool) -> None:
    if verbose:
        print(f"translating {os.path.basename(path)}...")
    with open(path, "rb") as file:
        old = file.readlines()
    new = [translation.line(line) for line in old]
    for before, after in zip(old, new, strict=True):
        if verbose and before != after:
            sys.stdout.flush()
            sys.stdout.buffer.write(b"< " + before + b"> " + after)
            sys.stdout.buffer.flush()
    if not dry_run and old != new:
        files.replace(path, b"".join(new))
