"""Where tests may put things, apart from their own directory."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def other_file_system(path: Path) -> str:
    """A directory for temporary files that is not on the file system of ``path``."""
    device = os.stat(path).st_dev
    places = ("/dev/shm", tempfile.gettempdir(), "/var/tmp", str(Path.home()), os.getcwd())
    usable = (one for one in places if os.path.isdir(one) and os.access(one, os.W_OK))
    found = next((one for one in usable if os.stat(one).st_dev != device), None)
    assert found is not None, f"everything that can be written is on one file system: {places}"
    return found
