"""The twoskip backend. ``layout`` draws the file, ``stage`` explains a commit, ``recovery`` a crash."""

from .database import TwoskipDatabase
from .file import Sync

__all__ = ["Sync", "TwoskipDatabase"]
