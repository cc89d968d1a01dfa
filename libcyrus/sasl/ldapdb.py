"""Users' properties from their LDAP entries: the ``ldapdb`` plugin, for properties and for canonical names.

The directory is asked with the credentials of ``sasl_ldapdb_id``, but for the user, by proxied authorization
(RFC 4370): the server itself maps the user's name to an entry and decides whether it may be read. Needs
python-ldap, the extra ``ldap``.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from importlib import import_module
from typing import Any, TypeVar

from libcyrus.base.dataclasses import dataclass, field
from libcyrus.sasl.auxprop import PASSWORD, Auxprop
from libcyrus.sasl.codes import SaslCode, SaslError

T = TypeVar("T")

log = logging.getLogger(__name__)

ASKING_SECONDS = 10
"""For each step: to connect, and to get an answer."""

_PROXY_AUTHORIZATION = "2.16.840.1.113730.3.4.18"
_WHO_AM_I = "1.3.6.1.4.1.4203.1.11.3"
_LARGEST_VALUE = 8192


@dataclass(frozen=True, slots=True)
class Directory:
    """The options ``sasl_ldapdb_*``. ``uris`` have spaces between, ``starttls`` is try, demand or empty."""

    uris: str
    id: str = ""
    password: str = field(default="", repr=False)
    mechanism: str = ""
    rc: str = ""
    starttls: str = ""
    canon_attr: str = ""


class Ldapdb(Auxprop):
    """Connects for each question, as the rights are those of one user."""

    writable = True

    def __init__(self, directory: Directory) -> None:
        """Raises ImportError without python-ldap."""
        if directory.rc:
            # libldap reads this once, when it is loaded
            os.environ["LDAPRC"] = directory.rc
        self._ldap: Any = import_module("ldap")
        self._controls: Any = import_module("ldap.controls")
        self._extended: Any = import_module("ldap.extop")
        self._sasl: Any = import_module("ldap.sasl")
        self._directory = directory

    def lookup(self, user: str, prop: str = PASSWORD) -> bytes | None:
        def read(connection: Any, dn: str, control: Any) -> bytes | None:
            return self._attribute(connection, dn, prop, control)

        return self._asking(user, read)

    def store(self, user: str, prop: str, value: bytes) -> None:
        def replace(connection: Any, dn: str, control: Any) -> bool:
            change = [(self._ldap.MOD_REPLACE, prop, [value])]
            connection.modify_ext_s(dn, change, serverctrls=[control])
            return True

        if not self._asking(user, replace):
            raise SaslError(SaslCode.NOUSER, "there is no such entry")

    def canonical(self, user: str) -> str:
        """The value of ``sasl_ldapdb_canon_attr``. Raises SaslError where there is none."""
        name = self._directory.canon_attr

        def read(connection: Any, dn: str, control: Any) -> str | None:
            attribute, equals, rest = dn.partition("=")
            if equals and attribute.lower() == name.lower():
                return rest.partition(",")[0]
            value = self._attribute(connection, dn, name, control)
            return None if value is None else os.fsdecode(value)

        found = self._asking(user, read) if name else None
        if not found:
            raise SaslError(SaslCode.FAIL, "no canonical name of the user is known", userid=user)
        return found

    def _attribute(self, connection: Any, dn: str, name: str, control: Any) -> bytes | None:
        found = connection.search_ext_s(
            dn, self._ldap.SCOPE_BASE, "(objectClass=*)", [name], serverctrls=[control], sizelimit=1
        )
        for _, attributes in found:
            for known, values in attributes.items():
                if known.lower() == name.lower() and values and len(values[0]) <= _LARGEST_VALUE:
                    value: bytes = values[0]
                    return value
        return None

    def _asking(self, user: str, action: Callable[[Any, str, Any], T]) -> T | None:
        """What the action makes of a connection, the user's DN and the control that speaks for the user.

        None for nobody's name. Raises SaslError.
        """
        ldap = self._ldap
        try:
            connection = self._connect()
            try:
                control = self._controls.RequestControl(_PROXY_AUTHORIZATION, True, b"u:" + os.fsencode(user))
                asked = self._extended.ExtendedRequest(_WHO_AM_I, None)
                _, who = connection.extop_s(asked, serverctrls=[control])
                dn = os.fsdecode(who or b"").removeprefix("dn:")
                return action(connection, dn, control) if dn else None
            finally:
                connection.unbind_ext_s()
        except (ldap.NO_SUCH_OBJECT, ldap.PROXIED_AUTHORIZATION_DENIED, ldap.X_PROXY_AUTHZ_FAILURE) as error:
            # nobody by that name, or nobody whose entry is for us to read
            log.info("ldapdb plugin: %s: %s", user, _told(error))
            return None
        except ldap.LDAPError as error:
            log.error("ldapdb plugin: %s: %s", self._directory.uris, _told(error))
            raise SaslError(self._code(error), "the directory cannot be read") from error

    def _connect(self) -> Any:
        ldap, directory = self._ldap, self._directory
        connection = ldap.initialize(directory.uris)
        connection.set_option(ldap.OPT_PROTOCOL_VERSION, ldap.VERSION3)
        connection.set_option(ldap.OPT_NETWORK_TIMEOUT, ASKING_SECONDS)
        connection.set_option(ldap.OPT_TIMEOUT, ASKING_SECONDS)
        connection.set_option(ldap.OPT_REFERRALS, 0)
        if directory.starttls in ("try", "demand"):
            try:
                connection.start_tls_s()
            except ldap.LDAPError:
                if directory.starttls == "demand":
                    raise
        answers = {self._sasl.CB_AUTHNAME: directory.id, self._sasl.CB_PASS: directory.password}
        mechanism = directory.mechanism or self._mechanisms(connection)
        connection.sasl_interactive_bind_s("", self._sasl.sasl(answers, mechanism))
        return connection

    def _mechanisms(self, connection: Any) -> str:
        """The server's, of which the library takes the best; none for tickets where there is a password."""
        found = connection.search_ext_s(
            "", self._ldap.SCOPE_BASE, "(objectClass=*)", ["supportedSASLMechanisms"], sizelimit=1
        )
        lists = [values for _, attributes in found for values in attributes.values()]
        names = [os.fsdecode(value) for values in lists for value in values]
        return " ".join(name for name in names if not (self._directory.password and name.startswith("GS")))

    def _code(self, error: Exception) -> SaslCode:
        ldap = self._ldap
        down = (ldap.SERVER_DOWN, ldap.BUSY, ldap.UNAVAILABLE, ldap.CONNECT_ERROR, ldap.TIMEOUT)
        if isinstance(error, down):
            return SaslCode.UNAVAIL
        denied = (ldap.INAPPROPRIATE_AUTH, ldap.INVALID_CREDENTIALS, ldap.INSUFFICIENT_ACCESS)
        return SaslCode.BADAUTH if isinstance(error, denied) else SaslCode.FAIL


def _told(error: Exception) -> str:
    """What the library says, in words."""
    said = error.args[0] if error.args else {}
    if not isinstance(said, dict):
        return str(error)
    parts = (said.get("desc"), said.get("info"))
    return ": ".join(str(part) for part in parts if part)
