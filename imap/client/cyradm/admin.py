"""An administrator's connection: the IMAP commands behind the shell's, and referrals to other servers."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING
from urllib.parse import unquote

from imap.client.cyradm import replies
from imap.client.cyradm.replies import Value, text
from libcyrus.backend.connect import Address, open_socket
from libcyrus.backend.dialect import Refused
from libcyrus.backend.imap import Imap
from libcyrus.backend.peer import Peer
from libcyrus.base.dataclasses import dataclass
from libcyrus.errors import ProtocolError
from libcyrus.prot import ProtError, ProtStream, TlsError
from libcyrus.sasl import SaslCode, SaslError

if TYPE_CHECKING:
    pass

MOST_REFERRALS = 5
MOST_RESPONSES = 1_000_000

ACL_WORDS = {
    "none": "",
    "read": "lrs",
    "post": "lrsp",
    "append": "lrsip",
    "write": "lrswipkxte",
    "delete": "lrxte",
    "all": "lrswipkxtea",
}
"""What may be written instead of rights."""

_ATOM = re.compile(rb"[!#-'+-\[\]^-z|}]+")
_REFERRAL = re.compile(r"\[REFERRAL ([^\]]+)\]", re.IGNORECASE)
_URL = re.compile(r"imap://(?:[^@/]*@)?([^/:]+)(?::(\d+))?/([^;?]*)", re.IGNORECASE)


class AdminError(Exception):
    """The server refused; the text is what it said."""


class LostConnection(Exception):
    """The connection has ended, or nothing sensible comes over it."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """How to log in, here and at servers that are referred to. ``password`` is asked for when needed."""

    user: str
    password: Callable[[], str]
    authzid: str = ""
    mechanism: str | None = None
    tls_key: str | None = None
    tls: bool = True
    ca_file: str | None = None
    ca_dir: str | None = None
    minimum: int = 0
    maximum: int = 10000


@dataclass(frozen=True, slots=True)
class Listed:
    """One mailbox of LIST. ``extended`` is the CHILDINFO item as written, None without one."""

    name: str
    attributes: str
    extended: str | None = None


class Admin:
    """A connection that has greeted. Methods raise AdminError and LostConnection."""

    def __init__(self, host: str, port: str | int | None = None) -> None:
        """Raises OSError, LostConnection."""
        dialect = Imap()
        address = Address("localhost", path=host) if host.startswith("/") else Address(host, port)
        self.servername = host
        self._peer = Peer(ProtStream(open_socket(address, dialect)), dialect, host)
        self._credentials: Credentials | None = None
        self._tag = 0
        try:
            self._peer.greet()
            self._peer.capabilities = dialect.ask(self._peer)
        except (ProtError, ProtocolError, Refused) as error:
            raise LostConnection from error

    def close(self) -> None:
        self._peer.close()

    def offers(self, capability: str) -> bool:
        return self._peer.capabilities.has(capability)

    # login

    def authenticate(self, credentials: Credentials) -> None:
        """Log in, by LOGIN where no mechanism will do. Raises SaslError, TlsError besides."""
        self._credentials = credentials
        peer = self._peer
        wanted = credentials.mechanism
        known = wanted is None or any(name in wanted.upper().split() for name in peer.capabilities.mechanisms)
        must = not known and not peer.capabilities.login
        if credentials.tls_key is not None or (must and credentials.tls):
            if not peer.capabilities.starttls:
                raise SaslError(SaslCode.ENCRYPT, "TLS disabled.")
            self._starttls(credentials)
        try:
            self._authenticate(credentials)
        except (SaslError, Refused) as error:
            if peer.capabilities.login and (wanted is None or wanted.lower() in ("plain", "login")):
                self._login(credentials)
            elif peer.tls is None and peer.capabilities.starttls and credentials.tls:
                self._starttls(credentials)
                try:
                    self._authenticate(credentials)
                except Refused as refusal:
                    raise AdminError(str(refusal)) from refusal
            elif isinstance(error, Refused):
                raise AdminError(str(error)) from error
            else:
                raise
        if self.offers("MAILBOX-REFERRALS"):
            # whoever asks in this way is sent on to other servers
            self.command("RLIST", _string(""), _string(""))

    def _starttls(self, credentials: Credentials) -> None:
        from libcyrus.prot.tls import ClientParameters, client_context

        checks = bool(credentials.ca_file or credentials.ca_dir)
        parameters = ClientParameters(
            certificate=credentials.tls_key or None,
            ca_file=credentials.ca_file or None,
            ca_dir=credentials.ca_dir or None,
            verify=checks,
        )
        with _guarded():
            self._peer.starttls(client_context(parameters))

    def _authenticate(self, credentials: Credentials) -> None:
        from libcyrus.sasl.client import Login

        login = Login(credentials.user, credentials.password, credentials.authzid)
        with _guarded():
            self._peer.authenticate(
                login,
                wanted=credentials.mechanism,
                minimum=credentials.minimum,
                maximum=credentials.maximum,
            )

    def _login(self, credentials: Credentials) -> None:
        self.command("LOGIN", _string(credentials.user), _string(credentials.password()))
        with _guarded():
            self._peer.capabilities = self._peer.dialect.ask(self._peer)

    # mailboxes

    def create(self, mailbox: str, partition: str | None = None, special_use: str | None = None) -> None:
        arguments = [_string(mailbox)]
        if special_use is not None:
            if not self.offers("CREATE-SPECIAL-USE"):
                raise AdminError("Remote does not support CREATE-SPECIAL-USE.")
            place = f"PARTITION {_bare(partition)} " if partition is not None else ""
            arguments.append(f"({place}USE ({_bare(special_use)}))".encode())
        elif partition is not None:
            arguments.append(_bare(partition).encode())
        self._of_mailbox("CREATE", *arguments)

    def delete(self, mailbox: str) -> None:
        self._of_mailbox("DELETE", _string(mailbox))

    def rename(self, old: str, new: str, partition: str | None = None) -> None:
        arguments = [_string(old), _string(new)]
        if partition is not None:
            arguments.append(_bare(partition).encode())
        self._of_mailbox("RENAME", *arguments)

    def transfer(self, mailbox: str, server: str, partition: str | None = None) -> None:
        arguments = [_string(mailbox), _string(server)]
        if partition is not None:
            arguments.append(_bare(partition).encode())
        self._of_mailbox("XFER", *arguments)

    def reconstruct(self, mailbox: str, *, recursive: bool) -> None:
        arguments = [_string(mailbox)] + ([b"RECURSIVE"] if recursive else [])
        self._of_mailbox("RECONSTRUCT", *arguments)

    def subscribe(self, mailbox: str) -> None:
        self._of_mailbox("SUBSCRIBE", _string(mailbox))

    def unsubscribe(self, mailbox: str) -> None:
        self._of_mailbox("UNSUBSCRIBE", _string(mailbox))

    def mailboxes(self, pattern: str, reference: str = "", *, selection: Iterable[str] = ()) -> list[Listed]:
        """``selection``: any of SUBSCRIBED, SPECIAL-USE, RECURSIVEMATCH."""
        wanted = list(selection)
        extended = self.offers("LIST-EXTENDED")
        special = self.offers("SPECIAL-USE")
        if "SPECIAL-USE" in wanted and not special:
            raise AdminError("Remote does not support SPECIAL-USE.")
        if wanted and not extended:
            raise AdminError("Remote does not support LIST-EXTENDED.")
        arguments: list[bytes] = []
        if self.offers("MAILBOX-REFERRALS") and extended:
            wanted.insert(0, "REMOTE")
        if wanted:
            arguments.append(f"({' '.join(wanted)})".encode())
        arguments += [_string(reference), _string(pattern)]
        if extended:
            arguments.append(b"RETURN (SUBSCRIBED SPECIAL-USE)" if special else b"RETURN (SUBSCRIBED)")
        return [_listed(values) for values in self.command("LIST", *arguments).get("LIST", ())]

    def subscribed(self, pattern: str, reference: str = "") -> list[Listed]:
        name = "RLSUB" if self.offers("MAILBOX-REFERRALS") else "LSUB"
        found = self.command(name, _string(reference), _string(pattern))
        return [_listed(values) for values in found.get("LSUB", ())]

    # rights and quotas

    def rights(self, mailbox: str) -> dict[str, str]:
        """Rights by identifier, in the server's order."""
        found: dict[str, str] = {}
        for values in self._of_mailbox("GETACL", _string(mailbox)).get("ACL", ()):
            pairs = [text(value) for value in values[1:]]
            found |= dict(zip(pairs[::2], pairs[1::2], strict=False))
        return found

    def set_rights(self, mailbox: str, identifier: str, rights: str) -> None:
        """``rights`` are letters or one of ACL_WORDS."""
        letters = ACL_WORDS.get(rights, rights)
        self._of_mailbox("SETACL", _string(mailbox), _string(identifier), _string(letters))

    def delete_rights(self, mailbox: str, identifier: str) -> None:
        self._of_mailbox("DELETEACL", _string(mailbox), _string(identifier))

    def quota(self, root: str) -> dict[str, tuple[int, int]]:
        """Use and limit by resource."""
        return _quotas(self._of_mailbox("GETQUOTA", _string(root)))

    def quota_root(self, mailbox: str) -> tuple[str, dict[str, tuple[int, int]]]:
        """The root of a mailbox, empty without one, and its resources."""
        found = self._of_mailbox("GETQUOTAROOT", _string(mailbox))
        roots = [text(values[1]) for values in found.get("QUOTAROOT", ()) if len(values) > 1]
        return (roots[0] if roots else ""), _quotas(found)

    def set_quota(self, root: str, limits: Mapping[str, str]) -> None:
        for resource, limit in limits.items():
            if not _ATOM.fullmatch(os.fsencode(resource)):
                raise AdminError(f"{resource}: not an atom")
            if not (limit.isascii() and limit.isdecimal()):
                raise AdminError(f"{resource}: {limit}: not a number")
        pairs = " ".join(f"{resource} {limit}" for resource, limit in limits.items())
        self._of_mailbox("SETQUOTA", _string(root), f"({pairs})".encode())

    # metadata

    def metadata(self, mailbox: str, entries: Sequence[str] = ()) -> dict[str, dict[str, str]]:
        """Values by entry, by mailbox (empty: the server); of all entries if none are named."""
        if not self.offers("METADATA"):
            raise AdminError("Remote does not support METADATA.")
        found: dict[str, dict[str, str]] = {}
        for entry in entries or ("/private/*", "/shared/*"):
            answer = self._of_mailbox("GETMETADATA", _string(mailbox), b"(" + _string(entry) + b")")
            for values in answer.get("METADATA", ()):
                if len(values) != 2 or not isinstance(values[1], list):
                    continue
                pairs = values[1]
                for key, value in zip(pairs[::2], pairs[1::2], strict=False):
                    shown = "NIL" if value is None else text(value)
                    found.setdefault(text(values[0]), {})[text(key)] = shown
        return found

    def set_metadata(self, mailbox: str, entry: str, value: str | None) -> None:
        if not self.offers("METADATA"):
            raise AdminError("Remote does not support METADATA.")
        shown = b"NIL" if value is None else _string(value, atom=False)
        self._of_mailbox("SETMETADATA", _string(mailbox), b"(" + _string(entry) + b" " + shown + b")")

    def identity(self) -> dict[str, str | None] | None:
        """What the server says of itself (ID); None if nothing."""
        for values in self.command("ID", b"NIL").get("ID", ()):
            if values and isinstance(values[0], list):
                pairs = values[0]
                return {
                    text(key): None if value is None else text(value)
                    for key, value in zip(pairs[::2], pairs[1::2], strict=False)
                }
        return None

    # the wire

    def command(self, name: str, *arguments: bytes) -> dict[str, list[list[Value]]]:
        """Run a command: the values of the untagged responses, by their word. Raises AdminError."""
        self._tag += 1
        tag = b"%d " % self._tag
        found: dict[str, list[list[Value]]] = {}
        with _guarded():
            self._peer.stream.write(tag + b" ".join((name.encode("ascii"), *arguments)) + b"\r\n")
            self._peer.stream.flush()
            for _ in range(MOST_RESPONSES):
                data = replies.read(self._peer)
                if data.startswith(tag):
                    word, _, said = data[len(tag) :].partition(b" ")
                    if word.upper() != b"OK":
                        raise AdminError(said.decode("utf-8", "surrogateescape"))
                    return found
                if data.startswith(b"* "):
                    word, _, rest = data[2:].partition(b" ")
                    known = word.upper().decode("ascii", "replace")
                    if known == "BYE":
                        raise LostConnection
                    if known not in ("OK", "NO", "BAD") and not known.isdecimal():
                        found.setdefault(known, []).append(replies.parse(rest))
        raise LostConnection

    def _of_mailbox(self, name: str, mailbox: bytes, *arguments: bytes) -> dict[str, list[list[Value]]]:
        """A command whose mailbox may be on another server, to which a referral then leads."""
        admin, opened = self, []
        try:
            for _ in range(MOST_REFERRALS):
                try:
                    return admin.command(name, mailbox, *arguments)
                except AdminError as error:
                    where = _referred(str(error))
                    if where is None or self._credentials is None:
                        raise
                    host, port, there = where
                    mailbox = _string(there)
                    admin = Admin(host, port)
                    opened.append(admin)
                    admin.authenticate(self._credentials)
            raise AdminError("too many referrals")
        except (OSError, SaslError, TlsError) as error:
            raise AdminError(f"cannot follow a referral: {error}") from error
        finally:
            for other in opened:
                other.close()


