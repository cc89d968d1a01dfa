"""Mailbox names: what they are made of, how users see them, which are legal, which paths they lead to."""

from __future__ import annotations

from .name import (
    DOMAIN_SEPARATOR,
    HIERARCHY_SEPARATOR,
    MAX_MAILBOX_NAME,
    MboxName,
    NameRules,
    hex_prefix,
    is_prefix,
)
from .namespace import Category, Namespace
from .paths import (
    id_path,
    legacy_state_path,
    lock_path,
    name_path,
    sieve_path,
    state_path,
    user_lock_name,
)
from .policy import check

__all__ = [
    "DOMAIN_SEPARATOR",
    "HIERARCHY_SEPARATOR",
    "MAX_MAILBOX_NAME",
    "Category",
    "MboxName",
    "NameRules",
    "Namespace",
    "check",
    "hex_prefix",
    "id_path",
    "is_prefix",
    "legacy_state_path",
    "lock_path",
    "name_path",
    "sieve_path",
    "state_path",
    "user_lock_name",
]
