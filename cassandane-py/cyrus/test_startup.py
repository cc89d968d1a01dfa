"""What a program is like once it has begun: log, user, umask, descriptors."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]

PROGRAM = """
import logging, os, sys
from libcyrus.base.xlog import NOTICE
from libcyrus.config.startup import begin
from libcyrus.errors import Fatal
try:
    begin(sys.argv[1], "prog", need_partitions="partitions" in sys.argv)
except Fatal as error:
    sys.exit(f"{error.code} {error}")
mask = os.umask(0)
log = logging.getLogger("libcyrus.test")
for level in (logging.DEBUG, logging.INFO, NOTICE, logging.WARNING, logging.ERROR, logging.CRITICAL):
    log.log(level, "a %s\\n\\udcff", "line")
try:
    1 / 0
except ZeroDivisionError:
    log.exception("wrong")
print(os.geteuid(), oct(mask), os.open("/dev/null", os.O_RDONLY))
"""


class Result:
    def __init__(self, directory: Path, done: subprocess.CompletedProcess[str]) -> None:
        self.code = done.returncode
        self.said = done.stderr
        self.printed = done.stdout
        log = directory / "log"
        self.log = [line.split("]: ", 1)[1] for line in log.read_text().splitlines()] if log.exists() else []
        self.idents = (
            {line.split(" ", 3)[3].split("[")[0] for line in log.read_text().splitlines()}
            if self.log
            else set()
        )


def start(directory: Path, text: str, *arguments: str, **environment: str) -> Result:
    conf = directory / "imapd.conf"
    conf.write_text(f"configdirectory: {directory}\n{text}")
    me = pwd.getpwuid(os.getuid()).pw_name
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(conf), *arguments],
        capture_output=True,
        text=True,
        env=os.environ
        | {
            "PYTHONPATH": f"{TOP}:{TOP / 'cassandane-py' / 'capture'}",
            "CYRUS_TEST_LOG": str(directory / "log"),
            "CYRUS_USER": me,
        }
        | environment,
    )
    return Result(directory, done)


def test_defaults(tmp_path: Path) -> None:
    result = start(tmp_path, "")
    assert (result.said, result.code) == ("", 0)
    assert result.printed.split()[:2] == [str(os.getuid()), "0o77"]
    assert result.idents == {"prog"}
    assert [line.split(">")[0] for line in result.log[:5]] == ["<6", "<5", "<4", "<3", "<2"]
    assert result.log[0] == "<6> a line#012\\xff"
    assert result.log[5] == "<3> wrong"
    assert result.log[-1] == "<3> ZeroDivisionError: division by zero"


def test_options_of_the_log_and_the_umask(tmp_path: Path) -> None:
    result = start(tmp_path, "debug: yes\nsyslog_prefix: mail1\nsyslog_facility: nonsense\numask: 027\n")
    assert result.printed.split()[1] == "0o27"
    assert result.log[0] == "<3> config error: syslog name nonsense not recognised"
    assert result.log[1] == "<7> a line#012\\xff"
    assert "mail1/prog" in result.idents


def test_the_environment_names_the_log_before_the_configuration_is_read(tmp_path: Path) -> None:
    result = start(tmp_path, "archive_days: 1\nsyslog_prefix: mail1\n", CYRUS_SYSLOG_PREFIX="own")
    assert result.idents == {"own/prog"}
    assert result.log[0].startswith("<4> Option 'archive_days' is deprecated")


def test_errors_of_the_configuration(tmp_path: Path) -> None:
    result = start(tmp_path, "defaultpartition: x\n", "partitions")
    assert (result.code, result.printed) == (1, "")
    assert result.said == "78 partition-x option not specified in configuration file\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root changes its user")
def test_root_becomes_the_cyrus_user(tmp_path: Path) -> None:
    (tmp_path / "log").touch(0o666)
    os.chmod(tmp_path / "log", 0o666)
    entry = pwd.getpwnam("nobody")
    result = start(tmp_path, "", CYRUS_USER="nobody")
    assert result.printed.split()[0] == str(entry.pw_uid)
    result = start(tmp_path, "", CYRUS_USER="no-such-user")
    assert result.said == f"{os.EX_USAGE} must run as the Cyrus user\n"
