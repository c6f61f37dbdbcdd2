"""Signals that ask a run to leave: the step is finished, the state saved, then the process goes."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

#: Exit status of a run that saved its state and wants to be started again.
REQUEUE_EXIT = 85
SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)


class Preemption:
    """Remembers that a signal came; `leave` is called at the next safe place.

    Under SLURM a handler of the scheduler's library is in place already: it is called after the
    state was saved (it requeues the job, or ignores the signal).
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Preemption:
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.received = number

    def leave(self, save: Callable[[], None]) -> None:
        """Save, then hand over to the handler that was there before, or exit for a requeue."""
        number = self.received or signal.SIGTERM
        self.received = None
        save()
        before = self._before.get(number)
        if callable(before) and before is not signal.default_int_handler:
            before(number, None)
            return
        sys.exit(REQUEUE_EXIT)
