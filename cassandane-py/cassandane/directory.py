"""An LDAP directory of a test's own, with people and one who may ask for them."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from cassandane import reference
from cassandane.instance import give_away, make_directory, wait_for
from cassandane.ports import free_port

PROXY, PROXY_PASSWORD = "proxy", "proxy-secret"
_BASE = "dc=example,dc=org"

_CONFIGURATION = """\
include {schema}/core.schema
include {schema}/cosine.schema
include {schema}/inetorgperson.schema
modulepath {modules}
moduleload back_mdb
pidfile {directory}/slapd.pid
sizelimit 100
password-hash {{CLEARTEXT}}
authz-policy to
authz-regexp "^uid=([^,]*),(cn=[^,]*,)*cn=auth$" "uid=$1,ou=people,{base}"
authz-regexp "^gidNumber=.*,cn=peercred,cn=external,cn=auth$" "uid={proxy},ou=people,{base}"
{tls}
database mdb
suffix {base}
rootdn cn=root,{base}
directory {directory}/data
access to attrs=userPassword,employeeNumber by self write by * auth
access to * by * read
"""

_ENTRIES = """\
dn: {base}
objectClass: dcObject
objectClass: organization
dc: example
o: example

dn: ou=people,{base}
objectClass: organizationalUnit
ou: people
"""

_PERSON = """
dn: uid={uid},ou=people,{base}
objectClass: inetOrgPerson
uid: {uid}
cn: {uid}
sn: {uid}
userPassword: {password}
{more}"""


class Directory:
    """Use as a context manager, when everybody has been added."""

    def __init__(self, *, tls: dict[str, str] | None = None) -> None:
        self.directory = make_directory()
        self._port = free_port()
        self.uri = f"ldap://127.0.0.1:{self._port}"
        self.socket = f"ldapi://{str(self.directory / 'ldapi').replace('/', '%2F')}"
        self._slapd: subprocess.Popen[bytes] | None = None
        self._entries = _ENTRIES.format(base=_BASE)
        authority = f"authzTo: dn.regex:^uid=[^,]*,ou=people,{_BASE}$\n"
        self.add(PROXY, PROXY_PASSWORD, authority)
        root = Path(reference.program("slapd").removesuffix("usr/sbin/slapd"))
        lines = [f"{option} {value}" for option, value in (tls or {}).items()]
        (self.directory / "data").mkdir()
        (self.directory / "slapd.conf").write_text(
            _CONFIGURATION.format(
                schema=root / "etc/ldap/schema", modules=root / "usr/lib/ldap", directory=self.directory,
                base=_BASE, proxy=PROXY, tls="\n".join(lines),
            )
        )  # fmt: skip

    def add(self, uid: str, password: str, more: str = "") -> None:
        """A person; ``more`` are lines of LDIF."""
        self._entries += _PERSON.format(uid=uid, base=_BASE, password=password, more=more)

    def __enter__(self) -> Directory:
        configuration = str(self.directory / "slapd.conf")
        slapd = reference.program("slapd")
        subprocess.run(
            [slapd, "-T", "add", "-f", configuration], input=self._entries.encode(), check=True,
            env=reference.environment(), stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self._slapd = subprocess.Popen(
            [slapd, "-f", configuration, "-h", f"{self.uri} {self.socket}", "-d", "0"],
            env=reference.environment(), stderr=subprocess.DEVNULL,
        )  # fmt: skip
        wait_for(self._answers, "slapd")
        give_away(self.directory)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self.directory)

    def stop(self) -> None:
        if self._slapd is not None:
            self._slapd.terminate()
            self._slapd.wait()
            self._slapd = None

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self._port)) == 0


def make_importable() -> None:
    """Let this process import Debian's python-ldap, if it has none and is the Python that was built for."""
    try:
        import_module("ldap")
        return
    except ImportError:
        pass
    reference.preload("liblber-2.5.so.0", "libldap-2.5.so.0")
    sys.path += reference.python_environment()["PYTHONPATH"].split(":")
    pytest.importorskip("ldap")
