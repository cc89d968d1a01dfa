"""Actions and controls of Sieve, a module each family; ``COMMANDS`` is all of them by their keyword.

A function here reads the arguments behind its keyword, checks them, and gives the action with its arguments
in the order of the bytecode; the ";" is the parser's, and so are "require" and "if".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from sieve.commands import (
    control,
    editheader,
    fileinto,
    flag,
    include,
    keep,
    log,
    notify,
    processimip,
    redirect,
    reject,
    set_variable,
    snooze,
    vacation,
)
from sieve.tree import Action

if TYPE_CHECKING:
    from sieve.parser import Parser

Build = Callable[["Parser", str], Action]
"""Takes the parser, behind the keyword, and the keyword."""

COMMANDS: Mapping[str, Build] = {
    "addflag": flag.build,
    "addheader": editheader.addheader,
    "deleteheader": editheader.deleteheader,
    "denotify": notify.denotify,
    "discard": control.build,
    "ereject": reject.build,
    "error": reject.build,
    "fileinto": fileinto.build,
    "include": include.build,
    "keep": keep.build,
    "log": log.build,
    "mark": flag.mark,
    "notify": notify.notify,
    "processimip": processimip.build,
    "redirect": redirect.build,
    "reject": reject.build,
    "removeflag": flag.build,
    "return": include.return_,
    "set": set_variable.build,
    "setflag": flag.build,
    "snooze": snooze.build,
    "stop": control.build,
    "unmark": flag.mark,
    "vacation": vacation.build,
}
