"""Who runs the experiments of a grid: SLURM where one answers, else the local queue.

Dora builds SLURM jobs by name; six methods of its Shepherd are replaced in place, so that `grid`,
`launch` and `info` keep every flag and the table with either.
"""

from __future__ import annotations

import functools
import json
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dora import grid as dora_grid
from dora import shep
from dora.shep import Shepherd

from ..errors import UserError, nearest
from ..writing import locked, write_bytes, write_text
from . import cluster, marker, queue, ranges, runner, stage
from .handles import read_handle
from .queue import LocalJob, Queue

if TYPE_CHECKING:
    from dora.conf import SlurmConfig
    from dora.explore import Explorer
    from dora.shep import Sheep, _JobArray
    from submitit import SlurmExecutor

    from .main import Main

    class PatchedShepherd(Shepherd):
        """Dora's shepherd after `install`, with what is remembered on it between submissions."""

        main: Main
        _bm_announced: bool
        _bm_waits: list[str]


NAMES = ("slurm", "local")
SUBMIT_LOCK = "submit.lock"


@functools.lru_cache(maxsize=1)
def choose() -> str:
    """Return `slurm` or `local`: BM_EXECUTOR, else what answers; decided once per process."""
    name = os.environ.get("BM_EXECUTOR")
    if name is not None and name not in NAMES:
        raise UserError(f"unknown executor BM_EXECUTOR={name!r}{nearest(name, NAMES)}")
    return name or ("slurm" if cluster.answers() else "local")


def reason() -> str:
    """Return in a few words why that executor was chosen."""
    if os.environ.get("BM_EXECUTOR"):
        return f"BM_EXECUTOR={os.environ['BM_EXECUTOR']}"
    client = cluster.missing_client()
    if client is not None:
        return f"no SLURM here: {client} is not installed"
    return "SLURM answers" if choose() == "slurm" else "SLURM is installed and does not answer"


def is_local() -> bool:
    """Return whether the local queue runs the jobs; a wrong BM_EXECUTOR ends a command with 2."""
    try:
        return choose() == "local"
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


def queue_of(shepherd: PatchedShepherd) -> Queue:
    """Return the queue below the output folder of a project."""
    return Queue(Path(shepherd.main.dora.dir) / queue.FOLDER)


