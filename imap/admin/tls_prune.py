"""tls_prune(8): remove expired TLS sessions from their database."""

from __future__ import annotations

import logging
import os

import click

from libcyrus import tool
from libcyrus.errors import CyrusError
from libcyrus.records.tls_sessions import TlsSessions

log = logging.getLogger(__name__)

_FAILED = 255


@click.command("tls_prune")
@tool.config_option
@click.argument("_operands", metavar="", nargs=-1)
def tls_prune(config_file: str | None, _operands: tuple[str, ...]) -> int:
    """Remove expired TLS sessions from their database."""
    config = tool.begin(config_file, "tls_prune")
    sessions = TlsSessions(config)
    try:
        sessions.prune()
    except CyrusError as error:
        log.error("DBERROR: opening %s: %s", sessions.path, error)
        return _FAILED
    return os.EX_OK


main = tool.main(tls_prune, usage_code=_FAILED)
