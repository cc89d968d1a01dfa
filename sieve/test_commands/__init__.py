"""Tests of Sieve, a module each family; ``TESTS`` is all of them by their keyword.

A function here reads the arguments behind its keyword, checks them, and gives the test with its arguments in
the order of the bytecode.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from sieve.test_commands import (
    address,
    body,
    date,
    duplicate,
    environment,
    header,
    ihave,
    jmapquery,
    logic,
    mailbox,
    metadata,
    notify_method,
    size,
    string,
)
from sieve.tree import Test

if TYPE_CHECKING:
    from sieve.parser import Parser

Build = Callable[["Parser", str], Test]
"""Takes the parser, behind the keyword, and the keyword."""

TESTS: Mapping[str, Build] = {
    "address": address.address,
    "allof": logic.allof,
    "anyof": logic.anyof,
    "body": body.build,
    "currentdate": date.currentdate,
    "date": date.date,
    "duplicate": duplicate.build,
    "envelope": address.envelope,
    "environment": environment.build,
    "exists": header.exists,
    "false": logic.constant,
    "hasflag": string.hasflag,
    "header": header.build,
    "ihave": ihave.build,
    "jmapquery": jmapquery.build,
    "mailboxexists": mailbox.build,
    "mailboxidexists": mailbox.build,
    "metadata": metadata.metadata,
    "metadataexists": metadata.metadataexists,
    "not": logic.not_,
    "notify_method_capability": notify_method.capability,
    "servermetadata": metadata.servermetadata,
    "servermetadataexists": metadata.servermetadataexists,
    "size": size.build,
    "specialuse_exists": mailbox.specialuse_exists,
    "string": string.build,
    "true": logic.constant,
    "valid_ext_list": notify_method.valid_ext_list,
    "valid_notify_method": notify_method.valid,
}
