"""Running a script over one message for one recipient, and doing what it wants."""

from __future__ import annotations

import logging
import time
from contextlib import closing

from imap.lmtpd.app import Lmtpd
from imap.lmtpd.placing import Message, Place
from imap.lmtpd.sieve.host import ScriptHost, text
from imap.lmtpd.sieve.message import ScriptMessage
from imap.lmtpd.sieve.perform import Performer
from libcyrus.auth import new_state
from libcyrus.errors import CyrusError
from libcyrus.records.duplicate import DuplicateKey
from sieve.bytecode.program import Program
from sieve.run import interpreter
from sieve.run.outcomes import Notification, Outcome, Outcomes

log = logging.getLogger(__name__)


class Filter:
    """One run. ``where`` is where the message would go without a script, in the sender's name.

    ``succeeded`` tells whether the script was followed to its end; if not, the message is to be
    delivered as without it.
    """

    def __init__(
        self, app: Lmtpd, message: Message, where: Place, sender: str, remote: tuple[str, str]
    ) -> None:
        self._app = app
        self._message = message
        self._where = where
        self._sender = sender
        self._remote = remote
        self.succeeded = False

    def run(self, program: Program) -> tuple[str, ...] | None:
        """The lines of a refusal, or None."""
        app, message = self._app, self._message
        host = ScriptHost(
            app=app,
            recipient=self._where.name,
            now=int(time.time()),
            message_id=message.message_id,
            remote=self._remote,
            extensions=app.settings.sieve_extensions,
        )
        with closing(host):
            return self._run(program, host)

    def _run(self, program: Program, host: ScriptHost) -> tuple[str, ...] | None:
        app, message = self._app, self._message
        seen = self._seen(host)
        outcomes = interpreter.run(program, seen, host)
        performer = self._performer(host, seen)
        failure = outcomes.error
        report = f"script execution failed: {failure}\n" if failure else ""
        if failure is None:
            failure = self._perform(performer, outcomes)
            report = performer.report
        self._notify(outcomes, seen, report)
        if failure is not None:
            log.info("sieve runtime error for %s id %s: %s", host.userid, _shown(message), failure)
            return None
        self.succeeded = True
        if app.duplicates is not None:
            self._remember(host, outcomes)
        return performer.refusal

    def _seen(self, host: ScriptHost) -> ScriptMessage:
        where, stage = self._where, self._message.stage
        envelope = {
            b"from": self._sender.encode("utf-8", "surrogateescape"),
            b"to": host.address.encode("utf-8", "surrogateescape"),
        }
        if where.authstate is not None and where.authstate.userid:
            envelope[b"auth"] = where.authstate.userid.encode("utf-8", "surrogateescape")
        return ScriptMessage(bytes(stage.data()), stage.message.header_size, envelope)

    def _performer(self, host: ScriptHost, seen: ScriptMessage) -> Performer:
        owner = None if host.userid is None else new_state(self._app.config, host.userid)
        return Performer(
            self._app,
            host,
            self._message,
            seen,
            self._sender,
            self._where,
            owner if host.userid is not None else self._where.authstate,
        )

    def _perform(self, performer: Performer, outcomes: Outcomes) -> str | None:
        """What went wrong, None for nothing."""
        for outcome in outcomes:
            try:
                performer.perform(outcome)
            except CyrusError as error:
                item = _item(outcome)
                performer.report += f"{outcome.label} action failed: {error}\n"
                return f"{outcome.label} ({item}): {error}" if item else f"{outcome.label}: {error}"
        return None

    def _remember(self, host: ScriptHost, outcomes: Outcomes) -> None:
        """The mail itself, and what the script asked to be remembered (RFC 7352)."""
        assert self._app.duplicates is not None
        marks = [(DuplicateKey(self._message.message_id, host.address_key, self._message.date), host.now, 0)]
        longest = self._app.settings.longest_duplicate
        for key, seconds in outcomes.tracked:
            expires = host.now + (min(seconds, longest) if longest > 0 else seconds)
            marks.append((DuplicateKey(key.replace(b"\0", b""), host.sieve_key), expires, 0))
        self._app.duplicates.mark_all(marks)

    def _notify(self, outcomes: Outcomes, seen: ScriptMessage, report: str) -> None:
        app = self._app
        if app.notifier is None or app.settings.sieve_notifier is None:
            return
        for wanted in outcomes.notifications:
            method = text(wanted.method)
            app.notifier.notify(
                app.settings.sieve_notifier if method == "default" else method,
                "SIEVE",
                priority=wanted.priority,
                user=self._where.name.userid,
                options=[text(option) for option in self._options(wanted)],
                message=f"{text(seen.fill_in(wanted.message))}\n\n{report}",
                filename=self._message.stage.path,
            )
            if app.metrics is not None:
                app.metrics.add("sieve_notify_total")

    def _options(self, wanted: Notification) -> tuple[bytes, ...]:
        if wanted.method == b"mailto" and wanted.options[:1] == (b"$env-from$",):
            return (self._sender.encode("utf-8", "surrogateescape"),)
        return wanted.options


def _item(outcome: Outcome) -> str | None:
    """What the log names of an outcome that failed."""
    for attribute in ("target", "address", "reason"):
        value = getattr(outcome, attribute, None)
        if value is not None:
            return text(value if isinstance(value, bytes) else value.name)
    return None


def _shown(message: Message) -> str:
    return message.message_id.decode("utf-8", "backslashreplace")
