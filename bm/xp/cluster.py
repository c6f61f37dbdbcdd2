"""SLURM itself: whether one answers and keeps accounts, what it refused, and arrays of calls.

Experiments go through Dora (`bm.xp.executor`); evaluation and preparation, which are no
experiments, go through `map_array`.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from ..errors import UserError

if TYPE_CHECKING:
    from dora.conf import SlurmConfig
    from submitit import Job, SlurmExecutor

S = TypeVar("S")
T = TypeVar("T")

ANSWER_S = 10.0  # a scheduler that is silent for longer counts as none
POLL_S = 1.0
REPORT_S = 10.0  # seconds between two lines of progress while nothing ends
LOCAL = "BM_EXECUTOR=local runs the same grid here"


def _ask(*words: str) -> tuple[int, str]:
    """Call a client; return its exit status and what it printed, 124 when it is silent too long."""
    try:
        result = subprocess.run(
            words, capture_output=True, text=True, timeout=ANSWER_S, check=False
        )
    except subprocess.TimeoutExpired:
        return 124, f"no answer within {ANSWER_S:.0f} s"
    return result.returncode, (result.stdout + result.stderr).strip()


def missing_client() -> str | None:
    """Return the first of the commands of SLURM that is not installed, None when all are."""
    needed = ("sbatch", "srun", "scontrol", "sacct", "scancel", "squeue")
    return next((name for name in needed if shutil.which(name) is None), None)


def answers() -> bool:
    """Return whether the clients are installed and a controller is up."""
    if missing_client() is not None:
        return False
    status, text = _ask("scontrol", "ping")
    return status == 0 and " UP" in text


def require() -> None:
    """Refuse to submit where no job could be followed.

    Raises:
        UserError: a client is missing, the controller is down, or no accounts are kept (Dora reads
            the state of a job from `sacct`; without it a grid would wait for ever).
    """
    client = missing_client()
    if client is not None:
        raise UserError(f"no SLURM here: `{client}` is not installed; {LOCAL}")
    status, text = _ask("scontrol", "ping")
    if status != 0 or " UP" not in text:  # clients without a daemon are as good as none
        answer = text.splitlines()[0] if text else "nothing"
        raise UserError(f"SLURM does not answer (scontrol ping: {answer}); start it, or {LOCAL}")
    # Dora asks sacct alone: with accounting_storage/none every job stays UNK for ever.
    status, text = _ask("sacct", "-X", "-n", "-o", "JobID", "-S", "now")
    if status != 0 or "storage is disabled" in text:
        answer = text.splitlines()[0] if text else f"exit status {status}"
        raise UserError(
            f"this SLURM keeps no accounts (sacct: {answer}), so that the state of a job is never "
            f"known; ask for slurmdbd, or {LOCAL}"
        )


def jobs_named(names: Collection[str]) -> list[str]:
    """Return the numbers of the user's queued and running jobs with one of these names."""
    if shutil.which("squeue") is None:
        return []
    status, text = _ask("squeue", "--me", "--noheader", "--format=%i %j")
    lines = [line.split(maxsplit=1) for line in text.splitlines()] if status == 0 else []
    return [line[0] for line in lines if len(line) == 2 and line[1] in names]


def refusal(error: Exception) -> UserError:
    """Return sbatch's refusal of a job in one line, with what may be asked for instead."""
    lines = [line.removeprefix("sbatch: error: ") for line in str(error).splitlines()]
    reason = "; ".join(line for line in lines if line and not line.startswith("sbatch: warning"))
    where = "change it under slurm: in the site file (docs/grids.md) or launcher.slurm_(...)"
    if "partition" in reason.lower():
        _, partitions = _ask("sinfo", "-h", "-o", "%R")
        where += f"; partitions here: {', '.join(partitions.split())}"
    elif "memory" in reason.lower() or "node configuration" in reason or "--mem" in reason:
        _, nodes = _ask("sinfo", "-h", "-o", "%R: %m MB, %c cores, %G")
        where += f"; mem_per_gpu is whole GB, nodes have {'; '.join(nodes.splitlines())}"
    return UserError(f"SLURM refused the job: {reason or error}; {where}")


