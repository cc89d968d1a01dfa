"""The list of mailboxes beside the original's: LIST, CREATE, RENAME, DELETE, SETACL, quota, and the tools.

The original serves IMAP on one directory; ours reads that directory, or does the same things in another
one, and both must agree.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cassandane import reference
from cassandane.clients import ImapClient
from cassandane.instance import TOP, Instance, give_away, program
from libcyrus import mboxops
from libcyrus import options as opt
from libcyrus.auth import new_state
from libcyrus.config import Config
from libcyrus.errors import CyrusError
from libcyrus.mailbox.mailstore import MailStore
from libcyrus.mboxname import Namespace
from libcyrus.records.mboxlist import Mboxlist
from libcyrus.records.quota import resource_by_name

pytestmark = pytest.mark.reference


def original(**settings: str) -> Instance:
    return Instance(
        imapd_conf=settings, programs={"imap": "reference"}, master="reference", services=("imap",)
    )


# LIST


NAMESPACES: dict[str, dict[str, str]] = {
    "alternative": {"altnamespace": "yes"},
    "standard": {"altnamespace": "no", "unixhierarchysep": "no"},
    "alternative dots": {"altnamespace": "yes", "unixhierarchysep": "no"},
    "domains": {"altnamespace": "yes", "virtdomains": "userid"},
    "crossdomains": {"altnamespace": "no", "virtdomains": "userid", "crossdomains": "yes"},
    "only other domains": {"virtdomains": "userid", "crossdomains": "yes", "crossdomains_onlyother": "yes"},
    "default domain": {"virtdomains": "userid", "defaultdomain": "example.com", "altnamespace": "no"},
    "reverse acls": {"reverseacls": "yes"},
    "deleted": {"allowdeleted": "yes"},
}
PATTERNS = (
    "*", "%", "INBOX", "inbox", "INBOX*", "INBOX/%", "*%", "%/%", "Lists/%", "Lists*", "Other Users/%",
    "Other Users*", "Other Users/joe*", "user/%", "user*", "Shared Folders/%", "Shared%", "shared/%/%", "*b",
    "DELETED*", "Alt Folders/%", "%/x%", "A.B", "nonexist",
)  # fmt: skip


@pytest.fixture(params=NAMESPACES)
def populated(request: pytest.FixtureRequest) -> Iterator[Instance]:
    """Both servers' imapd on one directory: ``imap`` is the original's, ``imap2`` ours."""
    server = Instance(
        imapd_conf=NAMESPACES[request.param],
        programs={"imap": "reference", "imap2": "ours"},
        master="reference",
        services=("imap", "imap2"),
    ).start()
    _populate(server)
    yield server
    server.stop()
    server.remove()


def _populate(server: Instance) -> None:
    """Mailboxes with every kind of name, by way of an admin, who sees the same names everywhere."""
    dots = server.settings.get("unixhierarchysep") == "no"

    def spelt(name: str) -> str:
        return name.replace(".", "^").replace("/", ".") if dots else name

    with server.imap("admin") as admin:
        for name in (
            "user/joe", "user/ann", "user/dot.ted", "shared", "shared/news/deep", "shared/inter/x/y",
            "user/joe/A.B", "user/joe/Lists/a/b", "user/joe/INBOX/sub", "user/joe/INBOX", "user/joe/Inbox/y",
            "user/joe/gone", "user/joe/Other Users/x", "user/joe/Alt Folders", "user/joe/Shared Folders",
            "user/joe/&AOk-t&AOk-", "user/ann/secret",
        ):  # fmt: skip
            admin.ok(f'CREATE "{spelt(name)}"')
        for name, identifier in (
            ("user/joe/Lists/a/b", "ann"),
            ("user/joe", "ann"),
            ("shared/news", "anyone"),
        ):
            admin.ok(f'SETACL "{spelt(name)}" {identifier} lr')
        admin.ok(f'SETACL "{spelt("shared/inter/x")}" anyone ""')
        admin.ok(f'SETACL "{spelt("user/joe/gone")}" admin x')
        admin.ok(f'DELETE "{spelt("user/joe/gone")}"')
        if server.settings["virtdomains"] != "no":
            for name in ("user/bob@example.org", "user/bob/x.y@example.org", "pub@example.org"):
                admin.ok(f'CREATE "{name}"')
            admin.ok('SETACL "user/bob/x.y@example.org" joe lrs')
    space = Namespace.from_config(Config.load(server.config, "imap"))
    with server.imap("joe") as joe:
        for internal in ("user.joe.Lists.a.b", "user.joe.INBOX", "user.joe.INBOX.sub", "shared.news.deep"):
            joe.ok(f'SUBSCRIBE "{space.to_external(internal, "joe")}"')


def test_list_answers_are_the_original_s(populated: Instance) -> None:
    users = ["admin", "joe", "ann"]
    if populated.settings["virtdomains"] != "no":
        users.append("bob@example.org")
    separator = "." if populated.settings.get("unixhierarchysep") == "no" else "/"
    for user in users:
        with populated.imap(user) as theirs, populated.imap(user, service="imap2") as ours:
            for pattern in PATTERNS:
                for command in ("LIST", "LSUB"):
                    text = f'{command} "" "{pattern.replace("/", separator)}"'
                    answers = [client.ok(text) for client in (theirs, ours)]
                    assert answers[1].untagged == answers[0].untagged, (user, text)
                    counts = [answer.text.partition("secs")[2] for answer in answers]
                    assert counts[1] == counts[0], (user, text)


# operations


STEPS = [
    tuple(shlex.split(line))
    for line in """
