"""Miniature BCI Competition IV 2a: runs of a day in both published formats."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.io import savemat

from ..readers.gdf import write_gdf

RATE = 250
#: Starts of trials in two runs of 20 s, and their classes (1 to 4).
STARTS, LABELS = (250, 2250), ((1, 2), (4, 3))
MARKED = 2250


def runs(seed: int) -> list[np.ndarray]:
    """Two runs (5000, 25) uV whose samples name themselves: channel, then a slow count."""
    rng = np.random.default_rng(seed)
    return [np.clip(20 * rng.standard_normal((5000, 25)), -99, 99) for _ in LABELS]


def write_mat(path: Path, seed: int) -> list[np.ndarray]:
    """Write two runs behind one of eye movements, and return their signals."""
    signals = runs(seed)
    eog = {"X": signals[0][:500], "trial": [], "y": [], "fs": RATE, "artifacts": []}
    content = [eog]
    for signal, labels in zip(signals, LABELS, strict=True):
        marks = [int(start == MARKED) for start in STARTS]
        trial = np.array(STARTS) + 1
        run = {"X": signal, "trial": trial, "y": np.array(labels), "fs": RATE, "artifacts": marks}
        content.append(run)
    savemat(path, {"data": np.array(content, dtype=object)})
    return signals


def write_day(path: Path, seed: int, cues: bool) -> np.ndarray:
    """Two runs with 100 missing samples between them."""
    signals = [*runs(seed)]
    gap = np.full((100, 25), np.nan)
    signal = np.vstack([signals[0], gap, signals[1], np.zeros((150, 25)) + signals[0][:150]]).T
    events = []
    for run, labels in enumerate(LABELS):
        for start, label in zip(STARTS, labels, strict=True):
            begin = run * 5100 + start
            events += [(begin, 768), (begin + 500, 768 + label if cues else 783)]
            if start == MARKED:
                events.append((begin, 1023))
    names = ["EEG-Fz", *[f"EEG-{i}" for i in range(21)], "EOG-left", "EOG-central", "EOG-right"]
    write_gdf(path, signal, names, sorted(events), RATE)
    return signal
