"""Searching a selected mailbox, against a model that looks at every message by itself."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libcyrus import mboxops
from libcyrus.append import Appender, Stage
from libcyrus.auth import AuthState
from libcyrus.base.seqset import SeqSet
from libcyrus.config import Config
from libcyrus.errors import Cancelled, NoSearchEngine, SearchSlow
from libcyrus.index.store import FlagChange, store
from libcyrus.index.view import IndexView
from libcyrus.mailbox.index_record import DELETED, FLAGGED, SEEN
from libcyrus.mailbox.mailstore import MailStore
from libcyrus.search import evaluate
from libcyrus.search.evaluate import Rules
from libcyrus.search.expr import (
    All,
    And,
    Between,
    Contains,
    Expr,
    Flag,
    Fuzzy,
    HasFlag,
    Header,
    InFolder,
    Item,
    Keyword,
    Not,
    Number,
    Or,
    Sequence,
    Text,
    without_engine,
)

COUNT = 40
NAME = "user.ann"
RULES = Rules.from_config(Config.for_tests())
PEOPLE = ("Jürgen", "Bob", "Zoë", "Ann  Lee")


def message(uid: int) -> bytes:
    """Everything in it follows from the UID."""
    name = PEOPLE[uid % 4].encode().hex("=").upper()
    return (
        f"From: =?utf-8?Q?={name}?= <u{uid % 5}@example.org>\r\n"
        f"Subject: number {uid}\r\nX-Third: {'yes' if uid % 3 == 0 else 'no'}\r\n"
        f"Message-ID: <{uid}@example.org>\r\n\r\nbody {uid * 7}\r\n"
    ).encode("ascii")


@pytest.fixture(scope="module")
def spool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MailStore]:
    directory = tmp_path_factory.mktemp("search")
    for name in ("conf", "spool"):
        (directory / name).mkdir()
    config = Config.for_tests(
        configdirectory=str(directory / "conf"),
        defaultpartition="default",
        extra={"partition-default": str(directory / "spool")},
    )
    mailstore = MailStore(config)
    mboxops.create(mailstore, NAME, is_admin=True, userid=None, auth=None)
    with Appender.open(mailstore, NAME) as appender:
        for uid in range(1, COUNT + 1):
            with Stage.from_bytes(mailstore, message(uid)) as stage:
                appender.append(stage)
        appender.commit()
    yield mailstore
    mailstore.close()


def opened(spool: MailStore) -> IndexView:
    return IndexView.open(spool, NAME, "ann", AuthState("ann"), readonly=False)


@pytest.fixture(scope="module")
def view(spool: MailStore) -> Iterator[IndexView]:
    """UIDs that 7 divides are seen, 5 flagged, 4 have a keyword; 11 and 12 are expunged, 13 untold."""
    view = opened(spool)
    for system, names, step in ((SEEN, (), 7), (FLAGGED, (), 5), (0, ("Work",), 4)):
        chosen = ",".join(map(str, range(step, COUNT + 1, step)))
        store(view, chosen, FlagChange.ADD, system, names, by_uid=True, silent=True)
    store(view, "11:13", FlagChange.ADD, DELETED, (), by_uid=True, silent=True)
    view.expunge("11:12")
    view.changes(expunges=True, refresh=False)
    view.expunge("13")
    yield view
    view.close()


def matches(expr: Expr, uid: int, number: int) -> bool:
    """The model."""
    match expr:
        case All():
            return True
        case And(children):
            return all(matches(child, uid, number) for child in children)
        case Or(children):
            return any(matches(child, uid, number) for child in children)
        case Not(child):
            return not matches(child, uid, number)
        case Sequence(text, by_uid):
            if by_uid:
                return uid in SeqSet.parse(text, maxval=COUNT)
            return number in SeqSet.parse(text, maxval=COUNT - 2)
        case HasFlag(flag):
            return {
                Flag.SEEN: uid % 7 == 0, Flag.FLAGGED: uid % 5 == 0, Flag.RECENT: True,
            }.get(flag, False)  # fmt: skip
        case Keyword(name):
            return name.lower() == "work" and uid % 4 == 0
        case Between(_, low, high):
            size = len(message(uid))
            return (low is None or low <= size) and (high is None or size < high)
        case Contains(Item.FROM, text):
            plain = {"Jürgen": '"JURGEN"', "Zoë": '"ZOE"', "Ann  Lee": "ANN LEE"}
            person = plain.get(PEOPLE[uid % 4], PEOPLE[uid % 4].upper())
            return text.upper() in f"{person} <U{uid % 5}@EXAMPLE.ORG>"
        case Contains(Item.MESSAGE_ID, text):
            return text.upper() in f"<{uid}@EXAMPLE.ORG>"
        case Contains(_, text):
            return text.upper() in f"NUMBER {uid}"
        case Header(_, text):
            return text.upper() in ("YES" if uid % 3 == 0 else "NO")
        case Text(text, _):
            return text.upper() in f"BODY {uid * 7}"
    raise AssertionError(expr)


numbers = st.integers(1, COUNT + 3).map(str) | st.just("*")
leaves: st.SearchStrategy[Expr] = st.one_of(
    st.just(All()),
    st.builds(HasFlag, st.sampled_from(Flag)),
    st.builds(Keyword, st.sampled_from(["Work", "WORK", "none"])),
    st.builds(Sequence, st.builds("{}:{}".format, numbers, numbers), st.booleans()),
    st.builds(Between, st.just(Number.SIZE), st.integers(140, 190), st.none() | st.integers(150, 200)),
    st.builds(Contains, st.just(Item.FROM), st.sampled_from(["jurgen", "bob", "u3@", "ann lee", "lee <u"])),
    st.builds(Contains, st.just(Item.SUBJECT), st.sampled_from(["number", "3", "ber 2", "x"])),
    st.builds(Contains, st.just(Item.MESSAGE_ID), st.sampled_from(["5@", "<1", "example", "x"])),
    st.builds(Header, st.just(b"x-third"), st.sampled_from(["yes", "no", "o", ""])),
    st.builds(Text, st.sampled_from(["body 7", "4", "14"]), st.just(True)),
)
trees = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.builds(And, st.lists(inner, min_size=1, max_size=3).map(tuple)),
        st.builds(Or, st.lists(inner, min_size=1, max_size=3).map(tuple)),
    ),
    max_leaves=8,
)


@given(trees)
@settings(max_examples=300, deadline=None)
def test_a_search_finds_what_the_model_finds(view: IndexView, tree: Expr) -> None:
    expected = [
        number for number, uid in enumerate(view.picture.uids, 1) if uid != 13 and matches(tree, uid, number)
    ]
    assert list(evaluate.find(view, tree, RULES)) == expected


def test_an_expunged_message_that_was_not_told_of_is_not_found(view: IndexView) -> None:
    assert 13 in view.picture.uids
    found = evaluate.find(view, Sequence("10:14", by_uid=True), RULES)
    assert [view.picture.uids[number - 1] for number in found] == [10, 14]


def test_an_empty_mailbox_matches_nothing(spool: MailStore) -> None:
    mboxops.create(spool, "user.ann.empty", is_admin=True, userid=None, auth=None)
    view = IndexView.open(spool, "user.ann.empty", "ann", AuthState("ann"), readonly=False)
    assert not evaluate.find(view, Not(HasFlag(Flag.SEEN)), RULES)
    view.close()


def test_a_search_that_takes_too_long_is_given_up(view: IndexView) -> None:
    rules = Rules(RULES.flags, max_seconds=5)
    assert evaluate.find(view, Text("body", body_only=True), rules)
    with pytest.raises(SearchSlow):
        evaluate.find(view, Text("body", body_only=True), rules, started=-1e9)


@pytest.mark.parametrize(("text", "seconds"), [("2.5", 2.5), ("3s", 3.0), ("x", 0.0), ("", 0.0)])
def test_search_maxtime_is_a_number_of_seconds(text: str, seconds: float) -> None:
    assert Rules.from_config(Config.for_tests(search_maxtime=text)).max_seconds == seconds


def test_a_damaged_cache_is_not_believed(spool: MailStore) -> None:
    """The message file is the truth."""
    mboxops.create(spool, "user.ann.bad", is_admin=True, userid=None, auth=None)
    with Appender.open(spool, "user.ann.bad") as appender:
        for uid in (1, 2, 3):
            with Stage.from_bytes(spool, message(uid)) as stage:
                appender.append(stage)
        appender.commit()
    view = IndexView.open(spool, "user.ann.bad", "ann", AuthState("ann"), readonly=False)
    path = Path(view.mailbox.paths.cache)
    data = path.read_bytes()
    with open(path, "r+b") as file:
        file.seek(data.index(b"number 2"))
        file.write(b"number 9")
        os.fsync(file.fileno())
    assert list(evaluate.find(view, Contains(Item.SUBJECT, "number 9"), RULES)) == []
    assert list(evaluate.find(view, Contains(Item.SUBJECT, "number 2"), RULES)) == [2]
    view.close()


def test_a_message_file_that_is_gone_contains_nothing(spool: MailStore) -> None:
    mboxops.create(spool, "user.ann.lost", is_admin=True, userid=None, auth=None)
    with Appender.open(spool, "user.ann.lost") as appender:
        for uid in (1, 2):
            with Stage.from_bytes(spool, message(uid)) as stage:
                appender.append(stage)
        appender.commit()
    view = IndexView.open(spool, "user.ann.lost", "ann", AuthState("ann"), readonly=False)
    os.unlink(view.mailbox.paths.message(1))
    assert list(evaluate.find(view, Text("body", body_only=True), RULES)) == [2]
    assert list(evaluate.find(view, Contains(Item.SUBJECT, "number"), RULES)) == [1, 2]
    view.close()


NEVER = Not(All())
ENGINE = Contains(Item.SUBJECT, "x")
SEEN_FLAG = HasFlag(Flag.SEEN)


@pytest.mark.parametrize(
    ("tree", "left"),
    [
        (Fuzzy(SEEN_FLAG), SEEN_FLAG),
        (Or((All(), Fuzzy(ENGINE))), All()),
        (And((NEVER, Fuzzy(ENGINE))), NEVER),
        (Not(Not(Or((Fuzzy(ENGINE), Fuzzy(All()))))), All()),
        (And((Fuzzy(SEEN_FLAG), All())), And((SEEN_FLAG,))),
        (Fuzzy(Contains(Item.SUBJECT, "x", exact=True)), Contains(Item.SUBJECT, "x", exact=True)),
        (ENGINE, ENGINE),
    ],
)
def test_fuzzy_keys_that_make_no_difference_take_no_engine(tree: Expr, left: Expr) -> None:
    assert without_engine(tree, fuzzy=False) == left


@pytest.mark.parametrize(
    "tree", [Fuzzy(ENGINE), Not(Fuzzy(ENGINE)), Or((SEEN_FLAG, Fuzzy(And((ENGINE, SEEN_FLAG))))),
             Fuzzy(Text("x", body_only=True))]
)  # fmt: skip
def test_fuzzy_keys_take_an_engine(tree: Expr) -> None:
    with pytest.raises(NoSearchEngine):
        without_engine(tree, fuzzy=False)
    with pytest.raises(NoSearchEngine):
        without_engine(ENGINE, fuzzy=True)


def test_a_folder_is_the_one_that_is_searched_or_not(view: IndexView) -> None:
    names = {"mine": NAME, "other": "user.other"}
    everything = list(evaluate.find(view, All(), RULES))
    for name, expected in (("mine", everything), ("other", [])):
        found = evaluate.find(view, InFolder(name), RULES, internal_name=names.__getitem__)
        assert list(found) == expected


def test_a_search_that_reads_messages_can_be_given_up(view: IndexView) -> None:
    with pytest.raises(Cancelled):
        evaluate.find(view, Text("x", body_only=True), RULES, cancelled=lambda: True)
    # what the index knows is found before anybody could ask
    assert list(evaluate.find(view, All(), RULES, cancelled=lambda: True))