admin CREATE user.joe
admin CREATE user.ann
admin CREATE user.dot^ted
admin CREATE shared
admin CREATE shared.x.y
admin CREATE user.nobody.x
admin SETQUOTA user.joe STORAGE 1000
admin SETQUOTA nowhere STORAGE 1
joe CREATE user.joe.a.b.c
joe CREATE user.joe.a
joe CREATE user.joe.INBOX.s
joe CREATE user.joe.A^B
joe CREATE user.ann.x
joe CREATE shared.z
joe CREATE 'user.joe.two words'
joe CREATE user.joe.INBOX.INBOX
joe SETACL user.joe ann lrs
joe SETACL user.joe -anyone w
joe SETACL user.joe.a ann lrc
joe SETACL user.joe.a ann +p
joe SETACL user.joe.a ann -r
joe SETACL user.joe joe lr
joe SETACL user.joe joe lra
ann SETACL user.joe ann lra
ann CREATE user.joe.a.new
ann CREATE user.joe.new
joe CREATE user.joe.d.e
joe DELETE user.joe.a
joe DELETE 'user.joe.two words'
joe CREATE 'user.joe.two words'
joe DELETE user.joe
joe DELETE user.ann
admin DELETE user.ann
joe RENAME user.joe.a user.joe.z
joe RENAME user.joe.z.b user.joe.z.b.n
joe RENAME user.joe.d user.joe.z
joe RENAME user.joe.nowhere user.joe.q
joe RENAME user.joe.d user.ann.d
joe RENAME user.joe.d user.joe.new.place
admin RENAME shared.x shared.w
admin SETACL user.dot^ted admin x
admin DELETE user.dot^ted
admin RENAME user.joe user.joseph
joseph CREATE user.joseph.after
""".strip().splitlines()
]


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"delete_mode": "immediate"},
        {"mailbox_legacy_dirs": "yes"},
        {"mailbox_legacy_dirs": "yes", "delete_mode": "immediate", "hashimapspool": "yes"},
        {"reverseacls": "yes"},
        {"implicit_owner_rights": "lr", "deleteright": "d", "defaultacl": "anyone lr ann lrsx"},
        {"anyoneuseracl": "no", "delete_unsubscribe": "yes"},
    ],
    ids=str,
)
def test_the_same_operations_leave_the_same_list(tmp_path: Path, settings: dict[str, str]) -> None:
    server = original(allowusermoves="yes", altnamespace="yes", **settings).start()
    theirs: list[bool] = []
    clients: dict[str, ImapClient] = {}
    config = Config.load(server.config, "imap")
    for step in STEPS:
        if step[0] not in clients:
            clients[step[0]] = server.imap(step[0])
        theirs.append(_over_imap(clients[step[0]], config, step))
    for client in clients.values():
        client.close()
    server.stop()

    ours_config = Config.for_tests(
        configdirectory=str(tmp_path), defaultpartition="default", allowusermoves="yes", admins="admin",
        extra={"partition-default": str(tmp_path / "spool")}, **dict[str, Any](settings),
    )  # fmt: skip
    store = MailStore(ours_config)
    store.mboxlist.set_racl(ours_config[opt.reverseacls])
    ours = [_directly(store, step) for step in STEPS]
    store.close()
    disagreements = [step for step, one, other in zip(STEPS, ours, theirs, strict=True) if one != other]
    assert disagreements == []
    assert _normal(ours_config) == _normal(config)
    server.remove()


def _over_imap(client: ImapClient, config: Config, step: tuple[str, ...]) -> bool:
    user, command, *arguments = step
    space = Namespace.from_config(config, admin=user == "admin")
    count = 2 if command == "RENAME" else 1
    names = [space.to_external(name, user) for name in arguments[:count]]
    words = [f'"{name}"' for name in names] + arguments[count:]
    if command == "SETQUOTA":
        words[1:] = [f"({' '.join(words[1:])})"]
    return client.command(f"{command} {' '.join(words)}").status == "OK"


def _directly(store: MailStore, step: tuple[str, ...]) -> bool:
    user, command, *arguments = step
    who: dict[str, Any] = {"is_admin": user == "admin", "userid": user, "auth": new_state(store.config, user)}
    try:
        match command:
            case "CREATE":
                mboxops.create(store, arguments[0], **who)
            case "DELETE":
                mboxops.delete(store, arguments[0], **who)
            case "RENAME":
                mboxops.rename(store, arguments[0], arguments[1], **who)
            case "SETACL":
                mboxops.set_acl(store, arguments[0], arguments[1], arguments[2], **who)
            case "SETQUOTA":
                limits = [-1, -1, -1, -1]
                limits[resource_by_name(arguments[1]) or 0] = int(arguments[2])
                mboxops.set_quotas(store, arguments[0], limits)
    except CyrusError:
        return False
    return True


def _normal(config: Config) -> dict[str, str]:
    """mailboxes.db with names in place of ids, and without times."""
    mailboxes = Mboxlist(config)
    records = dict(mailboxes.db.foreach())
    known = [*mailboxes.all(tombstones=True), *mailboxes.all()]
    names = {entry.uniqueid: entry.name for entry in known if entry.uniqueid}
    mailboxes.close()
    text: dict[str, str] = {}
    for key, data in records.items():
        line = f"{key.decode()}\t{data.decode()}"
        line = re.sub(r" [VM] \d+", "", line)
        # 3.6.1 forgets the layout of a mailbox that is removed at once
        line = line.replace("T edl ", "T ed ")
        line = re.sub(r"\x1f[0-9A-F]{8}\b", "\x1fTIME", line)
        for uniqueid, name in names.items():
            line = line.replace(uniqueid, "<" + re.sub(r"\.[0-9A-F]{8}$", "", name) + ">")
        label, _, rest = line.partition("\t")
        text[label] = rest
    return text


def test_the_original_finds_nothing_wrong_with_what_ours_did() -> None:
    server = original(altnamespace="yes")
    store = MailStore(Config.load(server.config, "imap"))
    for step in STEPS:
        _directly(store, step)
    store.close()
    for path in (server.directory, *server.directory.rglob("*")):
        give_away(path)
    fixed = server.run("quota", "-f", "-q", kind="reference")
    assert (fixed.stdout, fixed.stderr) == (b"", b"")
    assert b"-->" not in server.run("reconstruct", "-n", "-G", kind="reference").stdout
    server.start()
    with server.imap("joe") as joe:
        listed = [line.rpartition(" ")[2] for line in joe.ok('LIST "" *').untagged]
        assert "INBOX" in listed and "new/place/e" in listed
        joe.ok("SELECT new/place/e")
        joe.ok("CREATE more")
    server.stop()
    ours = server.run("ctl_mboxlist", "-v")
    assert (ours.stdout, ours.stderr) == (b"", b"")
    server.remove()


# tools


@pytest.fixture(scope="module")
def served() -> Iterator[Instance]:
    """A directory that the original wrote, no longer served."""
    server = original(altnamespace="yes").start()
    with server.imap("admin") as admin:
        for name in (
            "user/joe",
            "user/joe/Lists/a",
            "user/dot.ted",
            "shared",
            "shared/deep/er",
            "user/joe/gone",
            "user/joe/two words",
            "user/joe/it's",
            "user/joe/&AOk-",
            "user/joe/INBOX/sub/deep",
        ):
            admin.ok(f'CREATE "{name}"')
        admin.ok("SETQUOTA user/joe (STORAGE 1000 MESSAGE 50)")
        admin.ok("SETQUOTA shared (STORAGE 0)")
        admin.ok("SETACL user/joe/gone admin x")
        admin.ok("DELETE user/joe/gone")
    with server.imap("joe") as joe:
        joe.ok("RENAME Lists Listen")
        joe.append("INBOX", b"From: a@example.org\r\nSubject: x\r\n\r\n" + b"x" * 50000)
    server.stop()
    yield server
    server.remove()


INVOCATIONS = [
    shlex.split(line)
    for line in """
