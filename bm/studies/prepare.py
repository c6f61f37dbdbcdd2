"""Preparation of the recordings of some studies: in parallel, resumable, with a summary."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch

from ..data.recording import Recording
from ..data.signal import name_of
from ..data.store import Store
from ..data.stored import read_header
from ..errors import RecordingError, UserError
from ..readers.labram_h5 import write_folder
from . import recordings_of
from .choice import Choice

REPORT_S = 5.0  # seconds between two lines of progress

Problem = tuple[str, str, str]  # path, reason, remedy of a bad recording
Outcomes = list[tuple[int, Problem | None]]  # place of a recording in the studies, what is wrong


@dataclass(frozen=True)
class Job:
    """What a worker needs to list the same recordings: plain values, cheap to send.

    Attributes:
        entries: `dset.studies`, plain.
        paths: `paths`, absolute.
        recipe: how recordings are preprocessed.
        verify: hash source files again.
        choice: which of the recordings.
    """

    entries: list[dict[str, Any]]
    paths: dict[str, Path]
    recipe: dict[str, Any]
    verify: bool = False
    choice: Choice | None = None

    def recordings(self) -> list[Recording]:
        """Return what is prepared, in the order of the configuration."""
        return recordings_of(self.entries, self.paths, self.choice)[0]


@dataclass
class Summary:
    """Counts of what is in the store after a preparation, and errors of what is not."""

    recordings: int = 0
    built: int = 0
    hours: float = 0.0
    bytes: int = 0
    channels: set[int] = field(default_factory=set)
    rates: set[float] = field(default_factory=set)
    bad: list[RecordingError] = field(default_factory=list)
    readable: list[str] = field(default_factory=list)
    copies: list[str] = field(default_factory=list)
    contents: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0

    def add(self, path: Path, header: dict[str, Any] | None, recording: Recording) -> None:
        """Count a stored recording."""
        if header is None:
            raise RuntimeError(f"{path} vanished while it was prepared")
        self.recordings += 1
        name, content = name_of(recording), header.get("content")
        self.readable.append(name)
        other = self.contents.setdefault(content, name) if content else name
        if other != name:
            self.copies.append(f"{name} is the same recording as {other}")
        self.hours += header["samples"] / header["rate_hz"] / 3600
        self.bytes += path.stat().st_size
        self.channels.add(len(header["channels"]))
        self.rates.add(header["rate_hz"])

    def __str__(self) -> str:
        low, high = min(self.channels, default=0), max(self.channels, default=0)
        channels = str(low) if low == high else f"{low}-{high}"
        rates = ", ".join(f"{rate:g}" for rate in sorted(self.rates))
        lines = [
            f"recordings  {self.recordings} ({self.built} built now, in {self.seconds:.1f} s)",
            f"hours       {self.hours:.2f}",
            f"channels    {channels}",
            f"rates       {rates} Hz",
            f"size        {self.bytes / 1e9:.2f} GB",
            f"skipped     {len(self.bad)}",
        ]
        lines += [f"  {error}" for error in self.bad]
        if self.copies:  # refused where a model is trained, unless dset.duplicates says otherwise
            lines += [f"copies      {len(self.copies)}", *(f"  {copy}" for copy in self.copies)]
        return "\n".join(lines)


Share = tuple[Job, Sequence[int]]  # and places of its recordings
#: (function, items) -> (place of the item, result or error) as they come.
Spread = Callable[
    [Callable[[Share], Outcomes], Sequence[Share]], Iterable[tuple[int, Outcomes | Exception]]
]

_worker: dict[str, Any] = {}


def _start_worker(job: Job) -> None:
    torch.set_num_threads(1)  # there is a process for each core
    _worker.update(
        recordings=job.recordings(), store=Store(job.paths["cache"], job.verify), job=job
    )


def _prepare_one(index: int) -> tuple[int, Problem | None]:
    try:
        _worker["store"].get(_worker["recordings"][index], _worker["job"].recipe)
    except RecordingError as error:
        return index, (error.path, error.reason, error.remedy)
    return index, None


def prepare_share(share: Share) -> Outcomes:
    """Prepare some recordings, by their places in the studies, in this process."""
    _start_worker(share[0])
    return [_prepare_one(index) for index in share[1]]


def prepare(
    job: Job,
    jobs: int = 1,
    say: Callable[[str], None] = print,
    strict: bool = False,
    spread: Spread | None = None,
) -> Summary:
    """Build what is missing in the store.

    Args:
        job: studies, paths and recipe.
        jobs: processes.
        say: takes lines of progress.
        strict: stop at the first bad recording.
        spread: runs a function over items elsewhere, e.g. as an array of SLURM of `jobs` elements.

    Raises:
        RecordingError: a bad recording, when `strict`.
        UserError: no recording, or a cache that cannot be written.
        Exception: of an element that failed elsewhere; what the others built stays.
    """
    begun, summary = time.perf_counter(), Summary()
    recordings = job.recordings()
    if not recordings:
        raise UserError("the studies have no recording; see dset.studies and paths.studies")
    store = Store(job.paths["cache"], job.verify)
    missing = []
    for index, recording in enumerate(recordings):
        path = store.path(recording, job.recipe)
        try:
            header = store.fresh(recording, path)
            if header is None:
                missing.append(index)
            else:
                summary.add(path, header, recordings[index])
        except RecordingError as error:
            _note(summary, error, strict)
    for index, problem in _results(job, missing, jobs, spread):
        if problem is None:
            summary.built += 1
            path = store.path(recordings[index], job.recipe)
            summary.add(path, read_header(path), recordings[index])
        else:
            _note(summary, RecordingError(*problem), strict)
        _report(summary, len(missing), begun, say)
    summary.seconds = time.perf_counter() - begun
    return summary


def export(job: Job, folder: Path) -> list[Path]:
    """Write prepared recordings in LaBraM's HDF5 layout, see `readers.labram_h5.write_folder`.

    Recordings that could not be prepared are left out.

    Raises:
        UserError: a recording is not in microvolts, or there is no space.
    """
    store, signals = Store(job.paths["cache"]), []
    for recording in job.recordings():
        try:
            signal = store.get(recording, job.recipe)
        except RecordingError:
            continue  # listed by `prepare`
        signals.append((recording.id.study, recording.id.name.replace("/", "-"), signal))
    return write_folder(folder, signals, job.recipe)


def _note(summary: Summary, error: RecordingError, strict: bool) -> None:
    if strict:
        raise error
    summary.bad.append(error)


def _results(
    job: Job, missing: Sequence[int], jobs: int, spread: Spread | None
) -> Iterator[tuple[int, Problem | None]]:
    """Yield outcomes as they come; in this process when one is enough."""
    if spread is not None:
        parts = range(min(jobs, len(missing)))
        shares: list[Share] = [(job, missing[part::jobs]) for part in parts]
        for _, outcomes in spread(prepare_share, shares):
            if isinstance(outcomes, Exception):
                raise outcomes
            yield from outcomes
        return
    if jobs <= 1 or len(missing) <= 1:
        _start_worker(job) if missing else None
        yield from map(_prepare_one, missing)
        return
    # Forked workers would inherit the threads and locks of torch, HDF5 and logging.
    context = get_context("spawn")
    with ProcessPoolExecutor(min(jobs, len(missing)), context, _start_worker, (job,)) as pool:
        waiting = {pool.submit(_prepare_one, index) for index in missing}
        try:
            while waiting:
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                for future in done:
                    yield future.result()
        except BaseException:  # Ctrl-C, a full disk: what is built stays, the rest is not begun
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _report(summary: Summary, total: int, begun: float, say: Callable[[str], None]) -> None:
    count = summary.built + len(summary.bad)
    seconds = time.perf_counter() - begun
    due = seconds // REPORT_S > (seconds - seconds / max(1, count)) // REPORT_S
    if due or count == total:
        say(f"prepare | {count}/{total} | {count / max(1e-9, seconds):.1f} recordings/s")
