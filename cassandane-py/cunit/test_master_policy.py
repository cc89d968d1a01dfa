"""When master starts workers, and what their reports mean."""

from __future__ import annotations

import pytest

from libcyrus.base.master_protocol import Message
from master import policy
from master.policy import ForkRate, Level, ReadyFails, State, Workers


@pytest.mark.parametrize(
    ("prefork", "maxchild", "ready", "active", "expected"),
    [
        (0, None, 0, 0, 0),
        (3, None, 0, 0, 3),
        (3, None, 1, 5, 2),
        (3, None, 3, 3, 0),
        (3, None, 9, 9, 0),
        (3, 4, 0, 3, 1),
        (3, 3, 0, 3, 0),
        (5, 3, 0, 0, 3),
        (3, 0, 0, 0, 0),
        (3, 2, 0, 7, 0),
    ],
)
def test_prefork_is_filled_up_within_maxchild(
    prefork: int, maxchild: int | None, ready: int, active: int, expected: int
) -> None:
    assert policy.missing(Workers(prefork, maxchild, ready=ready, active=active)) == expected


@pytest.mark.parametrize(
    ("maxchild", "ready", "active", "expected"),
    [(None, 0, 0, True), (None, 0, 99, True), (None, 1, 1, False), (2, 0, 1, True), (2, 0, 2, False)],
)
def test_a_client_is_masters_business_when_nobody_is_ready(
    maxchild: int | None, ready: int, active: int, expected: bool
) -> None:
    assert policy.wants_connection(Workers(0, maxchild, ready=ready, active=active)) is expected


def test_only_a_babysat_service_mourns() -> None:
    assert policy.lost_all(Workers(babysit=True))
    assert not policy.lost_all(Workers(babysit=True, active=1))
    assert not policy.lost_all(Workers())


def test_no_limit_no_estimate() -> None:
    rate = ForkRate(limit=0, forks=1000)
    assert not rate.is_exceeded(1.0)


def test_a_burst_of_forks_is_stopped_and_forgotten() -> None:
    rate = ForkRate(limit=10, since=100.0)
    rate.forks = 100
    assert rate.is_exceeded(101.0)
    assert rate.rate == pytest.approx(50)
    assert rate.is_exceeded(102.0)
    assert not rate.is_exceeded(104.0)


def test_steady_forks_below_the_limit_go_on() -> None:
    rate = ForkRate(limit=10, since=0.0)
    for second in range(1, 60):
        rate.forks = 9
        assert not rate.is_exceeded(float(second))


def test_the_estimate_survives_being_asked_twice_at_once() -> None:
    rate = ForkRate(limit=1, since=5.0)
    rate.forks = 3
    assert not rate.is_exceeded(5.0)
    assert rate.is_exceeded(6.0)


def test_five_failures_in_a_row_are_enough() -> None:
    fails = ReadyFails()
    assert [fails.add(float(second)) for second in range(0, 50, 10)] == [False] * 4 + [True]


def test_failures_far_apart_do_not_add_up() -> None:
    fails = ReadyFails()
    assert not any(fails.add(float(second)) for second in range(0, 500, 11))


@pytest.mark.parametrize(
    ("state", "message", "after", "ready", "connections", "level"),
    [
        (State.READY, Message.UNAVAILABLE, State.BUSY, -1, 0, Level.TALK),
        (State.BUSY, Message.CONNECTION, State.BUSY, 0, 1, Level.TALK),
        (State.BUSY, Message.AVAILABLE, State.READY, 1, 0, Level.TALK),
        (State.READY, Message.CONNECTION_MULTI, State.READY, 0, 1, Level.TALK),
        (State.READY, Message.AVAILABLE, State.READY, 0, 0, Level.WARNING),
        (State.BUSY, Message.UNAVAILABLE, State.BUSY, 0, 0, Level.WARNING),
        (State.READY, Message.CONNECTION, State.BUSY, -1, 1, Level.ERROR),
        (State.BUSY, Message.CONNECTION_MULTI, State.READY, 1, 1, Level.ERROR),
        (State.DEAD, Message.CONNECTION, State.DEAD, 0, 1, Level.TALK),
        (State.DEAD, Message.AVAILABLE, State.DEAD, 0, 0, Level.TALK),
        (State.READY, 99, State.READY, 0, 0, Level.CRITICAL),
        (State.DEAD, -1, State.DEAD, 0, 0, Level.CRITICAL),
    ],
)
def test_a_message_changes(
    state: State, message: int, after: State, ready: int, connections: int, level: Level
) -> None:
    effect = policy.effect(state, message)
    assert (effect.state, effect.ready, effect.connections) == (after, ready, connections)
    assert effect.level is level


@pytest.mark.parametrize("message", list(Message))
def test_counters_follow_the_state_whatever_is_said(message: Message) -> None:
    """A worker is counted as ready exactly while its state is READY."""
    for state in (State.READY, State.BUSY):
        effect = policy.effect(state, message)
        assert effect.ready == (effect.state is State.READY) - (state is State.READY)
