"""A service that speaks master's protocol and nothing else, for either master; it imports nothing of ours.

It is run as ``python -IS plain.py ARGUMENTS``, so that it is up soon and no master takes it for one of ours.
Each line of a client is one command::

    pid, parent         its own or its parent's pid
    uses                connections it has served, this one included
    environment NAME    a variable of its environment, or ``-``
    limit               its limit of open descriptors
    option              its arguments
    surroundings        all that it was born with, as JSON
    tell MESSAGE [PID]  send a message on the status pipe, in the name of PID
    write HEX           write these bytes to the status pipe
    exit CODE           end the process
    kill SIGNAL         raise a signal
    quit                end the conversation

Datagrams are returned to their sender, after its pid. Arguments:

===========  =============================================================================
-U NUMBER    serve that many connections
-f CODE      end with this exit code at once; below 0 it is a signal to raise
-r           write ``ok`` to descriptor 3 first, then wait for a signal: a DAEMON with wait=y
-w           wait for a signal: a DAEMON
-n FILE      write a line into FILE first: arguments and pid
-s FILE      write the surroundings into FILE first
-o WORD      nothing
===========  =============================================================================
"""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import socket
import struct
import sys
from collections.abc import Iterator

_INTERESTING = (
    "Uid", "Gid", "Groups", "Umask", "SigBlk", "SigIgn", "SigCgt", "CapInh", "CapPrm", "CapEff", "CapAmb",
    "NoNewPrivs",
)  # fmt: skip

told = False


def surroundings() -> dict[str, object]:
    with open("/proc/self/status") as file:
        status = dict(line.rstrip("\n").split(":", 1) for line in file)
    names = {os.getpid(): "own", os.getppid(): "master's"}
    limits = {
        name: resource.getrlimit(getattr(resource, name))
        for name in ("RLIMIT_NOFILE", "RLIMIT_CORE", "RLIMIT_NPROC", "RLIMIT_AS")
    }
    return {
        "status": {name: status[name].split() for name in _INTERESTING if name in status},
        "descriptors": {fd: _kind(int(fd)) for fd in sorted(os.listdir("/proc/self/fd")) if _kind(int(fd))},
        "environment": {
            name: value for name, value in sorted(os.environ.items())
            if name in ("CYRUS_SERVICE", "CYRUS_ID", "CYRUS_ISDAEMON", "CYRUS_VERBOSE")
        },
        "arguments": sys.argv[1:],
        "directory": os.getcwd(),
        "limits": limits,
        "group": names.get(os.getpgrp(), "other"),
        "session": names.get(os.getsid(0), "other"),
        "nice": os.nice(0),
        "backlog": _backlog(),
    }  # fmt: skip


def _backlog() -> int:
    """How many clients may wait, if there is a listening TCP socket."""
    try:
        with socket.socket(fileno=os.dup(4)) as listener:
            info = listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 32)
            return int(struct.unpack_from("=28xI", info)[0])
    except OSError:
        return 0


def _kind(fd: int) -> str:
    try:
        target = os.readlink(f"/proc/self/fd/{fd}")
    except OSError:
        return ""
    return target.split(":")[0]


def tell(message: int, pid: int = 0) -> None:
    os.write(3, struct.pack("=ii", message, pid or os.getpid()))


def answer(words: list[str], uses: int) -> str:
    match words:
        case ["pid"]:
            return str(os.getpid())
        case ["parent"]:
            return str(os.getppid())
        case ["uses"]:
            return str(uses)
        case ["environment", name]:
            return os.environ.get(name, "-")
        case ["limit"]:
            return str(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
        case ["option"]:
            return " ".join(sys.argv[1:])
        case ["surroundings"]:
            return json.dumps(surroundings())
        case ["tell", message, *pid]:
            tell(int(message), int(pid[0]) if pid else 0)
        case ["write", data]:
            os.write(3, bytes.fromhex(data))
        case ["exit", code]:
            sys.exit(int(code))
        case ["kill", number]:
            if int(number) != signal.SIGKILL:
                signal.signal(int(number), signal.SIG_DFL)
            os.kill(os.getpid(), int(number))
        case _:
            return "what?"
    return "done"


def lines(client: socket.socket, signalled_fd: int) -> Iterator[bytes]:
    """What the client sends; a signal just before the wait ends it, as it would not end ``recv``."""
    buffer = b""
    while True:
        while b"\n" in buffer:
            line, _, buffer = buffer.partition(b"\n")
            yield line
        if client.fileno() in select.select([client.fileno(), signalled_fd], [], [])[0]:
            data = client.recv(4096)
            if not data:
                return
            buffer += data
        else:
            os.read(signalled_fd, 100)


def converse(client: socket.socket, uses: int, signalled_fd: int) -> None:
    with client:
        try:
            client.sendall(b"hello %d\r\n" % os.getpid())
            for line in lines(client, signalled_fd):
                words = line.decode().split()
                if words == ["quit"]:
                    return
                client.sendall(answer(words, uses).encode() + b"\r\n")
        except ConnectionError:
            return
        except SystemExit as ended:
            if ended.code == os.EX_TEMPFAIL:
                client.sendall(b"bye\r\n")
            raise


def serve(uses: int) -> None:
    listener = socket.socket(fileno=4)
    listener.setblocking(False)
    read_fd, write_fd = os.pipe2(os.O_NONBLOCK)
    signal.set_wakeup_fd(write_fd)
    served = 0
    while served < uses and not told:
        if read_fd in select.select([listener.fileno(), read_fd], [], [])[0]:
            os.read(read_fd, 100)
            continue
        if listener.type == socket.SOCK_DGRAM:
            data, sender = listener.recvfrom(1000)
            tell(2)
            tell(3)
            listener.sendto(b"%d %s" % (os.getpid(), data), sender)
        else:
            try:
                client = listener.accept()[0]
            except BlockingIOError:
                continue  # another was faster
            except OSError:
                return  # shut down
            client.setblocking(True)
            served += 1
            tell(2)
            tell(3)
            converse(client, served, read_fd)
        if served < uses and not told:
            tell(1)


def main() -> None:
    def hangup(_number: int, _frame: object) -> None:
        global told
        told = True

    def terminate(_number: int, _frame: object) -> None:
        sys.exit(os.EX_TEMPFAIL)

    uses, waits = 250, False
    words = iter(sys.argv[1:])
    for word in words:
        if word == "-U":
            uses = int(next(words))
        elif word == "-n":
            with open(next(words), "a") as file:
                file.write(f"{os.getpid()} {' '.join(sys.argv[1:])}\n")
        elif word == "-s":
            path = next(words)
            with open(path + ".new", "w") as file:
                json.dump(surroundings(), file)
            os.rename(path + ".new", path)
        elif word == "-f":
            code = int(next(words))
            if code < 0:
                os.kill(os.getpid(), -code)
            os._exit(code)
        elif word == "-r":
            os.write(3, b"ok\r\n")
            os.close(3)
            waits = True
        elif word == "-w":
            waits = True
        else:
            next(words)
    if waits:
        signal.pause()
    signal.signal(signal.SIGHUP, hangup)
    signal.signal(signal.SIGTERM, terminate)
    serve(uses)
    os._exit(0)  # a signal may come again, and an interpreter that is ending catches none


if __name__ == "__main__":
    main()
