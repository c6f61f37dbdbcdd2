"""Terminals, runner and trainers on a virtual machine, and what must hold whatever they do.

Queue, runner, submission, cancellation, holder and marker are those of `bm.xp`. What is modelled:
a training (history, checkpoint, marker in the order of `bm.engine.run`), Dora's choice of what to
submit, and `bm.writing`.
"""

from __future__ import annotations

import json
import pickle
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from types import SimpleNamespace
from typing import Any, NoReturn
from unittest import mock

from bm.errors import UserError
from bm.xp import executor, files, holder, marker, process, queue, runner
from bm.xp.queue import Queue
from bm.xp.runner import Runner

from .disk import SimPath
from .world import BlockedError, BrokenError, Faults, KilledError, Process, SimLock, World, steps_of

ROOT = "/out"
EPOCHS = 3
ROUNDS = 12  # of `dora grid -r` after which all must be through
TURNS = 3000


class Simulation:
    """One seed: some experiments, two or three terminals, and bad luck."""

    def __init__(self, seed: int) -> None:
        self.world = World(seed)
        self.sigs = [letter * 8 for letter in "abcde"[: self.world.draw.randint(1, 4)]]
        self.cancelled: set[str] = set()
        self.commands = self.submitted = 0
        self.slots = self.world.draw.randint(1, 2)

    # what the code meets instead of the system ---------------------------------------------

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Let the code run on the virtual machine."""
        world = self.world
        SimPath.world = SimLock.world = world
        clock = SimpleNamespace(
            time=lambda: world.now + world.shift, monotonic=lambda: world.now, sleep=world.sleep,
            strftime=lambda form: "now",
        )  # fmt: skip
        system = SimpleNamespace(
            getpid=self.getpid, environ={"BM_SLOTS": str(self.slots)}, getcwd=lambda: "/",
            killpg=self.killpg, kill=self.killpg, pathsep=":",
        )  # fmt: skip
        children = SimpleNamespace(Popen=self.popen, DEVNULL=-3, STDOUT=-2, PIPE=-1)
        with ExitStack() as stack:
            put = lambda owner, **values: [  # noqa: E731
                stack.enter_context(mock.patch.object(owner, name, value, create=True))
                for name, value in values.items()
            ]
            put(queue, Path=SimPath, os=system, time=clock, subprocess=children, open=no_file)
            put(queue, _search_path=lambda: "")
            put(runner, Path=SimPath, os=system, time=clock, subprocess=children, open=no_file)
            put(holder, Path=SimPath, os=system, time=clock, _boot=lambda: str(world.boot))
            put(process, os=system, time=clock, start_time=self.start_time, cores=lambda: 2)
            put(executor, Path=SimPath, os=system, _code=lambda: ("", ""))
            put(executor, write_text=world.disk.write, write_bytes=world.disk.write)
            put(files, write_text=world.disk.write)
            put(files.time, sleep=world.sleep)
            put(marker, sync=world.disk.sync)
            put(queue, sync=world.disk.sync)
            put(executor, is_local=lambda: True, check_machine=lambda sheeps: None)
            put(__import__("filelock"), FileLock=SimLock)
            put(files.logger, warning=lambda *_: None)
            yield

    def getpid(self) -> int:
        return self.world.current.pid if self.world.current else 1

    def start_time(self, pid: int) -> str | None:
        entry = self.world.find(pid)
        return entry.started if entry else None

    def killpg(self, pid: int, number: int) -> None:
        self.world.point(f"signal {int(number)} to {pid}")
        self.world.send(pid, number)

    def popen(self, words: list[str], **options: Any) -> Any:
        """Start a runner or a trainer, whichever the words name."""
        self.world.point("before a start")
        parent = self.world.current
        if "bm.xp.runner" in words:
            child = self.world.start("runner", self.serve())
        else:
            child = self.trainer(words[-1], parent, options.get("stdin") == -1)
        handle = SimpleNamespace(
            pid=child.pid, poll=lambda: child.code, stdin=Word(self.world, child)
        )
        self.world.point("started")
        return handle

    # the processes -------------------------------------------------------------------------

    def serve(self) -> Callable[[], bool]:
        """Return the steps of the runner of the queue, which is `bm.xp.runner.main`."""
        serving: list[Runner] = []
        lock = f"{ROOT}/local/runner.lock"

        def step() -> bool:
            me = self.world.current
            assert me is not None
            if self.world.locks.setdefault(lock, me) is not me:
                return False
            try:
                if serving:
                    active = list(serving[0].active)
                    try:
                        return serving[0].turn()
                    except BlockedError:  # the turn begins again, with what it has not judged
                        serving[0].active = active
                        raise
                new = Runner(Queue(SimPath(f"{ROOT}/local")), self.slots, 0)
                begin(new)
                serving.append(new)
            except UserError as error:
                self.world.note(f"runner fails: {error}")
                me.notes["code"] = 1
                return False
            return True

        return step

    def trainer(self, sig: str, parent: Process | None, waits: bool, hand: bool = False) -> Process:
        """Start a training of an experiment."""
        child = self.world.start(f"train-{sig[0]}", lambda: False, parent=parent, waits=waits)

        def step() -> bool:
            try:
                return following[0]()
            except BlockedError:  # it waits for the folder: from the beginning
                following[0] = steps_of(self.train(child, sig))
                raise

        following = [steps_of(self.train(child, sig))]
        child.step = step
        child.notes.update(sig=sig, hand=hand)
        return child

    def train(self, me: Process, sig: str) -> Iterator[None]:
        """Train as `Run` does: history, then checkpoint, then the marker."""
        folder = SimPath(ROOT) / "xps" / sig
        yield  # imports
        if marker.exists(folder):
            return
        me.listens = True
        try:
            with holder.hold(folder):
                self.check_alone(me, sig)
                if marker.exists(folder):  # it ended while this one began
                    return
                me.notes["trains"] = True
                yield from self.epochs(me, folder)
        except UserError as error:
            self.world.note(f"refused: {error}")
            me.notes["code"] = error.exit_code
        finally:
            me.notes["trains"] = False

    def epochs(self, me: Process, folder: SimPath) -> Iterator[None]:
        state = files.read_or_warn(folder / "checkpoint.pt") or {}
        if not state:
            state = files.read_or_warn(folder / "checkpoint.previous.pt") or {}
        history = list(state.get("history", []))
        self.world.disk.write(folder / "history.json", json.dumps(history), durable=False)
        while len(history) < EPOCHS:
            yield
            self.check_alone(me, folder.name)
            history.append({"epoch": len(history) + 1})
            self.world.disk.write(folder / "history.json", json.dumps(history), durable=False)
            before = self.world.disk.files.get(str(folder / "checkpoint.pt"))
            if before is not None:
                self.world.disk.put(str(folder / "checkpoint.previous.pt"), before, True)
            files.write_json(folder / "checkpoint.pt", {"history": history})
            if me.signal is not None:
                me.notes["code"] = queue.REQUEUE_EXIT
                return
        yield
        self.world.disk.sync(folder / "history.json")
        self.world.disk.sync(folder)
        marker.write(folder, {"epoch": EPOCHS})

    def command(self, name: str, work: Callable[[], None]) -> Process:
        """Type a command in a terminal; it begins anew while it waits for a lock."""
        self.commands += 1

        def step() -> bool:
            try:
                work()
            except UserError as error:
                self.world.note(f"error: {error}")
            return False

        return self.world.start(f"{name}-{self.commands}", step)

    def shepherd(self) -> Any:
        """Return what Dora's shepherd is for the submission."""
        dora = SimpleNamespace(dir=ROOT, xps="xps")
        main = SimpleNamespace(
            dora=dora, package="bm", init_xp=lambda xp: None, get_name=lambda xp: xp.sig, name="bm",
            refuse=refuse,
        )  # fmt: skip
        return SimpleNamespace(
            main=main, _by_id=SimPath(ROOT) / "by_id", log=self.world.note, _bm_announced=True,
            _to_cancel=[], _to_submit=[],
        )  # fmt: skip

    def grid(self, retry: bool) -> None:
        """Run `dora grid X [-r] --no_monitoring`."""
        shepherd = self.shepherd()
        sheeps = [Sheep(xp_of(sig)) for sig in self.sigs]
        self.world.point("has looked")
        for sheep in sheeps:
            state = sheep.job.state if sheep.job is not None else None
            again = retry and state in ("FAILED", "CANCELLED", "NODE_FAIL")
            if state is None or again:
                self.cancelled.discard(sheep.xp.sig)
                self.submitted += 1
                array = SimpleNamespace(sheeps=[sheep], slurm_config=SimpleNamespace(gpus=1))
                shepherd._to_submit.append(array)
        executor.commit(shepherd)
        executor.update(shepherd)

    def cancel(self) -> None:
        """Run `dora grid X -C`."""
        shepherd = self.shepherd()
        sheeps = [Sheep(xp_of(sig)) for sig in self.sigs]
        self.world.point("has looked")
        running = [s.job for s in sheeps if s.job is not None and s.job.state in queue.ACTIVE]
        before, submitted = self.submitting(), self.submitted
        executor.cancel(shepherd, running)
        executor.cancel_others(shepherd.main, sheeps)
        # what is asked for meanwhile may run
        if not before and submitted == self.submitted:
            self.cancelled |= {s.xp.sig for s in sheeps if s.job is not None}
            self.check_cancelled()

    def submitting(self) -> list[Process]:
        return [p for p in self.world.alive() if p.name.startswith("grid") and p.busy]

    # what must hold ------------------------------------------------------------------------

    def training(self, sig: str) -> list[Process]:
        return [
            p for p in self.world.alive() if p.notes.get("sig") == sig and p.notes.get("trains")
        ]

    def check_alone(self, me: Process, sig: str) -> None:
        others = [p for p in self.training(sig) if p is not me]
        if others:
            raise BrokenError(f"two trainers of {sig}: {me.pid} and {others[0].pid}")

    def check_cancelled(self) -> None:
        for sig in self.cancelled:
            by_queue = [p for p in self.training(sig) if not p.notes["hand"]]
            if by_queue:
                raise BrokenError(f"{sig} was cancelled and trains on as {by_queue[0].pid}")

    def run(self) -> None:
        """Live through a bad day, then through a quiet one, after which all must be well."""
        world, draw = self.world, self.world.draw
        with self.installed():
            bad = Faults(draw.choice([0, 0.01, 0.03]), draw.choice([0.05, 0.2, 0.4]), 0.0)
            bad.full = draw.choice([0, 0, 0.02])
            world.faults = bad
            for _ in range(draw.randint(20, 70)):
                self.something()
            world.faults = Faults(switch=bad.switch)
            self.quiet()

    def something(self) -> None:
        """Let one thing happen."""
        world, draw = self.world, self.world.draw
        number = draw.random()
        if number < 0.12:
            retry = draw.random() < 0.5
            self.command("grid", lambda: self.grid(retry))
        elif number < 0.15:
            self.command("cancel", self.cancel)
        elif number < 0.17:
            self.trainer(draw.choice(self.sigs), None, False, hand=True)
        elif number < 0.19 and world.faults.kill:
            victims = world.alive()
            if victims:
                world.end(draw.choice(victims), -9)
        elif number < 0.20 and world.faults.kill:
            world.lose_power()
        elif number < 0.22:
            world.shift += draw.choice([-3600.0, 3600.0])
        elif number < 0.25:
            world.disk.settle()
        else:
            world.run_one()
        self.check_cancelled()

    def quiet(self) -> None:
        """Ask for the grid until it is through; nothing goes wrong any more."""
        stays = set(self.cancelled)
        for _ in range(ROUNDS):
            if not stays:
                self.command("grid", lambda: self.grid(True))
            else:
                self.command("grid", lambda: self.grid(False))
            self.exhaust()
            if all(self.through(sig, stays) for sig in self.sigs):
                break
            if stays and not any(self.open_jobs()):
                stays.clear()  # what failed besides is retried now, and with it what was cancelled
        for sig in self.sigs:
            if not self.through(sig, stays):
                raise BrokenError(f"{sig} is not through after {ROUNDS} rounds of dora grid -r")
            self.check_end(sig, stays)
        self.command("cancel", self.cancel)
        self.exhaust()
        if any(self.open_jobs()):
            raise BrokenError("a job that -C does not reach")

    def exhaust(self) -> None:
        """Run until nothing runs."""
        for _ in range(TURNS):
            self.check_cancelled()
            if not self.world.run_one():
                return
        names = [p.name for p in self.world.alive()]
        raise BrokenError(f"something waits for ever: {names}")

    def open_jobs(self) -> list[dict[str, Any]]:
        jobs = Queue(SimPath(ROOT) / "local")
        return [record for record in jobs.records() if record["state"] in queue.ACTIVE]

    def through(self, sig: str, stays: set[str]) -> bool:
        return sig in stays or marker.exists(SimPath(ROOT) / "xps" / sig)

    def check_end(self, sig: str, stays: set[str]) -> None:
        folder = SimPath(ROOT) / "xps" / sig
        if sig in stays:
            return
        history = files.read_history(folder / "history.json")  # type: ignore[arg-type]
        if history != [{"epoch": n + 1} for n in range(EPOCHS)]:
            raise BrokenError(f"the history of {sig} is {history}")


