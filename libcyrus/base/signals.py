"""Signals as a serving process wants them: noticed at safe points, never in the middle of a commit.

A handler only takes note. The code decides where it may stop by calling
``poll``, which raises ``ShutdownRequested`` after SIGTERM, SIGINT or SIGQUIT.
Whoever waits for descriptors must also wait for ``wakeup_fd``: the interpreter
makes it readable when a signal comes, which closes the gap between looking for
signals and falling asleep.

SIGHUP and SIGALRM ask an idle process to go away and leave a busy one alone;
SIGUSR2 asks for the running command to be given up.
"""

from __future__ import annotations

import os
import signal
from types import FrameType

_TERMINATING = (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM)
_HELD = (*_TERMINATING, signal.SIGHUP)
_NOTED = (*_TERMINATING, signal.SIGHUP, signal.SIGALRM, signal.SIGUSR2)


def fork() -> int:
    """``os.fork`` that loses no signal: the interpreter forgets what the child was sent too early.

    In the child, signals stay blocked until it calls ``unblock``.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, _HELD)
    try:
        pid = os.fork()
    except BaseException:
        unblock()
        raise
    if pid:
        unblock()
    return pid


def unblock() -> None:
    """Let the signals come that ``fork`` held back."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _HELD)


class ShutdownRequested(BaseException):
    """The process was told to end. Not an ``Exception``, so that nobody handles it by accident."""


class Signals:
    """What was asked of this process so far. One object a process; ``renew`` it after ``fork``."""

    def __init__(self) -> None:
        self._pending: set[int] = set()
        self._undrained = False
        self.told_to_end = False
        """Whether ``poll`` has raised ``ShutdownRequested``."""
        self.wakeup_fd, self._write_fd = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def install(self) -> None:
        """Take over the handlers. SIGPIPE becomes an error of ``write``."""
        for number in _NOTED:
            signal.signal(number, self._note)
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        signal.set_wakeup_fd(self._write_fd, warn_on_full_buffer=False)

    def renew(self) -> None:
        """In a child, after ``fork``: stop sharing the descriptors with the parent and its other children.

        The handlers are those of the parent, which has installed them.
        """
        shared = self.wakeup_fd, self._write_fd
        self.wakeup_fd, self._write_fd = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(self._write_fd, warn_on_full_buffer=False)
        for fd in shared:
            os.close(fd)
        self._undrained = False

    def poll(self) -> int:
        """The number of a pending SIGHUP or SIGALRM, else 0; raises ``ShutdownRequested``.

        Empties ``wakeup_fd``.
        """
        if self._undrained:
            self._undrained = False
            try:
                os.read(self.wakeup_fd, 512)
            except BlockingIOError:
                pass
        pending = self._pending
        if not pending:
            return 0
        if not pending.isdisjoint(_TERMINATING):
            pending.difference_update(_TERMINATING)
            self.told_to_end = True
            raise ShutdownRequested
        if signal.SIGHUP in pending:
            return signal.SIGHUP
        if signal.SIGALRM in pending:
            return signal.SIGALRM
        return 0

    def check(self) -> None:
        """``poll`` for its exception only: the ``before_wait`` of a ``ProtStream``."""
        self.poll()

    def forget(self, number: int) -> None:
        self._pending.discard(number)

    def cancelled(self) -> bool:
        """Whether SIGUSR2 came since the last call: the running command should be given up."""
        if signal.SIGUSR2 in self._pending:
            self._pending.discard(signal.SIGUSR2)
            return True
        return False

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self._pending.add(number)
        self._undrained = True
