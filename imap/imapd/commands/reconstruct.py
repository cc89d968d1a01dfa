"""RECONSTRUCT, the administrator's: put a mailbox right as reconstruct(8) does, and count its quota anew.

``RECONSTRUCT mailbox [RECURSIVE]``. The two programs that stand beside this one do it, as they would for
an administrator at the server.
"""

from __future__ import annotations

import logging
import os
import sys

from imap.imapd.parse import SP, ExtraArguments, Parser
from imap.imapd.response import Ok
from imap.imapd.session import Session
from libcyrus.base.dataclasses import dataclass
from libcyrus.base.xlog import NOTICE
from libcyrus.errors import MailboxLocked, PermissionDenied, SysError

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ReconstructArgs:
    mailbox: str
    recursive: bool


def parse(parser: Parser) -> ReconstructArgs:
    parser.sp()
    mailbox = parser.mailbox()
    recursive = parser.accept(SP)
    if recursive and parser.word().upper() != b"RECURSIVE":
        raise ExtraArguments
    parser.eol()
    return ReconstructArgs(mailbox, recursive)


def run(session: Session, args: ReconstructArgs) -> Ok:
    if not session.is_admin:
        raise PermissionDenied
    name = session.internal_name(args.mailbox)
    if session.index is not None and session.index.mboxname == name:
        raise MailboxLocked
    process = session.process
    process.store.lookup(name)
    space = process.admin_namespace
    mailbox = space.to_external(name, None) or name
    how = "recursive" if args.recursive else "not recursive"
    log.log(NOTICE, "Reconstructing '%s' (%s) for user '%s'", name, how, session.userid)
    _run(session, "reconstruct", *(("-r", "-f") if args.recursive else ()), mailbox)
    root = process.store.quota.find_root(name) or name
    log.log(NOTICE, "Regenerating quota roots starting with '%s' for user '%s'", root, session.userid)
    _run(session, "quota", "-f", space.to_external(root, None) or root)
    return Ok()


def _run(session: Session, program: str, *arguments: str) -> None:
    """Wait for one of our programs. Raises SysError if it cannot be run or fails."""
    # nothing else of imapd needs it
    import subprocess

    path = os.path.join(os.path.dirname(os.path.abspath(sys.argv[0])), program)
    command = [path, "-C", session.process.config.path, *arguments]
    nothing = subprocess.DEVNULL
    try:
        done = subprocess.run(command, stdin=nothing, stdout=nothing, stderr=nothing, check=False)
    except OSError as error:
        log.error("cannot run %s: %s", path, error.strerror)
        raise SysError from error
    if done.returncode:
        raise SysError
