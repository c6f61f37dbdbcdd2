"""Speed of the preparation, on its own recordings: two processes, and nothing to do."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mne
import numpy as np

from bm.data.store import recipe_of
from bm.solvers.build_data import absolute_paths
from bm.studies.prepare import Job, prepare

CHANNELS, RATE_HZ = 64, 1000.0
LONG, LONG_S = 24, 120.0  # recordings with something to filter
SHORT, SHORT_S = 300, 2.0  # recordings to look at again
RECIPE = {
    "preprocess": [
        {"step": "notch", "freqs_hz": [50.0, 100.0]},
        {"step": "bandpass", "low_hz": 0.5, "high_hz": 100.0},
    ],
    "rate_hz": 250.0,
}


def write_recordings(folder: Path, count: int, seconds: float) -> None:
    """Write FIF files of noise of 10 microvolts."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    info = mne.create_info([f"E{i}" for i in range(CHANNELS)], RATE_HZ, "eeg")
    for index in range(count):
        noise = 1e-5 * rng.standard_normal((CHANNELS, int(seconds * RATE_HZ)))
        raw = mne.io.RawArray(noise, info, verbose="error")
        raw.save(folder / f"{index:03d}_raw.fif", verbose="error")


def job_of(folder: Path, cache: Path, recipe: dict[str, Any]) -> Job:
    """Return the job of `scripts.prepare` for a folder."""
    paths = absolute_paths({"studies": str(folder), "cache": str(cache), "models": "."})
    return Job([{"study": "folder", "path": str(folder)}], paths, recipe_of(recipe))


def prepare_s(job: Job, processes: int) -> float:
    """Return the seconds of a preparation."""
    return float(prepare(job, processes, say=lambda line: None).seconds)


def measure() -> Iterator[tuple[str, float, str, float, str]]:
    """Yield (what, value, unit, bar, direction): two processes against one; a second time."""
    with tempfile.TemporaryDirectory(dir=".") as name:
        folder = Path(name).resolve()
        write_recordings(folder / "long", LONG, LONG_S)
        one = prepare_s(job_of(folder / "long", folder / "one", RECIPE), 1)
        two = prepare_s(job_of(folder / "long", folder / "two", RECIPE), 2)
        what = f"one process / two, {LONG} recordings of {LONG_S:.0f} s ({one:.1f} and {two:.1f} s)"
        yield what, one / two, "x", 1.6, ">="
        write_recordings(folder / "short", SHORT, SHORT_S)
        job = job_of(folder / "short", folder / "again", {"preprocess": [], "rate_hz": None})
        prepare_s(job, 1)
        again = min(prepare_s(job, 1) for _ in range(3)) / SHORT * 1e3
        yield f"second preparation of {SHORT} recordings, each", again, "ms", 1.0, "<="
