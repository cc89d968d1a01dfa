"""A Kerberos realm of a test's own: its KDC, its users' tickets, its services' keys."""

from __future__ import annotations

import shutil
import socket
import subprocess
from pathlib import Path

from cassandane import reference
from cassandane.instance import give_away, make_directory, wait_for
from cassandane.ports import free_port

REALM = "EXAMPLE.ORG"

_CONFIGURATION = """\
[libdefaults]
  default_realm = {realm}
  dns_lookup_kdc = false
  dns_lookup_realm = false
  dns_canonicalize_hostname = false
  rdns = false
  qualify_shortname = ""
  default_ccache_name = FILE:{directory}/no-tickets
  default_keytab_name = FILE:{directory}/no-keys
  plugin_base_dir = {plugins}
[realms]
  {realm} = {{
    kdc = 127.0.0.1:{port}
  }}
[domain_realm]
  .example.org = {realm}
[kdcdefaults]
  kdc_listen = 127.0.0.1:{port}
  kdc_tcp_listen = 127.0.0.1:{port}
[kdc]
  max_dgram_reply_size = 4096
[dbmodules]
  db_module_dir = {plugins}/kdb
[logging]
  kdc = FILE:{directory}/kdc.log
"""

_PROFILE = """\
[kdcdefaults]
  kdc_listen = 127.0.0.1:{port}
  kdc_tcp_listen = 127.0.0.1:{port}
[realms]
  {realm} = {{
    database_name = {directory}/principal
    key_stash_file = {directory}/stash
    acl_file = {directory}/acl
    master_key_type = aes256-cts-hmac-sha1-96
    supported_enctypes = aes256-cts-hmac-sha1-96:normal
  }}
"""


class Realm:
    """Use as a context manager. ``environment`` is for clients and servers of the realm."""

    def __init__(self) -> None:
        self.directory = make_directory()
        self._kdc: subprocess.Popen[bytes] | None = None
        self._port = free_port()
        base = reference.program("krb5kdc").removesuffix("usr/sbin/krb5kdc")
        plugins = next(Path(base).glob("usr/lib/*/krb5/plugins"))
        names = {"realm": REALM, "directory": self.directory, "port": self._port, "plugins": plugins}
        (self.directory / "krb5.conf").write_text(_CONFIGURATION.format(**names))
        (self.directory / "kdc.conf").write_text(_PROFILE.format(**names))
        self.environment = {
            "KRB5_CONFIG": str(self.directory / "krb5.conf"), "KRB5RCACHEDIR": str(self.directory)
        }  # fmt: skip
        give_away(self.directory)

    def __enter__(self) -> Realm:
        self._run("kdb5_util", "create", "-s", "-P", "master")
        self._kdc = subprocess.Popen(
            [reference.program("krb5kdc"), "-n"], env=self._environment(),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        wait_for(self._answers, "the KDC")
        return self

    def __exit__(self, *_: object) -> None:
        if self._kdc is not None:
            self._kdc.terminate()
            self._kdc.wait()
        shutil.rmtree(self.directory)

    def add_user(self, name: str, password: str = "secret") -> None:
        self._run("kadmin.local", "-q", f"addprinc -pw {password} {name}")

    def add_service(self, principal: str, keytab: Path) -> None:
        """A service such as ``imap/mail.example.org``, its key into ``keytab``."""
        self._run("kadmin.local", "-q", f"addprinc -randkey {principal}")
        self._run("kadmin.local", "-q", f"ktadd -k {keytab} {principal}")
        give_away(keytab)

    def ticket(self, name: str, password: str = "secret") -> dict[str, str]:
        """The environment of a client that has logged in."""
        cache = self.directory / f"tickets-{name.replace('/', '-')}"
        environment = self.environment | {"KRB5CCNAME": f"FILE:{cache}"}
        subprocess.run(
            [reference.program("kinit"), name], input=f"{password}\n".encode(), check=True,
            env=self._environment() | environment, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        give_away(cache)
        return environment

    def of_another(self, realm: str) -> dict[str, str]:
        """The environment of a server that has keys of this realm, but is at home in another."""
        text = (self.directory / "krb5.conf").read_text()
        text = text.replace(f"default_realm = {REALM}", f"default_realm = {realm}")
        text = text.replace("[domain_realm]", f"[domain_realm]\n  localhost = {REALM}")
        path = self.directory / f"krb5-{realm}.conf"
        path.write_text(text)
        give_away(path)
        return self.environment | {"KRB5_CONFIG": str(path)}

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self._port)) == 0

    def _environment(self) -> dict[str, str]:
        profile = {"KRB5_KDC_PROFILE": str(self.directory / "kdc.conf")}
        return reference.environment() | self.environment | profile

    def _run(self, name: str, *arguments: str) -> None:
        subprocess.run(
            [reference.program(name), *arguments], env=self._environment(), check=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        )  # fmt: skip
