"""Running a script: from bytecode to outcomes. Nothing is done to mail here; see who calls.

A run is bounded: jumps lead forward only, scripts that include each other may take so many instructions
and so much time altogether, and variables have a limit of their own.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from typing import Any

from libcyrus.base import times
from libcyrus.errors import CyrusError
from libcyrus.text.headerencoding import encode_header
from libcyrus.text.mimeheader import parse_mimeheader
from sieve.bytecode import actions as code
from sieve.bytecode.opcodes import Tag
from sieve.bytecode.program import Program
from sieve.run import mailto, vacation
from sieve.run.conditions import at_index, holds, matcher
from sieve.run.context import Context
from sieve.run.errors import RunError, SieveError
from sieve.run.host import Host, Message
from sieve.run.outcomes import (
    Fileinto,
    Keep,
    Notification,
    Outcomes,
    Redirect,
    Reject,
    Snooze,
    Target,
    Vacation,
)
from sieve.run.variables import modified, valid_flags

log = logging.getLogger(__name__)

MOST_STEPS = 100_000
MOST_SECONDS = 10.0
DEEPEST_INCLUDE = 50

_FIELD_NAME = re.compile(rb"[!-9;-~]+")
_UNDELETABLE = (b"received", b"auto-submitted")
_PRIORITIES = {Tag.LOW: "low", Tag.NORMAL: "normal", Tag.HIGH: "high", Tag.ANY: "any"}
_NOTIFIERS = b"https://cyrusimap.org/notifiers/"
_LONGEST_BY = 999_999_999
"""Seconds that RFC 2852 can say."""


def run(program: Program, message: Message, host: Host) -> Outcomes:
    """What the script wants; with ``error`` set if it came to no end."""
    interpreter = _Interpreter(Context(program, message, host))
    outcomes = interpreter.context.outcomes
    try:
        interpreter.run()
    except SieveError as error:
        outcomes.error = str(error)
    except CyrusError as error:
        # a store or database that cannot be asked now must not decide a test
        log.error("sieve: %s", error)
        outcomes.error = str(error)
    except RecursionError:
        outcomes.error = "tests nested too deep"
    return outcomes


class _Stop(Exception):
    """STOP, in whichever script."""


class _Interpreter:
    def __init__(self, context: Context) -> None:
        self.context = context
        self._implicit_keep = True
        self._running: list[Program] = []
        self._seen: list[Program] = []
        self._steps = 0
        self._deadline = time.monotonic() + MOST_SECONDS

    def run(self) -> None:
        try:
            self._script(self.context.program)
        except _Stop:
            pass
        if self._implicit_keep:
            self._keep(self.context.variables.flags)

    def _script(self, program: Program) -> None:
        """One script from its start to its end, or to RETURN."""
        if any(program is other for other in self._running):
            raise RunError("Recursive Include")
        if len(self._running) >= DEEPEST_INCLUDE:
            raise RunError("scripts include each other too deep")
        outer = self.context.program
        self.context.program = program
        self._running.append(program)
        self._seen.append(program)
        try:
            self._instructions(program)
        finally:
            self._running.pop()
            self.context.program = outer

    def _instructions(self, program: Program) -> None:
        instructions = program.code
        number = 0
        while number < len(instructions):
            self._count()
            instruction = instructions[number]
            number += 1
            match instruction:
                case code.If(test, otherwise):
                    if not holds(self.context, test):
                        number = otherwise
                case code.Jump(target):
                    number = target
                case code.Return():
                    return
                case _:
                    _ACTIONS[type(instruction)](self, instruction)

    def _count(self) -> None:
        self._steps += 1
        if self._steps > MOST_STEPS or time.monotonic() > self._deadline:
            raise RunError("script takes too long")

    # flags

    def _flags(self, flags: tuple[bytes, ...]) -> tuple[bytes, ...]:
        """The flags of a :flags argument, without one those of the implicit list."""
        if not flags:
            return self.context.variables.flags
        return tuple(valid_flags(self.context.texts(flags)))

    def set_flag(self, action: code.SetFlag) -> None:
        self.context.variables.set_flags(action.variable, valid_flags(self.context.texts(action.flags)))

    def add_flag(self, action: code.AddFlag) -> None:
        variables = self.context.variables
        have = variables.get(action.variable) or []
        variables.set_flags(action.variable, valid_flags([*have, *self.context.texts(action.flags)]))

    def remove_flag(self, action: code.RemoveFlag) -> None:
        variables = self.context.variables
        have = variables.get(action.variable)
        if have is not None:
            gone = valid_flags(self.context.texts(action.flags))
            variables.set_flags(action.variable, [flag for flag in have if flag not in gone])

    # what becomes of the message

    def keep(self, action: code.Keep) -> None:
        self._keep(self._flags(action.flags))
        self._implicit_keep = False

    def _keep(self, flags: tuple[bytes, ...]) -> None:
        context = self.context
        mailbox = context.host.resolve_keep()
        if mailbox is None:
            raise RunError("Keep can not be used with Reject")
        context.outcomes.file(Keep(mailbox, flags, context.header_if_edited()))

    def discard(self, action: code.Discard) -> None:
        self.context.outcomes.discard()
        self._implicit_keep = False

    def reject(self, action: code.Reject) -> None:
        self.context.outcomes.reject(Reject(self.context.text(action.reason), action.extended))
        self._implicit_keep = False

    def fileinto(self, action: code.Fileinto) -> None:
        context = self.context
        target = Target(
            context.text(action.folder),
            context.maybe(action.mailboxid),
            context.maybe(action.specialuse),
            action.create,
        )
        mailbox = context.host.resolve(target)
        if mailbox is None:
            raise RunError("Fileinto can not be used with Reject")
        flags = self._flags(action.flags)
        context.outcomes.file(
            Fileinto(mailbox, target, flags, context.header_if_edited(), cancels_keep=not action.copy)
        )
        self._implicit_keep = self._implicit_keep and action.copy

    def redirect(self, action: code.Redirect) -> None:
        context = self.context
        outcome = Redirect(
            context.text(action.address),
            action.is_list,
            self._deliver_by(action),
            context.maybe(action.notify),
            context.maybe(action.ret),
            context.header_if_edited(),
            cancels_keep=not action.copy,
        )
        context.outcomes.redirect(outcome)
        self._implicit_keep = self._implicit_keep and action.copy

    def _deliver_by(self, action: code.Redirect) -> str | None:
        """The value of BY (RFC 2852 section 4)."""
        if action.bytime is None:
            return None
        when = self.context.text(action.bytime).decode("ascii", "replace")
        if when.startswith("+"):
            seconds = int(when[1:]) if when[1:].isdecimal() and len(when) < 20 else 0
        else:
            moment = times.from_iso8601(when)
            if moment is None:
                raise RunError("Redirect bytimeabsolute value is invalid")
            seconds = moment - self.context.host.now
        if abs(seconds) > _LONGEST_BY:
            raise RunError("Redirect bytime value too large")
        mode = (self.context.maybe(action.bymode) or b"N")[:1].upper().decode("ascii", "replace")
        return f"{seconds:+d};{mode}{'T' if action.bytrace else ''}"

    def snooze(self, action: code.Snooze) -> None:
        context = self.context
        awaken = None
        if action.folder is not None or action.mailboxid is not None or action.specialuse is not None:
            awaken = Target(
                context.maybe(action.folder) or b"",
                context.maybe(action.mailboxid),
                context.maybe(action.specialuse),
                action.create,
            )
        context.outcomes.snooze(
            Snooze(
                awaken,
                tuple(valid_flags(context.texts(action.addflags))),
                tuple(valid_flags(context.texts(action.removeflags))),
                action.days,
                action.times,
                context.maybe(action.tzid),
                context.variables.flags,
                context.header_if_edited(),
            )
        )
        self._implicit_keep = False

    # answers and notifications

    def vacation(self, action: code.Vacation) -> None:
        context = self.context
        reply = vacation.reply_addresses(context.message, context.texts(action.addresses))
        if reply is None:
            return
        to, written_to = reply
        fcc = action.fcc
        context.outcomes.vacation(
            Vacation(
                to,
                context.maybe(action.sender) or written_to,
                self._subject() if action.subject is None else context.text(action.subject),
                context.text(action.message),
                action.mime,
                action.seconds,
                context.maybe(action.handle),
                None
                if fcc is None
                else Target(
                    context.text(fcc.folder),
                    context.maybe(fcc.mailboxid),
                    context.maybe(fcc.specialuse),
                    fcc.create,
                ),
                () if fcc is None else tuple(valid_flags(context.texts(fcc.flags))),
            )
        )

    def _subject(self) -> bytes:
        values = self.context.message.header(b"subject")
        return b"Auto: " + parse_mimeheader(values[0]) if values else b"Automated reply"

    def notify(self, action: code.Notify) -> None:
        self._notify(action.method, action.id, None, action)

    def enotify(self, action: code.Enotify) -> None:
        method, options = action.method, action.options
        if method.lower().startswith(b"mailto:"):
            method, options = b"mailto", (mailto.address(action.method[len(b"mailto:") :]), *options)
        elif method.lower().startswith(_NOTIFIERS):
            method = method[len(_NOTIFIERS) :]
        self._notify(method, None, action.sender, action, options)

    def _notify(
        self,
        method: bytes,
        identity: bytes | None,
        sender: bytes | None,
        action: code.Notify | code.Enotify,
        options: tuple[bytes, ...] | None = None,
    ) -> None:
        self.context.outcomes.notifications.append(
            Notification(
                method,
                identity,
                sender,
                action.options if options is None else options,
                _PRIORITIES[action.priority],
                self.context.text(action.message),
            )
        )

    def denotify(self, action: code.Denotify) -> None:
        """Take back notifications of a priority whose ids match."""
        outcomes = self.context.outcomes
        priority = _PRIORITIES[action.priority]
        compare = None if action.pattern is None else matcher(self.context, action.match)

        def taken_back(notification: Notification) -> bool:
            if priority not in ("any", notification.priority):
                return False
            if compare is None or action.pattern is None:
                return True
            return notification.id is not None and compare(notification.id, (action.pattern,))

        outcomes.notifications = [each for each in outcomes.notifications if not taken_back(each)]

    # variables, header fields, scripts

    def set(self, action: code.Set) -> None:
        value = modified(self.context.text(action.value), action.modifiers)
        self.context.variables.set(action.variable, value)

    def add_header(self, action: code.AddHeader) -> None:
        context = self.context
        name = context.text(action.name)
        if not _FIELD_NAME.fullmatch(name):
            raise RunError("Invalid header field name in Addheader")
        value = encode_header(context.text(action.value))
        context.message.add_header(name, value, last=action.index < 0)
        context.edited = True

    def delete_header(self, action: code.DeleteHeader) -> None:
        """Fields that belong to the way of the message stay (RFC 5293 section 6)."""
        context = self.context
        name = context.text(action.name)
        if name.lower() in _UNDELETABLE:
            return
        if not action.values:
            context.message.delete_header(name, action.index)
            context.edited = True
            return
        values = context.message.header(name)
        compare = matcher(context, action.match)
        patterns = context.texts(action.values)
        places = at_index(range(1, len(values) + 1), action.index)
        if action.match.kind is Tag.COUNT:
            gone = list(places) if compare(b"%d" % len(places), patterns) else []
        else:
            gone = [place for place in places if compare(parse_mimeheader(values[place - 1]), patterns)]
        # from the end, so that the numbers stay right
        for place in reversed(gone):
            context.message.delete_header(name, place)
            context.edited = True

    def include(self, action: code.Include) -> None:
        program = self.context.host.include(self.context.text(action.script), is_global=action.is_global)
        if program is None:
            if action.optional:
                return
            raise RunError("Include can not load script")
        if action.once and any(program is other for other in self._seen):
            return
        self._script(program)

    def log(self, action: code.Log) -> None:
        self.context.host.log(self.context.text(action.text))

    def fail(self, action: code.Error) -> None:
        raise RunError(action.message.decode("utf-8", "replace"))

    def stop(self, action: code.Stop) -> None:
        raise _Stop

    def process_imip(self, action: code.ProcessImip) -> None:
        raise RunError("calendars are not supported by this version")


_ACTIONS: dict[type, Callable[[_Interpreter, Any], None]] = {
    code.Stop: _Interpreter.stop,
    code.Keep: _Interpreter.keep,
    code.Discard: _Interpreter.discard,
    code.Reject: _Interpreter.reject,
    code.Error: _Interpreter.fail,
    code.Fileinto: _Interpreter.fileinto,
    code.Redirect: _Interpreter.redirect,
    code.SetFlag: _Interpreter.set_flag,
    code.AddFlag: _Interpreter.add_flag,
    code.RemoveFlag: _Interpreter.remove_flag,
    code.Notify: _Interpreter.notify,
    code.Enotify: _Interpreter.enotify,
    code.Denotify: _Interpreter.denotify,
    code.Vacation: _Interpreter.vacation,
    code.Include: _Interpreter.include,
    code.Set: _Interpreter.set,
    code.AddHeader: _Interpreter.add_header,
    code.DeleteHeader: _Interpreter.delete_header,
    code.Log: _Interpreter.log,
    code.Snooze: _Interpreter.snooze,
    code.ProcessImip: _Interpreter.process_imip,
}