mbpath user/joe user/nobody
mbpath -s user/nobody user/joe
mbpath -u joe
mbpath -sq nowhere
mbpath -a user/joe/Listen shared user/dot.ted
mbpath -U user/joe
mbpath
mbpath -p /nothing
mbpath -u -p joe
mbpath -A -M shared
mbpath -j shared user/dot.ted
mbpath -Z x
mbpath -S user/joe
mbpath -m user/joe
mbpath -l shared nosuch
mbpath -7 user/joe/&AOk-
mbpath user.joe INBOX ''
mbpath user/joe/Lists
quota
quota -J
quota user/joe
quota -u joe ann
quota nosuch
quota -f
quota -f -q
quota -x
quota -d example.org
cyr_ls user/joe
cyr_ls
cyr_ls -R user/joe
cyr_ls -l -i user/joe
cyr_ls -l -m shared
cyr_ls -7 -1 user/joe
cyr_ls nosuch
cyr_ls user/joe/gone
cyr_ls ''
cyr_ls -z
cyr_pwd
cyr_df -m
ctl_mboxlist
ctl_mboxlist -d
ctl_mboxlist -d -y
ctl_mboxlist -d -p two
ctl_mboxlist -d -u
ctl_mboxlist -v -x
ctl_mboxlist -L -d
""".strip().splitlines()
]


@pytest.mark.parametrize("words", INVOCATIONS, ids=" ".join)
def test_tools_print_what_the_original_s_print(served: Instance, words: list[str]) -> None:
    theirs = served.run(*words, kind="reference", check=False)
    ours = served.run(*words, check=False)
    assert (ours.returncode, ours.stdout) == (theirs.returncode, theirs.stdout)
    if theirs.returncode not in (1, 64, 255):
        assert ours.stderr == theirs.stderr


def test_programs_know_the_mailbox_of_the_working_directory(served: Instance) -> None:
    directory = served.run("mbpath", "user/joe").stdout.decode().strip()
    for words in (["cyr_pwd"], ["cyr_ls"], ["cyr_ls", "-1", "Listen"], ["cyr_ls", "-p", "INBOX"],
                  ["mbpath", "-p", ".", "Listen"], ["cyr_ls", "-p", directory]):  # fmt: skip
        said = [
            subprocess.run(
                [program(kind, words[0]), "-C", str(served.config), *words[1:]], cwd=directory,
                capture_output=True, env=reference.environment() | served.environment(), check=True,
            ).stdout
            for kind in ("reference", "ours")
        ]  # fmt: skip
        assert said[1] == said[0] != b"", words


def test_the_shell_function_changes_to_a_mailbox(served: Instance) -> None:
    directory = served.run("mbpath", "user/joe").stdout
    script = f". {TOP}/bin/cyr_cd.sh; PATH={TOP}/bin:$PATH; cyr_cd -q -C {served.config} $0; pwd -P"
    for name, wanted in (("user/joe", directory), ("user/nobody", bytes(served.directory) + b"\n")):
        done = subprocess.run(["sh", "-c", script, name], cwd=served.directory, capture_output=True,
                              env=served.environment())  # fmt: skip
        assert done.stdout == wanted


def test_both_see_the_same_partitions(served: Instance) -> None:
    """How much is used changes while one looks, by other programs."""
    lines = [served.run("cyr_df", kind=kind).stdout.splitlines() for kind in ("reference", "ours")]
    assert lines[0][0] == lines[1][0]
    words = [line[1].split() for line in lines]
    assert (words[0][:2], words[0][5:]) == (words[1][:2], words[1][5:])
    assert [len(line[1]) for line in lines] == [len(lines[0][1])] * 2


def test_both_repair_the_same_quota(served: Instance) -> None:
    """The root's file is overwritten with nonsense numbers, and each program counts anew."""
    path = served.directory / "conf/quota/j/user.joe"
    right = path.read_bytes()
    said = {}
    for kind in ("reference", "ours"):
        path.write_bytes(b"%(S (7 1000) M (9 50) AS (1) NF (1) MODSEQ 5)\n")
        said[kind] = served.run("quota", "-f", kind=kind)
        assert re.sub(rb"MODSEQ \d+", b"", path.read_bytes()) == re.sub(rb"MODSEQ \d+", b"", right)
    assert said["ours"].stdout == said["reference"].stdout
    assert said["ours"].stderr == said["reference"].stderr != b""


