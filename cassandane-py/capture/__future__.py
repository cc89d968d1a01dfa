"""Stands before the standard library's module of this name, which is loaded in its place.

Programs run the interpreter without ``site``, so nothing of a test is asked before they start. What every
module of theirs imports first is ``__future__``, and PYTHONPATH comes before the standard library: here the
log can be captured.
"""

import os
import sys

_path = os.path.join(os.path.dirname(os.__file__), "__future__.py")
with open(_path, encoding="ascii") as _file:
    exec(compile(_file.read(), _path, "exec"), globals())

if "sitecustomize" not in sys.modules:
    import sitecustomize  # type: ignore[import-not-found]  # noqa: F401
