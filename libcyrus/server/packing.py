"""Lays the code that a service runs side by side in memory, so that workers share more of the rest.

The interpreter counts references inside the objects themselves. To call a
function is to write to its code object, and the page around it is from then on
the worker's own. A conversation runs some five hundred functions out of many
thousands, which lie where their modules happened to be loaded: nearly each on a
page of its own. Copies made one after the other lie on a sixth of the pages.
"""

from __future__ import annotations

import gc
import marshal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import CodeType, FrameType, FunctionType


@contextmanager
def noting(run: set[CodeType]) -> Iterator[None]:
    """Put the code of every function that is called inside the block into ``run``."""

    def note(frame: FrameType, _event: str, _argument: object) -> None:
        run.add(frame.f_code)

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        yield
    finally:
        sys.setprofile(before)


def pack(run: set[CodeType]) -> None:
    """Give the functions that have this code a copy of it, constants and all, beside the others' copies.

    A function that is running keeps the code it runs until it is called again.
    """
    functions = [one for one in gc.get_objects() if isinstance(one, FunctionType) and one.__code__ in run]
    dumps = {id(one.__code__): marshal.dumps(one.__code__) for one in functions}
    _elsewhere(lambda: _replace(functions, dumps))


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
