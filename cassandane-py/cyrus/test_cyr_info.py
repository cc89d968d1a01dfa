"""cyr_info and cyr_buildinfo beside the original's: same files, same output, same exit code."""

from __future__ import annotations

import json
import os
import pwd
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from cassandane import reference
from cassandane.clients import ImapClient
from cassandane.instance import Instance
from libcyrus.config import Config
from libcyrus.errors import Fatal

TOP = Path(__file__).resolve().parents[2]

Ran = tuple[int, str, str]


class Files(NamedTuple):
    imapd: Path
    cyrus: Path


CYRUS_CONF = """
START {
  recover cmd="ctl_cyrusdb -r"
}
SERVICES {
  imap      cmd="imapd" listen="imap" prefork=5   # a remark
  pop3s     cmd="pop3d -s" listen="pop3s"
}
DAEMON {
  idled     cmd="idled"
}
"""

EVERYTHING = """
# every type, prefixes, former names, unknown names
configdirectory: {dir}
defaultpartition: Default
partition-default: {dir}/spool
metapartition-default: {dir}/meta
metapartition-lost: {dir}/meta
metadir-index-default: {dir}/index
archivepartition-default: {dir}/archive
archivepartition-lost: {dir}/archive
t1searchpartition-default: {dir}/search
t1searchpartition-lost: {dir}/search
backuppartition-b: {dir}/backup
xlist-trash: Rubbish
autocreate_acl: Spam anyone p
imap_timeout: 40
timeout: 35m
pop3s_timeout: 15
pop3s_foo: 1
pop3s_partition-x: 1
pop3s_metapartition-x: 1
pop3_timeout: 15
idled_timeout: 15
sync_log_channels: a ab squatter "" far
a_sync_host: a.example.com
ab_sync_host: hidden.by.a
far_sync_host: far.example.com
far_sync_foo: 1
far_timeout: 1
sasl_pwcheck_method: auxprop
imap_sasl_pwcheck_method: saslauthd
archive_days: 3
tls_cert_file: /old
tls_server_cert: /new
tls_ca_file: /old
tlscache_db: skiplist
flushseenstate: no
autocreatequota: 99999999999999999999
createonpost: t
ldap_tls_check_peer: on
ldap_servers: ldap://x/
admins: cyrus \\
    caf\u00e9
quotawarn: 0x10
maxword: 010
maxquoted: -1
boundary_limit: 99999999999
allowplaintext: yes
allowapop: of
altnamespace: true
virtdomains: 1
serverinfo: false
expunge_mode: immediate
mboxlist_db: skiplist
sql_engine: pgsql
httpmodules: jmap   caldav
event_groups: quota
metapartition_files: lock header
newsaddheaders: replyto
sieve_extensions: fileinto imapflags x-cyrus-snooze reject
idlesocket: {{configdirectory}}/elsewhere
lmtpsocket: {{ConfigDirectory}}/socket/lmtp
notifysocket: {dir}/socket/notify
sendmail: /x/{{configdirectory}}
archive_after: 1d12h
conversations_expire_after: -1
jmap_querycache_max_age: 0
imapidletimeout: 5h
rss_maxage: 1
Zebra: yes
"""

ERRORS = (
    "admins a", "admins : a", "ad.mins: a", "admins:", "\n\nadmins:  \t\n", "foo\\\n:\\\n \n",
    "@foo: a", "@: a", "@include: /nonexistent/x", "@include: {file}", "@INCLUDE: {dir}/absent",
    "admins: a\nadmins: b", "cyr_info_admins: a\ncyr_info_admins: b", "foo: a\nFOO: b",
    "archive_days: 1\narchive_days: 1", "archive_days: 1\narchive_days: nonsense",
    "quotawarn: 12x", "quotawarn: 08", "quotawarn: 0x", "quotawarn: -", "quotawarn: 1 2", "quotawarn: 1.5",
    "allowapop: maybe", "allowapop: Yes", "allowapop: oh", "allowapop: o",
    "virtdomains: maybe", "virtdomains: on off", "virtdomains: On", "expunge_mode: yes", "delete_mode: 0",
    "mboxlist_db: Twoskip", "mboxlist_db: flat twoskip", "httpmodules: caldav nonsense jmap",
    "httpmodules: CalDAV", "timeout: soon", "timeout: 1x", "timeout: 1 m", "timeout: --1", "timeout: 1.5h",
    "timeout: 1D", "timeout: +1", "defaultpartition: a-b", "defaultpartition: \u00e9",
)  # fmt: skip


