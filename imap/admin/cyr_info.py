"""cyr_info(8): show the configuration as the server understands it, and its processes.

Listings match the original's byte for byte, since administrators keep them and
compare them: the order of the options, the order in which its hash table gives
out the settings it does not know, and the way it prints bit fields.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import click

from libcyrus import options as opt
from libcyrus import tool, version
from libcyrus.config import Config
from libcyrus.options import patterned
from libcyrus.options.declare import Kind, Option
from libcyrus.options.order import names
from libcyrus.server import proc
from master import conf as master_conf

DEFAULT_MASTER_PATH = "/etc/cyrus.conf"

# of the original's hash table: the first rand(3) of glibc, and its number of buckets
_HASH_SEED = (1804289383).to_bytes(4, "little")
_HASH_BUCKETS = 30


@click.command("cyr_info")
@tool.config_option
@click.option(
    "-M",
    "master_file",
    metavar="FILE",
    default=DEFAULT_MASTER_PATH,
    help="Read FILE instead of /etc/cyrus.conf.",
)
@click.option(
    "-n", "service", metavar="SERVICE", default="cyr_info", help="Show the configuration as SERVICE sees it."
)
@click.option("-s", "since", metavar="VERSION", help="Mark options that are new or changed since VERSION.")
@click.argument("words", metavar="COMMAND", nargs=-1, required=True)
def cyr_info(
    config_file: str | None, master_file: str, service: str, since: str | None, words: tuple[str, ...]
) -> None:
    """Show the server's configuration and processes.

    \b
    conf          options that differ from their defaults
    conf-all      all options
    conf-default  the defaults of all options
    conf-lint     settings that nothing will read
    proc          the processes that serve connections
    version       the version of this software
    """
    marked = None if since is None else parse_version(since)
    if words[0] == "version":
        print(version.PACKAGE, version.VERSION)
        return
    config = tool.begin(config_file, service)
    match words[0]:
        case "conf":
            show(settings(config, marked, only_changed=True))
        case "conf-all":
            show(settings(config, marked, only_changed=False))
        case "conf-default":
            show(defaults(config, marked))
        case "conf-lint":
            show(unknown(config, service_names(master_file)))
        case "proc":
            show(processes(config))
        case _:
            raise tool.usage_error()


main = tool.main(cyr_info, usage_code=255)


def show(lines: Iterable[str]) -> None:
    for line in lines:
        print(line)


def parse_version(text: str) -> tuple[int, int, int]:
    """``3.6`` or ``cyrus-imapd-3.6.1-anything``. Raises click's usage error."""
    for separator in ("-", " "):
        text = text.removeprefix(version.PACKAGE + separator)
    parts = text.partition("-")[0].split(".", 3)[:3]
    if parts[-1] == "":
        parts.pop()
    if not all(part.isascii() and part.isdigit() and int(part[:9]) < 256 for part in parts):
        raise tool.usage_error()
    major, minor, revision, *_ = [int(part) for part in parts] + [0, 0, 0]
    return major, minor, revision


def settings(config: Config, marked: tuple[int, int, int] | None, *, only_changed: bool) -> Iterator[str]:
    """``conf`` and ``conf-all``: the options in force, then what is not declared."""
    for name in names():
        option = opt.BY_NAME[name]
        if not (only_changed and _is_default(config, option)):
            yield _line(option, _value(config, option), marked)
    for key, text in undeclared(config):
        yield f"{key}: {text}"


def defaults(config: Config, marked: tuple[int, int, int] | None) -> Iterator[str]:
    """``conf-default``. The original shows an enum's present value there, and so is compared."""
    for name in names():
        option = opt.BY_NAME[name]
        match option.kind:
            case Kind.ENUM:
                text = config.text(option)
            case Kind.BITFIELD:
                text = _bits_shown(option, option.default)
            case _:
                text = option.default_text
        yield _line(option, text or "", marked)


def unknown(config: Config, services: Iterable[str]) -> Iterator[str]:
    """``conf-lint``: settings that no option, pattern, service or replication channel accounts for."""
    prefixes = [f"{service}_" for service in services]
    channels = [word for word in (config[opt.sync_log_channels] or "").split(" ") if word not in ("", '""')]
    for key, text in undeclared(config):
        if not (
            patterned.known(key, config.overflow)
            or key.startswith("sasl_")
            or any(_known_after(config, key, prefix) for prefix in prefixes)
            or _known_on_channel(config, key, channels)
        ):
            yield f"{key}: {text}"


def service_names(path: str) -> list[str]:
    """The services that cyrus.conf names. Raises ``Fatal`` (EX_CONFIG)."""
    return [entry.name for entry in master_conf.section(master_conf.read(path), "SERVICES", path)]


def processes(config: Config) -> Iterator[str]:
    for entry in proc.foreach(proc.directory(config)):
        fields = (entry.service, entry.host, entry.user, entry.mailbox, entry.command)
        yield " ".join([str(entry.pid), *(field for field in fields if field is not None)])


def undeclared(config: Config) -> list[tuple[str, str]]:
    """The settings outside the table, in the order of the original's hash table."""
    return sorted(config.overflow_items(), key=lambda item: _bucket(item[0].encode()))


def _bucket(key: bytes) -> tuple[int, bytes]:
    value = 5381
    for byte in _HASH_SEED + key:
        value = (value * 33 ^ byte) & 0xFFFFFFFF
    return value % _HASH_BUCKETS, key


def _line(option: Option[Any], text: str, since: tuple[int, int, int] | None) -> str:
    line = f"{option.name}: {text}"
    if option.kind is Kind.BITFIELD and not text:
        line = f"{option.name}:"
    if since is None:
        return line
    major, minor, revision = (int(part) for part in option.since.split("."))
    return f"({option.since}) {line}" if since < (major, minor, revision) else line


def _is_default(config: Config, option: Option[Any]) -> bool:
    if option.kind is Kind.BITFIELD:
        return bool(config[option] == option.default)
    return (config.text(option) or "") == (config.default_text(option) or "")


def _value(config: Config, option: Option[Any]) -> str:
    if option.kind is Kind.BITFIELD:
        return _bits_shown(option, config[option])
    text = config.text(option)
    if text is None:
        return "(null)" if option.kind is Kind.DURATION else ""
    return text


def _bits_shown(option: Option[Any], value: frozenset[str]) -> str:
    """The names the original prints for a bit field.

    It counts bits over names and aliases together, in 32 bits that wrap, so an
    option with aliases is shown by names that may not be those in force.
    """
    aliases = option.aliases or {}
    bits = sum(1 << bit for bit, name in enumerate(option.allowed) if name in value)
    shown = []
    for name in option.allowed:
        shown += [name, *(alias for alias, meant in aliases.items() if meant == name)]
    masks = (1 << position % 32 for position in range(len(shown)))
    signed = (mask if mask < 1 << 31 else mask | 0xFFFFFFFF << 32 for mask in masks)
    return " ".join(name for name, mask in zip(shown, signed, strict=True) if bits & mask)


def _known_after(config: Config, key: str, prefix: str) -> bool:
    rest = key.removeprefix(prefix)
    return rest != key and (rest in opt.BY_NAME or patterned.known(rest, config.overflow))


def _known_on_channel(config: Config, key: str, channels: list[str]) -> bool:
    for channel in channels:
        if key.startswith(channel):
            # a channel whose name begins another's hides that one, as it does in the original
            if not key.startswith(f"{channel}_sync_"):
                return False
            if _known_after(config, key, f"{channel}_"):
                return True
    return False
