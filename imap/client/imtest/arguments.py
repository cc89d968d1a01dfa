"""The command lines of imtest(1) and its kin."""

from __future__ import annotations

from collections.abc import Sequence

from libcyrus.backend.dialect import Dialect
from libcyrus.backend.dialects import DIALECTS
from libcyrus.base.dataclasses import dataclass
from libcyrus.base.getopt import getopt, number

PROTOCOLS = {
    "imtest": "imap",
    "pop3test": "pop3",
    "nntptest": "nntp",
    "lmtptest": "lmtp",
    "smtptest": "smtp",
    "sivtest": "sieve",
    "mupdatetest": "mupdate",
    "synctest": "csync",
    "httptest": "http",
}
_LETTERS = "P:qscizvk:l:p:u:a:m:f:r:t:n:I:x:X:w:o:?h"


class Failure(Exception):
    """Ends the program with ``failure:`` and the text."""


class Usage(Exception):
    """Ends the program with the help text, which is the argument."""


@dataclass(slots=True)
class Arguments:
    """``tls_key`` is the file of -t, empty for no client certificate, None without -t.

    ``minimum`` and ``maximum`` are bits of protection, ``mechanisms`` the only ones that may be used.
    """

    protocol: str
    host: str = ""
    port: str | None = None
    mechanism: str | None = None
    mechanisms: tuple[str, ...] | None = None
    authname: str | None = None
    username: str | None = None
    password: str | None = None
    realm: str | None = None
    minimum: int = 0
    maximum: int = 128
    file: str | None = None
    attempts: int = 1
    wrapped: bool = False
    tls_key: str | None = None
    compress: bool = False
    initial_response: bool = True
    timing: bool = False
    challenge: bool = False
    verbose: bool = False
    pid_file: str | None = None
    socket: str | None = None
    detach: bool = False

    @property
    def dialect(self) -> type[Dialect]:
        return DIALECTS[self.protocol]


def parse(program: str, words: Sequence[str]) -> Arguments:
    """Raises Failure and Usage."""
    options, rest, understood = getopt(words, _LETTERS, program)
    found = Arguments(PROTOCOLS.get(program.lower(), ""))
    for letter, value in options:
        _take(found, letter, value)
    if found.protocol not in DIALECTS:
        raise Failure("unknown protocol")
    if found.wrapped and found.dialect.wrapped_name is None:
        raise Failure("protocol cannot be SSL-wrapped")
    if found.timing and found.protocol != "imap":
        raise Failure("stress test can only be run for IMAP")
    if not understood or any(letter in "?h" for letter, _ in options):
        raise Usage(usage(program, found.protocol))
    found.host = rest[0] if rest else ""
    return found


def _take(found: Arguments, letter: str, value: str) -> None:
    match letter:
        case "P":
            found.protocol = value.lower()
        case "q":
            found.compress = True
        case "s":
            found.wrapped = True
        case "c":
            found.challenge = True
        case "i":
            found.initial_response = False
        case "z":
            found.timing = True
        case "v":
            found.verbose = True
        case "k":
            found.minimum = number(value)
        case "l":
            found.maximum = number(value)
        case "p":
            found.port = value
        case "u":
            found.username = value
        case "a":
            found.authname = value
        case "w":
            found.password = value
        case "m":
            found.mechanism = value
        case "f":
            if found.socket is not None:
                raise Failure("cannot pipe a file when using unix domain socket output")
            found.file = value
        case "r":
            found.realm = value
        case "t":
            found.tls_key = value
        case "n":
            found.attempts = number(value)
            if found.attempts <= 0:
                raise Failure("number of auth attempts must be > 0")
        case "I":
            found.pid_file = value
        case "x" | "X":
            if found.file is not None:
                raise Failure("cannot pipe a file when using unix domain socket output")
            if found.socket is not None:
                raise Failure("cannot specify both -X and -x")
            found.socket, found.detach = value, letter == "X"
        case "o":
            option, _, chosen = value.partition("=")
            if option != "client_mech_list":
                raise Failure(f"no mechanism here has the option {option}")
            found.mechanisms = tuple(chosen.upper().split())


def usage(program: str, protocol: str) -> str:
    """What -h prints."""
    logins = {
        "imap": '("login" for IMAP LOGIN)',
        "pop3": '("user" for USER/PASS, "apop" for APOP)',
        "nntp": '("user" for AUTHINFO USER/PASS)',
        "http": '("basic", "digest", "negotiate", "bearer")',
    }
    wrapped = DIALECTS[protocol].wrapped_name
    lines = [
        f"Usage: {program} [options] hostname",
        "  -p port  : port to use (default=standard port for protocol)",
        "  -z       : timing test" if protocol == "imap" else None,
        "  -k #     : minimum protection layer required",
        "  -l #     : max protection layer (0=none; 1=integrity; etc)",
        "  -u user  : authorization name to use",
        "  -a user  : authentication name to use",
        "  -w pass  : password to use (if not supplied, we will prompt)",
        "  -v       : verbose",
        "  -m mech  : SASL mechanism to use",
        f"             {logins[protocol]}" if protocol in logins else None,
        "  -i       : send no initial response",
        "  -f file  : pipe file into connection after authentication",
        "  -r realm : realm",
        f"  -s       : Enable {protocol} over SSL ({wrapped})" if wrapped else None,
        "  -t file  : Enable TLS. file has the TLS public and private keys",
        '             (specify "" to not use TLS for authentication)',
        f"  -q       : Enable {protocol} COMPRESSion (after authentication)"
        if protocol in ("imap", "nntp", "mupdate", "csync")
        else None,
        "  -c       : enable challenge prompt callbacks",
        "             (enter one-time password instead of secret pass-phrase)",
        "  -n       : number of auth attempts (default=1)",
        "  -I file  : output my PID to (file) (useful with -X)",
        "  -x file  : open the named socket for the interactive portion",
        "  -X file  : same as -x, and go into the background",
    ]
    return "".join(f"{line}\n" for line in lines if line is not None)