class Program(NamedTuple):
    command: list[str]
    environment: dict[str, str]


def ours(name: str) -> Program:
    return Program([sys.executable, str(TOP / "bin" / name)], dict(os.environ))


def theirs(name: str) -> Program:
    return Program([reference.program(name)], reference.environment())


def run(program: Program, *arguments: str | Path, stdout: int = subprocess.PIPE) -> Ran:
    # whoever runs the tests is the Cyrus user, for both programs
    environment = program.environment | {"CYRUS_USER": pwd.getpwuid(os.getuid()).pw_name}
    done = subprocess.run(
        [*program.command, *arguments], stdout=stdout, stderr=subprocess.PIPE, env=environment
    )
    return done.returncode, (done.stdout or b"").decode(), done.stderr.decode()


@pytest.fixture
def files(tmp_path: Path) -> Files:
    made = Files(tmp_path / "imapd.conf", tmp_path / "cyrus.conf")
    made.imapd.write_text(EVERYTHING.format(dir=tmp_path))
    made.cyrus.write_text(CYRUS_CONF)
    return made


def assert_same(*arguments: str | Path, code: int = 0) -> str:
    """Both print the same and exit with ``code``; returns what they print."""
    expected = run(theirs("cyr_info"), *arguments)
    assert run(ours("cyr_info"), *arguments) == expected
    assert expected[0] == code
    return expected[1]


@pytest.mark.reference
@pytest.mark.parametrize("ident", ["cyr_info", "imap", "IMAP", "sync", "far"])
@pytest.mark.parametrize("command", ["conf", "conf-all", "conf-default", "conf-lint"])
def test_listings_are_equal(files: Files, command: str, ident: str) -> None:
    assert assert_same("-C", files.imapd, "-M", files.cyrus, "-n", ident, command)


@pytest.mark.reference
@pytest.mark.parametrize("name", ["normal.conf", "imapd.conf"])
@pytest.mark.parametrize("command", ["conf", "conf-all", "conf-lint"])
def test_listings_of_a_plain_file_are_equal(tmp_path: Path, command: str, name: str) -> None:
    (tmp_path / "cyrus.conf").write_text(CYRUS_CONF)
    (tmp_path / name).write_text(f"configdirectory: {tmp_path}\npartition-default: /x\nadmins: cyrus\n")
    assert_same("-M", tmp_path / "cyrus.conf", "-C", tmp_path / name, command)


@pytest.mark.reference
@pytest.mark.parametrize("since", ["2.3.17", "3", "3.1.8", "cyrus-imapd-3.0-beta9", "3.6.5"])
def test_changed_options_are_marked_alike(files: Files, since: str) -> None:
    """Debian's 3.6.1 carries two options of 3.6.5 as not yet released."""
    arguments = ("-s", since, "-C", files.imapd, "conf-all")
    code, output, _ = run(theirs("cyr_info"), *arguments)
    expected = output.replace("(255.255.255) ", "" if since == "3.6.5" else "(3.6.5) ")
    assert run(ours("cyr_info"), *arguments)[:2] == (code, expected)