class Word:
    """Input of a child that waits for its parent's word; when it closes unsaid, the child ends."""

    def __init__(self, world: World, child: Process) -> None:
        self.world, self.child = world, child

    def __enter__(self) -> Word:
        return self

    def write(self, text: bytes) -> None:
        self.world.point("says go")
        self.child.waits = False

    def __exit__(self, *_: object) -> None:
        if self.child.waits:
            self.world.end(self.child, 1)


class Sheep:
    """Experiment with its job, as Dora reads them."""

    def __init__(self, xp: Any) -> None:
        self.xp, self.job = xp, None
        self._other_jobs, self._dependent_jobs = list[Any](), list[Any]()
        self._job_file, self._json_job_file = xp.folder / "job.pkl", xp.folder / "job.json"
        with suppress(FileNotFoundError, EOFError, pickle.UnpicklingError):  # `read_handle` warns
            self.job, self._other_jobs, _ = pickle.loads(self._job_file.read_bytes())


def refuse(error: UserError) -> NoReturn:
    """Stand in for `Main.refuse`, which ends the command."""
    raise error


def xp_of(sig: str) -> Any:
    folder = SimPath(ROOT) / "xps" / sig
    return SimpleNamespace(
        sig=sig, argv=[sig], folder=folder, _xp_submitit=folder / "submitit",
        _latest_submitit=folder / "latest",
        dora=SimpleNamespace(shep=SimpleNamespace(submitit_folder="submitit")),
    )  # fmt: skip


@contextmanager
def no_file(*_: object) -> Iterator[Any]:
    """Stand in for the logs of jobs."""
    yield SimpleNamespace(write=lambda text: None)


def begin(serving: Runner) -> None:
    """Do what `Runner.serve` does before its first turn."""
    serving.turn, turn = lambda: False, serving.turn  # type: ignore[method-assign]
    serving.serve()
    serving.turn = turn  # type: ignore[method-assign]


def simulate(seed: int, tracing: bool = False) -> Simulation:
    """Run one seed; raises `BrokenError`."""
    simulation = Simulation(seed)
    simulation.world.tracing = tracing
    simulation.run()
    return simulation


__all__ = ["BrokenError", "KilledError", "Simulation", "signal", "simulate"]
