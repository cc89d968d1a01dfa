"""promstatsd beside the original's: the same files and databases, the same report."""

from __future__ import annotations

import os
import re
import signal
import struct
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from cassandane.instance import Instance, give_away, program, wait_for
from cassandane.ports import free_port

ENABLED = {"prometheus_enabled": "yes"}


@pytest.fixture(scope="module")
def server(request: pytest.FixtureRequest) -> Iterator[Instance]:
    made = Instance(imapd_conf={**ENABLED, "virtdomains": "userid", "defaultdomain": "example.org",
                                "delete_mode": "delayed", "prometheus_update_freq": "1s"})  # fmt: skip
    other = made.directory / "other"
    other.mkdir()
    give_away(other)
    made.settings["partition-other"] = str(other)
    made.allowed_log = [r"promstatsd\[\d+\]: <[23]> (?!.*Traceback)"]
    made.write_configuration()
    made.start()
    try:
        yield made
    except BaseException:
        made.kill()
        raise
    made.stop()
    made.remove()


def stats(server: Instance) -> Path:
    return server.directory / "conf/stats"


def report(server: Instance, kind: str) -> list[str]:
    """The lines of a fresh report, those of one metric in order; without the time of counting."""
    server.run("promstatsd", "-1", kind=kind)
    text = (stats(server) / "report.txt").read_text()
    assert text.endswith("\n")
    text = re.sub(r"(?m)^(cyrus_usage_.* )\d{13}$", r"\1WHEN", text)
    chunks = re.split(r"(?m)^(?=# HELP)", text)
    return [line for chunk in chunks for line in sorted(chunk.splitlines())]


def work(server: Instance) -> None:
    """Leave something to count in every corner."""
    with server.imap("admin") as admin:
        for name in ("user/bob", "user/bob/one", "user/bob/one/two", "user/bob/a/b/c", "user/eve",
                     "user/kim@other.org", "user/kim/x@other.org", "shared", "shared/below", "public/x",
                     "lists@other.org", "user/gone", "user/gone/one", "shared/gone",
                     "user/bob/lost"):  # fmt: skip
            admin.ok(f"CREATE {name}")
        for name in ("user/eve/far", "user/bob/far", "elsewhere"):
            admin.ok(f"CREATE {name} other")
        admin.ok("SETQUOTA user/bob (STORAGE 1000 MESSAGE 50)")
        admin.ok("SETQUOTA user/bob/one (STORAGE 500)")
        admin.ok("SETQUOTA user/bob/lost (STORAGE 7)")
        admin.ok("SETQUOTA user/bob/one/two (STORAGE 11)")
        admin.ok("SETQUOTA @other.org (STORAGE 13)")
        admin.ok("SETQUOTA user/eve (X-NUM-FOLDERS 10)")
        admin.ok("SETQUOTA shared (STORAGE 2147483647)")
        admin.ok("SETQUOTA user/kim@other.org (STORAGE 3)")
        for name in ("user/bob/one/two", "shared/gone", "user/bob/lost", "user/gone"):
            admin.ok(f"SETACL {name} admin lrswipkxtecda")
            admin.ok(f"DELETE {name}")
    with server.lmtp() as lmtp:
        lmtp.deliver(b"Subject: x\r\n\r\nfoo\r\n", "bob")
    with server.imap("bob") as client:
        client.ok("SELECT INBOX")
        client.ok("FETCH 1 FLAGS")


@pytest.mark.reference
def test_reports_are_equal(server: Instance) -> None:
    work(server)
    expected = report(server, "reference")
    assert 'cyrus_usage_shared_mailboxes{partition="default",namespace="shared"} 2 WHEN' in expected
    assert any(line.startswith('cyrus_imap_connections_total{service="imap"} ') for line in expected)
    assert any(" inf " in line for line in expected)
    assert report(server, "ours") == expected


@pytest.mark.reference
def test_services_of_both_kinds_are_counted_together(server: Instance) -> None:
    """In one directory: those that live, and those that ended into one file."""
    server.stop()
    server.run("promstatsd", "-c")
    server.services = ("imap", "imap2", "lmtp", "lmtpunix")
    server.ports["imap2"] = server.ports.pop("imap2", 0) or free_port()
    server.programs["imap2"] = "reference"
    server.write_configuration()
    server.start()
    for service in ("imap", "imap2", "imap"):
        with server.imap("admin", service=service) as client:
            client.ok("CAPABILITY")
            client.ok("LIST \"\" %")
    first = report(server, "reference")
    assert any(line.startswith('cyrus_imap_list_total{service="imap2"} 1 ') for line in first)
    assert any(line.startswith('cyrus_imap_list_total{service="imap"} 2 ') for line in first)
    assert report(server, "ours") == first
    # the other way about: the ended ones of a service are of both kinds
    server.stop()
    server.programs |= {"imap": "reference", "imap2": "ours"}
    server.write_configuration()
    server.start()
    for service in ("imap", "imap2"):
        with server.imap("admin", service=service) as client:
            client.ok("LIST \"\" %")
    server.stop()
    last = report(server, "ours")
    assert any(line.startswith('cyrus_imap_list_total{service="imap2"} 2 ') for line in last)
    assert any(line.startswith('cyrus_imap_list_total{service="imap"} 3 ') for line in last)
    assert report(server, "reference") == last
    server.start()


