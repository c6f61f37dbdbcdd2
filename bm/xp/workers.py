"""Processes of one distributed run: they are asked to leave together and never outlive their start.

Dora's own start leaves them training when the process that started them is ended, and counts a
worker that saved its state and asks to be started again as a failure.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from types import FrameType
from typing import IO, TYPE_CHECKING, Any, NoReturn

from dora.log import simple_log

from .queue import REQUEUE_EXIT

if TYPE_CHECKING:
    from dora.main import DecoratedMain

log = partial(simple_log, "Executor:")
POLL_S = 0.05
#: What may be asked of a run: see `bm.engine.preemption`.
SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)
INTERRUPTED = 130
LEAVE_S = 120.0  # a worker that was asked to leave saves; a large model on a slow disk takes long
FAIL_S = 5.0  # beside a dead one, the others wait for it: nothing more is to be saved
PR_SET_PDEATHSIG = 1


def death_with(parent: int) -> Callable[[], None] | None:
    """Return what a new process calls to be killed when `parent` ends; None without prctl.

    The kernel does it, so that it works when the parent was killed too.
    """
    if not sys.platform.startswith("linux"):
        return None
    # loaded here: between fork and exec nothing may be loaded
    prctl = ctypes.CDLL(None).prctl

    def bind() -> None:
        # only calls of the system: other threads may have held any lock at the fork
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it ended before the call
            os.kill(os.getpid(), signal.SIGKILL)

    return bind


class Workers:
    """Started processes of one run, by rank."""

    def __init__(self) -> None:
        self.children: list[subprocess.Popen[bytes]] = []
        self.signalled = False
        self.until: float | None = None

    def start(
        self,
        words: Sequence[str],
        environment: Mapping[str, str],
        output: IO[str] | None = None,
    ) -> None:
        """Start the next worker; with `output`, it has no input and writes there."""
        streams: dict[str, Any] = {
            "stdin": subprocess.DEVNULL,
            "stdout": output,
            "stderr": subprocess.STDOUT,
        }
        self.children.append(
            subprocess.Popen(
                words,
                env=dict(environment),
                preexec_fn=death_with(os.getpid()),
                **(streams if output is not None else {}),
            )
        )

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Pass on to the workers, inside, what this process is asked by a signal."""
        before = {number: signal.signal(number, self._pass_on) for number in SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _pass_on(self, number: int, frame: FrameType | None) -> None:
        self.signalled = True
        self._within(LEAVE_S)
        for child in self.children:
            if child.poll() is None:
                child.send_signal(number)

    def _within(self, seconds: float) -> None:
        """Set when the workers that are left are killed, unless it is set already."""
        if self.until is None:
            self.until = time.monotonic() + seconds

    def wait(self) -> int:
        """Wait for all workers; return the exit code of the run.

        That of the first that failed, else 85 when they leave to be started again, else 130 when
        they were interrupted, else 0.
        """
        failure = 0
        if self.signalled:  # before the last one was started
            self._end(signal.SIGTERM)
        while any(child.poll() is None for child in self.children):
            try:
                failure = failure or self._look()
                time.sleep(POLL_S)
            except KeyboardInterrupt:  # the terminal has sent it to the workers too
                self._within(LEAVE_S)
        codes = [child.returncode for child in self.children]
        failure = failure or next(filter(None, map(self._failure, codes)), 0)
        if failure:
            return failure if failure > 0 else 1
        if REQUEUE_EXIT in codes or (self.signalled and any(codes)):
            return REQUEUE_EXIT
        return INTERRUPTED if INTERRUPTED in codes else 0

    def _failure(self, code: int | None) -> int:
        """Return the code of a worker that failed, 0 for one that runs, ended well or left."""
        if code is None or code in (0, REQUEUE_EXIT, INTERRUPTED):
            return 0
        # killed while it was leaving, by a signal that came before it could listen or by the limit
        return 0 if self.signalled and code < 0 else code

    def _look(self) -> int:
        """Return the code of the first worker that failed, and see to it that the others end."""
        codes = [(rank, child.poll()) for rank, child in enumerate(self.children)]
        failure = 0
        for rank, code in codes:
            failure = failure or self._failure(code)
            if self._failure(code) and self.until is None:
                log(f"Worker {rank} died, killing all workers")
                self._within(FAIL_S)
                self._end(signal.SIGTERM)
        if any(code in (REQUEUE_EXIT, INTERRUPTED) for _, code in codes):
            self._within(LEAVE_S)
        if self.until is not None and time.monotonic() > self.until:
            self._end(signal.SIGKILL)
        return failure

    def _end(self, number: int) -> None:
        for child in self.children:
            if child.poll() is None:
                child.send_signal(number)


def start_workers(
    main: DecoratedMain, argv: Sequence[str], num_workers: int | None = None
) -> NoReturn:
    """Train an experiment with several processes here, and leave with the exit code of the run.

    Args:
        main: decorated main of the experiment.
        argv: its arguments.
        num_workers: processes; None = one per GPU, one without any.
    """
    import torch

    count = num_workers or torch.cuda.device_count()
    if not count:
        print("no GPU here: one worker (--ddp_workers N for more)", file=sys.stderr)
        count = 1
    xp = main.get_xp(argv)
    xp.folder.mkdir(exist_ok=True, parents=True)
    xp.rendezvous_file.unlink(missing_ok=True)
    log(f"Starting {count} worker processes for DDP.")
    words = [sys.executable, "-m", "dora", "-P", main.package, "--main_module", main.main_module]
    workers = Workers()
    with workers.listening():
        for rank in range(count):
            numbers = {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(count)}
            environment = {**os.environ, **numbers, "MASTER_ADDR": "127.0.0.1"}
            with open(xp.folder / f"worker_{rank}.log" if rank else os.devnull, "w") as output:
                workers.start([*words, "run", "--", *argv], environment, output if rank else None)
        code = workers.wait()
    if code == 0:
        log("All workers completed successfully")
    sys.exit(code)
