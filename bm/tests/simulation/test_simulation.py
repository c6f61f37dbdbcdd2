"""Simulated days of the local queue; `python -m bm.tests.simulation seed=N` replays one."""

from __future__ import annotations

import os
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import pytest

from bm.xp import marker, queue, runner

from .actors import BrokenError, simulate


def broken(seeds: range) -> list[str]:
    """Return the seeds that broke a promise, with the promise."""
    failures = []
    for seed in seeds:
        try:
            simulate(seed)
        except BrokenError as error:
            failures.append(f"seed={seed}: {error}")
    return failures


@pytest.mark.parametrize("part", range(5))
def test_promises_hold_on_bad_days(part: int) -> None:
    assert broken(range(100 * part, 100 * part + 100)) == []


@pytest.mark.parametrize("seed", [2800, 2923])
def test_what_others_wrote_lasts_before_it_counts(seed: int) -> None:
    """Markers and cancellations whose writer died before the flush went with a power cut."""
    assert broken(range(seed, seed + 1)) == []


@pytest.mark.endurance
def test_promises_hold_on_ten_thousand_bad_days() -> None:
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        parts = pool.map(broken, [range(n, n + 250) for n in range(0, 10_000, 250)])
        assert [failure for part in parts for failure in part] == []


def test_a_seed_repeats() -> None:
    traces = []
    for _ in range(2):
        simulation = simulate(7, tracing=True)
        traces.append(simulation.world.trace)
    assert traces[0] == traces[1] and len(traces[0]) > 50


def plain_start(self, record, slots):  # type: ignore[no-untyped-def]
    """Start a job as it was done: it runs before its record names its process."""
    child = runner.subprocess.Popen(self.command(record, len(slots)))
    values: dict[str, Any] = {
        "pid": child.pid,
        "started": runner.process.start_time(child.pid) or "",
    }
    self.jobs.change(record["job_id"], state=queue.RUNNING, slots=list(slots), **values)
    record["state"] = queue.RUNNING
    self.active.append(
        runner.Started(record["job_id"], values["pid"], values["started"], slots, child)
    )


@pytest.mark.parametrize(
    ("owner", "name", "value", "seed"),
    [
        (runner.Runner, "start", plain_start, 101),
        (queue, "is_living", lambda record: record["state"] in queue.ACTIVE, 14),
        (queue.LocalJob, "is_ours", True, 641),
        (marker, "settled", marker.exists, 2800),
    ],
    ids=[
        "process without a name",
        "cancelled and left",
        "number given again",
        "marker not flushed",
    ],
)
def test_a_defect_of_before_is_found(monkeypatch, owner, name, value, seed) -> None:
    """A simulation that finds nothing shows nothing: each of these was mended after a seed."""
    monkeypatch.setattr(owner, name, value)
    assert broken(range(seed - 4, seed + 5))
