"""Models over several data sets: ranks and their critical distance, signed ranks, practical ties.

Source: Demsar 2006 (JMLR 7, 1) for ranks, Friedman's test and Nemenyi's distance; Benavoli et al.
2017 (JMLR 18, 77) for the Bayesian test. A data set is the unit of evidence here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from ...errors import UserError
from ...metrics.units import LEAST_UNITS
from .statistics import holm, wilcoxon_signed_rank

PRIOR = 0.5  # strength of the pseudo-observation at 0, as published


@dataclass(frozen=True)
class Ranks:
    """Models ranked on every data set, 1 = best.

    Attributes:
        means: model -> mean rank, the best first.
        n_datasets: number of data sets.
        p: of Friedman's test that all models are alike; None of fewer than six data sets.
        distance: mean ranks that differ by less are not told apart at .05 (Nemenyi); None likewise.
    """

    means: dict[str, float]
    n_datasets: int
    p: float | None
    distance: float | None

    def groups(self) -> list[list[str]]:
        """Return the largest groups of models that the distance does not tell apart."""
        names = list(self.means)
        groups: list[list[str]] = []
        for start, name in enumerate(names):
            ends = [other for other in names[start:] if not self.apart(name, other)]
            if len(ends) > 1 and not any(set(ends) <= set(group) for group in groups):
                groups.append(ends)
        return groups

    def apart(self, first: str, second: str) -> bool:
        """Return whether two models' mean ranks differ by more than the critical distance."""
        gap = abs(self.means[first] - self.means[second])
        return self.distance is not None and gap > self.distance


def shared_values(values: Mapping[str, Mapping[str, float]]) -> tuple[list[str], np.ndarray]:
    """Return the data sets that all models have, and the values (models, data sets).

    Args:
        values: model -> data set -> value.

    Raises:
        UserError: fewer than two models, or no shared data set.
    """
    if len(values) < 2:
        raise UserError(f"ranks of {len(values)} models: there is nothing to compare; add a model")
    datasets = [d for d in next(iter(values.values())) if all(d in row for row in values.values())]
    if not datasets:
        raise UserError("ranks: no data set has a value of every model; evaluate what is missing")
    return datasets, np.array([[row[d] for d in datasets] for row in values.values()])


def rank_models(values: Mapping[str, Mapping[str, float]], larger_is_better: bool = True) -> Ranks:
    """Rank models on the data sets that all of them have; ties share their mean rank.

    Args:
        values: model -> data set -> value.
        larger_is_better: of the values.
    """
    datasets, table = shared_values(values)
    ranks = stats.rankdata(-table if larger_is_better else table, axis=0)
    means = dict(zip(values, ranks.mean(1).tolist(), strict=True))
    ordered = dict(sorted(means.items(), key=lambda pair: pair[1]))
    if len(datasets) < LEAST_UNITS:
        return Ranks(ordered, len(datasets), None, None)
    distance = nemenyi_distance(len(values), len(datasets))
    return Ranks(ordered, len(datasets), friedman_p(ranks), distance)


def friedman_p(ranks: np.ndarray) -> float:
    """Return p of Friedman's test of ranks (models, data sets), corrected for ties."""
    models, count = ranks.shape
    spread = np.square(ranks - (models + 1) / 2).sum()
    if spread == 0:
        return 1.0
    sums = ranks.sum(1) - count * (models + 1) / 2
    return float(stats.chi2.sf((models - 1) * np.square(sums).sum() / spread, models - 1))


def nemenyi_distance(models: int, datasets: int, alpha: float = 0.05) -> float:
    """Return how far two mean ranks are apart at least to differ at `alpha`, over all pairs."""
    q = stats.studentized_range.ppf(1 - alpha, models, np.inf) / np.sqrt(2)
    return float(q * np.sqrt(models * (models + 1) / (6 * datasets)))


def against_reference(
    values: Mapping[str, Mapping[str, float]], reference: str
) -> dict[str, float | None]:
    """Return Wilcoxon's p over data sets of every other model, corrected by Holm; None of too few.

    Args:
        values: model -> data set -> value.
        reference: model that the others are compared with.
    """
    _, table = shared_values(values)
    names = list(values)
    base = table[names.index(reference)]
    raw = {n: wilcoxon_signed_rank(row.tolist(), base.tolist())
           for n, row in zip(names, table, strict=True) if n != reference}  # fmt: skip
    tested = {name: p for name, p in raw.items() if p is not None}
    corrected = dict(zip(tested, holm(list(tested.values())), strict=True))
    return {name: corrected.get(name) for name in raw}


def bayesian_signed_rank(
    differences: Sequence[float], rope: float = 0.01, draws: int = 20_000, seed: int = 0
) -> tuple[float, float, float] | None:
    """Return the probabilities that a model is worse, practically alike, and better; None of few.

    Weights of the differences are drawn from a Dirichlet distribution with a pseudo-observation at
    0; what counts is where the weighted sums of pairs of differences lie most often.

    Args:
        differences: (D,) of the model from another one on each data set.
        rope: differences within plus or minus this are practically none.
        draws: of the weights.
        seed: of the draws.
    """
    if len(differences) < LEAST_UNITS:
        return None
    points = np.concatenate([[0.0], np.asarray(differences, float)])
    pairs = points[:, None] + points
    prior = np.concatenate([[PRIOR], np.ones(len(points) - 1)])
    weights = np.random.default_rng(seed).dirichlet(prior, draws)
    sides = [pairs < -2 * rope, np.abs(pairs) <= 2 * rope, pairs > 2 * rope]
    shares = np.stack([((weights @ side) * weights).sum(1) for side in sides], 1)
    # of equal shares each wins a part of the draw
    wins = shares >= shares.max(1, keepdims=True) - 1e-12
    worse, alike, better = (wins / wins.sum(1, keepdims=True)).mean(0).tolist()
    return worse, alike, better
