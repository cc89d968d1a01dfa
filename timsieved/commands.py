"""Every ManageSieve command (RFC 5804 section 2): what it takes, when it may be given, what it does."""

from __future__ import annotations

import logging
from collections.abc import Callable

from libcyrus.base.dataclasses import dataclass
from libcyrus.errors import CyrusError
from sieve.compiler import compile_script
from sieve.errors import (
    BadScriptName,
    ScriptActive,
    ScriptErrors,
    ScriptExists,
    ScriptNonexistent,
    ScriptTooLarge,
    TooManyScripts,
)
from sieve.scripts.directory import is_valid_name
from sieve.scripts.store import UserScripts
from timsieved import capability, login
from timsieved.lexer import Kind
from timsieved.response import Reply, literal, no, ok, string
from timsieved.session import Session

log = logging.getLogger(__name__)

_CODES: tuple[tuple[type[CyrusError], str | None], ...] = (
    (BadScriptName, None),
    (ScriptActive, "ACTIVE"),
    (ScriptExists, "ALREADYEXISTS"),
    (ScriptNonexistent, "NONEXISTENT"),
    (ScriptTooLarge, "QUOTA/MAXSIZE"),
    (TooManyScripts, "QUOTA/MAXSCRIPTS"),
)
"""What a client is told of a refusal (RFC 5804 section 1.3)."""


@dataclass(frozen=True, slots=True)
class Argument:
    """``no_space`` and ``missing`` are told of a command that lacks it."""

    missing: str
    no_space: str = "Expected SPACE"
    kind: Kind = Kind.STRING
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Command:
    """``refuse`` tells why the command cannot be had now, before its arguments are read."""

    run: Callable[..., Reply | None]
    arguments: tuple[Argument, ...] = ()
    before_login: bool = False
    for_anonymous: bool = False
    needs_tls: bool = False
    refuse: Callable[[Session], str | None] | None = None
    no_end: str = "Expected EOL"


def tell_capabilities(session: Session) -> None:
    capability.tell(session)


def check(session: Session, script: bytes) -> Reply:
    try:
        compile_script(script, session.app.rules)
    except ScriptErrors as error:
        return _refusal(session, "checking", error)
    return ok()


def have_space(session: Session, name: bytes, size: bytes) -> Reply:
    return _done(session, "putting", lambda scripts: scripts.check_space(_text(name), int(size)))


def put(session: Session, name: bytes, script: bytes) -> Reply:
    if session.anonymous:
        return check(session, script)
    return _done(session, "putting", lambda scripts: scripts.put(_text(name), script))


def get(session: Session, name: bytes) -> Reply:
    try:
        script = session.own.get(_text(name))
    except CyrusError as error:
        return _refusal(session, "getting", error)
    session.out.line(literal(script))
    return ok()


def list_all(session: Session) -> Reply:
    for script in session.own.list():
        session.out.line(string(_bytes(script.name)), *([b"ACTIVE"] if script.active else []))
    return ok()


def set_active(session: Session, name: bytes) -> Reply:
    """An empty name: none is active any more."""
    what = "activating" if name else "deactivating"
    return _done(session, what, lambda scripts: scripts.activate(_text(name) or None))


def rename(session: Session, old: bytes, new: bytes) -> Reply:
    for which, name in (("old", old), ("new", new)):
        if not is_valid_name(_text(name)):
            return no(f"Invalid {which} script name")
    return _done(session, "renaming", lambda scripts: scripts.rename(_text(old), _text(new)))


def delete(session: Session, name: bytes) -> Reply:
    return _done(session, "deleting", lambda scripts: scripts.delete(_text(name)))


def noop(session: Session, tag: bytes = b"") -> Reply:
    return ok("Done", code=b"TAG " + literal(tag) if tag else None)


def logout(session: Session) -> Reply:
    session.over = True
    return ok("Logout Complete")


def _done(session: Session, what: str, change: Callable[[UserScripts], None]) -> Reply:
    try:
        change(session.own)
    except CyrusError as error:
        return _refusal(session, what, error)
    return ok()


def _refusal(session: Session, what: str, error: CyrusError) -> Reply:
    if isinstance(error, ScriptErrors):
        return no(_bytes(error.report))
    for kind, code in _CODES:
        if isinstance(error, kind):
            return no(str(error), code)
    log.error("%s: %s script: %s", session.userid, what, error)
    return no(f"Error {what} script")


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _name(after: str) -> Argument:
    return Argument("Did not specify script name", f"SPACE must occur after {after}")


COMMANDS: dict[bytes, Command] = {
    b"authenticate": Command(
        login.authenticate,
        (
            Argument("Did not specify mechanism name", "SPACE must occur after AUTHENTICATE"),
            Argument("Expected string", optional=True),
        ),
        before_login=True,
        refuse=login.why_not,
    ),
    b"capability": Command(tell_capabilities, before_login=True),
    b"checkscript": Command(
        check,
        (
            Argument(
                "Expected script content as second parameter", "SPACE must occur after CHECKSCRIPT"
            ),
        ),
        before_login=True,
        for_anonymous=True,
    ),
    b"deletescript": Command(delete, (_name("DELETESCRIPT"),)),
    b"getscript": Command(get, (_name("GETSCRIPT"),)),
    b"havespace": Command(
        have_space,
        (_name("HAVESPACE"), Argument("Expected Number", "Expected SPACE after SCRIPTNAME", Kind.NUMBER)),
    ),
    b"listscripts": Command(list_all),
    b"logout": Command(
        logout, before_login=True, for_anonymous=True, no_end="Garbage after logout command"
    ),
    b"noop": Command(noop, (Argument("Expected string", optional=True),), before_login=True),
    b"putscript": Command(
        put,
        (_name("PUTSCRIPT"), Argument("Did not specify legal script data length")),
        for_anonymous=True,
    ),
    b"renamescript": Command(
        rename,
        (
            Argument("Did not specify old script name", "SPACE must occur after RENAMESCRIPT"),
            Argument("Did not specify new script name"),
        ),
    ),
    b"setactive": Command(set_active, (_name("SETACTIVE"),)),
    b"starttls": Command(login.starttls, before_login=True, needs_tls=True),
    b"unauthenticate": Command(login.unauthenticate),
}