@pytest.mark.parametrize(("writer", "reader"), [("ours", "reference"), ("reference", "ours")])
def test_a_dump_can_be_loaded_by_the_other(served: Instance, writer: str, reader: str) -> None:
    database = str(served.directory / f"conf/from_{writer}.db")
    dump = served.run("ctl_mboxlist", "-d", kind=writer).stdout
    done = served.run("ctl_mboxlist", "-u", "-f", database, kind=reader, stdin=dump)
    again = json.loads(served.run("ctl_mboxlist", "-d", "-f", database, kind=writer).stdout)
    wanted = json.loads(dump)
    for entry in (*again.values(), *wanted.values()):
        del entry["mtime"]
    if reader == "reference":
        # it refuses tombstones, which have no partition
        wanted = {name: entry for name, entry in wanted.items() if "partition" in entry}
    assert again == wanted and done.returncode == 0


def test_verify_names_what_is_missing(served: Instance) -> None:
    assert served.run("ctl_mboxlist", "-v").stdout == b""
    directory = Path(served.run("mbpath", "shared").stdout.decode().strip())
    moved = directory.with_name("elsewhere")
    directory.rename(moved)
    try:
        said = served.run("ctl_mboxlist", "-v").stdout.decode().splitlines()
    finally:
        moved.rename(directory)
    assert said == [
        f"'elsewhere' has a directory '{moved}' but no DB entry",
        "'shared' has a DB entry but no directory on partition 'default'",
    ]


