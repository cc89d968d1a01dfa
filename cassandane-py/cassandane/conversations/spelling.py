"""How mailbox names look to a client under a configuration.

In a script ``<own a/b>`` is the speaker's folder, ``<of eve a/b>`` another user's (without a folder: the
INBOX) and ``<all x/y>`` nobody's; everybody spells them in another way.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_MARKER = re.compile(r"<(own|of|all) ([^<> ]+)(?: ([^<>]+))?>")


@dataclass(frozen=True)
class Spelling:
    """``admins`` are those who see every mailbox under its plain name."""

    separator: str = "/"
    alternative: bool = True
    users: str = "Other Users"
    shared: str = "Shared Folders"
    admins: tuple[str, ...] = ("admin",)

    @classmethod
    def of(cls, settings: Mapping[str, str]) -> Spelling:
        return cls(
            separator="/" if settings.get("unixhierarchysep", "yes") == "yes" else ".",
            alternative=settings.get("altnamespace", "yes") == "yes",
            users=settings.get("userprefix", "Other Users"),
            shared=settings.get("sharedprefix", "Shared Folders"),
            admins=tuple(settings.get("admins", "admin").split()),
        )

    def own(self, path: str) -> str:
        return self._joined("" if self.alternative else "INBOX", path)

    def of_user(self, speaker: str, user: str, path: str) -> str:
        if user == speaker:
            return self.own(path) if path else "INBOX"
        plain = not self.alternative or speaker in self.admins
        return self._joined("user" if plain else self.users, user, path)

    def of_nobody(self, speaker: str, path: str) -> str:
        plain = not self.alternative or speaker in self.admins
        return self._joined("" if plain else self.shared, path)

    def _joined(self, *parts: str) -> str:
        return self.separator.join(part for part in parts if part).replace("/", self.separator)

    def taken_out(self, speaker: str, text: str) -> tuple[str, list[bytes]]:
        """The text with ``{}`` for each marked name, and the names."""
        names: list[bytes] = []

        def name(found: re.Match[str]) -> str:
            match found[1]:
                case "of":
                    value = self.of_user(speaker, found[2], found[3] or "")
                case "own":
                    value = self.own(found[2])
                case _:
                    value = self.of_nobody(speaker, found[2])
            names.append(value.encode())
            return "{}"

        return _MARKER.sub(name, text), names
