"""Is a generated item of its sentence? A linear encoder of real items finds the sentence.

The encoder is ridge regression from features of real training items to the pooled states of their
text; its penalty is candidates by leave-one-out error on the training items alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .word_maps import follows

PENALTIES = np.logspace(-2, 6, 9)
SENTENCES = 50  # candidates at most


@dataclass(frozen=True)
class Told:
    """Items with the texts that they are of.

    Attributes:
        features: (N, D).
        states: (N, S) pooled states of the texts.
        texts: of the items.
        groups: (N,) items of one group compete, such as sentences of one length.
    """

    features: np.ndarray
    states: np.ndarray
    texts: Sequence[str]
    groups: np.ndarray

    def rows(self, places: np.ndarray) -> Told:
        """Return some of the items."""
        texts = [self.texts[place] for place in places]
        return Told(self.features[places], self.states[places], texts, self.groups[places])


class TextEncoder:
    """Ridge regression from features to states of text, trained on real items."""

    def __init__(self, train: Told) -> None:
        from sklearn.linear_model import RidgeCV

        self.mean, sd = train.features.mean(0), train.features.std(0)
        self.sd = np.maximum(sd, 1e-12)
        self.origin = train.states.mean(0)
        self.ridge = RidgeCV(PENALTIES).fit(self._scaled(train.features), train.states)

    def _scaled(self, features: np.ndarray) -> np.ndarray:
        return (features - self.mean) / self.sd

    def similarities(self, features: np.ndarray, states: np.ndarray) -> np.ndarray:
        """Return cosines (N, M) of what features (N, D) are read as with states (M, S)."""
        read = self.ridge.predict(self._scaled(features)) - self.origin
        sides = [x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
                 for x in (read, states - self.origin)]  # fmt: skip
        return np.asarray(sides[0] @ sides[1].T)


def first_of_each(texts: Sequence[str], most: int = SENTENCES) -> np.ndarray:
    """Return the place of the first item of each text, evenly spaced where there are too many."""
    places = np.sort(np.unique(np.asarray(texts, object), return_index=True)[1])
    if len(places) <= most:
        return places
    return places[np.linspace(0, len(places) - 1, most).astype(int)]


def text_retrieval(
    train: Told, real: Told, generated: np.ndarray, seed: int = 0
) -> dict[str, float]:
    """Return how well a trained encoder finds the sentences of real and of generated items.

    Args:
        train: real training items.
        real: real test items.
        generated: (N, D) features of items that were asked to be of the texts of `real`.
        seed: of the control and of the tests.

    Returns:
        text_rank_real, text_rank_generated: mean percentile of the right sentence among those of
            its group, .5 by chance.
        text_rank_shuffled: the same of generated items with the text of another item: what a model
            that ignores its text reaches.
        text_p: one-sided, over sentences, that generated items are nearer to their sentence than
            to the others; text_p_real, text_p_shuffled likewise.
        Nothing where no two sentences compete.
    """
    places = first_of_each(real.texts)
    candidates, answers = real.rows(places), generated[places]
    encoder = TextEncoder(train)
    order = _within(candidates.groups, np.random.default_rng(seed))
    sets = {"real": candidates.features, "generated": answers, "shuffled": answers[order]}
    values: dict[str, float] = {}
    for name, features in sets.items():
        fit = follows(encoder.similarities(features, candidates.states), candidates.groups, seed)
        if not fit:
            return {}
        values[f"text_rank_{name}"] = fit["matched_rank"]
        values["text_p" if name == "generated" else f"text_p_{name}"] = fit["matched_p"]
    return values


def _within(groups: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return an order in which every item takes the place of another one of its group."""
    order = np.arange(len(groups))
    for group in np.unique(groups):
        members = rng.permutation(np.flatnonzero(groups == group))
        order[members] = np.roll(members, 1)
    return order