def unanswered(error: subprocess.CalledProcessError) -> UserError:
    """Return the failure of a client that Dora calls itself in one line."""
    client, text = error.cmd[0], (error.stderr or b"").decode(errors="replace").strip()
    answer = text.splitlines()[0] if text else f"exit status {error.returncode}"
    return UserError(f"SLURM did not do what was asked ({client}: {answer}); see `scontrol ping`")


def executor_for(folder: Path, name: str, slurm: SlurmConfig, gpus: int) -> SlurmExecutor:
    """Return submitit's executor with the resources of a configuration, one task per element."""
    import submitit

    folder.mkdir(parents=True, exist_ok=True)
    executor = submitit.SlurmExecutor(folder=folder, max_num_timeout=slurm.max_num_timeout)
    share = max(1, gpus)
    parameters = {
        "time": slurm.time,
        # sbatch refuses a fraction ("Invalid --mem specification"): mem_per_gpu is whole GB.
        "mem": f"{slurm.mem_per_gpu * share}GB" if slurm.mem_per_gpu else None,
        "cpus_per_task": slurm.cpus_per_task or slurm.cpus_per_gpu * share,
        "gres": f"gpu:{gpus}" if gpus else None,
        "partition": slurm.partition or None,
        "qos": slurm.qos,
        "account": slurm.account,
        "constraint": slurm.constraint or None,
        "exclude": slurm.exclude,
        "comment": slurm.comment,
        "setup": list(slurm.setup) or None,
        "array_parallelism": slurm.array_parallelism,
    }
    executor.update_parameters(
        job_name=name,
        stderr_to_stdout=True,
        **{k: v for k, v in parameters.items() if v is not None},
    )
    return executor


def map_array(
    function: Callable[[S], T],
    items: Sequence[S],
    folder: Path,
    slurm: SlurmConfig,
    name: str,
    gpus: int = 0,
) -> Iterator[tuple[int, T | Exception]]:
    """Call a function on each item as one job array; yields (index, result) as they end.

    An element that failed yields its error. Leaving early (Ctrl-C) cancels what has not ended;
    what ended keeps whatever it wrote, so that the same command goes on.

    Args:
        function: importable by name in another process.
        items: arguments, one element of the array each.
        folder: of job files and logs, on a disk that all nodes see.
        slurm: resources, those of `conf/config.yaml` and the site.
        name: of the jobs.
        gpus: per element.

    Raises:
        UserError: SLURM cannot be used or refuses the array.
    """
    from submitit.core.utils import FailedJobError

    require()
    if not items:
        return
    try:
        jobs = executor_for(folder, name, slurm, gpus).map_array(function, items)
    except FailedJobError as error:
        raise refusal(error) from None
    print(f"{name}: {len(jobs)} jobs on SLURM, {jobs[0].job_id} ...; logs: {folder}", flush=True)
    waiting = dict(enumerate(jobs))
    try:
        yield from _collect(waiting, name)
    finally:
        if waiting:  # the reader left
            subprocess.run(["scancel", *(job.job_id for job in waiting.values())], check=False)


def _collect(waiting: dict[int, Job[T]], name: str) -> Iterator[tuple[int, T | Exception]]:
    """Yield results as they come; take what ended out of `waiting`."""
    total, reported = len(waiting), time.monotonic()
    while waiting:
        for index in [i for i, job in waiting.items() if job.done()]:
            job = waiting.pop(index)
            problem = job.exception()
            yield index, problem if problem is not None else job.result()
        if waiting and time.monotonic() - reported > REPORT_S:
            reported = time.monotonic()
            states = [job.state for job in waiting.values()]
            running = sum(state == "RUNNING" for state in states)
            print(
                f"{name} | {total - len(waiting)}/{total} | {running} running",
                file=sys.stderr, flush=True,
            )  # fmt: skip
        if waiting:
            time.sleep(POLL_S)
