"""Runs a program from the clone: every launcher of this directory ends here.

``make`` puts the dependencies into a virtual environment of the clone. Its
packages are added to the path, behind the standard library, so that a launcher
works with any interpreter of the same version and for any system user. Launchers
run the interpreter without ``site``: what other packages hook into every start of
Python would cost each of our processes time and memory, master's privileged one
too. The administrator's own hook, ``sitecustomize``, runs all the same. Without
such an environment the interpreter's own packages are used.
"""

import gc
import os
import sys
from contextlib import suppress
from importlib import import_module


def run(module: str) -> None:
    """Call ``main`` of ``module`` and exit with what it returns."""
    top = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = os.path.join(top, ".venv", "lib", version, "site-packages")
    sys.path[0] = top
    if os.path.isdir(packages):
        sys.path.append(packages)
        if sys.flags.no_site:
            with suppress(ModuleNotFoundError):
                import_module("sitecustomize")
    elif sys.flags.no_site:
        import site

        site.main()
    # what is loaded stays, so looking for garbage among it is wasted
    gc.disable()
    program = import_module(module)
    gc.enable()
    sys.exit(program.main())
