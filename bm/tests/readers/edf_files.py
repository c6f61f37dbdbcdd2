"""Small EDF files in the layout of the corpora of Temple University Hospital."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bm.studies.shared.tuh import ELECTRODES

NAMES = [f"EEG {name}-REF" for name in reversed(ELECTRODES)]  # the order of files differs


def write_edf(path: Path, names: list[str], data: np.ndarray, rate: int) -> None:
    """Write microvolts (C, T) as 16-bit EDF of one-second records, 0.1 uV per step.

    `EEG ...` channels have the rate, others a single sample per record.
    """
    counts = [rate if name.startswith("EEG") else 1 for name in names]
    seconds = data.shape[1] // rate

    def fields(values: list[str], width: int) -> bytes:
        return b"".join(value.ljust(width)[:width].encode() for value in values)

    n = len(names)
    head = b"0".ljust(8) + b"X".ljust(80) + b"X".ljust(80) + b"01.01.0001.01.01"
    head += fields([str(256 * (n + 1)), "", str(seconds), "1", str(n)], 8)[:8]
    head += b" " * 44 + str(seconds).ljust(8).encode() + b"1".ljust(8) + str(n).ljust(4).encode()
    parts = [fields(names, 16), b" " * 80 * n, fields(["uV"] * n, 8)]
    parts += [fields([v] * n, 8) for v in ("-3276.8", "3276.7", "-32768", "32767")]
    parts += [b" " * 80 * n, fields([str(c) for c in counts], 8), b" " * 32 * n]
    steps = np.round(data * 10).astype("<i2")
    body = b"".join(
        steps[i, second * rate : second * rate + counts[i]].tobytes()
        for second in range(seconds)
        for i in range(n)
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(head + b"".join(parts) + body)


def recording(path: Path, seconds: int, seed: int, names: list[str] | None = None) -> np.ndarray:
    """Write noise of 30 uV at 256 Hz; gives it back in the order of its names."""
    names = NAMES if names is None else names
    data = np.random.default_rng(seed).normal(0, 30, (len(names), 256 * seconds))
    write_edf(path, names, data, 256)
    return data
