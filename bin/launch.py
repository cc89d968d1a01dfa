"""Runs a program from the clone: every launcher of this directory ends here.

``make`` puts the dependencies into a virtual environment of the clone. Its
packages are added to the path, behind everything else, so that a launcher
works with any interpreter of the same version and for any system user.
"""

import gc
import os
import sys
from importlib import import_module


def run(module: str) -> None:
    """Call ``main`` of ``module`` and exit with what it returns."""
    top = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    sys.path[0] = top
    sys.path.append(os.path.join(top, ".venv", "lib", version, "site-packages"))
    # what is loaded stays, so looking for garbage among it is wasted
    gc.disable()
    program = import_module(module)
    gc.enable()
    sys.exit(program.main())