@pytest.mark.reference
def test_every_metric_is_reported_alike(server: Instance) -> None:
    server.stop()
    server.run("promstatsd", "-c")
    ident = b"all of \xc3\xa9"
    values = [place * 1000.5 for place in range(452)]
    stamps = [1_700_000_000_000 + place for place in range(452)]
    numbers = b"".join(struct.pack("=dq", *pair) for pair in zip(values, stamps, strict=True))
    (stats(server) / "1").write_bytes(ident.ljust(512, b"\0") + numbers)
    (stats(server) / "doneprocs.x").write_bytes(b"x".ljust(512, b"\0") + numbers)
    found = report(server, "reference")
    assert len(found) > 900
    assert report(server, "ours") == found
    server.run("promstatsd", "-c", kind="reference")
    server.start()


@pytest.mark.reference
@pytest.mark.parametrize(
    "arguments", [["-Z"], ["-f", "0"], ["-f"], ["-f", "x", "-1"], ["-c", "-1"]], ids=" ".join
)
def test_exit_codes_are_equal(server: Instance, arguments: list[str]) -> None:
    expected = server.run("promstatsd", *arguments, kind="reference", check=False)
    found = server.run("promstatsd", *arguments, check=False)
    assert (found.returncode, found.stdout) == (expected.returncode, expected.stdout)
    assert found.stderr.decode().splitlines()[-3:] == expected.stderr.decode().splitlines()[-3:]


@pytest.mark.reference
@pytest.mark.parametrize(
    "setting",
    [
        "prometheus_enabled: no",
        "prometheus_stats_dir: relative",
        "prometheus_stats_dir: /",
        "prometheus_stats_dir: {dir}/elsewhere/deep/",
        "prometheus_stats_dir: {dir}/imapd.conf/x",
        "partition-default: /",
    ],
)
def test_configurations_are_judged_alike(server: Instance, tmp_path: Path, setting: str) -> None:
    lines = [
        f"{key}: {value}" for key, value in server.settings.items() if not setting.startswith(f"{key}:")
    ]
    file = server.directory / "another.conf"
    file.write_text("\n".join([*lines, setting.replace("{dir}", str(server.directory)), ""]))
    arguments = ("-C", str(file), "-1")
    expected = server.run("promstatsd", *arguments, kind="reference", check=False)
    found = server.run("promstatsd", *arguments, check=False)
    assert found.returncode == expected.returncode
    if "elsewhere" in setting:
        assert "# HELP" in (server.directory / "elsewhere/deep/report.txt").read_text()


@pytest.mark.reference
def test_a_debugger_is_run_first(server: Instance) -> None:
    said = server.directory / "conf/debugger"
    lines = [f"{key}: {value}\n" for key, value in server.settings.items()]
    file = server.directory / "another.conf"
    file.write_text("".join([*lines, f"debug_command: echo '%s' %d %s > {said}\n"]))
    for kind in ("ours", "reference"):
        server.run("promstatsd", "-C", str(file), "-D", "-1", kind=kind)
        path, pid, name = said.read_text().split()
        assert (path.endswith("/promstatsd"), pid.isdigit(), name) == (True, True, "promstatsd")
        said.unlink()


def test_statistics_are_cleaned_away_and_nothing_else(server: Instance) -> None:
    directory = stats(server)
    for name in (".kept", "4711", "doneprocs.x", "master.txt"):
        (directory / name).touch()
    (directory / "place").mkdir()
    server.run("promstatsd", "-c")
    left = {path.name for path in directory.iterdir()}
    # master writes its own anew
    assert left - {".doneprocs.lock", "master.txt"} == {".kept", "place"}
    (directory / "place").rmdir()


