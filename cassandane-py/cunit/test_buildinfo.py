"""cyr_buildinfo claims a component exactly when its program is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from imap.admin.cyr_buildinfo import BUILD

TOP = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("component", "program"),
    [
        ("backup", "backupd"),
        ("calalarmd", "calalarmd"),
        ("httpd", "httpd"),
        ("idled", "idled"),
        ("murder", "mupdate"),
        ("nntpd", "nntpd"),
        ("replication", "sync_server"),
        ("sieve", "sievec"),
    ],
)
def test_components_have_their_program(component: str, program: str) -> None:
    assert BUILD["component"][component] is (TOP / "bin" / program).exists()
