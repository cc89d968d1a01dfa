"""The typed reader of imapd.conf.

``Config.load`` runs once in a process; the object is passed down. Options are
read by their declaration, ``config[opt.admins]``; what is not declared (SASL
settings, partitions, HOST_password and so on) is kept as text and read by
name, ``config.overflow("sasl_pwcheck_method")``.

Either may be written with the prefix ``<ident>_``, where ident is the service's
or program's name; that one wins over the bare name, in any order in the file.
Writing a name twice is fatal, even one nobody knows. A retired option still
gives its value to the one that took its place, unless that is set too.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from libcyrus import options as opt
from libcyrus.config import values
from libcyrus.config.reader import Setting, settings
from libcyrus.errors import Fatal
from libcyrus.options.declare import Kind, Option

if TYPE_CHECKING:
    import logging

DEFAULT_PATH = "/etc/imapd.conf"

T = TypeVar("T")

_CONFIGDIRECTORY = "{configdirectory}"

# The original builds these names in 80 bytes and knows no partition whose name does not fit.
_LONGEST_PARTITION_KEY = 79

# where the root of one kind of metadata file may be set apart; annotations follow the index
_METADIR = {
    "header": "header",
    "index": "index",
    "cache": "cache",
    "squat": "squat",
    "annotations": "index",
    "dav": "dav",
    "archivecache": "archivecache",
}


class Config:
    """What one program sees of the configuration. Immutable once loaded."""

    __slots__ = ("_overflow", "_texts", "_values", "directory", "ident", "path", "servername")

    def __init__(self, path: str, ident: str, lines: Iterable[Setting]) -> None:
        """Raises ``Fatal`` (EX_CONFIG), as ``load`` does."""
        self.path = path
        self.ident = ident
        self._values: dict[Option[Any], Any] = {}
        # how cyr_info prints a value, where that differs from the value's own form
        self._texts: dict[Option[Any], str] = {}
        self._overflow: dict[str, str] = {}
        self._take(lines)
        directory = self[opt.configdirectory]
        if directory is None:
            raise Fatal("configdirectory option not specified in configuration file", os.EX_CONFIG)
        self.directory: str = directory
        self._place_in_configdirectory()
        self._honour_retired_names()
        self._check_default_partition()
        self.servername: str = self[opt.servername] or os.uname().nodename

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str] | None,
        ident: str,
        *,
        need_partitions: bool = False,
    ) -> Config:
        """Read the file at ``path`` (None: /etc/imapd.conf) as the program ``ident``.

        Files are looked for under the variable CYRUS_PREFIX first. With
        ``need_partitions`` a server that holds mail must name the directory of
        its default partition, or of any partition.

        Raises ``Fatal`` with EX_CONFIG, in the original's words.
        """
        path = DEFAULT_PATH if path is None else os.fspath(path)
        config = cls(path, ident, settings(path, os.environ.get("CYRUS_PREFIX")))
        if need_partitions:
            config.check_partitions()
        return config

    @classmethod
    def for_tests(
        cls, *, ident: str = "test", extra: Mapping[str, str] | None = None, **options: object
    ) -> Config:
        """A configuration without a file, from Python values under the options' names.

        ``extra`` holds what is not declared, such as ``partition-default``. A
        value of None leaves the option alone. Raises ``TypeError`` for a name
        that is no option, ``Fatal`` as loading does.
        """
        unknown = options.keys() - opt.BY_NAME.keys()
        if unknown:
            raise TypeError(f"no such options: {', '.join(sorted(unknown))}")
        options.setdefault("configdirectory", "/var/lib/cyrus")
        texts = {name: _as_text(value) for name, value in options.items() if value is not None}
        lines = [(name, text, 0) for name, text in (texts | dict(extra or {})).items()]
        return cls("imapd.conf", ident, lines)

    def __getitem__(self, option: Option[T]) -> T:
        value: T = self._values.get(option, option.default)
        return value

    def overflow(self, name: str) -> str | None:
        """The text of an undeclared setting, ``<ident>_name`` before ``name``.

        A retired option can be read here too, by the name that was written.
        """
        text = self._overflow.get(f"{self.ident}_{name}".lower())
        return self._overflow.get(name) if text is None else text

    def overflow_items(self) -> Iterable[tuple[str, str]]:
        """Every undeclared setting as written, prefix and all, in the order of the file."""
        return self._overflow.items()

    def text(self, option: Option[Any]) -> str | None:
        """The value as the configuration language writes it; None for no value."""
        if option not in self._values:
            return option.default_text
        value = self._values[option]
        return self._texts.get(option, None if value is None else _as_text(value))

    def default_text(self, option: Option[Any]) -> str | None:
        """What ``text`` is while the file leaves the option alone."""
        default = option.default_text
        if option.kind is Kind.STRING and default and default.startswith(_CONFIGDIRECTORY):
            return self.directory + default[len(_CONFIGDIRECTORY) :]
        return default

    # partitions

    def partition_dir(self, name: str) -> str | None:
        """The spool root of a partition."""
        directory = self._partition_setting(f"partition-{name}")
        if directory is None:
            _log().warning("requested partition directory for unknown partition '%s'", name)
        return directory

    def metapartition_dir(self, name: str, kind: str = "") -> str | None:
        """The root of one kind of metadata, where it does not live beside the messages.

        ``kind`` is a word of ``metapartition_files``, or empty for the
        metapartition itself. None sends the caller to the archive partition
        (for ``archivecache``) and then to the partition.
        """
        if kind in _METADIR:
            directory = self.overflow(f"metadir-{_METADIR[kind]}-{name}")
            if directory is not None:
                return directory
        if kind and kind not in self[opt.metapartition_files]:
            return None
        return self._partition_setting(f"metapartition-{name}")

    def archive_dir(self, name: str) -> str | None:
        """The archive root of a partition; None too while archiving is off."""
        if not self[opt.archive_enabled]:
            return None
        return self._partition_setting(f"archivepartition-{name}")

    def partitions(self) -> Iterator[str]:
        """Names of the partitions that have a spool root."""
        return (key.removeprefix("partition-") for key in self._overflow if key.startswith("partition-"))

    def check_partitions(self) -> None:
        """Raise ``Fatal`` (EX_CONFIG) where a server that holds mail names no directory for it."""
        default = self[opt.defaultpartition]
        if default is not None:
            found = self.partition_dir(default) is not None
        elif self[opt.proxyservers] is None and (
            self[opt.mupdate_server] is None or self[opt.mupdate_config] == "standard"
        ):
            # a frontend holds no mail
            found = True
        else:
            found = any(True for _ in self.partitions())
        if not found:
            raise Fatal(
                f"partition-{default or '<name>'} option not specified in configuration file", os.EX_CONFIG
            )

    def _partition_setting(self, key: str) -> str | None:
        if len(key) > _LONGEST_PARTITION_KEY:
            return None
        return self.overflow(key)

    # loading

    def _take(self, lines: Iterable[Setting]) -> None:
        prefix = self.ident.lower() + "_"
        written_for_us: dict[Option[Any], bool] = {}
        for name, text, line in lines:
            option = None
            for_us = False
            if name.startswith(prefix):
                option = opt.BY_NAME.get(name.removeprefix(prefix))
                for_us = option is not None
            if option is None:
                option = opt.BY_NAME.get(name)
            if option is None:
                self._add_overflow(name, text, line)
                continue
            before = written_for_us.get(option)
            if before is for_us:
                raise Fatal(_twice(name, line), os.EX_CONFIG)
            if before:
                continue
            written_for_us[option] = for_us
            if option.deprecated:
                self._add_overflow(name, text, line)
            self._set(option, text, line)

    def _add_overflow(self, name: str, text: str, line: int) -> None:
        if name in self._overflow:
            raise Fatal(_twice(name, line), os.EX_CONFIG)
        self._overflow[name] = text

    def _set(self, option: Option[Any], text: str, line: int) -> None:
        try:
            value = values.parse(option, text)
        except values.BadValue as error:
            raise Fatal(f"{error} in line {line}", os.EX_CONFIG) from None
        self._texts.pop(option, None)
        if option.kind is Kind.DURATION:
            self._texts[option] = text
        elif option.kind is Kind.INT and abs(value) > 2**31 - 1:
            _log().error("config_getint: %s: %d too large for type", option.name, value)
            self._texts[option] = str(value)
            value = (value + 2**31) % 2**32 - 2**31
        self._values[option] = value

    def _place_in_configdirectory(self) -> None:
        for option in opt.BY_NAME.values():
            if option.kind is not Kind.STRING or option is opt.configdirectory:
                continue
            text = self[option]
            if text and text[0] == "{" and text[: len(_CONFIGDIRECTORY)].lower() == _CONFIGDIRECTORY:
                self._values[option] = self.directory + text[len(_CONFIGDIRECTORY) :]

    def _honour_retired_names(self) -> None:
        for option in [option for option in self._values if option.deprecated]:
            successor = opt.BY_NAME[option.use] if option.use else None
            if successor is None:
                _log().warning("Option '%s' is deprecated in version %s.", option.name, option.deprecated)
                continue
            _log().warning(
                "Option '%s' is deprecated in favor of '%s' since version %s.",
                option.name,
                successor.name,
                option.deprecated,
            )
            if successor in self._values:
                continue
            self._values[successor] = self._values[option]
            if option in self._texts:
                self._texts[successor] = self._texts[option]
            if option.kind in (Kind.STRING, Kind.STRINGLIST, Kind.DURATION):
                self._values[option] = None
                self._texts.pop(option, None)

    def _check_default_partition(self) -> None:
        name = self[opt.defaultpartition]
        if name is None:
            return
        if not (name.isascii() and name.isalnum()):
            _log().error("INVALID defaultpartition: %s", name)
            raise Fatal("defaultpartition option contains non-alnum character", os.EX_CONFIG)
        self._values[opt.defaultpartition] = name.lower()


def _twice(name: str, line: int) -> str:
    return f"option '{name}' was specified twice in config file (second occurrence on line {line})"


def _as_text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, frozenset | set | tuple | list):
        return " ".join(value)
    return str(value)


def _log() -> logging.Logger:
    """Loads ``logging`` only where something is wrong: master lives without it."""
    import logging

    return logging.getLogger(__name__)
