"""Miniature ZuCo: files of both layouts with the fields, sizes and gaps of the real ones."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from scipy.io import savemat

from bm.readers.zuco import BANDS_HZ, GAZE

TEXTS = (
    "Presents a good case while failing to provide a reason for us to care.",
    "Bread, My Sweet has so many flaws.",
    "He won the Gold Medal in 1892.",
    "A work of astonishing delicacy and force.",
    "They founded the town of Portsmouth, Rhode Island.",
)
FOLDERS = {"SR": "task1-SR", "NR": "task2-NR", "TSR": "task3-TSR", "NR2.0": "task2-NR-2.0"}


def drawn(texts: Sequence[str], seed: int, missing: Sequence[int] = ()) -> list[dict[str, Any]]:
    """Sentences as plain values; every fourth word has no fixation, `missing` have no EEG."""
    rng = np.random.default_rng(seed)
    sentences = []
    for number, text in enumerate(texts):
        words = []
        for index, word in enumerate(text.split()):
            powers: dict[str, Any] = {}
            fixated = index % 4 != 3
            for gaze in GAZE:
                for band in BANDS_HZ:
                    powers[f"{gaze}_{band}"] = rng.gamma(4.0, 0.5, 105) if fixated else None
            words.append(
                {"content": word, "nFixations": 1 + index % 2 if fixated else None, **powers}
            )
        wave = rng.normal(0, 10, (105, 150 + 10 * number))
        means = {f"mean_{band}": rng.gamma(4.0, 0.5, 105) for band in BANDS_HZ}
        there = number not in missing
        sentences.append(
            {
                "content": text,
                "rawData": wave if there else None,
                "word": words if there else None,
                **means,
            }
        )
    return sentences


def write_v5(path: Path, sentences: list[dict[str, Any]], labels: Sequence[str] = ()) -> Path:
    """Write as ZuCo 1.0: structures of MATLAB 5, a NaN for what is missing."""
    plain = [{k: _plain(v) for k, v in one.items()} for one in sentences]
    content: dict[str, Any] = {"sentenceData": _structs(plain)}
    if labels:
        content["chanlocs"] = _structs([{"labels": name, "X": 0.0} for name in labels])
    path.parent.mkdir(parents=True, exist_ok=True)
    savemat(path, content)
    return path


def _plain(value: Any) -> Any:
    if value is None:
        return np.nan
    if isinstance(value, list):
        return _structs([{k: _plain(v) for k, v in word.items()} for word in value])
    return value


def _structs(rows: list[dict[str, Any]]) -> np.ndarray:
    names = list(rows[0])
    array = np.empty((1, len(rows)), dtype=[(name, object) for name in names])
    for index, row in enumerate(rows):
        for name in names:
            value = row[name]
            array[0, index][name] = value[:, None] if getattr(value, "ndim", 0) == 1 else value
    return array


def write_v73(path: Path, sentences: list[dict[str, Any]]) -> Path:
    """Write as ZuCo 2.0: HDF5 with references, texts as code points, matrices transposed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w", userblock_size=512) as file:
        store = file.create_group("#refs#")
        group = file.create_group("sentenceData")
        for name in sentences[0]:
            values = [one[name] for one in sentences]
            group[name] = _references(store, [_stored(store, value) for value in values])
    head = b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM"
    with open(path, "r+b") as raw:
        raw.write(head)
    return path


def _stored(store: h5py.Group, value: Any) -> h5py.Dataset | h5py.Group:
    name = f"v{len(store)}"
    if isinstance(value, list):
        group = store.create_group(name)
        for field in value[0]:
            items = [_stored(store, word[field]) for word in value]
            # a structure of one element holds values, not references
            group[field] = items[0] if len(items) == 1 else _references(store, items)
        return group
    if value is None:
        store[name] = np.zeros(2, np.uint64)
        store[name].attrs["MATLAB_empty"] = np.uint8(1)
    elif isinstance(value, str):
        store[name] = np.array([[ord(c)] for c in value], np.uint16)
    else:
        array = np.atleast_2d(np.asarray(value, float))
        store[name] = array if array.shape[0] == 1 else array.T
    return store[name]


def _references(store: h5py.Group, items: list[Any]) -> np.ndarray:
    return np.array([[item.ref] for item in items], dtype=h5py.ref_dtype)


def write_corpus(root: Path, texts: Sequence[str] = TEXTS, seed: int = 0) -> Path:
    """Two people of each version, the second task sharing two sentences with the first."""
    folder = root / "zuco"
    for place, (task, subject) in enumerate(
        [("SR", "ZAB"), ("SR", "ZPH"), ("NR", "ZAB"), ("NR2.0", "YAC"), ("NR2.0", "YMH")]
    ):
        read = list(texts) if task == "SR" else [*texts[:2], *(f"{t} {task}" for t in texts[2:])]
        sentences = drawn(read, seed + place)
        name = "NR" if task == "NR2.0" else task
        path = folder / FOLDERS[task] / "Matlab_files" / f"results{subject}_{name}.mat"
        (write_v73 if task == "NR2.0" else write_v5)(path, sentences)
    return folder


def plain_words(text: str) -> list[str]:
    """Words of a text that have a letter or a digit."""
    return [word for word in text.split() if re.search(r"\w", word)]
