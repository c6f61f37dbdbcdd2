"""How a split looks beside others of the same windows: grouped by people, and drawn at random.

A decoder that is far better on windows drawn at random than on new people has learned whose windows
they are. A chosen split whose score is that of random windows promises what it does not measure.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.metrics import balanced_accuracy_score

from ..data.dataset import Dataset
from ..errors import UserError
from ..models.baselines.powers import log_band_powers

#: Delta, theta, alpha, beta and low gamma (Hz), as far as the windows have them.
BANDS = ((1.0, 4.0), (4.0, 8.0), (8.0, 13.0), (13.0, 30.0), (30.0, 45.0))
DRAWS = 5  # of each null: the mean of five has half the error of one
UNITS = ("person", "session", "recording")


@dataclass(frozen=True)
class SplitScores:
    """Balanced accuracies of one decoder on one data set under several splits.

    Attributes:
        chosen: of the data set's own split.
        grouped: of draws that keep a `unit` together.
        random: of draws of single windows.
        unit: person, session or recording: the coarsest of which there are four.
        chance: of a guess.
    """

    chosen: float
    grouped: list[float]
    random: list[float]
    unit: str
    chance: float

    def lines(self) -> list[str]:
        """Return the comparison in words."""
        grouped, random = float(np.mean(self.grouped)), float(np.mean(self.random))
        return [
            f"null: LDA on band powers, balanced accuracy (chance {self.chance:.3f})",
            f"  chosen split              {self.chosen:.3f}",
            f"  grouped by {self.unit:<14} {grouped:.3f} ± {np.std(self.grouped):.3f}",
            f"  windows at random         {random:.3f} ± {np.std(self.random):.3f}",
            f"  the chosen split looks {self.chosen - grouped:+.3f} better than a grouped one",
        ]


def score_splits(dataset: Dataset, seed: int = 0) -> SplitScores:
    """Fit the decoder under the chosen split, and under grouped and random ones of its sizes.

    Args:
        dataset: with classes and one channel set.
        seed: of the draws.

    Raises:
        UserError: no classes, several channel sets, an empty split, or nothing to group by.
    """
    table = dataset.windows()
    used = table[table["split"].isin(("train", "test"))]
    if not dataset.facts.classes or len(set(dataset.layout.tolist())) > 1:
        raise UserError("null=true: needs classes and one channel set (dset.channels=common)")
    if set(used["split"]) != {"train", "test"}:
        raise UserError("null=true: there is no window to train on, or none to test")
    features = _features(dataset, used.index.to_numpy())
    labels, is_test = used["label"].to_numpy(int), (used["split"] == "test").to_numpy()
    unit, groups = _units(used)
    share, generator = float(is_test.mean()), np.random.default_rng(seed)
    draws = {
        "grouped": [_score(features, labels, test) for test in _draws(groups, share, generator)],
        "random": [
            _score(features, labels, test)
            for test in _draws(np.arange(len(labels)), share, generator)
        ],
    }
    chance = 1 / len(set(labels.tolist()))
    return SplitScores(
        _score(features, labels, is_test), draws["grouped"], draws["random"], unit, chance
    )


def _features(dataset: Dataset, rows: np.ndarray) -> np.ndarray:
    """Return log band powers (N, channels * bands) of the windows as they are stored."""
    columns = dataset.table[["recording", "start", "length"]].to_numpy()[rows]
    windows = np.stack([dataset.signals[r].rows(a, n).numpy().T for r, a, n in columns])
    rate, seconds = dataset.facts.rate_hz, windows.shape[-1] / dataset.facts.rate_hz
    step = 1 / min(1.0, seconds)
    bands = [band for band in BANDS if band[1] <= rate / 2 and band[1] - band[0] >= step]
    return log_band_powers(windows, rate, bands)


def _units(table: object) -> tuple[str, np.ndarray]:
    """Return the coarsest unit of which there are four, and the number of each window's."""
    columns = {
        "person": ["person"],
        "session": ["person", "session"],
        "recording": ["person", "session", "recording"],
    }
    for unit in UNITS:
        numbers = table.groupby(columns[unit]).ngroup().to_numpy()  # type: ignore[attr-defined]
        if len(set(numbers.tolist())) >= 4:
            return unit, numbers
    raise UserError("null=true: fewer than four recordings; there is nothing to group by")


def _draws(
    groups: np.ndarray, share: float, generator: np.random.Generator
) -> Iterator[np.ndarray]:
    """Yield which windows are tested: whole groups, until they are a share of all windows."""
    names = np.unique(groups)
    sizes = np.bincount(np.searchsorted(names, groups))
    for _ in range(DRAWS):
        order = generator.permutation(len(names))
        count = int(np.searchsorted(np.cumsum(sizes[order]), share * len(groups))) + 1
        tested = names[order[: min(count, len(names) - 1)]]
        yield np.isin(groups, tested)


def _score(features: np.ndarray, labels: np.ndarray, is_test: np.ndarray) -> float:
    decoder = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
    decoder.fit(features[~is_test], labels[~is_test])
    guesses = decoder.predict(features[is_test])
    return float(balanced_accuracy_score(labels[is_test], guesses))
