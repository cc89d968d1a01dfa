"""Reading imapd.conf: syntax, types, prefixes, retired options, and every way to be wrong."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

import pytest

from libcyrus import options as opt
from libcyrus.config import Config
from libcyrus.config.startup import umask
from libcyrus.errors import Fatal
from libcyrus.options.declare import Option

BASE = "configdirectory: /var/imap\n"


@pytest.fixture
def load(tmp_path: Path) -> Any:
    def load(text: str | bytes, ident: str = "imap", **more: Any) -> Config:
        path = tmp_path / "imapd.conf"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return Config.load(path, ident, **more)

    return load


@pytest.mark.parametrize(
    ("text", "admins"),
    [
        ("admins: a b", "a b"),
        ("admins: a b\n", "a b"),
        ("admins:a", "a"),
        ("  \t admins:\t a \v\f\r\n", "a"),
        ("ADMINS: Joe", "Joe"),
        ("admins: a # b", "a # b"),
        ("# admins: x\n#\n\n  # y\nadmins: a", "a"),
        ("admins: a\\\nb", "ab"),
        ("admins: a \\\n  b\\\n c", "a   b c"),
        ("adm\\\nins: a", "a"),
        ("# remark \\\nadmins: hidden\nadmins: a", "a"),
        ("admins: a\\", "a\\"),
        ("admins: a\0junk", "a"),
        ("admins: a: b", "a: b"),
        ("admins: " + "x" * 20000, "x" * 20000),
        ("admins: caf\u00e9", "caf\u00e9"),
        (b"admins: caf\xe9", "caf\udce9"),
    ],
)
def test_lines(load: Any, text: str | bytes, admins: str) -> None:
    raw = text if isinstance(text, bytes) else text.encode()
    assert load(BASE.encode() + raw)[opt.admins] == admins


def test_a_join_at_the_end_of_the_file_loses_the_line(load: Any) -> None:
    assert load(BASE + "admins: a\\\n")[opt.admins] == ""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("admins a", "invalid option name on line 2 of configuration file {path}"),
        ("admins : a", "invalid option name on line 2 of configuration file {path}"),
        ("ad.mins: a", "invalid option name on line 2 of configuration file {path}"),
        ("\u00e9: a", "invalid option name on line 2 of configuration file {path}"),
        (": a", "invalid option name on line 2 of configuration file {path}"),
        ("@: a", "invalid directive on line 2 of configuration file {path}"),
        ("admins:", "empty option value on line 2 of configuration file"),
        ("\n\nadmins: \t\n", "empty option value on line 4 of configuration file"),
        ("foo\\\n:\\\n \n", "empty option value on line 4 of configuration file"),
        ("@foo: a", "invalid directive on line 2 of configuration file {path}"),
        ("@include: /nonexistent/x",
         "can't open configuration file /nonexistent/x: No such file or directory"),
        ("@include: {path}", "configuration file {path} included twice"),
        ("admins: a\nadmins: b",
         "option 'admins' was specified twice in config file (second occurrence on line 3)"),
        ("imap_admins: a\nimap_admins: b",
         "option 'imap_admins' was specified twice in config file (second occurrence on line 3)"),
        ("foo: a\n\nFOO: b", "option 'foo' was specified twice in config file (second occurrence on line 4)"),
        ("archive_days: 1\narchive_days: 1",
         "option 'archive_days' was specified twice in config file (second occurrence on line 3)"),
        ("quotawarn: 12x", "non-integer value for quotawarn in line 2"),
        ("quotawarn: 08", "non-integer value for quotawarn in line 2"),
        ("quotawarn: 0x", "non-integer value for quotawarn in line 2"),
        ("quotawarn: -", "non-integer value for quotawarn in line 2"),
        ("allowapop: maybe", "non-switch value for allowapop in line 2"),
        ("allowapop: Yes", "non-switch value for allowapop in line 2"),
        ("allowapop: oh", "non-switch value for allowapop in line 2"),
        ("virtdomains: maybe", "invalid value 'maybe' for virtdomains in line 2"),
        ("virtdomains: on off", "invalid value 'on off' for virtdomains in line 2"),
        ("expunge_mode: yes", "invalid value 'on' for expunge_mode in line 2"),
        ("mboxlist_db: Twoskip", "invalid value 'Twoskip' for mboxlist_db in line 2"),
        ("httpmodules: caldav nonsense jmap", "invalid value 'nonsense' for httpmodules in line 2"),
        ("timeout: soon", "unparsable duration 'soon' for timeout in line 2"),
        ("defaultpartition: a-b", "defaultpartition option contains non-alnum character"),
        ("defaultpartition: \u00e9", "defaultpartition option contains non-alnum character"),
    ],
)  # fmt: skip
def test_errors_are_in_the_original_words(load: Any, tmp_path: Path, text: str, message: str) -> None:
    path = str(tmp_path / "imapd.conf")
    with pytest.raises(Fatal) as caught:
        load(BASE + text.replace("{path}", path))
    assert str(caught.value) == message.replace("{path}", path)
    assert caught.value.code == os.EX_CONFIG


def test_a_file_must_exist_and_name_configdirectory(load: Any) -> None:
    with pytest.raises(Fatal, match="^can't open configuration file /nonexistent: No such file"):
        Config.load("/nonexistent", "imap")
    with pytest.raises(Fatal, match="^configdirectory option not specified in configuration file$"):
        load("admins: a\n")


def test_includes_are_read_in_place_and_under_the_prefix(load: Any, tmp_path: Path, monkeypatch: Any) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "more.conf").write_text("admins: included\n")
    monkeypatch.setenv("CYRUS_PREFIX", str(tmp_path))
    config = load(BASE + "@Include: /etc/more.conf\ndefaultacl: anyone l\n")
    assert (config[opt.admins], config[opt.defaultacl]) == ("included", "anyone l")


@pytest.mark.parametrize(
    ("line", "option", "value"),
    [
        ("quotawarn: 0x1F", opt.quotawarn, 31),
        ("quotawarn: 010", opt.quotawarn, 8),
        ("quotawarn: -5", opt.quotawarn, -5),
        ("quotawarn: +5", opt.quotawarn, 5),
        ("quotawarn: 0", opt.quotawarn, 0),
        ("maxword: 4294967297", opt.maxword, 1),
        ("maxword: " + "9" * 5000, opt.maxword, -1),
        ("allowapop: offside", opt.allowapop, False),
        ("allowapop: no", opt.allowapop, False),
        ("allowplaintext: 1", opt.allowplaintext, True),
        ("allowplaintext: on", opt.allowplaintext, True),
        ("virtdomains: yes", opt.virtdomains, "on"),
        ("virtdomains: f", opt.virtdomains, "off"),
        ("virtdomains: userid", opt.virtdomains, "userid"),
        ("sql_engine: sqlite", opt.sql_engine, "sqlite"),
        ("httpmodules: caldav   jmap", opt.httpmodules, {"caldav", "jmap"}),
        ("sieve_extensions: imapflags x-cyrus-snooze", opt.sieve_extensions, {"imap4flags", "snooze"}),
        ("timeout: 45", opt.timeout, 2700),
        ("timeout: -1", opt.timeout, -60),
        ("archive_after: 1d1", opt.archive_after, 2 * 86400),
        ("idlesocket: /x{configdirectory}", opt.idlesocket, "/x{configdirectory}"),
        ("idlesocket: {ConfigDirectory}x", opt.idlesocket, "/var/imapx"),
        ("defaultpartition: Fast1", opt.defaultpartition, "fast1"),
        ("foo: bar", opt.notifysocket, "/var/imap/socket/notify"),
    ],
)
def test_values(load: Any, line: str, option: Option[Any], value: object) -> None:
    assert load(BASE + line)[option] == value


@pytest.mark.parametrize("ident", ["imap", "IMAP"])
@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_the_prefixed_name_wins_in_either_order(load: Any, ident: str, order: tuple[int, int]) -> None:
    lines = ["imap_timeout: 40\nimap_sasl_pwcheck_method: own\n", "timeout: 35\nsasl_pwcheck_method: all\n"]
    text = BASE + "".join(lines[index] for index in order)
    config = load(text, ident)
    assert (config[opt.timeout], config.overflow("sasl_pwcheck_method")) == (2400, "own")
    other = load(text, "pop3")
    assert (other[opt.timeout], other.overflow("sasl_pwcheck_method")) == (2100, "all")
    assert other.overflow("imap_timeout") == "40"


def test_a_plain_name_after_a_prefixed_one_is_not_even_looked_at(load: Any) -> None:
    assert load(BASE + "imap_quotawarn: 1\nquotawarn: nonsense\nquotawarn: 3\n")[opt.quotawarn] == 1


def test_a_retired_name_gives_its_value_and_a_warning(load: Any, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        config = load(BASE + "archive_days: 3\nflushseenstate: no\n")
    assert config[opt.archive_after] == 3 * 86400
    assert config.text(opt.archive_after) == "3"
    assert config.text(opt.archive_days) is None
    assert config.overflow("archive_days") == "3"
    assert caplog.messages == [
        "Option 'archive_days' is deprecated in favor of 'archive_after' since version 3.1.8.",
        "Option 'flushseenstate' is deprecated in version 2.5.0.",
    ]


def test_a_retired_name_does_not_beat_its_successor(load: Any) -> None:
    config = load(BASE + "tls_cert_file: old\ntls_server_cert: new\nldap_sasl_mech: PLAIN\n")
    assert config[opt.tls_server_cert] == "new"
    assert config[opt.ldap_mech] == "PLAIN"


def test_a_former_word_of_a_bit_field_is_warned_about(load: Any, caplog: pytest.LogCaptureFixture) -> None:
    load(BASE + "sieve_extensions: imapflags\n")
    assert caplog.messages == [
        "Value 'imapflags' for option 'sieve_extensions' is deprecated in favor of value 'imap4flags'"
    ]


PARTITIONS = BASE + """
partition-default: /spool
metapartition-default: /meta
metadir-index-default: /index
archivepartition-default: /archive
imap_partition-own: /own
metapartition_files: header annotations
"""


def test_partitions(load: Any, caplog: pytest.LogCaptureFixture) -> None:
    config = load(PARTITIONS)
    assert list(config.partitions()) == ["default"]
    assert config.partition_dir("default") == "/spool"
    assert config.partition_dir("own") == "/own"
    assert config.partition_dir("none") is None
    assert caplog.messages == ["requested partition directory for unknown partition 'none'"]
    assert config.metapartition_dir("default") == "/meta"
    assert config.metapartition_dir("default", "header") == "/meta"
    assert config.metapartition_dir("default", "cache") is None
    assert config.metapartition_dir("default", "index") == "/index"
    assert config.metapartition_dir("default", "annotations") == "/index"
    assert config.archive_dir("default") is None
    assert load(PARTITIONS + "archive_enabled: yes\n").archive_dir("default") == "/archive"


def test_no_partition_has_a_name_of_70_characters(load: Any) -> None:
    config = load(BASE + f"partition-{'a' * 69}: /69\npartition-{'a' * 70}: /70\n")
    assert config.partition_dir("a" * 69) == "/69"
    assert config.partition_dir("a" * 70) is None


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("", None),
        ("defaultpartition: default\n", "default"),
        ("defaultpartition: Default\npartition-default: /x\n", None),
        ("proxyservers: murder\n", "<name>"),
        ("proxyservers: murder\npartition-x: /x\n", None),
        ("mupdate_config: unified\nmupdate_server: m\n", "<name>"),
        ("mupdate_config: unified\n", None),
    ],
)
def test_a_server_that_holds_mail_needs_a_partition(load: Any, text: str, missing: str | None) -> None:
    load(BASE + text)
    if missing is None:
        load(BASE + text, need_partitions=True)
        return
    with pytest.raises(Fatal) as caught:
        load(BASE + text, need_partitions=True)
    assert str(caught.value) == f"partition-{missing} option not specified in configuration file"
    assert caught.value.code == os.EX_CONFIG


def test_for_tests_takes_python_values() -> None:
    config = Config.for_tests(
        allowplaintext=True, quotawarn=7, timeout=31, event_groups=("quota", "flags"), servername="mx",
        extra={"partition-default": "/spool"},
    )  # fmt: skip
    assert config[opt.allowplaintext] is True
    assert config[opt.quotawarn] == 7
    assert config[opt.timeout] == 31 * 60
    assert config[opt.event_groups] == {"quota", "flags"}
    assert (config.servername, config.ident) == ("mx", "test")
    assert config.partition_dir("default") == "/spool"
    with pytest.raises(TypeError, match="no such options: timeoot"):
        Config.for_tests(timeoot=1)


def test_the_host_name_is_the_default_server_name() -> None:
    assert Config.for_tests().servername == os.uname().nodename


@pytest.mark.parametrize(("text", "mask"), [("077", 0o077), ("0o27x", 0o027), ("none", 0), ("9922", 0o022)])
def test_umask_is_its_octal_digits(text: str, mask: int) -> None:
    assert umask(Config.for_tests(umask=text)) == mask
