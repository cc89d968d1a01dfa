"""Removes what dead processes have left in the directory of proc files (option ``proc_path``).

A process removes its own file when it ends, but not if it was killed. The original leaves such a file for
ever: then it counts against ``maxlogins_per_user``, and ``cyr_info proc`` shows a session that there is not.
"""

from __future__ import annotations

import os
from contextlib import suppress

from libcyrus import options as opt
from libcyrus.config import Config


class ProcFiles:
    def __init__(self, config: Config) -> None:
        self._directory = config[opt.proc_path] or os.path.join(config.directory, "proc")

    def forget(self, pid: int) -> None:
        """This process has ended, by whatever."""
        with suppress(OSError):
            os.unlink(os.path.join(self._directory, str(pid)))

    def sweep(self) -> None:
        """Forget all that do not live. Workers may have survived an earlier master."""
        with suppress(OSError):
            for name in os.listdir(self._directory):
                number = name.removesuffix(".new")
                if number.isascii() and number.isdigit() and int(number) and not _lives(int(number)):
                    with suppress(OSError):
                        os.unlink(os.path.join(self._directory, name))


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        pass
    return True
