"""Words and sounds as events, and one window of one feature of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import soundfile

from bm.features import build_feature
from bm.features.builder import FeatureBuilder


def words(*rows: tuple[float, float, str]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "kind": "word",
                "start_s": start,
                "duration_s": length,
                "word": word,
                "word_index": i,
                "word_sequence": " ".join(r[2] for r in rows),
            }
            for i, (start, length, word) in enumerate(rows)
        ]
    )


def one(entry: object, events: pd.DataFrame, start: int, length: int, rate: float = 10.0):
    builder = FeatureBuilder([build_feature(entry)])
    builder.add(events, rate)
    values, _ = builder.gather(np.array([0]), np.array([start]), length)
    return next(iter(values.values()))[0]


def sound_events(folder: Path, seconds: float = 2.0, rate: int = 8000) -> pd.DataFrame:
    wave = np.random.default_rng(0).normal(size=(round(seconds * rate), 2)) * 0.1
    soundfile.write(folder / "a.wav", wave, rate)
    sound = {"kind": "sound", "start_s": 0.5, "duration_s": seconds, "offset": 0.0}
    return pd.DataFrame([{**sound, "filepath": str(folder / "a.wav")}])
