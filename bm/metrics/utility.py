"""Are generated trials of use to a classifier? Trained on them, tested on them, added to real ones.

Esteban et al. 2017 (TSTR, TRTS); classification accuracy score, Ravuri and Vinyals 2019.
"""

from __future__ import annotations

import numpy as np
from scipy import stats

from .trial_classifier import ShrunkLDA

SHARES = (0.1, 0.25, 0.5, 1.0)  # of the real training trials
REPEATS = 5  # random choices of these
Labelled = tuple[np.ndarray, np.ndarray]


def utility(
    train: Labelled, test: Labelled, generated: Labelled, seed: int = 0
) -> list[dict[str, float | str]]:
    """Return accuracies on real test trials, and of real classifiers on generated ones.

    Args:
        train, test, generated: (features (N, D), labels (N,)).
        seed: of the choices of real trials.

    Returns:
        rows `trained_on` (real, generated, both), `tested_on` (real, generated), `real_share`,
        `n_trials`, `accuracy` and `gain` over the same real trials alone, with `ci95`, the half
        width of its interval over choices.
    """
    rows = [_row("generated", "real", 0.0, [(generated, test)])]
    rows.append(_row("real", "generated", 1.0, [(train, generated)]))
    rng = np.random.default_rng(seed)
    for share in SHARES:
        alone, both, gains = [], [], []
        for _ in range(1 if share == 1 else REPEATS):
            part = _some(train, share, rng)
            joined = tuple(np.concatenate(pair) for pair in zip(part, generated, strict=True))
            alone.append((part, test))
            both.append((joined, test))
            gains.append(_accuracy(joined, test) - _accuracy(part, test))  # type: ignore[arg-type]
        rows.append(_row("real", "real", share, alone))
        row = _row("both", "real", share, both)  # type: ignore[arg-type]
        row["gain"] = float(np.mean(gains))
        if len(gains) > 1:
            spread = stats.t.ppf(0.975, len(gains) - 1) * np.std(gains, ddof=1)
            row["ci95"] = float(spread / np.sqrt(len(gains)))
        rows.append(row)
    return rows


def _some(trials: Labelled, share: float, rng: np.random.Generator) -> Labelled:
    """Return a share of the trials of each class, two of each at least."""
    features, labels = trials
    parts = []
    for number in np.unique(labels):
        places = np.flatnonzero(labels == number)
        count = min(len(places), max(2, round(share * len(places))))
        parts.append(rng.permutation(places)[:count])
    rows = np.sort(np.concatenate(parts))
    return features[rows], labels[rows]


def _accuracy(trained: Labelled, tested: Labelled) -> float:
    return float((ShrunkLDA(*trained).predict(tested[0]) == tested[1]).mean())


def _row(
    trained: str, tested: str, share: float, pairs: list[tuple[Labelled, Labelled]]
) -> dict[str, float | str]:
    accuracy = float(np.mean([_accuracy(*pair) for pair in pairs]))
    count = len(pairs[0][0][1])
    names: dict[str, float | str] = {"trained_on": trained, "tested_on": tested}
    names["real_share"] = share
    return {**names, "n_trials": count, "accuracy": accuracy}
