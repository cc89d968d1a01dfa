"""External lists (RFC 6134) are address books that the original's CardDAV server writes.

What differs: the original's compilers die of ``redirect :list`` ("stub function called"), and its lmtpd
would look at no address of any contact. Ours goes to all addresses in the list, in one mail.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import re
from collections.abc import Iterator

import pytest
from cyrus.test_sieve_cases import World

pytestmark = pytest.mark.reference

_CARD = """BEGIN:VCARD
VERSION:3.0
UID:{uid}
N:Doe;{uid};;;
FN:{uid} Doe
{emails}END:VCARD
"""
MAIL = b"From: Bob <bob@example.com>\r\nTo: ann@example.org\r\nMessage-ID: <%b@x>\r\n\r\ntext\r\n"
REQUIRE = 'require ["extlists", "fileinto", "envelope", "variables", "imap4flags", "copy"];\n'


class Books(World):
    def __init__(self, program: str) -> None:
        super().__init__(program, {"http": "reference"}, httpmodules="carddav", httpallowplaintext="yes")

    def dav(self, method: str, path: str, body: str = "", kind: str = "text/vcard") -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.ports["http"], timeout=20)
        secret = base64.b64encode(b"ann:secret").decode()
        headers = {"Authorization": f"Basic {secret}", "Content-Type": f"{kind}; charset=utf-8"}
        try:
            connection.request(method, f"/dav/addressbooks/user/ann/{path}", body.encode(), headers)
            return connection.getresponse().status
        finally:
            connection.close()

    def contact(self, book: str, uid: str, *emails: str) -> None:
        lines = "".join(f"EMAIL;TYPE=internet:{email}\n" for email in emails)
        card = _CARD.format(uid=uid, emails=lines).replace("\n", "\r\n")
        assert self.dav("PUT", f"{book}/{uid}.vcf", card) == 201

    def deliver(self, name: str, sender: str = "bob@example.com") -> list[str]:
        """The mail, and then the flags of all that is in the INBOX."""
        with self.server.lmtp() as lmtp:
            replies = lmtp.deliver(MAIL % name.encode(), "ann", sender=sender)
        assert replies[0].startswith("250"), replies
        with self.server.imap("ann") as imap:
            imap.ok("SELECT INBOX")
            lines = imap.ok("UID FETCH 1:* (FLAGS)").untagged
            imap.ok(r"STORE 1:* +FLAGS (\Deleted)")
            imap.ok("EXPUNGE")
        return re.findall(r"FLAGS \(([^)]*)\)", " ".join(lines))


@contextlib.contextmanager
def books(program: str) -> Iterator[Books]:
    world = Books(program)
    try:
        with world.server.imap("ann") as imap:
            imap.ok("NOOP")
        world.contact("Default", "bob", "bob@example.com", "Robert@example.com")
        assert world.dav("MKCOL", "friends/", kind="text/xml") in (201, 403)
        yield world
    finally:
        world.close()


TESTS = """
if envelope :list "from" ":addrbook:default" { addflag "envelope"; addflag "v-${0}"; }
if address :list :localpart "from" ":addrbook:Default" { addflag "localpart"; }
if address :list "from" ["urn:ietf:params:sieve:addrbook:none", "urn:ietf:params:sieve:addrbook:default"] {
    addflag "address"; }
if header :list "to" ":addrbook:Default" { addflag "header"; }
if valid_ext_list ":addrbook:DEFAULT" { addflag "valid"; }
if valid_ext_list [":addrbook:Default", ":addrbook:none"] { addflag "both"; }
if valid_ext_list ":addrbook:%44efault" { addflag "percent"; }
if valid_ext_list ":addrbook:" { addflag "nameless"; }
if valid_ext_list "tag:example.com,2010:Default" { addflag "tag"; }
keep;
"""


@pytest.mark.parametrize("program", ["ours", "reference"])
def test_lists(program: str) -> None:
    with books(program) as world:
        assert world.give_script("ann", REQUIRE + TESTS)[1] == b"OK\r\n"
        [flags] = world.deliver("one")
        assert set(flags.split()) - {"\\Recent"} == {
            "envelope", "v-bob@example.com", "address", "valid", "percent", "nameless"
        }  # fmt: skip
        [flags] = world.deliver("two", "ROBERT@example.com")
        assert {"envelope", "v-ROBERT@example.com"} <= set(flags.split())
        [flags] = world.deliver("three", "stranger@example.com")
        assert "envelope" not in flags.split()

        script = 'redirect :list ":addrbook:default";'
        if program == "reference":
            assert not world.give_script("ann", REQUIRE + script)[0].startswith(b"put: OK")
            return
        assert world.give_script("ann", REQUIRE + script)[1] == b"OK\r\n"
        assert world.deliver("four") == []
        [mail] = world.mails()
        recipients = [line.split()[1] for line in mail.split(b"\n") if line.startswith(b"RCPT TO:")]
        assert recipients == [b"TO:<bob@example.com>", b"TO:<Robert@example.com>"]

        # a list that is none keeps the mail, and nothing is sent to its name
        script = 'redirect :list ":addrbook:none";'
        assert world.give_script("ann", REQUIRE + script)[1] == b"OK\r\n"
        [flags] = world.deliver("five")
        assert "$SieveFailed" in flags.split()
        assert world.mails() == []
