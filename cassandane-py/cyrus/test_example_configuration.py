"""The examples of conf/ are valid, for the original too, and both masters serve mail with them."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from cassandane import reference
from cassandane.instance import TOP, Instance
from cassandane.messages import message

EXAMPLES = sorted(path.name for path in (TOP / "conf").glob("*cyrus.conf") if "private" not in path.name)


@pytest.fixture
def instance() -> Iterator[Instance]:
    instance = Instance(services=("imap", "imaps", "sieve", "lmtpunix"))
    yield instance
    instance.stop(check=False)
    instance.remove()


def take_over(instance: Instance, name: str) -> None:
    """Give the instance the examples, with other places, ports and users; any password will do."""
    places = {
        "/run/cyrus/socket": "conf/socket", "/run/cyrus/proc": "conf/proc", "/run/cyrus/lock": "conf/lock",
        "/var/lib/cyrus": "conf", "/var/spool/cyrus/mail": "spool", "/var/spool/sieve": "conf/sieve",
    }  # fmt: skip

    def moved(text: str) -> str:
        for old, new in places.items():
            text = text.replace(old, f"{instance.directory}/{new}")
        return text

    own = {key: instance.settings[key] for key in ("cyrus_user", "tls_server_cert", "tls_server_key")}
    own |= {"sasl_pwcheck_method": "alwaystrue", "allowplaintext": "yes", "admins": "admin"}
    text = moved((TOP / "conf/imapd.conf").read_text())
    settings = dict(re.findall(r"^([\w-]+): (.*)$", text, re.M))
    assert own.keys() <= settings.keys() | {"tls_server_cert"}
    instance.settings = settings | own
    instance.write_configuration()
    text = moved((TOP / "conf" / name).read_text())
    assert instance.ports.keys() == {"imap", "imaps", "sieve"}
    for service, port in instance.ports.items():
        text, changes = re.subn(rf'listen="{service}"', f'listen="127.0.0.1:{port}"', text)
        assert changes == 1
    kind = instance.master
    text = re.sub(r'cmd="(\w+)', lambda found: f'cmd="{instance.command(kind, found[1])}', text)
    assert "/run/" not in text and "/var/" not in text
    instance.cyrus_conf.write_text(text)


@pytest.mark.reference
@pytest.mark.parametrize("name", EXAMPLES)
@pytest.mark.parametrize("kind", ["ours", "reference"])
def test_an_example_serves(instance: Instance, name: str, kind: str) -> None:
    instance.use(master=kind, programs=kind)
    take_over(instance, name)
    instance.start()
    instance.create_user("cassandane")
    instance.run("deliver", "cassandane", kind=kind, stdin=message("by example"))
    with instance.imap("cassandane", service="imaps") as client:
        client.ok("SELECT INBOX")
        assert "by example" in client.ok("FETCH 1 BODY[HEADER.FIELDS (SUBJECT)]").untagged[0]
    instance.stop()


@pytest.mark.reference
@pytest.mark.parametrize("name", EXAMPLES)
@pytest.mark.parametrize("kind", ["ours", "reference"])
def test_an_example_has_nothing_that_is_not_read(name: str, kind: str, instance: Instance) -> None:
    conf = TOP / "conf"
    files: list[str | Path] = ["-C", conf / "imapd.conf", "-M", conf / name]
    lint = [instance.program(kind, "cyr_info"), *files, "conf-lint"]
    done = subprocess.run(lint, capture_output=True, text=True, env=reference.environment())
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_there_are_examples() -> None:
    assert EXAMPLES == ["cyrus.conf", "prefork-cyrus.conf"]


def test_programs_of_examples_exist() -> None:
    for name in EXAMPLES:
        for program in re.findall(r'cmd="(\w+)', (TOP / "conf" / name).read_text()):
            assert (TOP / "bin" / program).exists(), program


def test_directories_of_examples_are_made_by_the_system() -> None:
    """What tmpfiles makes is what imapd.conf names outside of what the server makes itself."""
    made = set(re.findall(r"^d (\S+)", (TOP / "conf/systemd/cyrus.tmpfiles").read_text(), re.M))
    text = (TOP / "conf/imapd.conf").read_text()
    settings = dict(re.findall(r"^([\w-]+): (/(?:run|var)/\S+)$", text, re.M))
    assert len(settings) >= 8
    for option, value in settings.items():
        place = str(Path(value).parent) if option.endswith("socket") else value
        assert place in made, option
