"""Lays the code that a service runs side by side in memory, so that workers share more of the rest.

The interpreter counts references inside the objects themselves. To call a
function is to write to its code object, and the page around it is from then on
the worker's own. A conversation runs some five hundred functions out of many
thousands, which lie where their modules happened to be loaded: nearly each on a
page of its own. Copies made one after the other lie on a sixth of the pages.

What a worker makes itself would go into the gaps between what is there, each on a page that it would have
to copy for that. So the gaps are filled before it is forked, and it gets pages of its own, which it uses
from one end to the other.
"""

from __future__ import annotations

import gc
import marshal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import CodeType, FrameType, FunctionType
from typing import Final


@contextmanager
def noting(run: dict[int, CodeType]) -> Iterator[None]:
    """Put the code of every function that is called inside the block into ``run``, by its ``id``.

    To compare code would mean to look at every instruction.
    """

    def note(frame: FrameType, _event: str, _argument: object) -> None:
        code = frame.f_code
        run[id(code)] = code

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        yield
    finally:
        sys.setprofile(before)


def pack(run: dict[int, CodeType]) -> None:
    """Give the functions that have this code a copy of it, constants and all, beside the others' copies.

    A function that is running keeps the code it runs until it is called again. What the garbage collector
    was to leave alone, it leaves alone afterwards, and all else that is there.
    """
    gc.collect()
    gc.unfreeze()
    functions = [one for one in gc.get_objects() if type(one) is FunctionType and id(one.__code__) in run]
    gc.freeze()
    dumps = {which: marshal.dumps(code) for which, code in run.items()}
    _elsewhere(lambda: _replace(functions, dumps))


_POOL: Final = 1 << 14
_POOL_HEADER: Final = 48
_ALIGNMENT: Final = 16
_LARGEST: Final = 512
_BYTES_HEADER: Final = 33
_MOST: Final = 1 << 13
_IN_ORDER: Final = 8
_fillers: list[object] = []


def fill_gaps() -> None:
    """Let the next small objects begin pages that nothing is on yet; lasts until objects are freed.

    The interpreter takes objects of one size from pools of sixteen kilobytes, and from a new pool when all of
    that size are full: that they were is told by several objects one behind the other from the beginning
    of one. Where memory is managed otherwise this costs a bounded number of objects and changes nothing.
    """
    for size in range(_ALIGNMENT, _LARGEST + 1, _ALIGNMENT):
        place = in_order = 0
        for _ in range(_MOST):
            made = _of_size(size)
            _fillers.append(made)
            before, place = place, id(made)
            if place % _POOL == _POOL_HEADER:
                in_order = 1
            elif in_order and place == before + size:
                in_order += 1
                if in_order == _IN_ORDER:
                    break
            else:
                in_order = 0


def _of_size(size: int) -> object:
    """A new object of this many bytes that the garbage collector does not know."""
    if size == 16:
        return object()
    if size == 32:
        return complex(size)
    return bytes(size - _BYTES_HEADER)


def _replace(functions: list[FunctionType], dumps: dict[int, bytes]) -> None:
    copies: dict[int, CodeType] = {}
    for function in functions:
        which = id(function.__code__)
        if which not in copies:
            copies[which] = marshal.loads(dumps[which])
        function.__code__ = copies[which]


def _elsewhere(work: Callable[[], None]) -> None:
    """Run it in a thread, whose memory the C library takes from a region with no gaps to fill."""
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
