"""Rules and examples of RFCs as small Sieve scripts with what comes of them, in tables of tests.

An outcome is written as one word a line: ``keep``, ``discard``, ``fileinto NAME``, ``redirect ADDRESS``,
``reject REASON``, ``vacation TO FROM SUBJECT``, ``notify METHOD OPTION``, ``error TEXT`` for a run that
failed and ``refused TEXT`` for a script that does not compile; flags follow behind a ``+``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from imap.lmtpd.sieve.message import ScriptMessage
from sieve.bytecode.program import Program, load
from sieve.compiler import compile_script
from sieve.errors import ScriptErrors
from sieve.extensions import NOT_BUILT, Extension
from sieve.parser import Rules
from sieve.run.host import Host
from sieve.run.interpreter import run
from sieve.run.outcomes import (
    Discard,
    Fileinto,
    Keep,
    Notification,
    Outcome,
    Outcomes,
    Redirect,
    Reject,
    Snooze,
    Vacation,
)

OFFERED = frozenset(Extension) - NOT_BUILT
RULES = Rules(OFFERED, True, 0, 90 * 86400)

COYOTE = """\
Date: Tue, 1 Apr 1997 09:06:31 -0800 (PST)
From: coyote@desert.example.org
To: roadrunner@acme.example.com
Subject: I have a present for you

Look, I'm sorry about the whole anvil thing.
--
Wile E. Coyote   "Super Genius"   coyote@desert.example.org
"""
"""Message A of RFC 5228 section 3.1."""
RICH = """\
From: youcouldberich!@reply-by-postal-mail.invalid
Sender: b1ff@de.res.example.com
To: rube@landru.example.com
Date: Mon, 31 Mar 1997 18:26:10 -0800
Subject: $$$ YOU, TOO, CAN BE A MILLIONAIRE! $$$

YOU MAY HAVE ALREADY WON TEN MILLION DOLLARS, BUT I DOUBT IT!
"""
"""Message B of RFC 5228 section 3.1."""


@dataclass(frozen=True)
class Rule:
    """``expected`` are the outcomes, a ``;`` between them. ``mail`` has the line ends of this text."""

    section: str
    script: str
    expected: str
    mail: str = COYOTE
    sender: str = "coyote@desert.example.org"
    to: str = "roadrunner@acme.example.com"

    @property
    def id(self) -> str:
        return f"{self.section}-{' '.join(self.script.split())[-60:]}"


def holds(
    section: str, extensions: str, test: str, expected: bool = True, mail: str = COYOTE, **envelope: str
) -> Rule:
    """A rule on a test: the mail is thrown away if it is true."""
    names = ", ".join(f'"{name}"' for name in extensions.split())
    required = f"require [{names}];\n" if names else ""
    script = f"{required}if {test} {{ discard; }}"
    return Rule(section, script, "discard" if expected else "keep", mail, **envelope)


def compiled(script: str) -> Program:
    """Raises ScriptErrors."""
    return load(compile_script(script.encode(), RULES))


def message(mail: str, sender: str, to: str) -> ScriptMessage:
    data = mail.replace("\n", "\r\n").encode()
    header_size = data.index(b"\r\n\r\n") + 4
    return ScriptMessage(data, header_size, {b"from": sender.encode(), b"to": to.encode()})


def result(rule: Rule, host: Host) -> str:
    try:
        program = compiled(rule.script)
    except ScriptErrors as error:
        return "; ".join(f"refused {each.text}" for each in error.errors)
    return shown(run(program, message(rule.mail, rule.sender, rule.to), host))


def shown(outcomes: Outcomes) -> str:
    lines = [_notification(each) for each in outcomes.notifications]
    if outcomes.error is not None:
        lines.append(f"error {outcomes.error}")
    else:
        lines += [_shown(each) for each in outcomes]
    return "; ".join(lines)


def _shown(outcome: Outcome) -> str:
    match outcome:
        case Keep():
            return "keep" + _flags(outcome.flags)
        case Fileinto():
            return f"fileinto {_text(outcome.target.name)}{_flags(outcome.flags)}"
        case Redirect():
            extra = (outcome.deliverby, _text(outcome.notify), _text(outcome.ret))
            return " ".join(["redirect", _text(outcome.address), *(each for each in extra if each)])
        case Discard():
            return "discard"
        case Reject():
            return f"{outcome.label.lower()} {_text(outcome.reason)}"
        case Vacation():
            return f"vacation {_text(outcome.to)} {_text(outcome.sender)} {_text(outcome.subject)}"
        case Snooze():
            return "snooze " + ",".join(str(each) for each in outcome.times)


def _notification(what: Notification) -> str:
    options = ",".join(_text(option) for option in what.options)
    return f"notify {_text(what.method)} {options} {what.priority} {_text(what.message)}"


def _flags(flags: Iterable[bytes]) -> str:
    words = " ".join(_text(flag) for flag in flags)
    return f" + {words}" if words else ""


def _text(value: bytes | None) -> str:
    return "" if value is None else value.decode("utf-8", "surrogateescape")
