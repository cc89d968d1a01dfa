"""What systemd is given: units that are sound and expose little, the user, the directories."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from cassandane import reference
from cassandane.instance import TOP
from master import conf

SYSTEMD = TOP / "conf/systemd"
UNITS = sorted(SYSTEMD.glob("cyrus-imapd.*"))


@pytest.mark.reference
def test_units_are_sound_and_expose_little(tmp_path: Path) -> None:
    program = tmp_path / "master"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    for unit in UNITS:
        text = unit.read_text().replace("/usr/local/libexec/master", str(program))
        (tmp_path / unit.name).write_text(text)
    units = [tmp_path / unit.name for unit in UNITS]
    assert {unit.suffix for unit in units} == {".service", ".socket"}
    # as the unit of a user's own manager, since the system's wants directories that only root can make
    analyze(tmp_path, "--user", "--man=no", "verify", *units)
    for unit in units:
        if unit.suffix == ".service":
            analyze(tmp_path, "security", "--offline=yes", "--threshold=30", unit)
    # and the judge can say no
    exposed = tmp_path / "exposed.service"
    exposed.write_text(f"[Service]\nExecStart={program}\n")
    with pytest.raises(AssertionError):
        analyze(tmp_path, "security", "--offline=yes", "--threshold=30", exposed)
    exposed.write_text(f"[Service]\nExecStart={program}\nNoSuchKey=yes\n")
    with pytest.raises(AssertionError, match="NoSuchKey"):
        analyze(tmp_path, "--user", "--man=no", "verify", exposed)


def analyze(directory: Path, *words: str | Path) -> None:
    """Run systemd-analyze, with units that it knows from the same place as itself."""
    units = f"{directory}:{reference.directory()}/usr/lib/systemd/user"
    run("systemd-analyze", *words, XDG_RUNTIME_DIR=str(directory), SYSTEMD_UNIT_PATH=units)


def run(program: str, *words: str | Path, **environment: str) -> None:
    """Run one of systemd's programs; it must succeed and complain of nothing."""
    command = [reference.program(program), *words]
    environment = {**reference.environment(), **environment}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout[-200:] + done.stderr


@pytest.mark.reference
@pytest.mark.parametrize("there", [False, True])
def test_the_user_is_made_if_there_is_none(tmp_path: Path, there: bool) -> None:
    etc = tmp_path / "etc"
    etc.mkdir()
    line = "cyrus:x:107:8:Cyrus Mailsystem User:/var/spool/cyrus:/bin/sh"
    if there:
        (etc / "passwd").write_text(f"{line}\n")
        (etc / "group").write_text("mail:x:8:\n")
    subprocess.run(
        [reference.program("systemd-sysusers"), f"--root={tmp_path}", SYSTEMD / "cyrus.sysusers"],
        check=True, capture_output=True, env=reference.environment(),
    )  # fmt: skip
    made = next(text for text in (etc / "passwd").read_text().splitlines() if text.startswith("cyrus:"))
    assert made == line if there else re.fullmatch(r"cyrus:x:\d+:8:Cyrus mail system:/var/lib/cyrus:.*", made)


@pytest.mark.reference
def test_directories_are_made(tmp_path: Path) -> None:
    """With the user of the tests in place of the Cyrus user, whom only root could give them to."""
    text = (SYSTEMD / "cyrus.tmpfiles").read_text()
    wanted = dict(re.findall(r"^d (\S+) +(\d+) ", text, re.M))
    config = tmp_path / "tmpfiles.conf"
    owner = f"{os.getuid()} {os.getgid()} -"
    config.write_text(re.sub(r"(cyrus mail|root root) -$", owner, text, flags=re.M))
    root = tmp_path / "root"
    root.mkdir()
    run("systemd-tmpfiles", "--create", f"--root={root}", config)
    assert {path: f"{(root / path[1:]).stat().st_mode & 0o7777:04o}" for path in wanted} == wanted != {}


def test_the_socket_unit_has_the_addresses_of_the_example() -> None:
    """Master takes a socket only for an address that cyrus.conf names, as it would open it itself."""
    text = next(unit for unit in UNITS if unit.suffix == ".socket").read_text()
    example = str(TOP / "conf/cyrus.conf")
    services = [conf.service(entry) for entry in conf.section(conf.read(example), "SERVICES", example)]
    ports = [{"imap": 143, "imaps": 993, "sieve": 4190}.get(service.listen) for service in services]
    wanted = [f"{host}:{port}" for port in ports if port for host in ("0.0.0.0", "[::]")]
    assert re.findall(r"^ListenStream=(.*)$", text, re.M) == wanted != []
    assert "\nBindIPv6Only=ipv6-only\n" in text
