"""timsieved(8): lets users keep their Sieve scripts on the server, by ManageSieve (RFC 5804)."""

from __future__ import annotations

import contextlib

from libcyrus.config.session_id import SessionId
from libcyrus.errors import Fatal
from libcyrus.prot import ProtError, ProtStream
from libcyrus.sasl import make_server
from libcyrus.server import clienthost, service
from libcyrus.server.connection import Connection
from libcyrus.server.login import LoginPolicy
from libcyrus.server.program import ServiceProgram
from timsieved import loop
from timsieved.app import Timsieved, build
from timsieved.lexer import Lexer
from timsieved.login import leave
from timsieved.response import Response, no
from timsieved.session import Session


def serve(app: Timsieved, connection: Connection) -> None:
    """One conversation."""
    signals = app.service.signals
    stream = ProtStream(
        connection.sock,
        timeout=app.settings.timeout,
        before_wait=signals.check,
        wakeup_fd=signals.wakeup_fd,
    )
    out = Response(stream)
    policy = LoginPolicy(
        app.config, denied=app.denied, local_domain=lambda: clienthost.domain_of(connection.sock)
    )
    session_id = SessionId(app.config)
    app.store.begin_session(session_id)
    session = Session(
        app=app,
        stream=stream,
        lexer=Lexer(stream, app.settings.max_script_size),
        out=out,
        client_host=connection.client.host,
        sasl=make_server(app.sasl, policy),
        session_id=session_id,
    )
    try:
        loop.run(session)
    except Fatal as error:
        out.reply(no(f"Fatal error: {error}"))
        raise
    finally:
        leave(session)
        with contextlib.suppress(ProtError):
            stream.flush()
        if stream.tls is not None:
            stream.tls.shutdown()
        stream.close()
        app.store.run_cleanup()


PROGRAM: ServiceProgram[Timsieved] = ServiceProgram(
    name="timsieved",
    options="",
    init=build,
    serve=serve,
    started=Timsieved.open,
    close=Timsieved.close,
)


def main() -> int:
    return service.main(PROGRAM)