@pytest.mark.parametrize("hashed", ["no", "yes"])
def test_verify_tells_of_the_old_layout_what_the_original_tells(hashed: str) -> None:
    server = original(mailbox_legacy_dirs="yes", hashimapspool=hashed, virtdomains="userid").start()
    with server.imap("admin") as admin:
        for name in ("user/joe/x/y", "user/joe", "user/joe/x", "shared", "shared/a", "user/bob@example.org"):
            admin.command(f"CREATE {name}")
    server.stop()
    for name in ("shared/a", "user/bob@example.org"):
        directory = Path(server.run("mbpath", name).stdout.decode().strip())
        directory.rename(directory.with_name(directory.name + "x"))
    said = [server.run("ctl_mboxlist", "-v", kind=kind).stdout for kind in ("reference", "ours")]
    assert said[1] == said[0] != b""
    server.remove()


def test_mkimap_makes_what_a_server_needs() -> None:
    server = Instance(services=())
    for path in (server.directory / "conf", server.directory / "spool"):
        shutil.rmtree(path)
    server.run("mkimap")
    server.run("mkimap")
    for name in (
        "conf/db",
        "conf/socket",
        "conf/proc",
        "conf/log",
        "conf/msg",
        "spool/stage.",
        "spool/sync.",
    ):
        assert (server.directory / name).is_dir(), name
    server.remove()
