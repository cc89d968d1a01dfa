"""Mailbox names: internal, database and external forms, paths, and which may be created.

The external names are those that the original gave in LIST with the same options.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libcyrus import mboxname
from libcyrus.config import Config
from libcyrus.errors import MailboxBadName, NamespaceBadPrefix
from libcyrus.mboxname import Category, MboxName, NameRules, Namespace

RULES = NameRules()
VIRTUAL = NameRules(virtdomains=True)


@pytest.mark.parametrize(
    ("internal", "dbname", "userid", "boxes"),
    [
        ("user.joe", "user\x1fjoe", "joe", ()),
        ("user.joe.Lists.a", "user\x1fjoe\x1fLists\x1fa", "joe", ("Lists", "a")),
        ("user.dot^ted", "user\x1fdot.ted", "dot.ted", ()),
        ("user.joe.A^B", "user\x1fjoe\x1fA.B", "joe", ("A.B",)),
        ("shared.news", "shared\x1fnews", None, ("shared", "news")),
        ("example.org!user.joe", "example.org\x1duser\x1fjoe", "joe@example.org", ()),
        ("example.org!shared", "example.org\x1dshared", None, ("shared",)),
        ("DELETED.user.joe.x.6B0343EE", "DELETED\x1fuser\x1fjoe\x1fx\x1f6B0343EE", "joe", ("x",)),
        ("DELETED.shared.6B0343EE", "DELETED\x1fshared\x1f6B0343EE", None, ("shared",)),
        ("user", "user", None, ("user",)),
        ("DELETED.6B0343EE", "DELETED\x1f6B0343EE", None, ("DELETED", "6B0343EE")),
    ],
)
def test_a_name_is_taken_apart_and_put_together(
    internal: str, dbname: str, userid: str | None, boxes: tuple[str, ...]
) -> None:
    name = RULES.from_internal(internal)
    assert (name.userid, name.boxes) == (userid, boxes)
    assert (name.internal, name.dbname) == (internal, dbname)
    assert RULES.from_db(dbname) == name


def test_empty_parts_do_not_exist_and_the_default_domain_is_not_written() -> None:
    assert RULES.from_internal("user..joe.").internal == "user.joe"
    assert RULES.from_internal("internal!user.joe").internal == "user.joe"
    assert RULES.from_userid("joe@internal").userid == "joe"
    assert RULES.inbox("joe@example.org", "Sent") == "example.org!user.joe.Sent"


def test_deleting_and_climbing() -> None:
    name = RULES.from_internal("user.joe.a.b")
    assert name.to_deleted(0x6B0343EE).internal == "DELETED.user.joe.a.b.6B0343EE"
    parent = name.parent()
    assert parent is not None and parent.internal == "user.joe.a"
    below_inbox = RULES.from_internal("user.joe.INBOX.x").parent()
    assert below_inbox is not None and below_inbox.internal == "user.joe"
    assert RULES.from_internal("user.joe").parent() is None


def namespace(*, admin: bool = False, extra: dict[str, Any] | None = None) -> Namespace:
    return Namespace.from_config(Config.for_tests(**(extra or {})), admin=admin)


STANDARD = {"unixhierarchysep": "no", "altnamespace": "no"}
CROSS = {"virtdomains": "userid", "crossdomains": "yes", "altnamespace": "no"}
CROSS_ALT = {"virtdomains": "userid", "crossdomains": "yes", "crossdomains_onlyother": "yes"}


@pytest.mark.parametrize(
    ("options", "internal", "external"),
    [
        ({}, "user.joe", "INBOX"),
        ({}, "user.joe.Lists.a", "Lists/a"),
        ({}, "user.joe.A^B", "A.B"),
        ({}, "user.joe.INBOX.sub", "INBOX/sub"),
        ({}, "user.joe.INBOX", "Alt Folders/INBOX"),
        ({}, "user.joe.Inbox.y", "Alt Folders/Inbox/y"),
        ({}, "user.joe.Other Users.x", "Alt Folders/Other Users/x"),
        ({}, "user.joe.Shared Folders", "Alt Folders/Shared Folders"),
        ({}, "user.joe.Alt Folders", "Alt Folders/Alt Folders"),
        ({}, "user.ann.x", "Other Users/ann/x"),
        ({}, "user.dot^ted", "Other Users/dot.ted"),
        ({}, "shared.news", "Shared Folders/shared/news"),
        (STANDARD, "user.joe", "INBOX"),
        (STANDARD, "user.joe.Lists.a", "INBOX.Lists.a"),
        (STANDARD, "user.joe.A^B", "INBOX.A^B"),
        (STANDARD, "user.dot^ted", "user.dot^ted"),
        (STANDARD, "shared.news", "shared.news"),
        (CROSS, "example.com!user.bob.x^y", "user/bob@example.com/x.y"),
        (CROSS, "user.ann", "user/ann@internal"),
        (CROSS_ALT, "example.com!user.bob.x^y", "Other Users/bob@example.com/x.y"),
        (CROSS_ALT, "user.ann", "Other Users/ann"),
        (CROSS_ALT, "example.com!pub.x", "Shared Folders/pub@example.com/x"),
    ],
)
def test_a_user_s_view_leads_to_the_internal_name_and_back(
    options: dict[str, Any], internal: str, external: str
) -> None:
    space = namespace(extra=options)
    assert space.to_external(internal, "joe") == external
    assert space.internal(external, "joe") == internal


@pytest.mark.parametrize(
    ("options", "internal", "external"),
    [
        ({}, "user.joe.A^B", "user/joe/A.B"),
        ({}, "DELETED.user.joe.del me.6B0343EE", "DELETED/user/joe/del me/6B0343EE"),
        ({"virtdomains": "userid"}, "example.com!user.bob.x^y", "user/bob/x.y@example.com"),
        ({"virtdomains": "userid"}, "example.com!pub", "pub@example.com"),
        (STANDARD, "user.dot^ted.x", "user.dot^ted.x"),
    ],
)
def test_an_admin_always_has_the_standard_view(options: dict[str, Any], internal: str, external: str) -> None:
    space = namespace(admin=True, extra=options)
    assert space.to_external(internal, "cyrus") == external
    assert space.internal(external, "cyrus") == internal


@pytest.mark.parametrize(
    ("external", "internal"),
    [
        ("inbox", "user.joe"),
        ("Inbox/x", "user.joe.INBOX.x"),
        ("Alt Folders", "user.joe"),
        ("a//b/", "user.joe.a.b"),
        ("Other Users", None),
        ("", None),
        ("a^b", None),
    ],
)
def test_odd_spellings(external: str, internal: str | None) -> None:
    assert namespace().internal(external, "joe") == internal


def test_categories_of_the_alternative_view() -> None:
    space = namespace()
    of = {name: space.category(RULES.from_internal(name), "joe") for name in (
        "user.joe", "user.joe.x", "user.joe.INBOX", "user.joe.INBOX.x", "user.joe.inbox", "user.ann", "pub",
        "DELETED.user.joe.x.1", "DELETED.user.ann.x.1",
    )}  # fmt: skip
    assert list(of.values()) == [
        Category.INBOX, Category.OWNER, Category.ALTINBOX, Category.INBOXSUB, Category.ALTPREFIX,
        Category.OTHERUSER, Category.SHARED, Category.OWNERDELETED, Category.OTHERDELETED,
    ]  # fmt: skip


@pytest.mark.parametrize(
    "options",
    [{"userprefix": "a/b"}, {"sharedprefix": "x" * 40}, {"userprefix": "Pub/"}, {"sharedprefix": "Oth"}],
)
def test_prefixes_that_cannot_be_told_apart_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(NamespaceBadPrefix):
        namespace(extra=options)


def test_recipients() -> None:
    space = namespace(extra={"virtdomains": "userid"})
    assert space.from_recipient("joe+Lists/a@example.org").internal == "example.org!user.joe.Lists.a"
    assert space.from_recipient("joe@internal").internal == "user.joe"
    shared = space.from_recipient("+shared/x")
    assert (shared.localpart, shared.boxes) == ("", ("shared", "x"))


# which names may be created


GOOD = [
    "user.joe", "user.joe.Sent", "shared", "shared.$x", "user.joe.&AOk-t&AOk-", "user.joe.a&-b",
    "user.joe.&2D3eAA-", "user.joe.&AOkA6Q-", "user.joe.&-&AOk-", "user.joe.[x]", "a" * 490,
    "DELETED.user.joe." + "x" * 600 + ".6B0343EE",
]  # fmt: skip
BAD = [
    "", "$RACL", ".x", "x.", "a..b", "~x", "a\tb", "a\r", "a" * 491, "dom!user.joe",
    "user", "user.anyone", "user.anonymous", "user.%x",
    "user.joe.a&b", "user.joe.&AGE-", "user.joe.&AOl-", "user.joe.&AOk-&AOk-", "user.joe.&AO-", "user.joe.&",
    "user.joe.é", "user.joe.a%b", "user.joe.a/b", "user.joe.a\\b", 'user.joe.a"b',
]  # fmt: skip


@pytest.mark.parametrize("name", GOOD)
def test_names_that_may_be_created(name: str) -> None:
    mboxname.check(name, RULES)


@pytest.mark.parametrize("name", BAD)
def test_names_that_may_not(name: str) -> None:
    with pytest.raises(MailboxBadName):
        mboxname.check(name, RULES)


def test_a_domain_needs_virtual_domains() -> None:
    mboxname.check("dom!user.joe", VIRTUAL)
    mboxname.check("dom!user.joe.a!b", VIRTUAL)


# paths


def test_paths_by_id_and_by_name() -> None:
    plain = NameRules()
    hashed = NameRules(hashimapspool=True)
    full = NameRules(hashimapspool=True, fulldirhash=True)
    joe = "user.dot^ted.A^B"
    assert mboxname.id_path("abc123") == "uuid/a/b/abc123"
    assert mboxname.name_path("/s", plain.from_internal(joe)) == "/s/user/dot^ted/A^B"
    assert mboxname.name_path("/s", hashed.from_internal(joe)) == "/s/d/user/dot^ted/A^B"
    assert mboxname.name_path("/s", full.from_internal("user.joe")) == "/s/B/user/joe"
    assert mboxname.name_path("/s", hashed.from_internal("shared")) == "/s/s/shared"
    assert mboxname.name_path("/s", hashed.from_internal("e.org!user.joe")) == "/s/domain/e/e.org/j/user/joe"
    deleted = "DELETED.user.joe.x.6B0343EE"
    assert mboxname.name_path("/s", hashed.from_internal(deleted)) == "/s/u/DELETED/user/joe/x/6B0343EE"


def test_state_sieve_and_lock_files() -> None:
    joe = RULES.from_userid("joe")
    domain = RULES.from_userid("joe@e.org")
    assert mboxname.state_path("/c", "abc", "seen") == "/c/user/uuid/a/b/abc/seen.db"
    assert mboxname.legacy_state_path("/c", joe, "seen") == "/c/user/j/joe.seen"
    assert mboxname.legacy_state_path("/c", domain, "sub") == "/c/domain/e/e.org/user/j/joe.sub"
    assert mboxname.legacy_state_path("/c", RULES.from_internal("shared"), "counters") == "/c/shared.counters"
    assert mboxname.sieve_path("/v", joe, "abc") == "/v/uuid/a/b/abc"
    assert mboxname.sieve_path("/v", joe, None) == "/v/j/joe"
    assert mboxname.sieve_path("/v", RULES.from_internal("shared"), None) == "/v/global"
    assert mboxname.lock_path("/l", mboxname.user_lock_name("dot.ted"), RULES) == "/l/*U*dot^ted.lock"
    assert mboxname.lock_path("/l", "abc", RULES) == "/l/abc.lock"


BOX = st.text(st.characters(codec="ascii", exclude_characters="/^\x1d\x1e\x1f!"), min_size=1)


@given(boxes=st.lists(BOX, max_size=4), owner=st.sampled_from(["joe", "dot.ted", "x@example.org"]))
def test_every_form_comes_back_to_the_same_name(boxes: list[str], owner: str) -> None:
    name = RULES.from_userid(owner).with_boxes(*boxes)
    assert RULES.from_internal(name.internal) == name
    assert RULES.from_db(name.dbname) == name


@given(st.text())
def test_any_text_is_some_name_or_none(text: str) -> None:
    for space in (namespace(), namespace(extra=STANDARD), namespace(admin=True), namespace(extra=CROSS)):
        name = space.from_external(text, "joe")
        assert name is None or isinstance(name, MboxName)