def test_without_d_it_goes_into_the_background_and_ends_with_the_shutdown_file(server: Instance) -> None:
    path = stats(server) / "report.txt"
    server.run("promstatsd", "-f", "1")
    wait_for(lambda: path.stat().st_size, "no report")
    first = path.stat().st_mtime_ns
    # another one may report meanwhile, in a file of its own
    server.run("promstatsd", "-1")
    wait_for(lambda: path.stat().st_mtime_ns > first, "no second report")
    shutdown = server.directory / "conf/msg/shutdown.promstatsd"
    shutdown.write_text("enough\n")
    wait_for(lambda: not _running(server), "it goes on")
    shutdown.unlink()


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, os.EX_TEMPFAIL), (signal.SIGHUP, 0)], ids=["TERM", "HUP"]
)
def test_a_daemon_of_master_ends_at_signals(server: Instance, number: int, code: int) -> None:
    path = stats(server) / "report.txt"
    path.unlink(missing_ok=True)
    command = [program("ours", "promstatsd"), "-C", str(server.config), "-f", "600"]
    process = subprocess.Popen(command, env={**server.environment(), "CYRUS_ISDAEMON": "1"})
    wait_for(lambda: path.exists() and path.stat().st_size, "no report")
    process.send_signal(number)
    assert process.wait(30) == code


CONVERSATION = """
SELECT INBOX; EXAMINE INBOX; SELECT nowhere; SELECT INBOX; FETCH 1 FLAGS; UID FETCH 1 FLAGS
FETCH 9 FLAGS; FETCH x; STORE 1 +FLAGS (\\Seen); UID STORE 1 +FLAGS (a); STORE 9 +FLAGS (x); COPY 1 x
UID COPY 1 x; COPY 1 nowhere; MOVE 1 x; SEARCH ALL; UID SEARCH ALL; SORT (DATE) UTF-8 ALL
UID SORT (DATE) UTF-8 ALL; THREAD REFERENCES UTF-8 ALL; LIST "" *; LSUB "" *; RLIST "" *; XLIST "" *
RLSUB "" *; CREATE y; CREATE y; DELETE y; DELETE y; RENAME x z; SUBSCRIBE z; UNSUBSCRIBE z
STATUS INBOX (MESSAGES); STATUS nope (MESSAGES); GETACL INBOX; SETACL INBOX anyone l
DELETEACL INBOX anyone; MYRIGHTS INBOX; LISTRIGHTS INBOX anyone; GETQUOTA user/bob; GETQUOTAROOT INBOX
SETQUOTA user/bob (); GETANNOTATION INBOX "*" "*"; GETMETADATA INBOX /private/comment; EXPUNGE
UID EXPUNGE 1; CHECK; CLOSE; SELECT INBOX; UNSELECT; ID NIL; NAMESPACE; ENABLE CONDSTORE; SCAN "" * x
STARTTLS; DUMP x; XBACKUP bob; MUPDATEPUSH INBOX; LOCALAPPEND x; COMPRESS; LOGIN x y; CAPABILITY; NOOP
UNAUTHENTICATE; LOGOUT
"""


@pytest.mark.reference
def test_the_same_conversation_counts_the_same() -> None:
    found = []
    for kind in ("ours", "reference"):
        made = Instance(services=("imap", "lmtp"), programs={"imap": kind, "lmtp": kind}, imapd_conf=ENABLED)
        made.start()
        try:
            made.create_user("bob", "x")
            with made.lmtp() as lmtp:
                lmtp.deliver(b"Subject: x\r\n\r\nfoo\r\n", "bob")
            with made.imap() as client:
                client.ok("AUTHENTICATE PLAIN AGJvYgB4")
                for text in re.split(r"[;\n] *", CONVERSATION.strip()):
                    client.command(text)
            made.stop(check=False)
            made.run("promstatsd", "-1")
            text = (stats(made) / "report.txt").read_text()
            counted = dict(re.findall(r"(?m)^(cyrus_(?:imap|lmtp)_\w+\{[^}]*\}) (\S+) ", text))
            # how long the Received field is depends on the version; a worker of the original that ends may
            # count its last connection down twice
            found.append({name: counted[name] for name in counted if not re.search("_bytes_|_active_", name)})
        finally:
            made.kill()
            made.remove()
    assert found[0] == found[1]
    assert len(found[0]) > 40


@pytest.mark.reference
def test_the_originals_httpd_serves_the_report() -> None:
    """With what master, ours too, has written beside it."""
    made = Instance(
        services=("imap", "http"),
        programs={"http": "reference"},
        imapd_conf={
            **ENABLED, "httpmodules": "prometheus", "prometheus_need_auth": "none",
            "prometheus_update_freq": "1s",
        },
    )  # fmt: skip
    made.start()
    try:
        made.create_user("bob")
        made.run("promstatsd", "-1")
        wait_for(lambda: (stats(made) / "master.txt").exists(), "master reports nothing")
        with urllib.request.urlopen(f"http://127.0.0.1:{made.ports['http']}/metrics", timeout=30) as answer:
            said = answer.read().decode()
    finally:
        made.kill()
        made.remove()
    assert 'cyrus_imap_create_total{service="imap"} 1 ' in said
    assert 'cyrus_usage_users{partition="default"} 1 ' in said
    assert 'cyrus_master_ready_workers{service="imap",family="' in said


def _running(server: Instance) -> bool:
    return any("promstatsd" in " ".join(process.cmdline()) for process in server.processes())
