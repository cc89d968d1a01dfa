"""Reading the ``sasl_*`` settings, which imapd.conf keeps as text.

What it does not set may stand in libsasl2's own configuration file, ``Cyrus.conf``, without ``sasl_`` before
it. The file is looked for once, in /etc/sasl2 first; the variable SASL_CONF_PATH names other directories,
separated by colons.
"""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Mapping
from functools import cache

from libcyrus.config import Config

log = logging.getLogger(__name__)

_FILE = "Cyrus.conf"
_TRIPLET = getattr(sys.implementation, "_multiarch", "")
_DIRECTORIES = ("/etc/sasl2", "/etc/sasl", f"/usr/lib/{_TRIPLET}/sasl2", "/usr/lib/sasl2")
_LARGEST_FILE = 1024 * 1024
_LINE = re.compile(r"\s*([A-Za-z0-9_-]+):\s*(\S.*?)\s*")

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
    """``sasl_<plugin>_<name>``, where a plugin asks, else ``sasl_<name>``; None if nothing is set."""
    text = None if plugin is None else config.overflow(f"sasl_{plugin}_{name}".lower())
    if text is None:
        text = config.overflow(f"sasl_{name}")
    if text is None:
        text = _of_file(os.environ.get("SASL_CONF_PATH") or ":".join(_DIRECTORIES)).get(name)
    return text


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


@cache
def _of_file(directories: str) -> Mapping[str, str]:
    """The settings of the first file that there is; of several of a name the first counts."""
    for directory in directories.split(":"):
        path = os.path.join(directory, _FILE)
        try:
            with open(path, encoding="utf-8", errors="surrogateescape") as file:
                lines = file.read(_LARGEST_FILE).splitlines()
        except OSError:
            continue
        found: dict[str, str] = {}
        for line in lines:
            matched = _LINE.fullmatch(line)
            if matched is not None:
                found.setdefault(matched[1].lower(), matched[2])
            elif line.strip() and not line.lstrip().startswith("#"):
                log.error("%s: this is no setting: %s", path, line)
        return found
    return {}
