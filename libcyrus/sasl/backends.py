"""From the ``sasl_*`` settings to where passwords are checked and secrets are kept."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from libcyrus.config import Config
from libcyrus.sasl.auxprop import PASSWORD, STORED_KEYS, Auxprop, Properties
from libcyrus.sasl.codes import SaslCode, SaslError
from libcyrus.sasl.mechanisms import DEFAULT_ITERATIONS, GSSAPI, MOST_ITERATIONS, SCRAM_HASHES, selected
from libcyrus.sasl.pwcheck import (
    SASLAUTHD_PATH,
    AlwaysTrue,
    Authdaemond,
    PasswordCheck,
    Saslauthd,
    Unusable,
    Verifier,
)
from libcyrus.sasl.settings import number, setting, switch

if TYPE_CHECKING:
    from libcyrus.sasl.gss import ServiceKeys
    from libcyrus.sasl.ldapdb import Ldapdb
    from libcyrus.sasl.sasldb import Sasldb
    from libcyrus.sasl.tokens import TokenChecker

log = logging.getLogger(__name__)

_SYSTEM_KEYTAB = "/etc/krb5.keytab"
_MOST_LMDB_BYTES = 1 << 40
_MOST_LMDB_READERS = 1 << 16


class Backends:
    """What the settings name, made once for a service.

    ``passwords`` checks plain passwords, ``properties`` are the plugins of ``sasl_auxprop_plugin`` that work
    here. ``tokens`` checks bearer tokens, ``keys`` are the service's Kerberos keys; both are None where the
    settings name nothing of the kind. ``canonical`` is what ``sasl_canon_user_plugin`` makes of a name. No
    mechanism is offered unless they are ``usable``.
    """

    def __init__(self, config: Config, service: str) -> None:
        """``service`` is told to saslauthd. What cannot work is logged."""
        self.usable = True
        self._config = config
        self._service = service
        self._methods = (setting(config, "pwcheck_method") or "auxprop").split()
        plugins = _plugins(config) if self._needs_properties() else []
        self._unusable = [plugin for plugin in plugins if isinstance(plugin, Unusable)]
        self.properties = Properties([plugin for plugin in plugins if isinstance(plugin, Auxprop)])
        self.passwords = self._password_check()
        self.tokens = _tokens(config)
        self.keys = _keys(config, service)
        self.canonical = _canonical(config)

    @classmethod
    def nothing(cls, why: str | None) -> Backends:
        """Nobody logs in by these; ``why`` is what to say then, None if there is nothing wrong with it."""
        made = cls.__new__(cls)
        made.usable = False
        made.properties = Properties([])
        made.passwords = PasswordCheck([] if why is None else [Unusable(why)])
        made.tokens = made.keys = None
        made.canonical = str
        return made

    def _needs_properties(self) -> bool:
        """Whether anything asks the plugins, which may need libraries that are not small."""
        if "auxprop" in (method.lower() for method in self._methods) or self._service == "pop":
            return True
        secret = any(mechanism.secret for mechanism in selected(setting(self._config, "mech_list")))
        return secret or self._is_transition_on()

    def _password_check(self) -> PasswordCheck:
        found: list[Verifier] = []
        for method in self._methods:
            found.extend(self._verifiers(method))
        transition = self._transition if self._wants_transition() else None
        return PasswordCheck(found, transition=transition, settled=[self.properties])

    def _verifiers(self, method: str) -> list[Verifier]:
        match method.lower():
            case "auxprop":
                if self.properties or self._unusable:
                    return [self.properties] if self.properties else list(self._unusable)
                # there may be a file one day
                return [Properties([_sasldb(self._config)])]
            case "saslauthd":
                path = setting(self._config, "saslauthd_path") or SASLAUTHD_PATH
                return [Saslauthd(self._service, path)]
            case "authdaemond":
                return [Authdaemond(self._service, setting(self._config, "authdaemond_path") or os.devnull)]
            case "alwaystrue":
                return [AlwaysTrue()]
        return [Unusable(f"sasl_pwcheck_method {method}: not supported")]

    def _wants_transition(self) -> bool:
        return self._is_transition_on() and self.properties.writable

    def _is_transition_on(self) -> bool:
        return switch(self._config, "auto_transition") or self._without_plain()

    def _without_plain(self) -> bool:
        return setting(self._config, "auto_transition") == "noplain"

    def _transition(self, user: str, password: str) -> None:
        """Store a password that was found right (``sasl_auto_transition``); a failure is only logged.

        What is there already is not written again: that would be a sync for each login.
        """
        secret = os.fsencode(password)
        try:
            if not self._without_plain() and self.properties.lookup(user) != secret:
                log.info("transitioning user %s to auxprop database", user)
                self.properties.store(user, PASSWORD, secret)
            if switch(self._config, "scram_secret_generate", "SCRAM"):
                self._store_keys(user, secret)
        except SaslError as error:
            log.error("setpass failed for %s: %s", user, error)

    def _store_keys(self, user: str, secret: bytes) -> None:
        """There is room for one mechanism's keys: those of the strongest that is used."""
        from libcyrus.sasl import scram

        used = [mechanism.name for mechanism in selected(setting(self._config, "mech_list"))]
        name = next((name for name in SCRAM_HASHES if name in used), next(iter(SCRAM_HASHES)))
        stored = self.properties.lookup(user, STORED_KEYS)
        if stored is None or not scram.is_stored_form(name, SCRAM_HASHES[name], secret, stored):
            rounds = iterations(self._config, name)
            value = scram.stored_form(name, SCRAM_HASHES[name], secret, rounds)
            self.properties.store(user, STORED_KEYS, value)


