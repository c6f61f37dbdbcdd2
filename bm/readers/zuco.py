"""Sentences of ZuCo in MATLAB files: version 5 of ZuCo 1.0, version 7.3 (HDF5) of ZuCo 2.0.

Hollenstein et al., Scientific Data 5:180291 (2018); Hollenstein et al., LREC 2020.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ..errors import RecordingError
from .edf import FETCH
from .matlab import read_matlab

#: Bands in their order in every file and map, Hz (Hollenstein et al., Scientific Data 5:180291,
#: 2018); simulated reading has the same.
BANDS_HZ: dict[str, tuple[float, float]] = {
    "t1": (4.0, 6.0),
    "t2": (6.5, 8.0),
    "a1": (8.5, 10.0),
    "a2": (10.5, 13.0),
    "b1": (13.5, 18.0),
    "b2": (18.5, 30.0),
    "g1": (30.5, 40.0),
    "g2": (40.0, 49.5),
}
#: Reading windows of a word: first fixation, total reading time, gaze duration.
GAZE = ("FFD", "TRT", "GD")
N_CHANNELS = 105
VARIABLE = "sentenceData"


@dataclass(frozen=True)
class ReadWord:
    """A word of a sentence.

    Attributes:
        text: as shown.
        n_fixations: 0 = the eyes passed it.
        powers: reading window -> (8, C) band powers; None where one is missing or of another size.
    """

    text: str
    n_fixations: int
    powers: dict[str, np.ndarray | None]


@dataclass(frozen=True)
class ReadSentence:
    """A sentence that one person read.

    Attributes:
        number: in the file, from 0.
        text: as shown.
        wave: (C, T) float32 uV; None when missing.
        words: None when the sentence has none.
        means: (8, C) band powers of the whole sentence; None when missing.
    """

    number: int
    text: str
    wave: np.ndarray | None
    words: tuple[ReadWord, ...] | None
    means: np.ndarray | None


def read_sentences(path: Path) -> tuple[list[ReadSentence], tuple[str, ...] | None]:
    """Read the sentences of a file of either layout, and the names of its channels if it has them.

    Raises:
        RecordingError: missing, damaged, of neither layout, or with another number of channels.
    """
    if not path.is_file() or path.stat().st_size == 0:
        raise RecordingError(path, "missing or empty", FETCH)
    if h5py.is_hdf5(path):
        sentences, names = _read_hdf5(path)
    else:
        variables = read_matlab(path, VARIABLE)
        structs = np.atleast_1d(variables[VARIABLE])
        if not len(structs) or not hasattr(structs[0], "content"):
            raise RecordingError(path, f"`{VARIABLE}` is no list of sentences of ZuCo", FETCH)
        sentences = [_of_struct(number, one) for number, one in enumerate(structs)]
        names = _labels_of(variables.get("chanlocs"))
    sizes = {len(one.wave) for one in sentences if one.wave is not None}
    if sizes - {N_CHANNELS}:
        reason = f"{min(sizes - {N_CHANNELS})} channels in a sentence, not {N_CHANNELS}"
        raise RecordingError(path, reason, FETCH)
    return sentences, names


# version 5: structures ------------------------------------------------------------------


def _of_struct(number: int, struct: Any) -> ReadSentence:
    """Return a sentence of a structure; a NaN in the place of a matrix is "missing"."""
    words: Any = getattr(struct, "word", None)
    there = [word for word in np.atleast_1d(words) if hasattr(word, "content")]
    return ReadSentence(
        number,
        str(struct.content),
        _wave(getattr(struct, "rawData", None)),
        tuple(_word_of_struct(word) for word in there) or None,
        _bands(lambda band: getattr(struct, f"mean_{band}", None)),
    )


def _word_of_struct(struct: Any) -> ReadWord:
    powers = {
        gaze: _bands(lambda band, gaze=gaze: getattr(struct, f"{gaze}_{band}", None))  # type: ignore[misc]
        for gaze in GAZE
    }
    return ReadWord(str(struct.content), _count(getattr(struct, "nFixations", None)), powers)


def _labels_of(places: Any) -> tuple[str, ...] | None:
    """Return the names of EEGLAB's `chanlocs`."""
    labels = [getattr(one, "labels", None) for one in np.atleast_1d(places)]
    return None if None in labels else tuple(str(label) for label in labels)


# version 7.3: HDF5 ----------------------------------------------------------------------


