"""Notifications of scripts, from lmtpd through notifyd to mail (RFC 5435, RFC 5436), beside the original's.

What differs from RFC 5436, in both: parameters of a mailto URI are no header fields of the notification, it
has no Auto-Submitted field, and says who it is from by the option "postmaster" only. The original even sends
to "address?parameters".
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

import pytest
from cyrus.test_sieve_cases import SENDMAIL, World

from cassandane.instance import wait_for

MAIL = b"From: Bob <bob@example.com>\r\nTo: ann@example.org\r\nMessage-ID: <%d@x>\r\n"
MAIL += b"Subject: hello\r\n\r\nte\xc3\xa4xt\r\n"
# notifyd writes whole mails to it, lmtpd speaks SMTP
_WHOLE = """if [ "$1" != -bs ]; then
    {{ echo "$*"; cat; }} > {directory}/.mail$$
    mv {directory}/.mail$$ $mail
    exit 0
fi
"""


class Notified(World):
    def __init__(self, program: str, **settings: str) -> None:
        super().__init__(program, {"notify": program}, **settings)
        top = self.server.directory
        text = SENDMAIL.format(directory=top)
        head, line, rest = text.partition("outgoing/$$\n")
        (top / "sendmail").write_text(head + line + _WHOLE.format(directory=top / "outgoing") + rest)
        self._number = 0
        with self.server.imap("ann") as imap:
            imap.ok("NOOP")

    def deliver(self, script: str) -> None:
        assert self.give_script("ann", script) == [b"put: OK\r\n", b"OK\r\n"]
        self._number += 1
        with self.server.lmtp() as lmtp:
            [reply] = lmtp.deliver(MAIL % self._number, "ann", sender="bob@example.com")
        assert reply.startswith("250"), reply

    def told(self, count: int = 1) -> list[str]:
        """Mails of notifyd, the parts of them that are always new left out."""
        folder = self.server.directory / "outgoing"

        def mails() -> list[str]:
            return [path.name for path in folder.iterdir() if not path.name.startswith(".")]

        wait_for(lambda: len(mails()) >= count, "no notification", detail=self.server.describe)
        texts = (mail.decode("utf-8", "surrogateescape") for mail in self.mails())
        texts = (re.sub(r"cmu-sieve-[^@]*@", "cmu-sieve@", text) for text in texts)
        return sorted(re.sub(r"Date: .*", "Date:", text) for text in texts)


@contextlib.contextmanager
def notified(program: str, **settings: str) -> Iterator[Notified]:
    world = Notified(program, **settings)
    try:
        yield world
    finally:
        world.close()


SCRIPTS = (
    'require "enotify"; notify :message "new mail" "mailto:pager@example.net"; keep;',
    'require ["enotify", "variables"]; if header :matches "from" "*<*>" {'
    ' notify :importance "1" :message "from ${2}: $subject$ ($from$, $env-from$, $text[4]$)"'
    ' "mailto:pager@example.net"; }',
    'require ["enotify", "fileinto", "mailbox"]; notify :message "m" "MAILTO:two@example.net"; discard;',
    'require "notify"; notify :method "mailto" :options "old@example.net" :message "old form";',
    'require "notify"; notify :options "default@example.net";',
    'require ["enotify", "reject"]; notify :message "failed" "mailto:pager@example.net"; keep; reject "no";',
)


TO_THE_SENDER = 'require "notify"; notify :method "mailto" :options "$env-from$" :message "back";'


def _play(program: str) -> list[list[str]]:
    with notified(program, sievenotifier="mailto") as world:
        found = []
        for script in SCRIPTS:
            world.deliver(script)
            found.append(world.told())
        return found


def test_a_notification_is_a_mail() -> None:
    found = _play("ours")
    [first] = found[0]
    assert first.startswith("-i -f <> -- pager@example.net\n")
    assert "To: <pager@example.net>\n" in first.replace("\r", "")
    assert "new mail" in first and "Action(s) taken:\nKept\n" in first
    [second] = found[1]
    assert "from bob@example.com: hello (Bob <bob@example.com>, bob@example.com, te" in second
    assert "Discarded" in found[2][0]
    assert found[4][0].startswith("-i -f <> -- default@example.net\n")
    assert "script execution failed: " in found[5][0]


@pytest.mark.reference
@pytest.mark.long
def test_notifications_are_the_originals() -> None:
    assert _play("ours") == _play("reference")


def test_the_sender_is_told() -> None:
    """As the draft of "notify" has it; the original's notifyd gets no address and sends nothing."""
    with notified("ours", sievenotifier="mailto") as world:
        world.deliver(TO_THE_SENDER)
        assert world.told()[0].startswith("-i -f <> -- bob@example.com\n")


def test_without_a_notifier_nobody_is_told() -> None:
    """As in the original, ``sievenotifier`` turns all notifications on."""
    with notified("ours") as world:
        world.deliver(SCRIPTS[0])
        # what comes behind it was done last
        world.deliver('redirect "last@example.net";')
        [mail] = world.mails()
        assert b"RCPT TO:<last@example.net>" in mail