@pytest.mark.reference
def test_processes_are_listed_alike(files: Files, tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    for name, text in {
        "11": "imap\thost [127.0.0.1]\tjoe\tuser.joe\tIdle\n",
        "12": "imaps\thost\t\t\t\n",
        "13": "lmtp\thost\n",
        "14": "nothing",
        "15.new": "imap\thost\n",
        "x16": "imap\thost\n",
        "17": "",
        "18": "pop3\thost\tcaf\u00e9\tuser.x\ty\textra\r\nmore\n",
    }.items():
        (tmp_path / "proc" / name).write_text(text)
    assert "11 imap host [127.0.0.1] joe user.joe Idle\n" in assert_same("-C", files.imapd, "proc")


@pytest.mark.reference
@pytest.mark.parametrize(
    "arguments",
    [[], ["nonsense"], ["-Z", "conf"], ["-C"], ["-s", "3.x", "conf"], ["-s", "300.1", "conf"],
     ["-s", "3..1", "conf"], ["--help"], ["-s", "3.0", "-q"]],
    ids=" ".join,
)  # fmt: skip
def test_usage_errors_exit_alike(files: Files, arguments: list[str]) -> None:
    arguments = arguments if arguments == ["-C"] else ["-C", str(files.imapd), *arguments]
    expected = run(theirs("cyr_info"), *arguments)
    found = run(ours("cyr_info"), *arguments)
    assert found[:2] == expected[:2] == (255, "")
    first = expected[2].splitlines()[0].removeprefix(reference.program("cyr_info"))
    if first.startswith(": "):
        assert found[2].splitlines()[0].endswith(first)


@pytest.mark.reference
def test_options_may_follow_the_command_and_more_words_are_ignored(files: Files) -> None:
    assert assert_same("conf", "-C", files.imapd, "more", "words")
    assert_same("conf-lint", "-C", files.imapd, "-M", "/nonexistent", code=os.EX_CONFIG)
    assert_same("nonsense", "-C", "/nonexistent", code=os.EX_CONFIG)


@pytest.mark.reference
@pytest.mark.parametrize("text", ERRORS)
def test_what_is_wrong_is_said_alike(tmp_path: Path, text: str) -> None:
    file = tmp_path / "imapd.conf"
    more = text.replace("{file}", str(file)).replace("{dir}", str(tmp_path))
    file.write_text(f"configdirectory: {tmp_path}\n{more}")
    with pytest.raises(Fatal) as caught:
        Config.load(file, "cyr_info")
    expected = run(theirs("cyr_info"), "-C", file, "conf")
    assert (caught.value.code, "", f"fatal error: {caught.value}\n") == expected


@pytest.mark.reference
@pytest.mark.parametrize(
    "ending",
    ["admins: a", "admins: a\\", "admins: a\\\n", "admins: a\\\nb\\\n\nfoo: 1",
     "# x\\\nadmins: y\nadmins: a\r\n",
     "admins: " + "x" * 4095 + "\nfoo: 1\n", "admins: " + "x" * 9000, "admins: a\0b\nfoo: 1\n",
     "\v\fadmins:\va\v\n", "admins: caf\u00e9 \u2028 x\x1cy\n"],
)  # fmt: skip
def test_lines_are_understood_alike(tmp_path: Path, ending: str) -> None:
    file = tmp_path / "imapd.conf"
    file.write_bytes(f"configdirectory: {tmp_path}\n{ending}".encode())
    assert_same("-C", file, "conf")


def test_a_setting_without_a_name_is_refused(tmp_path: Path) -> None:
    """The original dies of an assertion."""
    file = tmp_path / "imapd.conf"
    file.write_text(f"configdirectory: {tmp_path}\n: x\n")
    code, output, said = run(ours("cyr_info"), "-C", file, "conf")
    assert (code, output) == (os.EX_CONFIG, "")
    assert said == f"fatal error: invalid option name on line 2 of configuration file {file}\n"


def test_version_needs_no_configuration() -> None:
    code, output, said = run(ours("cyr_info"), "-C", "/nonexistent", "version")
    assert (code, said) == (0, "")
    assert output.startswith("cyrus-imapd 3.6.7-py-")


def test_a_reader_that_leaves_early_is_no_error(files: Files) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = run(ours("cyr_info"), "-C", files.imapd, "conf-all", stdout=writing)
    os.close(writing)
    assert done == (128 + 13, "", "")


@pytest.mark.reference
def test_buildinfo_answers_the_same_questions() -> None:
    def answers(program: Program, *arguments: str) -> dict[str, object]:
        code, output, said = run(program, *arguments)
        assert (code, said) == (0, "")
        found: dict[str, object] = json.loads(output)
        return found

    found = answers(ours("cyr_buildinfo"))
    expected = answers(theirs("cyr_buildinfo"))
    for section, keys in expected.items():
        assert isinstance(keys, dict)
        mine = found[section]
        assert isinstance(mine, dict)
        assert {key: type(value) for key, value in keys.items()}.items() <= {
            key: type(value) for key, value in mine.items()
        }.items()
    assert list(found) == list(expected)
    assert answers(ours("cyr_buildinfo"), "dense") == found
    assert run(ours("cyr_buildinfo"), "dense")[1].count("\n") == 1
    _, flat, _ = run(ours("cyr_buildinfo"), "-C", "/nonexistent", "flat")
    assert 'search.xapian_cjk_tokens="none"\n' in flat
    assert run(ours("cyr_buildinfo"), "nonsense")[0] == run(theirs("cyr_buildinfo"), "nonsense")[0] == 255


@pytest.mark.reference
def test_a_session_of_a_running_server_is_listed_alike(instance: Instance, imap: ImapClient) -> None:
    imap.ok("SELECT INBOX")
    imap.ok("NOOP")
    found = instance.run("cyr_info", "proc").stdout.decode()
    assert re.search(r"^\d+ imap \S+ \[127\.0\.0\.1\] cassandane user\.cassandane", found, re.M), found
    assert instance.run("cyr_info", "proc", kind="reference").stdout.decode() == found
