"""Reading the ``sasl_*`` settings, which imapd.conf keeps as text."""

from __future__ import annotations

import logging

from libcyrus.config import Config

_ON = ("1", "y", "t", "on")

# libsasl2's levels: none, errors, failed logins, warnings, notes, and three for debugging
_LEVELS = (
    logging.CRITICAL,
    logging.ERROR,
    logging.ERROR,
    logging.WARNING,
    logging.INFO,
    logging.DEBUG,
    logging.DEBUG,
    logging.DEBUG,
)


def setting(config: Config, name: str, plugin: str | None = None) -> str | None:
    """``sasl_<plugin>_<name>``, where a plugin asks, else ``sasl_<name>``; None if neither is set."""
    text = None if plugin is None else config.overflow(f"sasl_{plugin}_{name}".lower())
    return config.overflow(f"sasl_{name}") if text is None else text


def switch(config: Config, name: str, plugin: str | None = None) -> bool:
    """A setting that is on or off, as libsasl2 reads it: 1, y..., t... and on... are on."""
    return (setting(config, name, plugin) or "").startswith(_ON)


def number(config: Config, name: str, default: int, *, most: int) -> int:
    """A positive number, ``default`` where none is written."""
    text = setting(config, name) or ""
    return min(int(text), most) if text.isdecimal() and int(text) else default


def obey_log_level(config: Config) -> None:
    """Let this package log as much as ``sasl_log_level`` says, where it is set."""
    text = setting(config, "log_level") or ""
    if text.isdecimal():
        logging.getLogger("libcyrus.sasl").setLevel(_LEVELS[min(int(text), len(_LEVELS) - 1)])
