"""The signals of master: noted by handlers, acted upon in the loop.

SIGHUP rereads cyrus.conf; SIGTERM, SIGQUIT and SIGINT end everything;
SIGCHLD says that somebody died. ``wakeup_fd`` becomes readable with each.
"""

from __future__ import annotations

import os
import signal
from types import FrameType


class MasterSignals:
    """What came since the flag was last cleared by the loop."""

    def __init__(self) -> None:
        self.quit = self.child = self.hangup = False
        self.wakeup_fd, self._write_fd = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def install(self) -> None:
        for number in (
            signal.SIGHUP, signal.SIGALRM, signal.SIGQUIT, signal.SIGTERM, signal.SIGINT, signal.SIGCHLD,
        ):  # fmt: skip
            signal.signal(number, self._note)
        signal.set_wakeup_fd(self._write_fd, warn_on_full_buffer=False)

    def drain(self) -> None:
        """Empty ``wakeup_fd``, before the flags are looked at."""
        try:
            os.read(self.wakeup_fd, 4096)
        except BlockingIOError:
            pass

    def _note(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGCHLD:
            self.child = True
        elif number == signal.SIGHUP:
            self.hangup = True
        elif number != signal.SIGALRM:
            self.quit = True
