"""Preemption: on a signal finish the step, save, and exit so that the work is queued again."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

logger = logging.getLogger(__name__)
#: tells the local queue to start the experiment again (EX_TEMPFAIL is 75; 85 is free).
EXIT_REQUEUE = 85
SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)


class PreemptedError(Exception):
    """Raised between two steps once a signal has asked the run to leave."""


class Preemption:
    """Turns signals into a request that the loop honours at its next safe point.

    Under SLURM, submitit's own handler (which requeues and exits) is called after the state is
    saved, instead of in the middle of a step.
    """

    def __init__(self) -> None:
        self.signal: int | None = None
        self.frame: FrameType | None = None
        self.before: dict[int, Any] = {}
        self.deferring = False

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Handle the signals inside, restore the handlers afterwards."""
        under_slurm = "SUBMITIT_EXECUTOR" in os.environ or "SLURM_JOB_ID" in os.environ
        if under_slurm:
            from dora.shep import register_preemption_callaback

            register_preemption_callaback(lambda: logger.info("preempted: queued again"))
        for number in SIGNALS:
            handler = signal.getsignal(number)
            if under_slurm and getattr(handler, "__name__", "") == "bypass":
                continue  # submitit ignores this one on purpose
            self.before[number] = signal.signal(number, self._receive)
        try:
            yield
        finally:
            for number, handler in self.before.items():
                signal.signal(number, handler)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self.signal, self.frame = number, frame
        if not self.deferring:  # data are being built: nothing to save yet
            self.leave()

    def leave(self) -> None:
        """Call the handler that was there before (submitit's), or exit for the local queue."""
        handler = self.before.get(self.signal or 0)
        if callable(handler):
            handler(self.signal, self.frame)
        sys.exit(EXIT_REQUEUE)
