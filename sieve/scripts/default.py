"""The script that a new user is given: ``autocreate_sieve_script``, for who makes an INBOX on the way.

It is put as the files that an earlier version kept (``NAME.script``, ``NAME.bc``, the link ``defaultbc``),
NAME being the file's own; the first who opens the user's scripts moves it into ``#sieve``. With
``autocreate_sieve_script_compiled`` the bytecode is that file's, if there is one that can be run;
``autocreate_sieve_script_compile`` makes it then.
"""

from __future__ import annotations

import logging
import os
from contextlib import suppress

from libcyrus import options as opt
from libcyrus.base import files
from libcyrus.base.xlog import NOTICE
from libcyrus.errors import CyrusError, NotFound, PermissionDenied
from libcyrus.mailbox.mailstore import MailStore
from sieve.errors import BadScriptName, BytecodeError, ScriptErrors, ScriptExists
from sieve.scripts.directory import directory_of, is_valid_name

log = logging.getLogger(__name__)

_MODE = 0o644


def install_default(store: MailStore, userid: str) -> None:
    """Give a user whose INBOX was just made the configured script. Raises CyrusError with the reason."""
    config = store.config
    source = config[opt.autocreate_sieve_script]
    assert source
    if config[opt.sieveusehomedir]:
        raise PermissionDenied("scripts are in home directories")
    name = os.path.basename(source)
    if not is_valid_name(name):
        raise BadScriptName
    directory = directory_of(store, userid)
    if directory.active() is not None:
        raise ScriptExists("there is an active script already")
    try:
        text = files.read_all(source)
    except OSError as error:
        raise NotFound(f"{source}: {error.strerror}") from error
    bytecode = _bytecode(store, text)
    directory.make()
    directory.prepare(name, bytecode)
    directory.put_script(name, text)
    directory.put(name)
    # last, since from here on mail runs through it
    directory.activate(name)


def _bytecode(store: MailStore, text: bytes) -> bytes:
    # hardly any process that imports this module ever needs the compiler
    from sieve.bytecode.program import load
    from sieve.compiler import compile_script, rules

    compiled = store.config[opt.autocreate_sieve_script_compiled]
    if compiled:
        try:
            bytecode = files.read_all(compiled)
            load(bytecode)
            return bytecode
        except OSError as error:
            log.warning("autocreate_sieve: Problem opening compiled script %s: %s", compiled, error.strerror)
        except BytecodeError as error:
            log.warning("autocreate_sieve: compiled script %s cannot be run: %s", compiled, error)
    try:
        bytecode = compile_script(text, rules(store.config))
    except ScriptErrors as error:
        for fault in error.errors:
            log.error("autosieve_create: %s.", fault)
        raise CyrusError(f"{store.config[opt.autocreate_sieve_script]} does not compile") from error
    if store.config[opt.autocreate_sieve_script_compile]:
        _save(compiled, bytecode)
    return bytecode


def _save(path: str | None, bytecode: bytes) -> None:
    if not path:
        log.warning(
            "autocreate_sieve: To save a compiled sieve script, autocreate_sieve_script_compiled must have "
            "been defined in imapd.conf"
        )
        return
    temporary = f"{path}.{os.getpid()}.NEW"
    try:
        # several processes may do so at once, each with a file of its own
        files.replace(path, bytecode, mode=_MODE, temporary=temporary)
    except OSError as error:
        log.warning("autocreate_sieve: Compiled sieve script was not saved in %s: %s", path, error.strerror)
        with suppress(OSError):
            files.remove(temporary)
        return
    log.log(NOTICE, "autocreate_sieve: Compiled sieve script was successfully saved in %s", path)
