"""A program of ours and the original's of that name, run alike on files that lie alike."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from cassandane import reference

TOP = Path(__file__).resolve().parents[2]
Ran = tuple[int, bytes, bytes]
"""Exit code, standard output, standard error."""


class Tools:
    """Each program works below a directory of its own, whose name stands as ``@`` in words and outputs."""

    def __init__(self, directory: Path, program: str, **options: str) -> None:
        self.directory = directory
        self.program = program
        for place in ("ours", "theirs"):
            (directory / place / "conf").mkdir(parents=True)
        self.configure(**options)

    def configure(self, **options: str) -> None:
        """Write both imapd.conf anew; ``@`` in a value is the place."""
        for place in ("ours", "theirs"):
            settings = {
                "configdirectory": "@conf",
                "defaultpartition": "default",
                "partition-default": "@spool",
                "admins": "cyrus",
                "cyrus_user": pwd.getpwuid(os.getuid()).pw_name,
                **options,
            }
            text = "".join(f"{key}: {value}\n" for key, value in settings.items())
            self.conf(place).write_text(text.replace("@", f"{self.directory}/{place}/"))

    def conf(self, place: str) -> Path:
        return self.directory / f"{place}.conf"

    def ours(self, words: Sequence[str], stdin: bytes = b"", *, program: str = "") -> Ran:
        return self._run([sys.executable, str(TOP / "bin" / (program or self.program))], words, stdin, "ours")

    def theirs(self, words: Sequence[str], stdin: bytes = b"", *, program: str = "") -> Ran:
        return self._run([reference.program(program or self.program)], words, stdin, "theirs")

    def _run(self, command: list[str], words: Sequence[str], stdin: bytes, place: str) -> Ran:
        where = f"{self.directory}/{place}/"
        operands = [word.replace("@", where) for word in words]
        done = subprocess.run(
            [*command, "-C", str(self.conf(place)), *operands],
            input=stdin,
            capture_output=True,
            env=reference.environment(),
            timeout=60,
        )
        here = where.encode()
        return done.returncode, done.stdout.replace(here, b"@"), done.stderr.replace(here, b"@")