def iterations(config: Config, mechanism: str) -> int:
    """``sasl_scram_iteration_counter``, which a mechanism can have of its own."""
    text = setting(config, "scram_iteration_counter", mechanism) or ""
    return min(max(int(text), 1), MOST_ITERATIONS) if text.isdecimal() else DEFAULT_ITERATIONS


def _canonical(config: Config) -> Callable[[str], str]:
    """Raises SaslError, for every name where the plugin cannot work."""
    name = setting(config, "canon_user_plugin") or "INTERNAL"
    if name.upper() == "INTERNAL":
        return str
    if name.lower() == "ldapdb":
        place = _ldapdb(config)
        if not isinstance(place, Unusable):
            return place.canonical
    else:
        log.error("desired canon_user plugin %s not found", name)

    def refuse(user: str) -> str:
        raise SaslError(SaslCode.NOMECH, f"desired canon_user plugin {name} not found", userid=user)

    return refuse


def _tokens(config: Config) -> TokenChecker | None:
    if not (setting(config, "oauth_keys") or setting(config, "oauth_introspection_url")):
        return None
    from libcyrus.sasl.tokens import checker

    return checker(config)


def _keys(config: Config, service: str) -> ServiceKeys | None:
    """The keys of GSSAPI, if it is wanted and there are any. Who did not ask for it is told quietly."""
    listed = setting(config, "mech_list")
    keytab = setting(config, "keytab", GSSAPI)
    if not any(mechanism.ticket for mechanism in selected(listed)):
        return None
    asked = listed is not None or keytab is not None
    if not asked and "KRB5_KTNAME" not in os.environ and not os.path.exists(_SYSTEM_KEYTAB):
        return None
    level = logging.ERROR if asked else logging.INFO
    from libcyrus.sasl import gss

    keys = gss.ServiceKeys(service, config.servername, keytab)
    try:
        if keytab is not None:
            os.stat(keytab.removeprefix("FILE:"))
        keys.acceptor((gss.KERBEROS,), None)
    except OSError as error:
        log.log(level, "Could not find keytab file: %s: %s", keytab, error.strerror)
        return None
    except gss.GssError as error:
        log.log(level, "GSSAPI cannot be offered: %s", error)
        return None
    return keys


