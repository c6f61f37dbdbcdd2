"""Small recordings of noise as FIF files, and a data set of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mne
import numpy as np

RATE = 200
NAMES = ("Fp1", "Fp2", "C3", "C4")


def noise(seconds: float, seed: int, channels: int = 4) -> np.ndarray:
    """(T, C) noise whose power falls with frequency, sd 20."""
    generator, samples = np.random.default_rng(seed), round(seconds * RATE)
    frequencies = np.fft.rfftfreq(samples)
    frequencies[0] = 1.0
    real, imaginary = generator.normal(size=(2, channels, len(frequencies)))
    x = np.fft.irfft((real + 1j * imaginary) / np.sqrt(frequencies), samples)
    return (20 * x / x.std(1, keepdims=True)).T.astype(np.float32)


def write(path: Path, seed: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    info = mne.create_info(list(NAMES), RATE, "eeg")
    raw = mne.io.RawArray(noise(30, seed).T * 1e-6, info, verbose="error")
    raw.set_annotations(mne.Annotations([2, 6, 10, 14], [0] * 4, ["a", "b"] * 2))
    raw.save(path, overwrite=True, verbose="error")
    return path


def dset(**changes: Any) -> dict[str, Any]:
    base: dict[str, Any] = {"preprocess": [], "channels": None, "rate_hz": None, "strict": True,
            "segment": {"kind": "trial", "duration_s": 1.0, "label": "label"},
            "split": {"key": "subject", "seed": 0, "ratios": {"train": 1.0}, "fixed": {}},
            "scale": {"kind": "none", "clamp": None}}  # fmt: skip
    return {**base, **changes}