def _read_hdf5(path: Path) -> tuple[list[ReadSentence], tuple[str, ...] | None]:
    try:
        with h5py.File(path) as file:
            group = file.get(VARIABLE)
            if not isinstance(group, h5py.Group) or "content" not in group:
                reason = f"no group `{VARIABLE}` of sentences (it has {', '.join(file)})"
                raise RecordingError(path, reason, FETCH)
            count = len(list(_items(file, group["content"])))
            rows = zip(*(_column(file, group, name, count) for name in _FIELDS), strict=True)
            sentences = [_of_row(file, number, row) for number, row in enumerate(rows)]
            labels = file.get("chanlocs/labels")
            names = None if labels is None else tuple(map(_text, _items(file, labels)))
            return sentences, names
    except (OSError, KeyError, ValueError, RuntimeError) as error:
        reason = f"damaged ({type(error).__name__}: {error})"
        raise RecordingError(path, reason, FETCH) from error


_FIELDS = ("content", "rawData", "word", *(f"mean_{band}" for band in BANDS_HZ))


def _items(file: h5py.File, dataset: h5py.Dataset) -> Iterator[h5py.Dataset | h5py.Group]:
    """Yield what the references of a structure's field point to; a single one has none."""
    if dataset.dtype != h5py.ref_dtype:
        yield dataset
        return
    for reference in np.asarray(dataset[()]).reshape(-1):
        yield file[reference]


def _column(file: h5py.File, group: h5py.Group, name: str, count: int) -> list[Any]:
    """Return a field of all `count` structures; None where the file does not have it."""
    if name not in group:
        return [None] * count
    # the words of a single sentence are a group, not references
    items = [group[name]] if isinstance(group[name], h5py.Group) else _items(file, group[name])
    return list(items)


def _of_row(file: h5py.File, number: int, row: Sequence[Any]) -> ReadSentence:
    content, wave, words, *means = row
    bands = dict(zip(BANDS_HZ, means, strict=True))
    return ReadSentence(
        number,
        _text(content),
        _wave(None if wave is None else np.asarray(_values(wave)).T),
        _words_of_group(file, words) if isinstance(words, h5py.Group) else None,
        _bands(lambda band: _values(bands[band])),
    )


def _words_of_group(file: h5py.File, group: h5py.Group) -> tuple[ReadWord, ...] | None:
    if "content" not in group:
        return None
    texts = [_text(item) for item in _items(file, group["content"])]
    names = ["nFixations", *(f"{gaze}_{band}" for gaze in GAZE for band in BANDS_HZ)]
    columns = {name: _column(file, group, name, len(texts)) for name in names}
    words = []
    for index, text in enumerate(texts):
        if not any(letter.isalnum() for letter in text):
            continue  # signs alone are no word, as the authors' readers have it
        one = {name: _values(column[index]) for name, column in columns.items()}
        powers = {g: _bands(lambda b, g=g, one=one: one[f"{g}_{b}"]) for g in GAZE}  # type: ignore[misc]
        words.append(ReadWord(text, _count(one["nFixations"]), powers))
    return tuple(words) or None


def _values(dataset: object) -> np.ndarray | None:
    """Return the numbers of a dataset; None for an empty array, whose sizes MATLAB stores."""
    if not isinstance(dataset, h5py.Dataset) or dataset.attrs.get("MATLAB_empty"):
        return None
    return np.asarray(dataset[()])


def _text(dataset: object) -> str:
    """Return a text that is stored as code points."""
    values = _values(dataset)
    return "" if values is None else "".join(map(chr, values.reshape(-1).tolist()))


# both -----------------------------------------------------------------------------------


def _wave(values: object) -> np.ndarray | None:
    """Return (C, T) float32; None for the NaN that stands for a missing recording."""
    array = np.asarray(np.nan if values is None else values, np.float32)
    return array if array.ndim == 2 and array.size > 1 and np.isfinite(array).all() else None


def _count(value: object) -> int:
    array = np.asarray(np.nan if value is None else value, float).reshape(-1)
    return int(array[0]) if array.size == 1 and np.isfinite(array[0]) else 0


def _bands(field: Any) -> np.ndarray | None:
    """Return (8, C) of the fields of all bands; None when one has another size or a NaN."""
    rows = [np.asarray(_none_is_nan(field(band)), np.float32).reshape(-1) for band in BANDS_HZ]
    if any(len(row) != N_CHANNELS or not np.isfinite(row).all() for row in rows):
        return None
    return np.stack(rows)


def _none_is_nan(value: object) -> Any:
    return np.nan if value is None else value
