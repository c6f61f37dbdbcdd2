"""The tasks of Neuroprobe on the words of films: two classes each, as many windows of either.

Rules and draws are those of the package `neuroprobe` 0.1.8 (Zahorodnii et al. 2025), written anew:
the quarter above 0.75 of all other words against that below 0.25, or two named values.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from ...errors import RecordingError, UserError
from ...registry import check_known

SEED = 42  # of the draw of words, the package's
MOST = 3500  # windows of a film
WINDOW_S = 1.0
#: Task -> column of the words whose extreme quarters are told apart.
QUARTERS = {
    "volume": "rms",
    "delta_volume": "delta_rms",
    "pitch": "enhanced_pitch",
    "gpt2_surprisal": "gpt2_surprisal",
    "word_length": "word_length",
    "global_flow": "max_global_magnitude",
    "local_flow": "max_vector_magnitude",
    "frame_brightness": "mean_pixel_brightness",
}
Rule = Callable[[pd.Series], pd.Series]
#: Task -> column, and the values of its second and of its first class.
VALUES: dict[str, tuple[str, Rule, Rule]] = {
    "face_num": ("face_num", lambda x: x > 0, lambda x: x == 0),
    "word_index": ("idx_in_sentence", lambda x: x == 0, lambda x: x == 1),
    "word_head_pos": ("bin_head", lambda x: x == 0, lambda x: x == 1),
    "word_part_speech": ("pos", lambda x: x == "VERB", lambda x: x == "NOUN"),
}
#: Tasks whose second class is of words, the first of stretches without any.
SILENCE = ("onset", "speech")
TASKS = (*SILENCE, *QUARTERS, *VALUES, "word_gap")


def shares_below(values: np.ndarray, among: np.ndarray) -> np.ndarray:
    """Return for each value the share of `among` that is smaller, ties not counted.

    nan where there is no value; the package takes such words for the smallest.
    """
    ordered = np.sort(among[~np.isnan(among)])
    shares = np.searchsorted(ordered, values, side="left") / len(among)
    return np.where(np.isnan(values), np.nan, shares)


def gaps(words: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return rows of words that follow another of their sentence, and the silence before (s)."""
    same = (words["sentence"] == words["sentence"].shift()).to_numpy()
    rows = np.flatnonzero(same)
    before = words["start"].to_numpy(float)[rows] - words["end"].to_numpy(float)[rows - 1]
    return rows, before


def classes_of(words: pd.DataFrame, silences: int, task: str, path: Path) -> list[np.ndarray]:
    """Return the rows of both classes; those of the first class of `SILENCE` count silences.

    Raises:
        RecordingError: the words lack the column of the task, or one class has no row.
    """
    check_known("task of Neuroprobe", task, TASKS)
    needed = {**QUARTERS, **{k: v[0] for k, v in VALUES.items()}, "onset": "is_onset",
              "word_gap": "sentence"}.get(task)  # fmt: skip
    if needed is not None and needed not in words:
        remedy = "put transcripts/<film>/features.csv of Brain Treebank beside the recordings"
        raise RecordingError(path, f"no column {needed!r}, which task {task} is made of", remedy)
    if task in QUARTERS:
        values = words[QUARTERS[task]].to_numpy(float)
        shares = shares_below(values, values)
        rows = [np.flatnonzero(shares < 0.25), np.flatnonzero(shares > 0.75)]
    elif task in VALUES:
        column, second, first = VALUES[task]
        rows = [np.flatnonzero(rule(words[column]).to_numpy()) for rule in (first, second)]
    elif task == "word_gap":
        places, before = gaps(words)
        shares = shares_below(before, before)
        rows = [places[shares < 0.25], places[shares >= 0.75]]
    else:
        spoken = np.arange(len(words))
        if task == "onset":
            spoken = np.flatnonzero(words["is_onset"].to_numpy() == 1)
        rows = [np.arange(silences), spoken]
    if not min(map(len, rows)):
        reason = f"task {task}: one of the classes has no window"
        raise RecordingError(path, reason, "leave the film out")
    return rows


def task_trials(
    words: pd.DataFrame, silences: pd.DataFrame | None, task: str, path: Path, most: int = MOST
) -> pd.DataFrame:
    """Return the windows of a task as trials of 1 s, in the order of time.

    `quarter` (0 to 3) is of the package's list, in which both classes take turns; see `split_of`.

    Args:
        words: of a film: `est_idx` (samples at 2048 Hz) and the columns of the task.
        silences: stretches without words, with `est_idx`; None = there are none.
        task: one of `TASKS`.
        path: of the words, for messages.
        most: windows at most.

    Raises:
        UserError: `most` below 8.
        RecordingError: see `classes_of`.
    """
    if most < 8:
        raise UserError(f"max_trials={most}: use 8 or more")
    count = 0 if silences is None else len(silences)
    rows = classes_of(words, count, task, path)
    draw, size = np.random.RandomState(SEED), min(*map(len, rows), most // 2)
    # the second class is drawn first, as there
    second, first = (np.sort(draw.choice(r, size=size, replace=False)) for r in reversed(rows))
    sources = [silences if task in SILENCE and silences is not None else words, words]
    starts = np.empty(2 * size)
    starts[0::2] = sources[1]["est_idx"].to_numpy(float)[second]
    starts[1::2] = sources[0]["est_idx"].to_numpy(float)[first]
    bounds = np.array([0, size // 2, size, size + size // 2])
    places = np.searchsorted(bounds, np.arange(2 * size), side="right") - 1
    trials = pd.DataFrame(
        {
            "kind": "trial",
            "start_s": starts.astype(int) / 2048.0,
            "duration_s": WINDOW_S,
            "label": np.where(np.arange(2 * size) % 2 == 0, "1", "0"),
            "task": task,
            "quarter": places.astype(str),
        }
    )
    return trials.sort_values("start_s", kind="stable", ignore_index=True)


#: Fold within a film -> split of each quarter; 0 = the film is another one than that of training.
FOLDS = {
    0: ("valid", "valid", "test", "test"),
    1: ("valid", "test", "train", "train"),
    2: ("train", "train", "valid", "test"),
}


def split_of(quarters: pd.Series, fold: int | None) -> pd.Series:
    """Return the published split of windows by their quarter; `fold` None = all train."""
    splits = ("train",) * 4 if fold is None else FOLDS[fold]
    return quarters.map({str(n): split for n, split in enumerate(splits)})


def without_overlaps(trials: pd.DataFrame) -> pd.DataFrame:
    """Return trials less those that share time with a window of a later split.

    Words follow each other faster than windows: where two splits meet, the package has some samples
    in both. Windows of training give way to those of validation, and both to those of the test.
    """
    order = trials["published_split"].map({"train": 0, "valid": 1, "test": 2}).to_numpy()
    starts = trials["start_s"].to_numpy(float)
    near = np.abs(starts[:, None] - starts) < WINDOW_S
    lost = (near & (order[None] > order[:, None])).any(1)
    return trials[~lost].reset_index(drop=True)