class _guarded:
    """Turns what can happen to a connection into LostConnection."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, ProtError | ProtocolError):
            raise LostConnection from error


def _string(value: str, *, atom: bool = True) -> bytes:
    """As an atom, a quoted string or a literal, whichever holds it; no atom where the grammar has none."""
    data = os.fsencode(value)
    if atom and _ATOM.fullmatch(data) and data.upper() != b"NIL":
        return data
    if len(data) < 1000 and not re.search(rb"[\0\r\n\x80-\xff]", data):
        return b'"' + re.sub(rb'(["\\])', rb"\\\1", data) + b'"'
    return b"{%d+}\r\n%s" % (len(data), data)


def _bare(value: str) -> str:
    """What goes into a command as it is. Raises AdminError for what would break it."""
    if not value or re.search(r"[\0\r\n(){}\"]", value):
        raise AdminError(f"{value}: not an atom")
    return value


def _listed(values: list[Value]) -> Listed:
    if len(values) < 3 or not isinstance(values[0], list):
        raise LostConnection
    attributes = " ".join(text(value) for value in values[0])
    extended = None
    if len(values) > 3 and isinstance(values[3], list) and len(values[3]) == 2:
        items = values[3][1]
        if isinstance(items, list):
            extended = f'{text(values[3][0])} ("{" ".join(text(item) for item in items)}")'
    return Listed(text(values[2]), attributes, extended)


def _quotas(found: Mapping[str, Sequence[list[Value]]]) -> dict[str, tuple[int, int]]:
    quotas: dict[str, tuple[int, int]] = {}
    for values in found.get("QUOTA", ()):
        if len(values) == 2 and isinstance(values[1], list):
            items = [text(value) for value in values[1]]
            for resource, use, limit in zip(items[::3], items[1::3], items[2::3], strict=False):
                if use.isdecimal() and limit.isdecimal():
                    quotas[resource] = (int(use), int(limit))
    return quotas


def _referred(said: str) -> tuple[str, int, str] | None:
    """Host, port and mailbox of a referral; of RENAME's two the first."""
    found = _REFERRAL.search(said)
    url = _URL.match(found[1]) if found is not None else None
    if url is None:
        return None
    return url[1], int(url[2] or Imap.port), unquote(url[3])
