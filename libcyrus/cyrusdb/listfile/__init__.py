"""What the two backends that append to a linked file, ``skiplist`` and ``twoskip``, have in common.

``file`` opens, locks and maps it, ``database`` and ``transaction`` are the interface; how records lie in the
file, are found, staged and recovered is each backend's own.
"""

from .database import ListDatabase
from .file import ListFile, Stage, Sync
from .transaction import ListTransaction

__all__ = ["ListDatabase", "ListFile", "ListTransaction", "Stage", "Sync"]