def _plugins(config: Config) -> list[Auxprop | Unusable]:
    """The plugins of ``sasl_auxprop_plugin``; without it, all that have what they need."""
    wanted = setting(config, "auxprop_plugin")
    if wanted is None:
        names = []
        if _sql_select(config):
            names.append("sql")
        if setting(config, "ldapdb_uri", "ldapdb"):
            names.append("ldapdb")
        if os.access(_sasldb_path(config), os.R_OK):
            names.append("sasldb")
    else:
        names = wanted.split()
    return [_plugin(config, name) for name in names]


def _plugin(config: Config, name: str) -> Auxprop | Unusable:
    match name.lower():
        case "sql":
            return _sql(config)
        case "sasldb":
            return _usable_sasldb(config)
        case "ldapdb":
            return _ldapdb(config)
    return Unusable(f"sasl_auxprop_plugin {name}: not supported")


def _sasldb_path(config: Config) -> str:
    from libcyrus.sasl.sasldb import DEFAULT_PATH

    return setting(config, "sasldb_path") or DEFAULT_PATH


def _usable_sasldb(config: Config) -> Auxprop | Unusable:
    place = _sasldb(config)
    missing = place.missing_library()
    return Unusable(f"sasl_auxprop_plugin sasldb: {missing}") if missing else place


def _sasldb(config: Config) -> Sasldb:
    from libcyrus.sasl import sasldb

    return sasldb.Sasldb(
        _sasldb_path(config),
        config.servername,
        map_size=number(config, "sasldb_mapsize", sasldb.DEFAULT_MAP_SIZE, most=_MOST_LMDB_BYTES),
        readers=number(config, "sasldb_maxreaders", sasldb.DEFAULT_READERS, most=_MOST_LMDB_READERS),
    )


def _ldapdb(config: Config) -> Ldapdb | Unusable:
    from libcyrus.sasl import ldapdb

    def asked(name: str) -> str:
        return setting(config, f"ldapdb_{name}", "ldapdb") or ""

    if not asked("uri"):
        return Unusable("sasl_auxprop_plugin ldapdb: ldapdb_uri option missing")
    directory = ldapdb.Directory(
        uris=asked("uri"),
        id=asked("id"),
        password=asked("pw"),
        mechanism=asked("mech"),
        rc=asked("rc"),
        starttls=asked("starttls").lower(),
        canon_attr=asked("canon_attr"),
    )
    try:
        return ldapdb.Ldapdb(directory)
    except ImportError as error:
        return Unusable(f"sasl_auxprop_plugin ldapdb: the Python package {error.name} is not installed")


def _sql_select(config: Config) -> str:
    return setting(config, "sql_select", "SQL") or setting(config, "sql_statement", "SQL") or ""


def _sql(config: Config) -> Auxprop | Unusable:
    from libcyrus.sasl import sql

    def asked(name: str) -> str:
        return setting(config, name, "SQL") or ""

    engine = (asked("sql_engine") or "mysql").lower()
    select = _sql_select(config)
    if not select:
        return Unusable("sasl_auxprop_plugin sql: sql_select option missing")
    statements = sql.Statements(select, config.servername, asked("sql_insert"), asked("sql_update"))
    if engine in ("sqlite", "sqlite3"):
        return sql.SqliteAuxprop(asked("sql_database"), statements)
    make = {"pgsql": sql.postgresql, "mysql": sql.mysql}.get(engine)
    if make is None:
        return Unusable(f"sasl_sql_engine {engine}: not supported")
    server = sql.Server(
        hosts=tuple(host for place in asked("sql_hostnames").split(",") if (host := place.strip())),
        database=asked("sql_database"),
        user=asked("sql_user") or None,
        password=asked("sql_passwd") or None,
        tls=switch(config, "sql_usessl", "SQL"),
    )
    try:
        return make(server, statements)
    except ImportError as error:
        return Unusable(f"sasl_sql_engine {engine}: the Python package {error.name} is not installed")
