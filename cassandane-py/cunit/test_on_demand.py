"""What is loaded when a client first wants it, across fork."""

from __future__ import annotations

import os

from libcyrus.server.on_demand import OnDemand


def test_makes_it_once_and_only_when_wanted() -> None:
    made: list[int] = []
    demand = OnDemand(lambda: made.append(1) or len(made))  # type: ignore[func-returns-value]
    assert not made
    assert (demand(), demand(), made) == (1, 1, [1])


def test_makes_it_at_once_if_told_so() -> None:
    made: list[int] = []
    demand = OnDemand(lambda: made.append(1), now=True)
    assert made == [1]
    assert not demand.follow()


def test_parent_follows_a_child_that_needed_it() -> None:
    made: list[int] = []
    demand = OnDemand(lambda: made.append(os.getpid()))
    assert not demand.follow()
    child = os.fork()
    if not child:
        demand()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert not made
    assert demand.follow()
    assert made == [os.getpid()]
    assert not demand.follow()


def test_parent_renews_what_has_grown_old() -> None:
    due: list[str] = []
    demand = OnDemand(lambda: "first", renew=lambda _old: due.pop() if due else None)
    assert demand() == "first"
    assert not demand.follow()
    due.append("second")
    assert demand.follow()
    assert demand() == "second"
    assert not demand.follow()


def test_a_child_that_made_its_own_of_what_is_shared_knows() -> None:
    demand = OnDemand(lambda: 1, shared=True)
    alone = OnDemand(lambda: 1)
    child = os.fork()
    if not child:
        demand()
        alone()
        os._exit(demand.is_apart and not alone.is_apart)
    assert os.waitpid(child, 0)[1] >> 8 == 1
    demand()
    assert not demand.is_apart
    without = OnDemand(lambda: None, now=True, shared=True)
    child = os.fork()
    if not child:
        without()
        os._exit(without.is_apart)
    assert os.waitpid(child, 0)[1] >> 8 == 1
    child = os.fork()
    if not child:
        demand()
        os._exit(demand.is_apart)
    assert os.waitpid(child, 0)[1] == 0


def test_keeps_nothing_as_an_answer() -> None:
    made: list[int] = []
    demand = OnDemand(lambda: made.append(1))
    demand()
    demand()
    assert made == [1]
