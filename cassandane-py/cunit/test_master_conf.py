"""cyrus.conf: the file's syntax, and what entries mean."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from libcyrus.errors import Fatal
from master import conf
from master.conf import ConfError, Entry, EventSpec, ServiceSpec


def entries(text: str, section: str = "SERVICES") -> list[tuple[str, dict[str, str]]]:
    return [(entry.name, dict(entry.arguments)) for entry in conf.section(text.encode(), section, "FILE")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("SERVICES {\n}\n", []),
        ("SERVICES {\n imap cmd=imapd\n}\n", [("imap", {"cmd": "imapd"})]),
        ("SERVICES {\n imap cmd=imapd\n", [("imap", {"cmd": "imapd"})]),
        ("SERVICES {\n imap\n}", [("imap", {})]),
        ('Services {\n\ta\tk="v -s"   l="a:b"\n}', [("a", {"k": "v -s", "l": "a:b"})]),
        ('SERVICES {\n a k="v"l=w\n}', [("a", {"k": "v", "l": "w"})]),
        ('SERVICES {\n a k=""\n}', [("a", {"k": ""})]),
        ('SERVICES {\n a k=v"w\n}', [("a", {"k": 'v"w'})]),
        ("SERVICES {\n# a k=v\n  b k=v # c\n\n}", [("b", {"k": "v"})]),
        ("SERVICES {\n a k=1\n}\nSERVICES {\n b k=2\n}\n", [("a", {"k": "1"})]),
        ("START {\n a k=1\n}\nSERVICES {\n b k=2\n}\n", [("b", {"k": "2"})]),
        ("OTHER {\nSERVICES {\n a k=1\n}\n}\n", []),
        ("services {\n a k=1\n}\n", []),
        ("SERVICES2 {\n a k=1\n}\n", []),
        ("SERVICES\n{\n a k=1\n}\n", []),
        ("SERVICES {\r\n a k=v\r\n}\r\n", [("a", {"k": "v"})]),
        ("SERVICES {\n a k=v}\n}\n", [("a", {"k": "v}"})]),
    ],
)
def test_a_section_yields_its_entries(text: str, expected: list[tuple[str, dict[str, str]]]) -> None:
    assert entries(text) == expected


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("im-ap cmd=x", "bad character '-' in name on line 2"),
        ("imap cmd", "bad character '' in argument on line 2"),
        ("imap cmd =x", "bad character ' ' in argument on line 2"),
        ("imap a-b=x", "bad character '-' in argument on line 2"),
        ('imap cmd="x', 'missing " on line 2'),
        ('imap cmd="x # y"', 'missing " on line 2'),
        ("imap cmd=x }", "bad character '}' in argument on line 2"),
        ("imap " + " ".join(f"k{number}=v" for number in range(65)), "too many arguments on line 2"),
    ],
)
def test_bad_syntax_is_fatal_and_names_the_line(line: str, message: str) -> None:
    with pytest.raises(Fatal) as caught:
        entries(f"SERVICES {{\n{line}\n}}\n")
    assert str(caught.value) == f"configuration file FILE: {message}"
    assert caught.value.code == os.EX_CONFIG


def test_sixty_four_arguments_are_allowed_and_the_first_of_a_key_counts() -> None:
    line = "imap " + " ".join(f"k={number}" for number in range(64))
    (entry,) = conf.section(f"SERVICES {{\n{line}\n}}\n".encode(), "SERVICES", "FILE")
    assert len(entry.arguments) == 64
    assert entry.text("k", "") == "0"


def test_a_line_of_4096_bytes_is_cut() -> None:
    line = "imap cmd=" + "x" * 4086
    assert entries(f"SERVICES {{\n{line}\n}}\n") == [("imap", {"cmd": "x" * 4086})]
    with pytest.raises(Fatal, match="on line 3"):
        entries(f"SERVICES {{\n{line}xx=\n}}\n")


def test_undecodable_bytes_survive() -> None:
    (entry,) = conf.section(b"SERVICES {\n imap cmd=/\xff\n}\n", "SERVICES", "FILE")
    assert os.fsencode(entry.text("cmd", "")) == b"/\xff"


def entry(**arguments: str) -> Entry:
    return Entry("name", tuple(arguments.items()), 1)


@pytest.mark.parametrize(
    ("text", "value"), [("5", 5), ("-5", -5), ("5x", 5), ("x5", 7), ("", 7), ("-", 7), ("+5", 7), (" 5", 7)]
)
def test_an_integer_that_looks_like_none_keeps_the_default(text: str, value: int) -> None:
    assert entry(k=text).integer("k", 7) == value


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("0", (False, False)), ("n", (False, False)), ("no", (False, False)), ("off", (False, False)),
        ("of", (False, False)), ("false", (False, False)), ("1", (True, True)), ("y", (True, True)),
        ("on", (True, True)), ("t", (True, True)), ("o", (False, True)), ("Yes", (False, True)),
        ("", (False, True)), ("2", (False, True)),
    ],
)  # fmt: skip
def test_a_switch_that_says_neither_keeps_the_default(text: str, values: tuple[bool, bool]) -> None:
    assert (entry(k=text).switch("k", False), entry(k=text).switch("k", True)) == values


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, ServiceSpec("name", ("a",), "1")),
        ({"cmd": " a -b  c "}, ServiceSpec("name", ("a", "-b", "c"), "1")),
        ({"prefork": "3", "maxchild": "9"}, ServiceSpec("name", ("a",), "1", prefork=3, maxchild=9)),
        ({"maxchild": "-1"}, ServiceSpec("name", ("a",), "1")),
        ({"maxchild": "0"}, ServiceSpec("name", ("a",), "1", maxchild=0)),
        ({"babysit": "y"}, ServiceSpec("name", ("a",), "1", prefork=1, babysit=True, maxforkrate=10)),
        (
            {"babysit": "y", "prefork": "2", "maxforkrate": "3"},
            ServiceSpec("name", ("a",), "1", prefork=2, babysit=True, maxforkrate=3),
        ),
        (
            {"proto": "udp", "prefork": "5", "maxchild": "7", "babysit": "y"},
            ServiceSpec("name", ("a",), "1", "udp", 1, False, 1, 0, 10),
        ),
        ({"proto": "udp"}, ServiceSpec("name", ("a",), "1", "udp", 0, False, 1)),
        ({"maxfds": "100"}, ServiceSpec("name", ("a",), "1", maxfds=100)),
    ],
)
def test_a_service_means(arguments: dict[str, str], expected: ServiceSpec) -> None:
    assert conf.service(entry(**{"cmd": "a", "listen": "1", **arguments})) == expected


def test_a_daemon_is_always_one_process() -> None:
    spec = conf.daemon(entry(cmd="idled", wait="yes", maxfds="9"))
    assert spec == ServiceSpec(
        "name", ("idled",), prefork=1, babysit=True, maxchild=1, maxfds=9, maxforkrate=10, waits=True
    )
    assert spec.is_daemon


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, EventSpec("name", ("a",))),
        ({"period": "5"}, EventSpec("name", ("a",), 300)),
        ({"at": "0401"}, EventSpec("name", ("a",), at=(4, 1))),
        ({"at": "0000", "period": "5"}, EventSpec("name", ("a",), at=(0, 0))),
        ({"at": "2359"}, EventSpec("name", ("a",), at=(23, 59))),
        ({"at": "2400", "period": "1"}, EventSpec("name", ("a",), 60)),
        ({"at": "1260"}, EventSpec("name", ("a",))),
        ({"at": "-1"}, EventSpec("name", ("a",))),
    ],
)
def test_an_event_means(arguments: dict[str, str], expected: EventSpec) -> None:
    assert conf.event(entry(cmd="a", **arguments)) == expected


@pytest.mark.parametrize(
    ("parse", "arguments", "message"),
    [
        (conf.start, {}, "unable to find command for name"),
        (conf.service, {"listen": "1"}, "unable to find command or port for service 'name'"),
        (conf.service, {"cmd": "a"}, "unable to find command or port for service 'name'"),
        (conf.daemon, {}, "unable to find command or port for service 'name'"),
        (conf.event, {}, "unable to find command or port for event 'name'"),
    ],
)
def test_an_entry_lacks_something(parse: object, arguments: dict[str, str], message: str) -> None:
    assert callable(parse)
    with pytest.raises(ConfError) as caught:
        parse(entry(**arguments))
    assert str(caught.value) == message


def test_the_file_below_the_prefix_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "cyrus.conf"
    path.write_text("outside")
    assert conf.read(str(path)) == b"outside"
    prefix = tmp_path / "prefix"
    below = Path(f"{prefix}{path}")
    below.parent.mkdir(parents=True)
    below.write_text("inside")
    monkeypatch.setenv("CYRUS_PREFIX", str(prefix))
    assert conf.read(str(path)) == b"inside"


def test_a_missing_file_is_fatal(tmp_path: Path) -> None:
    with pytest.raises(Fatal, match="can't open configuration file .*: No such file") as caught:
        conf.read(str(tmp_path / "none"))
    assert caught.value.code == os.EX_CONFIG
