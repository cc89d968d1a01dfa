"""Annotations: the file of definitions, what values may be, what is told of them."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from libcyrus import acl
from libcyrus.annotations import (
    Definitions,
    Scope,
    Setting,
    Target,
    attributes_named,
    fetch,
    store_mailboxes,
    store_server,
)
from libcyrus.annotations.entries import Kind
from libcyrus.auth import AuthState
from libcyrus.config import Config
from libcyrus.errors import AnnotationBadValue, PermissionDenied
from libcyrus.mailbox.mailstore import MailStore
from libcyrus.mboxops import Actor, create

DEFINITIONS = """\
# comment
/vendor/example/free,mailbox,string,backend,value.shared value.priv,
  /Vendor/Example/UPPER , server , int , proxy_and_backend , VALUE , ra
/vendor/example/proxied,mailbox,string,proxy,value.shared,
/vendor/cmu/cyrus-imapd/mine,mailbox,string,backend,value.shared,
/flags/mine,message,string,backend,value.shared,
/vendor/example/nonsense,nowhere,string,backend,value.shared,
/vendor/example/old,mailbox,content-type,backend,value.shared,
/vendor/example/short,mailbox
/vendor/example/type, mailbox, number, backend, value.shared,
/vendor/example/proxy, mailbox, string, nobody, value.shared,
/vendor/example/attributes, mailbox, string, backend, value.shared value.public,
/vendor/example/junk, mailbox, string, backend, value.shared, a, b
/vendor/example/b@d, mailbox, string, backend, value.shared,
"""

# what the original logs about this file
FAULTS = """\
5:0:error: annotation under /vendor/cmu/cyrus-imapd/, at or near '/vendor/cmu/cyrus-imapd/mine'
6:12:error: message entry under /flags/, at or near '/flags/mine'
7:25:error: invalid annotation scope, at or near 'nowhere'
8:28:error: invalid character, at or near '-type'
9:0:error: invalid annotation attributes, at or near 'mailbox'
10:31:error: invalid annotation type, at or near 'number'
11:40:error: invalid annotation proxy type, at or near 'nobody'
12:54:error: invalid annotation attributes, at or near 'value.public'
13:65:error: junk at end of line, at or near 'a'
14:0:error: invalid character, at or near '@d'
"""


def definitions(tmp_path: Path, text: str = DEFINITIONS) -> Definitions:
    path = tmp_path / "annotations.def"
    path.write_text(text)
    config = Config.for_tests(configdirectory=str(tmp_path), annotation_definitions=str(path))
    return Definitions.from_config(config)


def test_definitions_are_read(tmp_path: Path) -> None:
    found = definitions(tmp_path)
    entries = {entry.name: entry for scope in Scope for entry in found.by_scope[scope]}
    upper = entries["/vendor/example/upper"]
    assert upper in found.by_scope[Scope.SERVER]
    assert (upper.kind, upper.shared, upper.private) == (Kind.INT, True, True)
    assert upper.rights == acl.READ | acl.ADMIN
    assert entries["/vendor/example/proxied"].proxy_only
    assert {name for name in entries if name.startswith("/vendor/example/")} == {
        "/vendor/example/free", "/vendor/example/upper", "/vendor/example/proxied",
    }  # fmt: skip


def test_faults_are_told_as_the_original_tells_them(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        definitions(tmp_path)
    said = [record.getMessage().partition("annotations.def:")[2] for record in caplog.records]
    assert said == FAULTS.splitlines()


def test_a_flood_of_faults_is_cut_short(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        definitions(tmp_path, "x\n" * 1000)
    assert len(caplog.records) == 63


def test_without_the_file_there_are_the_servers_own(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    config = Config.for_tests(
        configdirectory=str(tmp_path), annotation_definitions=str(tmp_path / "none")
    )
    with caplog.at_level(logging.ERROR):
        found = Definitions.from_config(config)
    assert "could not open annotation definition file" in caplog.text
    assert len(found.by_scope[Scope.MAILBOX]) == 28


@pytest.fixture
def store(tmp_path: Path) -> MailStore:
    (tmp_path / "spool").mkdir()
    store = MailStore(
        Config.for_tests(
            extra={"partition-default": str(tmp_path / "spool")},
            configdirectory=str(tmp_path),
            defaultpartition="default",
        )
    )
    for name in ("user.bob", "user.bob.a", "user.bob.b"):
        create(store, name, is_admin=True, userid="admin", auth=None)
    return store


def target(store: MailStore, userid: str = "bob", *, admin: bool = False, undefined: bool = False) -> Target:
    known = Definitions.from_config(store.config)
    actor = Actor(admin, userid, AuthState(userid))
    return Target(store, Definitions(known.by_scope, undefined), actor)


@pytest.mark.parametrize(
    ("entry", "value", "kept"),
    [
        ("/check", b"TRUE", b"true"),
        ("/check", b"yes", None),
        ("/checkperiod", b" +7", b" +7"),
        ("/checkperiod", b"-7", None),
        ("/checkperiod", b"7 ", None),
        ("/checkperiod", b"7\0", None),
        ("/checkperiod", b"18446744073709551615", b"18446744073709551615"),
        ("/checkperiod", b"18446744073709551616", None),
        ("/checkperiod", b"9" * 100000, None),
        ("/comment", b"a\0b\xff", b"a\0b\xff"),
    ],
)
def test_values_must_be_of_their_type(store: MailStore, entry: str, value: bytes, kept: bytes | None) -> None:
    settings = [Setting(entry, [("value.shared", value)])]
    if kept is None:
        with pytest.raises(AnnotationBadValue):
            store_mailboxes(target(store), ["user.bob"], settings)
        return
    store_mailboxes(target(store), ["user.bob"], settings)
    with store.open("user.bob", write=False) as mailbox:
        place = Target(store, target(store).definitions, target(store).actor, mailbox)
        found = fetch(place, [entry], attributes_named(["value.shared", "size.shared"]))
    assert found[0].attributes == [("value.shared", kept), ("size.shared", b"%d" % len(kept))]


def test_several_mailboxes_are_changed_together_or_not_at_all(store: MailStore) -> None:
    names = ["user.bob", "user.bob.a"]
    with store.open("user.bob.a", write=False) as mailbox:
        uniqueid = mailbox.uniqueid
    place = target(store, "eve")
    with pytest.raises(PermissionDenied):
        store_mailboxes(place, names, [Setting("/comment", [("value.shared", b"x")])])
    store_mailboxes(target(store), names, [Setting("/comment", [("value.shared", b"x")])])
    assert store.annotations.lookup(uniqueid, "/comment") == b"x"
    settings = [
        Setting("/comment", [("value.shared", b"y")]),
        Setting("/checkperiod", [("value.priv", b"z")]),
    ]
    before = store.mboxlist.lookup("user.bob").foldermodseq
    with pytest.raises(AnnotationBadValue):
        store_mailboxes(target(store), names, settings)
    assert store.annotations.lookup(uniqueid, "/comment") == b"x"
    assert store.mboxlist.lookup("user.bob").foldermodseq == before


def test_undefined_entries_need_an_option(store: MailStore) -> None:
    setting = [Setting("/vendor/example/x", [("value.shared", b"x")])]
    with pytest.raises(PermissionDenied):
        store_mailboxes(target(store), ["user.bob"], setting)
    store_mailboxes(target(store, undefined=True), ["user.bob"], setting)
    for entry in ("/vendor/cmu/cyrus-imapd/color", "/vendor/cmu/cyrus-imapd/size"):
        with pytest.raises(PermissionDenied):
            place = target(store, undefined=True, admin=True)
            store_mailboxes(place, ["user.bob"], [Setting(entry, [("value.shared", b"x")])])


def test_what_is_shared_by_the_server_is_the_administrators(store: MailStore) -> None:
    shared = [Setting("/comment", [("value.shared", b"x")])]
    with pytest.raises(PermissionDenied):
        store_server(target(store), shared)
    store_server(target(store, "admin", admin=True), shared)
    # what is so already may be set by anybody
    store_server(target(store), shared)
    store_server(target(store), [Setting("/comment", [("value.priv", b"mine")])])
    found = fetch(target(store), ["/comment"], attributes_named(["value"]))
    assert found[0].attributes == [("value.shared", b"x"), ("value.priv", b"mine")]


def test_attributes_may_have_wildcards() -> None:
    assert attributes_named(["va*"]) == {"value.shared", "value.priv"}
    assert attributes_named(["size.%", "content-type"]) == {"size.shared", "size.priv"}
    assert attributes_named(["VALUE"]) == frozenset()
