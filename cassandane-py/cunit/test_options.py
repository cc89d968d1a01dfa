"""The declarations of imapd.conf's options, and the manual made from them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from libcyrus import options as opt
from libcyrus.options import manual, patterned, sasl
from libcyrus.options.declare import Kind, Option
from libcyrus.options.durations import parse_duration
from libcyrus.options.order import names

TOP = Path(__file__).resolve().parents[2]

EVERY = pytest.mark.parametrize("option", opt.BY_NAME.values(), ids=opt.BY_NAME)


def test_all_526_are_there_and_listed_once() -> None:
    assert len(opt.BY_NAME) == 526
    assert sorted(names()) == sorted(opt.BY_NAME)


@EVERY
def test_each_declaration_makes_sense(option: Option[Any]) -> None:
    assert opt.BY_NAME[option.name] is option, "declared under another name"
    assert re.fullmatch(r"\d+\.\d+\.\d+", option.since)
    assert re.fullmatch(r"[A-Za-z].*\.", option.doc), option.doc
    assert option.use is None or opt.BY_NAME[option.use].kind is option.kind
    assert not option.use or option.deprecated
    if option.kind is Kind.BITFIELD:
        assert option.default <= set(option.allowed)
    elif option.allowed:
        assert option.default is None or option.default in option.allowed
    assert set(option.aliases or {}) & set(option.allowed) == set()
    assert set((option.aliases or {}).values()) <= set(option.allowed)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        (opt.timeout, 32 * 60),
        (opt.archive_after, 7 * 86400),
        (opt.archive_days, 0),
        (opt.popexpiretime, -86400),
        (opt.jmap_max_delayed_send, 512 * 86400),
        (opt.tls_session_timeout, 86400),
        (opt.tcp_keepalive_idle, 0),
        (opt.allowapop, True),
        (opt.admins, ""),
        (opt.servername, None),
        (opt.event_exclude_specialuse, "\\Junk"),
        (opt.maxword, 131072),
        (opt.httpmodules, frozenset()),
        (opt.event_groups, {"message", "mailbox"}),
    ],
)
def test_defaults_have_their_python_value(option: Option[Any], value: object) -> None:
    assert option.default == value


@pytest.mark.parametrize(
    ("text", "unit", "seconds"),
    [
        ("30", "m", 1800),
        ("30", "s", 30),
        ("1d12h", "s", 129600),
        ("1h30", "m", 5400),
        ("90m", "d", 5400),
        ("1s1s", "d", 2),
        ("-1", "d", -86400),
        ("-1h1m", "d", -3660),
        ("0", "d", 0),
        ("", "d", 0),
        ("-", "d", 0),
        ("00000000000000000007", "s", 7),
        ("99999999999999999999d", "s", 2**31 - 1),
        ("-" + "9" * 10000, "d", -(2**31) + 1),
    ],
)
def test_durations_add_up(text: str, unit: str, seconds: int) -> None:
    assert parse_duration(text, unit) == seconds


@pytest.mark.parametrize("text", ["m", "1x", "1 m", "--1", "1-", "1dd", "d1", "1.5h", "1D", "\u0661m", "+1"])
def test_other_durations_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="unparsable"):
        parse_duration(text, "s")


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("partition-x", True),
        ("xlist-trash", True),
        ("backuppartition-b", True),
        ("metapartition-default", True),
        ("metapartition-other", False),
        ("archivepartition-default", True),
        ("archivepartition-other", False),
        ("searchpartition-default", True),
        ("t1searchpartition-default", True),
        ("t1searchpartition-other", False),
        ("metadir-index-default", False),
        ("partitionx", False),
        ("tls_server_cert_dir", True),
    ],
)
def test_which_made_up_names_are_known(name: str, known: bool) -> None:
    assert patterned.known(name, {"partition-default": "/x"}.get) is known


def test_nothing_reads_a_retired_option() -> None:
    """Its value has moved to the option that took its place."""
    read = set()
    for package in ("libcyrus", "imap", "master"):
        for path in (TOP / package).rglob("*.py"):
            read |= set(re.findall(r"\bopt\.(\w+)", path.read_text()))
    assert not {name for name in read & opt.BY_NAME.keys() if opt.BY_NAME[name].deprecated}


def test_the_manual_page_is_up_to_date() -> None:
    made = manual.page()
    assert (TOP / "man" / "imapd.conf.5").read_text() == made, (
        "run: python -m libcyrus.options.manual > man/imapd.conf.5"
    )


def test_the_manual_keeps_roff_from_reading_its_text() -> None:
    assert manual.prose(".so /etc/passwd \\fB") == "\\&.so /etc/passwd \\efB\n"
    assert manual.entry(opt.sieve_folder).startswith(".TP\n\\fBsieve_folder:\\fR #sieve\n")


def test_every_sasl_setting_that_is_read_is_in_the_manual() -> None:
    known = {one.name.removeprefix("sasl_") for one in sasl.SETTINGS}
    asked: set[str] = set()
    for source in (TOP / "libcyrus/sasl").glob("*.py"):
        text = source.read_text()
        asked |= set(re.findall(r'(?:setting|switch|number)\((?:self\._)?config, "(\w+)"', text))
        asked |= set(re.findall(r'words\("(oauth_\w+)"\)', text))
        if source.name == "backends.py":
            asked |= set(re.findall(r'asked\("(sql_\w+)"\)', text))
            asked |= {f"ldapdb_{name}" for name in re.findall(r'asked\("(?!sql_)(\w+)"\)', text)}
    asked -= {"sql_statement"}
    assert asked == known
    assert [one.name for one in sasl.SETTINGS] == sorted(one.name for one in sasl.SETTINGS)
