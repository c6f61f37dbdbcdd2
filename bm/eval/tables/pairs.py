"""Pairs of scores of the same items under two rows: their difference, tested over units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ...metrics.intervals import Interval, difference_interval
from ...metrics.units import Units
from .item_scores import Scores
from .statistics import crossed_test, effect_size, paired_test, sums_by, wilcoxon_signed_rank


@dataclass(frozen=True)
class Pairs:
    """Differences between a row and its reference.

    Attributes:
        differences: (N,) of the scores of the items that both tested.
        weights: (N,) of the items in the mean, with a sum of 1.
        units: of the items.
        people: (P, 2) mean scores of the people of both.
    """

    differences: np.ndarray
    weights: np.ndarray
    units: Units
    people: np.ndarray

    @property
    def mean(self) -> float:
        """Mean difference."""
        return float((self.differences * self.weights).sum())

    def interval(self) -> Interval | None:
        """Return the 95 % interval of the mean difference over units; None of too few."""
        return difference_interval(self.differences, self.weights, self.units)

    def p(self) -> float | None:
        """Return p by flips of the signs of units; None of too few."""
        return paired_test(self.differences, self.weights, self.units)

    def p_people(self) -> float | None:
        """Return p of the signed-rank test of people; None of fewer than six.

        Where people share stimuli, the larger one of it and of `crossed_test`.
        """
        p = wilcoxon_signed_rank(self.people[:, 0], self.people[:, 1])
        if p is None or self.units.stimuli is None:
            return p
        return max(p, crossed_test(self.differences * self.weights, self.units))

    def effect(self) -> float | None:
        """Return Hedges' g of the mean differences of units."""
        if self.units.few:
            return None
        codes = self.units.codes
        means = sums_by(self.differences, codes) / sums_by(np.ones(len(codes)), codes)
        return effect_size(means.tolist())


def pairs_of(first: Scores, second: Scores) -> Pairs | None:
    """Return the pairs of items, and of people, that both tested; None where there are none."""
    shared = first.items.index.intersection(second.items.index).sort_values()
    if not len(shared):
        return None
    parts = [Scores(scores.items.loc[shared]) for scores in (first, second)]
    one, other = (part.items["score"].to_numpy() for part in parts)
    left, right = parts[0].people, parts[1].people
    people = np.array([(left[n], right[n]) for n in sorted(left.keys() & right.keys())])
    return Pairs(one - other, parts[0].weights(), parts[0].units, people.reshape(-1, 2))


def joined(parts: Sequence[Pairs]) -> Pairs:
    """Return the pairs of several data sets, of which each weighs the same."""
    names = [f"{number}/{code}" for number, part in enumerate(parts) for code in part.units.codes]
    codes = pd.factorize(np.array(names))[0]
    stimuli = None
    if any(part.units.stimuli is not None for part in parts):
        # what shares no stimuli has one of its own for each item
        stimuli = [np.arange(len(p.differences)) if p.units.stimuli is None else p.units.stimuli
               for p in parts]  # fmt: skip
        heard = [f"{number}/{code}" for number, part in enumerate(stimuli) for code in part]
        stimuli = pd.factorize(np.array(heard))[0]
    kinds = {part.units.name for part in parts}
    units = Units(kinds.pop() if len(kinds) == 1 else "unit", codes, stimuli)
    return Pairs(
        np.concatenate([part.differences for part in parts]),
        np.concatenate([part.weights / len(parts) for part in parts]),
        units,
        np.concatenate([part.people for part in parts]),
    )
