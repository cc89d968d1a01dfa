"""imtest(1), by its own name or that of another protocol's test program."""

from __future__ import annotations

import os
import sys

from imap.client.imtest import relay, timing
from imap.client.imtest.arguments import Arguments, Failure, Usage, parse
from imap.client.imtest.session import Client, show
from libcyrus.errors import ProtocolError
from libcyrus.prot import ProtError


def main() -> int:
    """0 after a session, whether or not the login succeeded; 1 for a failure or a mistake."""
    try:
        arguments = parse(os.path.basename(sys.argv[0]), sys.argv[1:])
        return _run(arguments)
    except Usage as usage:
        show(str(usage))
    except Failure as error:
        print(f"failure: {error}", file=sys.stderr)
    except (ProtError, ProtocolError):
        print("failure: prot layer failure", file=sys.stderr)
    except (KeyboardInterrupt, BrokenPipeError):
        pass
    return 1


def _run(arguments: Arguments) -> int:
    if arguments.detach:
        _detach()
    if not arguments.host:
        print("WARNING: no hostname supplied, assuming localhost\n", file=sys.stderr)
    if arguments.pid_file is not None:
        try:
            with open(arguments.pid_file, "w") as file:
                file.write(str(os.getpid()))
        except OSError as error:
            print(f"could not open {arguments.pid_file} for writing", file=sys.stderr)
            print(f"error: {error.strerror}", file=sys.stderr)
            return 1
    peer = Client(arguments).connect()
    if arguments.timing:
        timing.run(peer)
    elif arguments.file is not None:
        relay.send_file(peer, arguments.file)
    elif arguments.socket is not None:
        relay.SocketRelay(peer, arguments.socket).run()
    else:
        relay.Terminal(peer).run()
    return 0


def _detach() -> None:
    """Into the background, with nothing open."""
    if os.fork():
        os._exit(0)
    os.setsid()
    if os.fork():
        os._exit(0)
    null = os.open(os.devnull, os.O_RDWR)
    for fd in range(3):
        os.dup2(null, fd)
    os.closerange(3, os.sysconf("SC_OPEN_MAX") if os.sysconf("SC_OPEN_MAX") < 65536 else 65536)
