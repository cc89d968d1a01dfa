"""From the ``sasl_*`` options to where passwords are checked and secrets are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from libcyrus.config import Config
from libcyrus.config.values import parse_switch
from libcyrus.sasl.auxprop import Auxprop, Properties
from libcyrus.sasl.pwcheck import (
    SASLAUTHD_PATH,
    AlwaysTrue,
    PasswordCheck,
    Saslauthd,
    Unusable,
    Verifier,
)

if TYPE_CHECKING:
    from libcyrus.sasl.tokens import TokenChecker


def passwords(config: Config, service: str) -> PasswordCheck:
    """The verifiers of ``sasl_pwcheck_method``. ``service`` is told to saslauthd."""
    found: list[Verifier] = []
    for method in (config.overflow("sasl_pwcheck_method") or "auxprop").split():
        match method.lower():
            case "auxprop":
                found.extend(_plugins(config))
            case "saslauthd":
                found.append(Saslauthd(service, config.overflow("sasl_saslauthd_path") or SASLAUTHD_PATH))
            case "alwaystrue":
                found.append(AlwaysTrue())
            case _:
                found.append(Unusable(f"sasl_pwcheck_method {method}"))
    return PasswordCheck(found)


def properties(config: Config) -> Properties:
    """The plugins of ``sasl_auxprop_plugin`` that work here, whatever checks plain passwords."""
    return Properties([plugin for plugin in _plugins(config) if isinstance(plugin, Auxprop)])


def tokens(config: Config) -> TokenChecker | None:
    """What checks bearer tokens, None where the options (see ``tokens``) name nothing."""
    if not (config.overflow("sasl_oauth_keys") or config.overflow("sasl_oauth_introspection_url")):
        return None
    from libcyrus.sasl.tokens import checker

    return checker(config)


def _plugins(config: Config) -> list[Auxprop | Unusable]:
    """The plugins of ``sasl_auxprop_plugin``; without the option, sql if it has a statement."""
    found: list[Auxprop | Unusable] = []
    for plugin in (config.overflow("sasl_auxprop_plugin") or "sql").split():
        if plugin.lower() == "sql":
            found.append(_sql(config))
        else:
            found.append(Unusable(f"sasl_auxprop_plugin {plugin}"))
    return found


def _sql(config: Config) -> Auxprop | Unusable:
    engine = (config.overflow("sasl_sql_engine") or "sqlite3").lower()
    database = config.overflow("sasl_sql_database")
    select = config.overflow("sasl_sql_select") or config.overflow("sasl_sql_statement")
    if not database or not select:
        return Unusable("auxprop sql without sasl_sql_database and sasl_sql_select")
    from libcyrus.sasl import sql

    if engine in ("sqlite", "sqlite3"):
        return sql.SqliteAuxprop(database, select, config.servername)
    make = {"pgsql": sql.postgresql, "mysql": sql.mysql}.get(engine)
    if make is None:
        return Unusable(f"sasl_sql_engine {engine}")
    server = sql.Server(
        hosts=tuple(place.strip() for place in (config.overflow("sasl_sql_hostnames") or "").split(",")),
        database=database,
        user=config.overflow("sasl_sql_user"),
        password=config.overflow("sasl_sql_passwd"),
        tls=parse_switch(config.overflow("sasl_sql_usessl") or "no") or False,
    )
    try:
        return make(server, select, config.servername)
    except ImportError as error:
        return Unusable(f"sasl_sql_engine {engine} without the Python package {error.name}")
