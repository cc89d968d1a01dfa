"""ACLs (RFC 4314): rights and their letters, effective rights, changes."""

from __future__ import annotations

import pytest

from libcyrus import acl
from libcyrus.acl import AclRules, Mode
from libcyrus.auth import AuthState, canonify_id
from libcyrus.errors import InvalidIdentifier, InvalidRights

RULES = AclRules()


@pytest.mark.parametrize(
    ("letters", "deleteright", "written"),
    [
        ("lrs", "c", "lrs"),
        ("lrswipkxtea", "c", "lrswipkxtecda"),
        ("c", "c", "kxc"),
        ("c", "d", "kc"),
        ("d", "c", "ted"),
        ("d", "d", "xted"),
        ("kc", "c", "kc"),
        ("xd", "c", "xtecd"),
        ("e", "c", "ed"),
        ("lrswipkxtecdan0123456789", "c", "lrswipkxtecdan0123456789"),
        ("l?r", "c", "lr"),
        ("x", "", "x"),
    ],
)
def test_old_letters_stand_for_new_ones(letters: str, deleteright: str, written: str) -> None:
    assert acl.format_rights(acl.parse_rights(letters, deleteright), deleteright) == written


TEXT = "joe\tlrswipkxtecdan\tann\tlrs\tgroup:staff\tlrsi\tanyone\tl\t-ann\ts\t"


@pytest.mark.parametrize(
    ("auth", "rights"),
    [
        (AuthState("joe"), "lrswipkxtecdan"),
        (AuthState("ann"), "lr"),
        (AuthState("bob", lambda _: ("staff",)), "lrsi"),
        (AuthState("bob"), "l"),
        (None, "l"),
    ],
)
def test_rights_add_up_and_negative_ones_take_away(auth: AuthState | None, rights: str) -> None:
    assert RULES.format(RULES.myrights(auth, TEXT)) == rights


def test_an_unfinished_entry_gives_nothing() -> None:
    assert RULES.myrights(AuthState("ann"), "joe\tlr\tann\tlrs") == 0
    assert RULES.myrights(AuthState("ann"), None) == 0


def test_admin_may_imply_write() -> None:
    rules = AclRules(admin_implies_write=True)
    assert rules.format(rules.myrights(AuthState("joe"), "joe\tla\t")) == "lswitedan"


@pytest.mark.parametrize(
    ("identifier", "mode", "letters", "after"),
    [
        ("bob", Mode.SET, "lr", "joe\tlra\tann\tlr\tbob\tlr\t"),
        ("ann", Mode.SET, "p", "joe\tlra\tann\tp\t"),
        ("ann", Mode.ADD, "p", "joe\tlra\tann\tlrp\t"),
        ("ann", Mode.REMOVE, "r", "joe\tlra\tann\tl\t"),
        ("ann", Mode.REMOVE, "lr", "joe\tlra\t"),
        ("ann", Mode.SET, "", "joe\tlra\t"),
        ("-ann", Mode.SET, "r", "joe\tlra\tann\tlr\t-ann\tr\t"),
        ("nobody", Mode.SET, "", "joe\tlra\tann\tlr\t"),
    ],
)
def test_changes_keep_the_order_of_entries(identifier: str, mode: Mode, letters: str, after: str) -> None:
    assert RULES.change("joe\tlra\tann\tlr\t", identifier, mode, RULES.parse(letters)) == after


def test_an_owner_keeps_the_implicit_rights() -> None:
    canon = RULES.ensure_owner("joe")
    assert RULES.change("joe\tlra\t", "joe", Mode.SET, RULES.parse("r"), canon) == "joe\tlrkxcan\t"
    assert RULES.change("joe\tlra\t", "joe", Mode.SET, 0, canon) == "joe\tlkxcan\t"
    assert RULES.change("", "-joe", Mode.SET, RULES.parse("lrka"), canon) == "-joe\tr\t"


@pytest.mark.parametrize("identifier", ["", "a/b", "a*b", "a%b", "x" * 81, "group:no such group"])
def test_identifiers_that_cannot_be(identifier: str) -> None:
    with pytest.raises(InvalidIdentifier):
        RULES.change("", identifier, Mode.SET, acl.READ)


def test_identifiers_in_canonical_form() -> None:
    assert canonify_id("Joe", tolower=True) == "joe"
    assert canonify_id("Joe", tolower=False) == "Joe"
    assert canonify_id("joe@example.org", tolower=True) == "joe@example.org"
    assert canonify_id("j\xe9", tolower=True) is None
    assert canonify_id("group:root", tolower=True) == "group:root"


@pytest.mark.parametrize("rights", ["lrs", "+a", "-0", "", "lrswipckxtedan0123456789"])
def test_rights_a_client_may_name(rights: str) -> None:
    acl.check_rights(rights)


def test_the_complaint_names_the_letter() -> None:
    with pytest.raises(InvalidRights, match="The q right is not supported"):
        acl.check_rights("+lq")
