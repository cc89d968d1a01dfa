"""Secrets and canonical names out of an LDAP directory."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cassandane import directory as directories
from cassandane import reference
from cassandane.certificates import Authority
from cassandane.directory import PROXY, PROXY_PASSWORD, Directory
from cassandane.instance import TOP, make_directory
from libcyrus.config import Config
from libcyrus.sasl import SaslCode, SaslError, SaslServer, SaslSettings, ldapdb
from libcyrus.sasl.backends import Backends
from libcyrus.sasl.ldapdb import Directory as Settings
from libcyrus.sasl.ldapdb import Ldapdb
from libcyrus.server.login import LoginPolicy

pytestmark = pytest.mark.reference


@pytest.fixture(scope="module")
def directory() -> Iterator[Directory]:
    directories.make_importable()
    made = Directory()
    made.add("joe", "secret", "employeeNumber: j42\n")
    made.add("ann", "blue")
    made.add("nopassword", "")
    with made, pytest.MonkeyPatch.context() as environment:
        environment.setenv("SASL_PATH", reference.environment()["SASL_PATH"])
        yield made


def place(directory: Directory, **settings: str) -> Ldapdb:
    wanted = {"uris": directory.uri, "id": PROXY, "password": PROXY_PASSWORD, "mechanism": "DIGEST-MD5"}
    return Ldapdb(Settings(**(wanted | settings)))


def code(action: Callable[[], object]) -> SaslCode | None:
    try:
        action()
    except SaslError as error:
        return error.code
    return None


@pytest.mark.parametrize("mechanism", ["DIGEST-MD5", "SCRAM-SHA-256", ""])
def test_a_password_is_read_for_its_owner(directory: Directory, mechanism: str) -> None:
    found = place(directory, mechanism=mechanism)
    assert found.lookup("joe") == b"secret"
    assert found.lookup("ann", "userpassword") == b"blue"
    assert found.lookup("ann", "authPassword") is None
    for nobody in ("eve", "joe,ou=people", "*", "joé", ""):
        assert found.lookup(nobody) is None


def test_over_the_local_socket_without_a_password(directory: Directory) -> None:
    found = place(directory, uris=directory.socket, id="", password="", mechanism="EXTERNAL")
    assert found.lookup("joe") == b"secret"


def test_the_next_server_is_asked(directory: Directory) -> None:
    assert place(directory, uris=f"ldap://127.0.0.1:1 {directory.uri}").lookup("joe") == b"secret"


def test_a_canonical_name_is_an_attribute(directory: Directory) -> None:
    assert place(directory, canon_attr="employeenumber").canonical("joe") == "j42"
    # of the entry's own name it is read without asking for the entry
    assert place(directory, canon_attr="UID").canonical("joe") == "joe"
    for user, attribute in (("ann", "employeeNumber"), ("eve", "mail"), ("joe", "")):
        assert code(lambda: place(directory, canon_attr=attribute).canonical(user)) is SaslCode.FAIL  # noqa: B023


def test_a_password_is_stored_by_its_owner(directory: Directory) -> None:
    found = place(directory)
    found.store("ann", "userPassword", b"green")
    assert found.lookup("ann") == b"green"
    found.store("ann", "userPassword", b"blue")
    assert code(lambda: found.store("eve", "userPassword", b"x")) is SaslCode.NOUSER


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"password": "wrong"}, SaslCode.BADAUTH),
        ({"mechanism": "CRAM-SHA-0"}, SaslCode.FAIL),
        ({"uris": "ldap://127.0.0.1:1"}, SaslCode.UNAVAIL),
        ({"starttls": "demand"}, SaslCode.FAIL),
        ({"starttls": "try"}, None),
    ],
)
def test_why_there_is_no_answer(
    directory: Directory, settings: dict[str, str], expected: SaslCode | None
) -> None:
    assert code(lambda: place(directory, **settings).lookup("joe")) is expected


@pytest.mark.parametrize("mechanism", ["DIGEST-MD5", ""])
def test_a_directory_that_hangs_is_given_up(
    directory: Directory, monkeypatch: pytest.MonkeyPatch, mechanism: str
) -> None:
    monkeypatch.setattr(ldapdb, "ASKING_SECONDS", 1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        uri = f"ldap://127.0.0.1:{silent.getsockname()[1]}"
        found = place(directory, uris=uri, mechanism=mechanism)
        assert code(lambda: found.lookup("joe")) is SaslCode.UNAVAIL


@pytest.mark.parametrize(
    ("authority", "starttls", "expected"),
    [("good", "demand", b"secret"), ("none", "demand", None), ("good", "try", b"secret"), ("good", "", None)],
)
def test_tls_with_the_librarys_own_settings(
    tmp_path: Path, authority: str, starttls: str, expected: bytes | None
) -> None:
    """In a process of its own, as the library reads its settings once."""
    directories.make_importable()
    environment = reference.python_environment()
    signer = Authority(make_directory())
    certificate = signer.issue("127.0.0.1")
    tls = {
        "TLSCACertificateFile": str(signer.path),
        "TLSCertificateFile": str(certificate.path),
        "TLSCertificateKeyFile": str(certificate.key_path),
    }
    rc = tmp_path / "ldaprc"
    rc.write_text(f"TLS_CACERT {signer.path if authority == 'good' else '/dev/null'}\n")
    made = Directory(tls=tls)
    made.add("joe", "secret")
    with made:
        # PLAIN is not to be had without TLS
        settings = (made.uri, PROXY, PROXY_PASSWORD, "PLAIN", str(rc), starttls)
        code = "from libcyrus.sasl import ldapdb\n"
        code += f"print(ldapdb.Ldapdb(ldapdb.Directory(*{settings!r})).lookup('joe'))"
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, timeout=60,
            env=environment | {"PYTHONPATH": f"{TOP}:{environment['PYTHONPATH']}"},
        )  # fmt: skip
    shutil.rmtree(signer.directory)
    assert (done.stdout == f"{expected!r}\n") is (expected is not None), done.stderr
    assert ("the directory cannot be read" in done.stderr) is (expected is None)


def test_who_may_not_ask_for_others_learns_nothing(directory: Directory) -> None:
    assert place(directory, id="ann", password="blue").lookup("joe") is None


def test_from_the_options(directory: Directory) -> None:
    options = {
        "sasl_auxprop_plugin": "ldapdb",
        "sasl_ldapdb_ldapdb_uri": directory.uri,
        "sasl_ldapdb_uri": "ldap://127.0.0.1:1",
        "sasl_ldapdb_id": PROXY,
        "sasl_ldapdb_pw": PROXY_PASSWORD,
        "sasl_ldapdb_mech": "DIGEST-MD5",
    }
    made = Backends(Config.for_tests(extra=options), "imap")
    made.passwords.verify("joe", "secret")
    assert code(lambda: made.passwords.verify("joe", "wrong")) is SaslCode.BADAUTH
    assert code(lambda: made.passwords.verify("eve", "x")) is SaslCode.NOUSER


def test_users_are_called_by_their_canonical_names(directory: Directory) -> None:
    options = {
        "sasl_canon_user_plugin": "ldapdb",
        "sasl_pwcheck_method": "alwaystrue",
        "sasl_ldapdb_uri": directory.uri,
        "sasl_ldapdb_id": PROXY,
        "sasl_ldapdb_pw": PROXY_PASSWORD,
        "sasl_ldapdb_mech": "DIGEST-MD5",
        "sasl_ldapdb_canon_attr": "employeeNumber",
    }

    def userid(user: str, **more: str) -> str:
        config = Config.for_tests(extra=options | more)
        server = SaslServer(SaslSettings.from_config(config, "imap"), LoginPolicy(config))
        return server.check_password(user, "any").userid

    assert userid("Joe") == "j42"
    assert code(lambda: userid("ann")) is SaslCode.FAIL
    assert userid("ann", sasl_canon_user_plugin="INTERNAL") == "ann"
    assert code(lambda: userid("ann", sasl_canon_user_plugin="other")) is SaslCode.NOMECH


def test_without_the_package(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setitem(sys.modules, "ldap", None)
    options = {"sasl_auxprop_plugin": "ldapdb", "sasl_ldapdb_uri": "ldap://127.0.0.1:1"}
    assert not Backends(Config.for_tests(extra=options), "imap").properties
    assert "sasl_auxprop_plugin ldapdb: the Python package ldap is not installed" in caplog.text