def install() -> None:
    """Replace the methods of Dora's Shepherd; a second call does nothing."""
    if getattr(Shepherd, "_bm_original", None) is not None:
        return
    names = ("commit", "_submit", "_cancel", "update", "_check_orphans", "_get_submitit_executor")
    original = {name: getattr(Shepherd, name) for name in names}
    Shepherd._bm_original = original  # type: ignore[attr-defined]

    def dispatch(name: str, local: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(original[name])
        def method(self: PatchedShepherd, *args: Any) -> Any:
            if is_local():
                return local(self, *args)
            if self.main.dora.git_save is None:  # neither the configuration nor a flag says
                self.main.dora.git_save = True  # a job may start days after the tree has changed
            if name == "_submit":
                return _submit_to_slurm(original[name], self, args[0])
            try:
                return original[name](self, *args)
            except subprocess.CalledProcessError as error:
                self.main.refuse(cluster.unanswered(error))

        return method

    def submitit_executor(self: PatchedShepherd, *args: Any) -> SlurmExecutor:
        """Return Dora's executor with the jobs that must end well before this one starts."""
        executor = original["_get_submitit_executor"](self, *args)
        waits = getattr(self, "_bm_waits", [])
        if waits:
            # A job whose upstream failed would else stay pending, and the grid monitored, for ever.
            dependency = {"dependency": "afterok:" + ":".join(waits), "kill-on-invalid-dep": "yes"}
            others = executor.parameters.get("additional_parameters") or {}
            executor.update_parameters(additional_parameters={**others, **dependency})
        return executor

    def check_orphans(self: PatchedShepherd) -> None:
        _cancel_orphans(original["_check_orphans"], self)

    # Pickles of other people's folders: both modules read them by this name.
    shep.try_load = dora_grid.try_load = read_handle  # type: ignore[assignment]
    # Dora builds submitit.SlurmExecutor by name and calls scancel and squeue itself: it has no
    # place where another executor could be plugged in.
    Shepherd.commit = dispatch("commit", commit)  # type: ignore[method-assign]
    Shepherd._submit = dispatch("_submit", submit)  # type: ignore[method-assign]
    Shepherd._cancel = dispatch("_cancel", cancel)  # type: ignore[method-assign]
    Shepherd.update = dispatch("update", update)  # type: ignore[method-assign]
    Shepherd._check_orphans = check_orphans  # type: ignore[method-assign,assignment]
    setattr(Shepherd, "_get_submitit_executor", submitit_executor)  # noqa: B010 - other signature
    _mend_cancel()


def _cancel_orphans(original: Callable[[PatchedShepherd], None], shepherd: PatchedShepherd) -> None:
    """Cancel jobs whose number nobody wrote down; look for a scheduler only where one may be.

    Another terminal that submits has such a tag too: its lock tells the living from the dead.
    """
    # Dora calls squeue here, which a machine without SLURM lacks.
    if not any(shepherd._orphans.iterdir()) or is_local():
        return
    try:
        with locked(Path(shepherd.main.dora.dir) / SUBMIT_LOCK):
            original(shepherd)
    except subprocess.CalledProcessError as error:
        shepherd.main.refuse(cluster.unanswered(error))
    except UserError as error:
        shepherd.main.refuse(error)


def _mend_cancel() -> None:
    """Let `dora grid X -C` find every job of its experiments, not only the last of each."""
    run_grid = dora_grid.run_grid

    @functools.wraps(run_grid)
    def run(main: Main, explorer: Explorer, *args: Any, **kwargs: Any) -> list[Sheep]:
        sheeps = run_grid(main, explorer, *args, **kwargs)
        options = [o for o in (*args, *kwargs.values()) if isinstance(o, dora_grid.RunGridArgs)]
        if any(option.cancel and not option.dry_run for option in options):
            cancel_others(main, sheeps)
        return sheeps

    dora_grid.run_grid = run  # type: ignore[assignment]


def check_machine(sheeps: Sequence[Sheep]) -> None:
    """Raise `UserError` when the local queue could only start an experiment to see it fail."""
    gpus = runner.count_gpus()
    for sheep in sheeps:
        # not its configuration, which takes milliseconds for each of a thousand experiments
        base = getattr(getattr(sheep.xp, "_resolution", None), "base", None)
        arguments = dict(word.split("=", 1) for word in sheep.xp.argv if "=" in word)
        values = {**(base.plain if base else {}), **arguments}
        device, precision = str(values.get("device")), str(values.get("precision"))
        try:
            ranges.check_machine(device, precision, gpus)
        except UserError as error:
            raise UserError(f"{' '.join(sheep.xp.argv)}: {error}") from None


def check_epochs(sheeps: Sequence[Sheep]) -> None:
    """Raise `UserError` for an experiment of no epochs, which would be refused when it starts."""
    for sheep in sheeps:
        arguments = dict(word.split("=", 1) for word in sheep.xp.argv if "=" in word)
        try:
            ranges.check_epochs(arguments.get("optim.epochs"))
        except UserError as error:
            raise UserError(f"{' '.join(sheep.xp.argv)}: {error}") from None


def _submit_to_slurm(
    original: Callable[[PatchedShepherd, _JobArray], None],
    shepherd: PatchedShepherd,
    job_array: _JobArray,
) -> None:
    """Submit as Dora does, where jobs can be followed; a refusal of the scheduler is one line."""
    from submitit.core.utils import FailedJobError

    try:
        check_epochs(job_array.sheeps)
        if not getattr(shepherd, "_bm_announced", False):
            cluster.require()
            shepherd._bm_announced = True
            print(f"SLURM ({reason()})", file=sys.stderr)
        # Two terminals with one grid: the second one sees what the first has submitted.
        with locked(Path(shepherd.main.dora.dir) / SUBMIT_LOCK):
            sheeps = [s for s in job_array.sheeps if not _taken_meanwhile(shepherd, s)]
            job_array.sheeps[:] = sheeps
            shepherd._bm_waits = waits_for(shepherd, job_array)
            original(shepherd, job_array)
    except FailedJobError as error:
        shepherd.main.refuse(cluster.refusal(error))
    except UserError as error:
        shepherd.main.refuse(error)


def commit(shepherd: PatchedShepherd) -> None:
    """Cancel and queue what a command has collected, all of it under one lock.

    All experiments are looked at before the first is submitted.
    """
    if shepherd._to_submit:
        sheeps = [sheep for array in shepherd._to_submit for sheep in array.sheeps]
        check_machine(sheeps)
        check_epochs(sheeps)
    if shepherd._to_cancel:
        cancel(shepherd, shepherd._to_cancel)
        shepherd._to_cancel = []
    arrays, shepherd._to_submit = shepherd._to_submit, []
    if arrays:
        submit(shepherd, *arrays)


def submit(shepherd: PatchedShepherd, *job_arrays: _JobArray) -> None:
    """Queue the experiments of arrays (of one, mostly) and see to a runner.

    What another terminal has queued since this one looked is not queued again.
    """
    jobs, code = queue_of(shepherd), _code()
    with jobs.lock():
        if not jobs.runner_alive():
            jobs.settle()  # what a dead runner left as running is not running
        active = {r["sig"]: str(r["job_id"]) for r in jobs.records() if r["state"] in queue.ACTIVE}
        for job_array in job_arrays:
            for sheep in job_array.sheeps:
                if _taken_meanwhile(shepherd, sheep):
                    continue
                job_id = active.get(sheep.xp.sig)
                if job_id is None:
                    job_id = _queue_one(shepherd, jobs, sheep, job_array.slurm_config)
                    _keep_code(sheep.xp.folder.resolve(), code)
                active[sheep.xp.sig] = job_id
                _hand_over(sheep, LocalJob(jobs.folder, job_id, sheep.xp.sig))
    if not getattr(shepherd, "_bm_announced", False):
        shepherd._bm_announced = True
        slots = runner.count_slots(runner.count_gpus())
        why = reason()
        print(f"local queue ({why}), {slots} at once (BM_SLOTS)", file=sys.stderr)
    jobs.ensure_runner()


def _taken_meanwhile(shepherd: PatchedShepherd, sheep: Sheep) -> bool:
    """Take over the job that another terminal gave an experiment since this one read it, if any.

    It may have ended already: the decision to submit was made without it.
    """
    before = {job.job_id for job in sheep._other_jobs}
    now = type(sheep)(sheep.xp)
    if now.job is None or now.job.job_id in before:
        return False
    sheep.job, sheep._other_jobs = now.job, now._other_jobs
    sheep._dependent_jobs = now._dependent_jobs
    shepherd.log(f"Queued by another terminal as job {now.job.job_id}: sheep {sheep.xp.sig}")
    return True


def waits_for(shepherd: PatchedShepherd, job_array: _JobArray) -> list[str]:
    """Return the job numbers of the unfinished experiments that those of an array name, each once.

    Single elements of an upstream array are named; a finished experiment needs no job, however
    it was run.

    Raises:
        UserError: an experiment is named that has neither finished nor a job.
    """
    numbers: dict[str, None] = {}
    for sheep in job_array.sheeps:
        for sig in stage.upstream(list(sheep.xp.argv)):
            folder = Path(shepherd.main.dora.dir) / shepherd.main.dora.xps / sig
            if marker.exists(folder):
                continue
            above = shepherd.get_sheep_from_sig(sig) if folder.exists() else None
            if above is None or above.job is None:
                raise UserError(
                    f"{sheep.xp.sig} starts from {sig}, which has neither finished nor a job; "
                    "schedule it in the grid with stage(...) or run it first"
                )
            numbers[str(above.job.job_id)] = None
    return list(numbers)


def _queue_one(shepherd: PatchedShepherd, jobs: Queue, sheep: Sheep, slurm: SlurmConfig) -> str:
    """Add one experiment to the queue, with the links that Dora makes for a SLURM job."""
    xp, main = sheep.xp, shepherd.main
    main.init_xp(xp)
    folder = xp.folder.resolve()
    upstream = stage.upstream(list(xp.argv))
    job_id = jobs.add(
        {
            "sig": xp.sig,
            "argv": list(xp.argv),
            "package": main.package,
            "cwd": os.getcwd(),
            "folder": str(folder),
            "log": str(folder / xp.dora.shep.submitit_folder / "JOB_0_log.out"),
            "gpus": slurm.gpus,
            "upstream": upstream,
        }
    )
    xp._xp_submitit.mkdir(exist_ok=True)
    _link(shepherd._by_id / job_id, folder)
    _link(xp._latest_submitit, xp._xp_submitit.resolve())
    shepherd.log(f"Queued job {job_id} for sheep {xp.sig}/{main.get_name(xp)}")
    return job_id


def _hand_over(sheep: Sheep, job: LocalJob) -> None:
    """Give an experiment its job, in memory and in the file that Dora reads."""
    # Dora asks a job for its id, state and watcher only, which ours has too.
    sheep.job, sheep._other_jobs = job, [job]  # type: ignore[assignment,list-item]
    sheep._dependent_jobs = []
    # Another terminal may read the job file at any moment, so it is replaced, never rewritten.
    # The form that Dora reads back: the job, all of its array, those that depend on it.
    # A power cut costs nothing here: the queue itself says which job is whose.
    write_bytes(sheep._job_file, pickle.dumps((job, [job], [])), durable=False)
    text = json.dumps({"job_id": job.job_id, "executor": "local"})
    write_text(sheep._json_job_file, text, durable=False)


def _link(link: Path, target: Path) -> None:
    link.unlink(missing_ok=True)
    link.symlink_to(target)


def _code() -> tuple[str, str]:
    """Return the commit of the code and its uncommitted changes; asked once per command."""
    root = Path(__file__).resolve().parents[2]

    def git(*arguments: str) -> str:
        result = subprocess.run(
            ["git", "-C", str(root), *arguments], capture_output=True, text=True, check=False
        )
        return result.stdout if result.returncode == 0 else ""

    return git("rev-parse", "HEAD"), git("diff", "HEAD")


def _keep_code(folder: Path, code: tuple[str, str]) -> None:
    """Store commit and uncommitted changes beside the experiment: the code is not cloned here."""
    write_text(folder / "commit.txt", code[0] or "no git checkout\n", durable=False)
    write_text(folder / "uncommitted.diff", code[1], durable=False)


def cancel(shepherd: PatchedShepherd, job_list: list[Any]) -> None:
    """Cancel local jobs with all copies of theirs; a job of SLURM left from before is cancelled."""
    local = [job.job_id for job in job_list if isinstance(job, LocalJob) and job.is_ours]
    if local:
        jobs = queue_of(shepherd)
        records = [record for record in map(jobs.read, local) if record is not None]
        jobs.cancel([*local, *jobs.reachable({record["sig"] for record in records})])
    others = [job.job_id for job in job_list if not isinstance(job, LocalJob)]
    if others and shutil.which("scancel"):
        subprocess.run(["scancel", *others], check=False)


def cancel_others(main: Main, sheeps: Sequence[Sheep]) -> None:
    """Cancel every job of experiments, also those that their own files do not name.

    Earlier versions queued an experiment twice when two terminals asked for it at once; only the
    last job had a handle.
    """
    if is_local():
        jobs = Queue(Path(main.dora.dir) / queue.FOLDER)
        numbers = jobs.reachable({sheep.xp.sig for sheep in sheeps})
        if numbers:
            print(f"Canceling {', '.join(numbers)}, which no experiment named", file=sys.stderr)
            jobs.cancel(numbers)
        return
    names = {f"{main.name}_{sheep.xp.sig}" for sheep in sheeps}
    numbers = cluster.jobs_named(names)
    if numbers:
        subprocess.run(["scancel", *numbers], check=False)


def update(shepherd: PatchedShepherd) -> None:
    """See to a runner for what waits; states are read from files.

    A queue that cannot be written is one line and exit code 2 on a command line.
    """
    try:
        queue_of(shepherd).ensure_runner()
    except UserError as error:  # `dora run -f` asks for states outside of anything that explains
        shepherd.main.refuse(error)
