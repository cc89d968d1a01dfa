"""libcyrus.base.dataclasses against the standard library's."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from typing import Any, ClassVar, Generic, TypeVar

import pytest

from libcyrus.base import dataclasses as ours

T = TypeVar("T")


def build(module: Any, **how: bool) -> Any:
    """The same class from either decorator."""

    @module.dataclass(**how)
    class Point:
        kind: ClassVar[str] = "point"
        x: int
        y: int = 2
        tags: list[str] = module.field(default_factory=list, compare=False)
        secret: str = module.field(default="s", repr=False)

        def total(self) -> int:
            return self.x + self.y

    return Point


def repr_of(instance: Any) -> str:
    return repr(instance).rpartition(".")[2]


@pytest.fixture(params=[{}, {"slots": True}, {"frozen": True, "slots": True}, {"slots": True, "order": True}])
def pair(request: pytest.FixtureRequest) -> tuple[Any, Any]:
    return build(dataclasses, **request.param), build(ours, **request.param)


CASES: list[Callable[[Any], Any]] = [
    lambda cls: repr_of(cls(1)),
    lambda cls: repr_of(cls(1, 5, ["a"], secret="t")),
    lambda cls: cls(1) == cls(1, 2),
    lambda cls: cls(1) == cls(1, tags=["other"]),
    lambda cls: cls(1) == cls(1, secret="t"),
    lambda cls: cls(1) != (1, 2, "s"),
    lambda cls: cls(1).tags is cls(1).tags,
    lambda cls: (cls(3).total(), cls.kind),
    lambda cls: cls.__match_args__,
    lambda cls: cls.__hash__ is None,
    lambda cls: hasattr(cls(1), "__dict__"),
    lambda cls: repr_of(copy.copy(cls(1, 9))),
    lambda cls: repr_of(copy.deepcopy(cls(1, 9, ["a"]))),
]


@pytest.mark.parametrize("number", range(len(CASES)))
def test_behaves_as_the_standard_one(pair: tuple[Any, Any], number: int) -> None:
    standard, mine = pair
    assert CASES[number](mine) == CASES[number](standard)


@pytest.mark.parametrize(
    "arguments", [((), {}), ((1, 2, [], "s", 5), {}), ((1,), {"x": 1}), ((1,), {"z": 1})]
)
def test_refuses_wrong_arguments(pair: tuple[Any, Any], arguments: tuple[Any, Any]) -> None:
    for cls in pair:
        with pytest.raises(TypeError):
            cls(*arguments[0], **arguments[1])


def test_hashes_what_it_compares() -> None:
    cls = build(ours, frozen=True, slots=True)
    assert hash(cls(1)) == hash(cls(1, tags=["other"]))
    assert {cls(1): "one"}[cls(1, 2)] == "one"


def test_orders_by_fields_and_only_its_own_kind() -> None:
    cls = build(ours, slots=True, order=True)
    assert sorted([cls(2), cls(1, 3), cls(1)]) == [cls(1), cls(1, 3), cls(2)]
    assert cls(1) <= cls(1)
    with pytest.raises(TypeError):
        assert cls(1) < 5


def test_replaces_fields_in_a_copy() -> None:
    cls = build(ours, frozen=True, slots=True)
    first = cls(1, 5, ["a"], "t")
    assert ours.replace(first, y=6) == cls(1, 6, ["a"], "t")
    assert first.y == 5
    with pytest.raises(TypeError):
        ours.replace(first, z=6)


def test_inherits_fields_and_shadows_their_defaults() -> None:
    @ours.dataclass(slots=True)
    class Base(Generic[T]):
        name: str
        value: T

    @ours.dataclass(slots=True)
    class Derived(Base[int]):
        value: int = 7
        more: str = ""

    assert (Derived("a").value, Derived("a", 1, "b").more) == (7, "b")
    assert Base("a", 1) != Derived("a", 1)
    assert not hasattr(Derived("a"), "__dict__")


def test_keeps_methods_that_a_class_defines() -> None:
    @ours.dataclass(frozen=True, slots=True)
    class Odd:
        value: int

        def __eq__(self, other: object) -> bool:
            return isinstance(other, Odd) and self.value % 2 == other.value % 2

        def __hash__(self) -> int:
            return self.value % 2

    assert len({Odd(1), Odd(3), Odd(2)}) == 2


def test_refuses_a_default_before_a_field_without_one() -> None:
    with pytest.raises(TypeError):

        @ours.dataclass(slots=True)
        class Wrong:
            first: int = 1
            second: int  # type: ignore[misc]


def test_names_itself_in_errors() -> None:
    with pytest.raises(TypeError, match=r"Point\.__init__\(\) missing 1 required positional argument: 'x'"):
        build(ours, slots=True)()
