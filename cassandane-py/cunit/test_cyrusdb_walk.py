"""A random walk over each cyrusdb backend, beside a dict."""

from __future__ import annotations

import os
import tempfile

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from cassandane.databases import open_db
from libcyrus.cyrusdb import Database

KEYS = st.sampled_from([b"a", b"a.b", b"a-b", b"b", b"ba", b"user.x", b"\xff", b"\t", b"z" * 300])
VALUES = st.binary(max_size=40)


class Walk(RuleBasedStateMachine):
    """Anything a caller may do, beside a dict."""

    backend = "twoskip"
    mboxsort = False

    @initialize()
    def begin(self) -> None:
        self.directory = tempfile.TemporaryDirectory()
        self.path = os.path.join(self.directory.name, "db")
        self.model: dict[bytes, bytes] = {}
        self.database = self.open()

    def open(self) -> Database:
        return open_db(self.backend, self.path, create=True, mboxsort=self.mboxsort)

    @rule(key=KEYS, value=VALUES)
    def store(self, key: bytes, value: bytes) -> None:
        self.database.store(key, value)
        self.model[key] = value

    @rule(key=KEYS)
    def delete(self, key: bytes) -> None:
        self.database.delete(key)
        self.model.pop(key, None)

    @rule(changes=st.lists(st.tuples(KEYS, st.none() | VALUES), max_size=12), commit=st.booleans())
    def transaction(self, changes: list[tuple[bytes, bytes | None]], commit: bool) -> None:
        model = self.model.copy()
        transaction = self.database.transaction()
        for key, value in changes:
            if value is None:
                transaction.delete(key)
                model.pop(key, None)
            else:
                transaction.store(key, value)
                model[key] = value
            assert transaction.fetch(key) == value
        rank = self.database.compare_key
        assert list(transaction.foreach()) == sorted(model.items(), key=lambda item: rank(item[0]))
        if commit:
            transaction.commit()
            self.model = model
        else:
            transaction.abort()

    @rule()
    def reopen(self) -> None:
        self.database.close()
        self.database = self.open()

    @rule()
    def repack(self) -> None:
        self.database.repack()

    @rule(key=KEYS, value=VALUES)
    def crash(self, key: bytes, value: bytes) -> None:
        """Die inside a commit; only linked files have an inside."""
        if self.backend in ("skiplist", "twoskip"):
            transaction = self.database.transaction()
            transaction.store(key, value)
            transaction.break_off()  # type: ignore[attr-defined]

    @invariant()
    def same_as_the_dict(self) -> None:
        rank = self.database.compare_key
        items = sorted(self.model.items(), key=lambda item: rank(item[0]))
        assert list(self.database.foreach()) == items
        self.database.consistent()
        for place, (key, value) in enumerate(items):
            assert self.database.fetch(key) == value
            assert self.database.fetchnext(key) == (items[place + 1] if place + 1 < len(items) else None)

    def teardown(self) -> None:
        self.database.close()
        self.directory.cleanup()


class WalkFlat(Walk):
    backend = "flat"


class WalkSkiplist(Walk):
    backend = "skiplist"


class WalkSql(Walk):
    backend = "sql"


class WalkMailboxOrder(Walk):
    mboxsort = True


class WalkSkiplistMailboxOrder(WalkSkiplist):
    mboxsort = True


_SETTINGS = settings(
    max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
TestWalk = Walk.TestCase
TestWalkFlat = WalkFlat.TestCase
TestWalkSkiplist = WalkSkiplist.TestCase
TestWalkSql = WalkSql.TestCase
TestWalkMailboxOrder = WalkMailboxOrder.TestCase
TestWalkSkiplistMailboxOrder = WalkSkiplistMailboxOrder.TestCase
TestWalk.settings = TestWalkFlat.settings = TestWalkSkiplist.settings = TestWalkSql.settings = _SETTINGS
TestWalkMailboxOrder.settings = TestWalkSkiplistMailboxOrder.settings = _SETTINGS
