"""Whether a test is true of the message, the mail store and the variables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

from libcyrus.text.mimeheader import parse_mimeheader
from sieve.bytecode import conditions as tests
from sieve.bytecode.opcodes import Tag
from sieve.extensions import BASE_NAMES, find
from sieve.run import addresses, dates
from sieve.run.context import Context
from sieve.run.matching import Matcher

Item = TypeVar("Item")


def holds(context: Context, test: tests.Condition) -> bool:
    """Raises SieveError."""
    return _TESTS[type(test)](context, test)


def readable(value: bytes) -> bytes:
    """A header field's value decoded to UTF-8, without blanks around it (RFC 5228 section 5.7)."""
    return parse_mimeheader(value, utf8=True).strip(b" \t\r\n")


def matcher(context: Context, match: tests.Match) -> Matcher:
    return Matcher(match.kind, match.collation, match.relation, in_list=context.host.in_list)


def at_index(values: Sequence[Item], index: int) -> Sequence[Item]:
    """All for 0, else the one of that number, from the end if negative (RFC 5260 section 6)."""
    if not index:
        return values
    number = index - 1 if index > 0 else len(values) + index
    return values[number : number + 1] if 0 <= number < len(values) else ()


def _compare(
    context: Context,
    match: tests.Match,
    texts: Iterable[bytes],
    patterns: Sequence[bytes],
    *,
    remember: bool = True,
) -> bool:
    """Whether any of the texts, or their number, fits any of the patterns."""
    compare = matcher(context, match)
    wanted = context.texts(patterns)
    if match.kind is Tag.COUNT:
        return compare(b"%d" % sum(1 for _ in texts), wanted)
    for text in texts:
        matched = compare(text, wanted)
        if remember and compare.found is not None:
            context.variables.matched = compare.found
        if matched:
            return True
    return False


def _exists(context: Context, test: tests.Exists) -> bool:
    return all(context.message.header(name) for name in context.texts(test.headers))


def _size(context: Context, test: tests.Size) -> bool:
    size = context.message.size
    return size > test.size if test.over else size < test.size


def _address(context: Context, test: tests.Address) -> bool:
    def texts() -> Iterator[bytes]:
        for name in context.texts(test.headers):
            for value in at_index(context.message.header(name), test.index):
                for address in addresses.in_field(value):
                    yield addresses.part(address, test.part)

    return _compare(context, test.match, texts(), test.patterns)


def _envelope(context: Context, test: tests.Envelope) -> bool:
    def texts() -> Iterator[bytes]:
        for field in context.texts(test.fields):
            value = context.message.envelope(field.lower())
            if value is not None:
                for address in addresses.in_field(value, reverse_path=field == b"from"):
                    yield addresses.part(address, test.part)

    return _compare(context, test.match, texts(), test.patterns)


def _header(context: Context, test: tests.Header) -> bool:
    def texts() -> Iterator[bytes]:
        for name in context.texts(test.headers):
            for value in at_index(context.message.header(name), test.index):
                yield readable(value)

    return _compare(context, test.match, texts(), test.patterns)


def _has_flag(context: Context, test: tests.HasFlag) -> bool:
    names = test.variables or (b"",)
    flags = [flag for name in names for flag in context.variables.get(name) or ()]
    return _compare(context, test.match, flags, test.patterns)


def _string(context: Context, test: tests.String) -> bool:
    strings = context.texts(test.strings)
    if test.match.kind is Tag.COUNT:
        # empty strings do not count (RFC 5229 section 5)
        strings = [text for text in strings if text]
    return _compare(context, test.match, strings, test.patterns)


def _body(context: Context, test: tests.Body) -> bool:
    parts = context.message.body(context.texts(test.types))
    # wildcards here leave no match variables (RFC 5173 section 6)
    return _compare(context, test.match, parts, test.patterns, remember=False)


def _zone(context: Context, zone: bytes | None) -> int | None:
    """Minutes east of UTC; None for a zone that is none."""
    return dates.local_offset() if zone is None else dates.zone_offset(context.text(zone))


def _date(context: Context, test: tests.Date) -> bool:
    values = at_index(context.message.header(context.text(test.header)), test.index)
    if not values:
        return False
    moment = dates.of_header(values[0])
    offset = dates.original_offset(values[0]) if test.original else _zone(context, test.zone)
    if moment is None or offset is None:
        return False
    return _compare_date(context, test.match, dates.part(test.part, moment, offset), test.patterns)


