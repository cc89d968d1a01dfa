"""From the text of a value to what ``config[option]`` returns, type by type."""

from __future__ import annotations

from typing import Any

from libcyrus.options.declare import Kind, Option
from libcyrus.options.durations import parse_duration

_DIGITS = {8: frozenset("01234567"), 10: frozenset("0123456789"), 16: frozenset("0123456789abcdef")}

# ENUM values that mean on and off, besides those two words
_ENUM_SWITCH = dict.fromkeys(("1", "yes", "t", "true"), "on") | dict.fromkeys(
    ("0", "no", "f", "false"), "off"
)


class BadValue(ValueError):
    """The text does not fit the option; the message lacks only the line number."""


def parse(option: Option[Any], text: str) -> Any:
    """The value ``text`` gives to ``option``. Raises ``BadValue``."""
    match option.kind:
        case Kind.STRING:
            return text
        case Kind.SWITCH:
            switch = parse_switch(text)
            if switch is None:
                raise BadValue(f"non-switch value for {option.name}")
            return switch
        case Kind.INT:
            number = parse_number(text)
            if number is None:
                raise BadValue(f"non-integer value for {option.name}")
            return number
        case Kind.DURATION:
            try:
                return parse_duration(text, option.unit)
            except ValueError:
                raise BadValue(f"unparsable duration '{text}' for {option.name}") from None
        case Kind.ENUM:
            return _one_of(option, _ENUM_SWITCH.get(text, text))
        case Kind.STRINGLIST:
            return _one_of(option, text)
        case Kind.BITFIELD:
            return frozenset(_preferred(option, word) for word in text.split())


def parse_switch(text: str) -> bool | None:
    """A switch is decided by its first letter, after ``o`` by its second; None for neither."""
    if text.startswith(("1", "y", "t", "on")):
        return True
    if text.startswith(("0", "n", "f", "of")):
        return False
    return None


def parse_number(text: str) -> int | None:
    """A decimal, 0octal or 0xhexadecimal number within 64 bits, as strtol(3) reads it."""
    digits = text[1:] if text.startswith(("-", "+")) else text
    base = 10
    if digits.startswith(("0x", "0X")):
        base, digits = 16, digits[2:].lower()
    elif digits.startswith("0"):
        base = 8
    if not digits or not _DIGITS[base].issuperset(digits):
        return None
    # int() refuses very long texts; 23 digits of any base fill 64 bits
    number = int(digits.lstrip("0")[:23] or "0", base)
    return max(-(2**63), -number) if text.startswith("-") else min(number, 2**63 - 1)


def _one_of(option: Option[Any], text: str) -> str:
    if text not in option.allowed:
        raise BadValue(f"invalid value '{text}' for {option.name}")
    return text


def _preferred(option: Option[Any], word: str) -> str:
    preferred = (option.aliases or {}).get(word)
    if preferred is None:
        return _one_of(option, word)
    # loaded only where something is wrong: master lives without it
    import logging

    logging.getLogger(__name__).warning(
        "Value '%s' for option '%s' is deprecated in favor of value '%s'", word, option.name, preferred
    )
    return preferred
