"""Virtual machine: one clock, processes that die at any write, and who runs next, from a seed.

A process that is interrupted does not go on before the one that interrupts it has done its step:
steps nest, so that nothing needs threads and a seed repeats to the last operation.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

from .disk import Disk

DEPTH = 3  # steps within steps


class KilledError(BaseException):
    """Ends a step of a process that has died."""


class BlockedError(BaseException):
    """Ends a step that waits for a lock of one that cannot go on before: it is tried again."""


class BrokenError(AssertionError):
    """A promise that was not kept."""


@dataclass
class Process:
    """One process of the machine.

    Attributes:
        step: does what comes next and returns whether there is more.
        code: exit status; negative = killed by that signal.
        signal: what it was asked and will notice.
        listens: whether a signal is noticed instead of ending it.
    """

    pid: int
    started: str
    name: str
    step: Callable[[], bool]
    parent: Process | None = None
    code: int | None = None
    signal: int | None = None
    listens: bool = False
    waits: bool = False  # for a word of its parent
    busy: bool = False
    notes: dict[str, Any] = field(default_factory=dict)


@dataclass
class Faults:
    """How likely things go wrong at each point."""

    kill: float = 0.0
    switch: float = 0.15
    full: float = 0.0


class World:
    """State of a simulation."""

    def __init__(self, seed: int) -> None:
        self.draw = Random(seed)
        self.disk = Disk(self)
        self.now, self.shift = 1e9, 0.0
        self.boot = 0
        self.processes: list[Process] = []
        self.stack: list[Process] = []
        self.locks: dict[str, Process] = {}
        self.faults = Faults()
        self.tracing = False
        self.trace: list[str] = []

    # processes ----------------------------------------------------------------------------

    def start(self, name: str, step: Callable[[], bool], **values: Any) -> Process:
        """Start a process; numbers repeat soon."""
        used = {p.pid for p in self.processes if p.code is None}
        pid = self.draw.choice([n for n in range(2, 24) if n not in used])
        self.now += 0.01
        started = f"{self.boot}:{self.now:.2f}"
        process = Process(pid, started, name, step, **values)
        self.processes.append(process)
        self.note(f"start {name} as {pid}")
        return process

    def end(self, process: Process, code: int) -> None:
        """End a process: its locks are free, and children that wait for its word end."""
        if process.code is not None:
            return
        process.code = code
        self.note(f"{process.name} ends with {code}")
        self.locks = {k: p for k, p in self.locks.items() if p is not process}
        for child in self.alive():
            if child.waits and child.parent is process:
                self.end(child, 1)

    def alive(self) -> list[Process]:
        """Return the processes that run."""
        return [p for p in self.processes if p.code is None]

    def find(self, pid: int) -> Process | None:
        """Return the running process of a number."""
        return next((p for p in self.alive() if p.pid == pid), None)

    def send(self, pid: int, number: int) -> None:
        """Send a signal; raises ProcessLookupError."""
        process = self.find(pid)
        if process is None:
            raise ProcessLookupError(pid)
        if number == signal.SIGKILL or not process.listens:
            self.end(process, -int(number))
        else:
            process.signal = int(number)

    def lose_power(self) -> None:
        """Start the machine again: every process is gone, and what was not safe may be too."""
        self.note("power lost")
        for process in self.alive():
            self.end(process, -9)
        self.disk.lose_power()
        self.boot += 1

    # time and interleaving ----------------------------------------------------------------

    @property
    def current(self) -> Process | None:
        """The process whose step runs."""
        return self.stack[-1] if self.stack else None

    def note(self, text: str) -> None:
        """Keep a line of the trace, of a seed that is replayed."""
        if not self.tracing:
            return
        who = self.stack[-1].name if self.stack else "-"
        self.trace.append(f"{self.now - 1e9:9.2f} {'  ' * len(self.stack)}{who}: {text}")

    def full(self) -> bool:
        """Return whether the disk is full at this moment."""
        return self.draw.random() < self.faults.full

    def point(self, what: str) -> None:
        """Pass a point at which anything may happen."""
        process = self.current
        if process is None:
            return
        if process.code is not None:
            raise KilledError
        self.note(what)
        self.now += 0.001
        if self.draw.random() < self.faults.kill:
            if self.draw.random() < 0.15:
                self.lose_power()
            else:
                self.end(process, -9)
            raise KilledError
        if len(self.stack) < DEPTH and self.draw.random() < self.faults.switch:
            self.run_one()
            if process.code is not None:
                raise KilledError

    def sleep(self, seconds: float) -> None:
        """Let others run while a process sleeps."""
        self.now += seconds
        self.point("sleeps")
        for _ in range(2):
            self.run_one()
        if self.current is not None and self.current.code is not None:
            raise KilledError

    def run_one(self) -> bool:
        """Run a step of some process that is not within one; false when there is none."""
        free = [p for p in self.alive() if not p.busy and not p.waits]
        if not free:
            return False
        self.run(self.draw.choice(free))
        return True

    def run(self, process: Process) -> None:
        """Run one step of a process."""
        process.busy = True
        self.stack.append(process)
        try:
            more = process.step()
            if not more:
                self.end(process, process.notes.get("code", 0))
        except (KilledError, BlockedError):
            pass
        finally:
            self.stack.pop()
            process.busy = False


class SimLock:
    """Stands in for `filelock.FileLock`: free when its holder dies."""

    world: World

    def __init__(self, path: object, timeout: float = -1) -> None:
        self.path, self.depth = str(path), 0

    def acquire(self, timeout: float = -1) -> SimLock:
        world = self.world
        world.point(f"lock {self.path.rpartition('/')[2]}")
        holder = world.locks.get(self.path)
        if holder is not None and holder is not world.current:
            raise BlockedError
        self.outer = holder is not None
        if world.current is not None:
            world.locks[self.path] = world.current
        return self

    def release(self) -> None:
        if not self.outer and self.world.locks.get(self.path) is self.world.current:
            self.world.locks.pop(self.path, None)

    def __enter__(self) -> SimLock:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()


def steps_of(generator: Iterator[None]) -> Callable[[], bool]:
    """Return a step function of a generator that yields after each step."""

    def step() -> bool:
        try:
            next(generator)
        except StopIteration:
            return False
        return True

    return step
