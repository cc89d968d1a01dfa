"""Dataclasses that cost next to nothing to define: the part of the standard ones that the project uses.

The standard decorator writes, compiles and runs the source of up to ten
methods for every class, whether they will be called or not; a program with a
hundred classes spends more time on that than on anything else it loads. Here
classes with equally many fields share the code of ``__init__`` but for its
names, and methods of comparison are written when they are called first.

What differs besides: only the type checker looks after ``frozen``, which makes
frozen objects as cheap to build as others; ``__post_init__``, ``InitVar`` and
keyword-only fields are not supported.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from types import CodeType, FunctionType
from typing import Any, TypeVar, dataclass_transform, overload

__all__ = ["dataclass", "field", "replace"]

T = TypeVar("T")

_FIELDS = "__dataclass_names__"
_MISSING: Any = type("Missing", (), {"__repr__": lambda _self: "<default>", "__slots__": ()})()


class Field:
    """What :func:`field` said about one field."""

    __slots__ = ("compare", "default", "default_factory", "name", "repr")

    def __init__(self, default: Any, default_factory: Any, compare: bool, repr_: bool) -> None:
        self.name = ""
        self.default = default
        self.default_factory = default_factory
        self.compare = compare
        self.repr = repr_

    @property
    def has_default(self) -> bool:
        return self.default is not _MISSING or self.default_factory is not _MISSING


@overload
def field(*, default: T, compare: bool = True, repr: bool = True) -> T: ...
@overload
def field(*, default_factory: Callable[[], T], compare: bool = True, repr: bool = True) -> T: ...
@overload
def field(*, compare: bool = True, repr: bool = True) -> Any: ...
def field(
    *,
    default: Any = _MISSING,
    default_factory: Any = _MISSING,
    compare: bool = True,
    repr: bool = True,
) -> Any:
    """Say more about a field than its type: as the standard function of this name."""
    return Field(default, default_factory, compare, repr)


@overload
def dataclass(cls: type[T], /) -> type[T]: ...
@overload
def dataclass(
    *, frozen: bool = False, slots: bool = False, order: bool = False, unsafe_hash: bool = False
) -> Callable[[type[T]], type[T]]: ...
@dataclass_transform(field_specifiers=(field, Field))
def dataclass(
    cls: type[T] | None = None,
    /,
    *,
    frozen: bool = False,
    slots: bool = False,
    order: bool = False,
    unsafe_hash: bool = False,
) -> Any:
    """Make a class with annotated fields a dataclass: as the standard decorator of this name."""
    if cls is not None:
        return _build(cls, False, False, False)
    return lambda given: _build(given, slots, order, frozen or unsafe_hash)


def replace(instance: T, /, **changes: Any) -> T:
    """A copy of ``instance`` with other values in some fields. Raises TypeError for an unknown one."""
    for known in getattr(type(instance), _FIELDS):
        if known.name not in changes:
            changes[known.name] = getattr(instance, known.name)
    return type(instance)(**changes)


def _build(cls: Any, slots: bool, order: bool, hashable: bool) -> Any:
    own = cls.__dict__
    fields: dict[str, Field] = {}
    for base in cls.__mro__[-1:0:-1]:
        for known in base.__dict__.get(_FIELDS, ()):
            fields[known.name] = known
    namespace = dict(own) if slots else {}
    annotations = own.get("__annotations__", {})
    for name, kind in annotations.items():
        if kind.startswith("ClassVar"):
            continue
        known = own.get(name, _MISSING)
        if not isinstance(known, Field):
            known = Field(known, _MISSING, True, True)
        known.name = name
        fields[name] = known
        if slots:
            namespace.pop(name, None)
        elif known.default is not _MISSING:
            namespace[name] = known.default
        elif name in own:
            delattr(cls, name)
    everything = tuple(fields.values())
    compared = tuple(known.name for known in everything if known.compare)

    namespace[_FIELDS] = everything
    namespace["__match_args__"] = tuple(fields)
    holder: list[Any] = []
    if "__init__" not in own:
        namespace["__init__"] = _make_init(cls.__qualname__, everything)
    if "__repr__" not in own:
        namespace["__repr__"] = _repr
    if "__eq__" not in own:
        namespace["__eq__"] = _later(holder, "__eq__", lambda: _make_comparison(compared, "=="))
    if "__hash__" not in own or own["__hash__"] is None:
        hash_ = _later(holder, "__hash__", lambda: _make_hash(compared)) if hashable else None
        namespace["__hash__"] = hash_
    if order:
        for name, operator in (("__lt__", "<"), ("__le__", "<="), ("__gt__", ">"), ("__ge__", ">=")):
            namespace[name] = _make_comparison(compared, operator)

    if slots:
        inherited = {name for base in cls.__mro__[1:] for name in base.__dict__.get("__slots__", ())}
        namespace["__slots__"] = tuple(name for name in fields if name not in inherited)
        namespace.pop("__dict__", None)
        namespace.pop("__weakref__", None)
        cls = type(cls)(cls.__name__, cls.__bases__, namespace)
    else:
        for name, value in namespace.items():
            setattr(cls, name, value)
    holder.append(cls)
    return cls


def _later(holder: list[Any], name: str, make: Callable[[], Any]) -> Any:
    """A method that puts the real one in its place when it is called."""

    def first(*arguments: Any, **named: Any) -> Any:
        function = make()
        setattr(holder[0], name, function)
        return function(*arguments, **named)

    return first


def _make_init(name: str, fields: tuple[Field, ...]) -> Any:
    """The method, from the code of an earlier class with as many fields, under other names."""
    made = tuple(known.default_factory is not _MISSING for known in fields)
    code = _init_code(made)
    names = {f"f{place}": known.name for place, known in enumerate(fields)}
    code = code.replace(
        co_varnames=("self", *names.values()),
        co_names=tuple(names.get(given, given) for given in code.co_names),
        co_qualname=f"{name}.__init__",
    )
    factories = {f"m{place}": known.default_factory for place, known in enumerate(fields)}
    optional = [known for known in fields if known.has_default]
    if not all(known.has_default for known in fields[len(fields) - len(optional) :]):
        raise TypeError(f"a field without a default follows one that has one in {name}")
    defaults = tuple(known.default for known in optional)
    return FunctionType(code, {**factories, "missing": _MISSING}, "__init__", defaults)


@cache
def _init_code(made: tuple[bool, ...]) -> CodeType:
    """The code for fields f0, f1 and so on; True stands for one whose default is made by a call."""
    names = [f"f{place}" for place in range(len(made))]
    body = [
        f"self.{name} = " + (f"m{place}() if {name} is missing else {name}" if is_made else name)
        for place, (name, is_made) in enumerate(zip(names, made, strict=True))
    ]
    function = _compile({}, "__init__", ["self", *names], body or ["pass"])
    code: CodeType = function.__code__
    return code


def _make_comparison(compared: tuple[str, ...], operator: str) -> Any:
    ours, theirs = (
        "(" + "".join(f"{side}.{name}, " for name in compared) + ")" for side in ("self", "other")
    )
    body = [
        "if other.__class__ is self.__class__:",
        f"    return {ours} {operator} {theirs}",
        "return NotImplemented",
    ]
    return _compile({}, "compare", ["self", "other"], body)


def _make_hash(compared: tuple[str, ...]) -> Any:
    values = "".join(f"self.{name}, " for name in compared)
    return _compile({}, "__hash__", ["self"], [f"return hash(({values}))"])


def _repr(self: Any) -> str:
    shown = ", ".join(
        f"{known.name}={getattr(self, known.name)!r}"
        for known in getattr(type(self), _FIELDS)
        if known.repr
    )
    return f"{type(self).__qualname__}({shown})"


def _compile(names: dict[str, Any], name: str, parameters: list[str], body: list[str]) -> Any:
    source = f"def {name}({', '.join(parameters)}):\n" + "".join(f" {line}\n" for line in body)
    exec(source, names)
    return names[name]
