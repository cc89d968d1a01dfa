"""Operations on whole mailboxes: create, rename, delete, who may what, quota roots, subscriptions.

Everything takes the ``MailStore``, internal mailbox names, and who asks: ``is_admin`` (ACLs do not bind),
``userid`` and ``auth``. The namespace locks needed are taken here. mailboxes.db is written last, in one
transaction a change.
"""

from __future__ import annotations

from .annotation import AnnotationChanges, raise_foldermodseq
from .annotation import write as write_annotation
from .autocreate import autocreate_inbox
from .checks import Actor, find_specialuse, validate_specialuse
from .create import create
from .delete import delete
from .quotaroot import set_quotas, unset_quotas
from .rename import rename
from .setacl import set_acl
from .subscribe import subscribe
from .unfinished import repair_all

__all__ = [
    "Actor",
    "AnnotationChanges",
    "autocreate_inbox",
    "create",
    "delete",
    "find_specialuse",
    "raise_foldermodseq",
    "rename",
    "repair_all",
    "set_acl",
    "set_quotas",
    "subscribe",
    "unset_quotas",
    "validate_specialuse",
    "write_annotation",
]
