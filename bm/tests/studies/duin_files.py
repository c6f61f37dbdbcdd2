"""Miniatures of Du-IN's published folders, with pickles as its program writes them."""

from __future__ import annotations

import json
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bm.studies.duin.contacts import SELECTED

KIND = "dataset.bipolar.default.unaligned"
#: Those of person 001, and two that are not selected, in another order than the selection.
NAMES = ["A1", *sorted(SELECTED["001"]), "A2"]


class DotDict(dict):
    """A dictionary of attributes, as the seed has one; readers never import it."""

    def __getattr__(self, name: str) -> Any:
        if name not in self:
            raise AttributeError(name)
        return self[name]


def trial(word: str, rng: np.random.Generator, samples: int = 3000, n: bool = False) -> DotDict:
    arrays = {"data_s": rng.standard_normal((len(NAMES), samples))}
    if n:
        arrays["data_n"] = rng.standard_normal((len(NAMES), samples))
    return DotDict(name=word, **arrays)


def write_run(
    root: Path,
    run: str,
    words: Sequence[str],
    seed: int = 0,
    person: str = "001",
    protocol: int = 4,
    **options: Any,
) -> Path:
    """Write a run of the word task and return its folder."""
    rng = np.random.default_rng(seed)
    folder = root / "duin/seeg.he2023xuanwu" / person / "word-recitation" / run / KIND
    folder.mkdir(parents=True)
    trials = [trial(word, rng, **options) for word in words]
    (folder / "data").write_bytes(pickle.dumps(trials, protocol))
    (folder / "info").write_bytes(pickle.dumps(DotDict(ch_names=NAMES), protocol))
    return folder


def write_clips(root: Path, samples: int = 24_000, step: int = 4000, both: bool = True) -> Path:
    """Write overlapping clips of 8 s of one recording of person 001, and return their folder."""
    folder = root / "duin/seeg.he2023xuanwu/001/pretrain/dataset.default.1000hz"
    (folder / "run1").mkdir(parents=True)
    signal = np.random.default_rng(5).standard_normal((2, len(NAMES), samples))
    for number, first in enumerate(range(0, samples - 7999, step)):
        clip = signal[: 1 + both, :, first : first + 8000]
        np.save(folder / "run1" / f"{number}.npy", clip.astype("f4"))
    (folder / "info.json").write_text(json.dumps({"ch_names": NAMES}))
    return folder