def _current_date(context: Context, test: tests.CurrentDate) -> bool:
    offset = _zone(context, test.zone)
    if offset is None:
        return False
    text = dates.part(test.part, context.host.now, offset)
    return _compare_date(context, test.match, text, test.patterns)


def _compare_date(
    context: Context, match: tests.Match, text: bytes, patterns: Sequence[bytes]
) -> bool:
    # as in the original, dates cannot be counted
    return match.kind is not Tag.COUNT and _compare(context, match, (text,), patterns)


def _compare_value(
    context: Context, match: tests.Match, value: bytes | None, patterns: Sequence[bytes]
) -> bool:
    """A value that may not be there; ``:count`` compares it as a number, as the original does."""
    if value is None:
        return False
    return matcher(context, match)(value, context.texts(patterns))


def _metadata(context: Context, test: tests.Metadata) -> bool:
    mailbox = None if test.mailbox is None else context.text(test.mailbox)
    value = context.host.metadata(mailbox, context.text(test.annotation))
    return _compare_value(context, test.match, value, test.patterns)


def _metadata_exists(context: Context, test: tests.MetadataExists) -> bool:
    mailbox = None if test.mailbox is None else context.text(test.mailbox)
    return all(context.host.metadata(mailbox, entry) is not None for entry in context.texts(test.annotations))


def _environment(context: Context, test: tests.Environment) -> bool:
    value = context.host.environment(context.text(test.item))
    return _compare_value(context, test.match, value, test.patterns)


def _notify_capability(context: Context, test: tests.NotifyMethodCapability) -> bool:
    value = {b"online": b"maybe", b"fcc": b"no"}.get(context.text(test.capability).lower())
    return _compare_value(context, test.match, value, test.patterns)


def _valid_notify_method(context: Context, test: tests.ValidNotifyMethod) -> bool:
    known = {method.lower() for method in context.host.notify_methods}
    schemes = ((uri[: uri.find(b":") + 1] or uri).lower() for uri in context.texts(test.uris))
    return all(scheme in known for scheme in schemes)


def _specialuse_exists(context: Context, test: tests.SpecialUseExists) -> bool:
    mailbox = None if test.mailbox is None else context.text(test.mailbox)
    if mailbox is not None and not context.host.mailbox_exists(mailbox):
        return False
    return context.host.specialuse_exists(mailbox, test.uses)


def _duplicate(context: Context, test: tests.Duplicate) -> bool:
    if not test.seconds:
        return False
    if test.unique:
        value = context.text(test.value)
    else:
        values = context.message.header(test.value)
        if not values:
            return False
        value = values[0]
    key = test.handle + b":" + value
    seen = context.host.is_duplicate(key)
    if not seen or test.last:
        context.outcomes.tracked.append((key, test.seconds))
    return seen


def _ihave(context: Context, test: tests.Ihave) -> bool:
    return all(
        name in BASE_NAMES or find(name) in context.host.extensions for name in context.texts(test.names)
    )


_TESTS: dict[type, Callable[[Context, Any], bool]] = {
    tests.Always: lambda context, test: bool(test.value),
    tests.Not: lambda context, test: not holds(context, test.test),
    tests.AnyOf: lambda context, test: any(holds(context, each) for each in test.tests),
    tests.AllOf: lambda context, test: all(holds(context, each) for each in test.tests),
    tests.Exists: _exists,
    tests.Size: _size,
    tests.Address: _address,
    tests.Envelope: _envelope,
    tests.Header: _header,
    tests.Body: _body,
    tests.Date: _date,
    tests.CurrentDate: _current_date,
    tests.HasFlag: _has_flag,
    tests.String: _string,
    tests.MailboxExists: lambda context, test: any(
        context.host.mailbox_exists(name) for name in context.texts(test.names)
    ),
    tests.MailboxIdExists: lambda context, test: any(
        context.host.mailboxid_exists(each) for each in context.texts(test.ids)
    ),
    tests.SpecialUseExists: _specialuse_exists,
    tests.Metadata: _metadata,
    tests.MetadataExists: _metadata_exists,
    tests.Environment: _environment,
    tests.ValidExtList: lambda context, test: all(
        context.host.list_known(name) for name in context.texts(test.names)
    ),
    tests.ValidNotifyMethod: _valid_notify_method,
    tests.NotifyMethodCapability: _notify_capability,
    tests.Ihave: _ihave,
    tests.Duplicate: _duplicate,
    # without JMAP nothing matches, as in a build without it
    tests.JmapQuery: lambda context, test: False,
}
