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
    """Ridge regression from features (N, D) to states (N, S) of text, trained on real items."""

    def __init__(self, features: np.ndarray, states: np.ndarray) -> None:
        from sklearn.linear_model import RidgeCV

        self.mean, self.sd = features.mean(0), np.maximum(features.std(0), 1e-12)
        self.origin = states.mean(0)
        self.ridge = RidgeCV(PENALTIES).fit(self._scaled(features), states)

    def read(self, features: np.ndarray) -> np.ndarray:
        """Return what features (N, D) are read as: states (N, S) less their mean."""
        return np.asarray(self.ridge.predict(self._scaled(features)) - self.origin)

    def _scaled(self, features: np.ndarray) -> np.ndarray:
        return (features - self.mean) / self.sd

    def similarities(self, features: np.ndarray, states: np.ndarray) -> np.ndarray:
        """Return cosines (N, M) of what features (N, D) are read as with states (M, S)."""
        sides = [x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
                 for x in (self.read(features), states - self.origin)]  # fmt: skip
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
    encoder = TextEncoder(train.features, train.states)
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


@dataclass(frozen=True)
class ToldWords:
    """Maps of words with the states of the words of their texts, in the same order.

    Attributes:
        features: (N, W, D).
        there: (N, W) true at words that are there, the first ones.
        states: (N, L, S) of the tokens: a beginning, then one for each word.
        mask: (N, L) true at the tokens that count.
        texts: of the items.
    """

    features: np.ndarray
    there: np.ndarray
    states: np.ndarray
    mask: np.ndarray
    texts: Sequence[str]

    @property
    def is_aligned(self) -> bool:
        """Return whether word i of each item is token i + 1: none was passed over, none split."""
        return bool((self.there.sum(1) == self.mask.sum(1) - 1).all())

    def rows(self, places: np.ndarray) -> ToldWords:
        """Return some of the items."""
        texts = [self.texts[place] for place in places]
        return ToldWords(
            self.features[places], self.there[places], self.states[places], self.mask[places], texts
        )


def word_similarities(encoder: TextEncoder, features: np.ndarray, told: ToldWords) -> np.ndarray:
    """Return cosines (N, N) of what items are read as with the words of each candidate, in order.

    Over the words that both have, so that the length alone finds no sentence.

    Args:
        encoder: of single words.
        features: (N, W, D) of items of the lengths of `told`.
        told: the candidates.
    """
    lengths = told.there.sum(1)
    read = [encoder.read(item[:length]) for item, length in zip(features, lengths, strict=True)]
    spoken = [
        states[1 : n + 1] - encoder.origin for states, n in zip(told.states, lengths, strict=True)
    ]
    scores = np.zeros((len(read), len(spoken)))
    for i, one in enumerate(read):
        for j, other in enumerate(spoken):
            n = min(len(one), len(other))
            norm = np.linalg.norm(one[:n]) * np.linalg.norm(other[:n])
            scores[i, j] = (one[:n] * other[:n]).sum() / max(norm, 1e-12)
    return scores


def sentence_retrieval(
    train: ToldWords, real: ToldWords, generated: np.ndarray, seed: int = 0
) -> dict[str, float]:
    """Return how well an encoder of real single words finds the sentences of maps, word by word.

    A mean over the words of a sentence, as `text_retrieval` takes it, hardly tells even real ones
    apart; here every word has its own vote, where words and tokens are aligned.

    Args:
        train: real training items.
        real: real test items.
        generated: (N, W, D) of items that were asked to be of the texts of `real`.
        seed: of the control and of the tests.

    Returns:
        sentence_rank_NAME: mean percentile of the right one among all sentences, 50 at most; NAME
            is real, generated, or shuffled: generated, with the text of another of as many words.
        sentence_top5_NAME: share of items with the right one among the best five.
        sentence_p_NAME: of a paired test over sentences, one-sided, that an item is nearer to its
            own than to the others of as many words.
        Nothing where words were passed over or split, or fewer than ten sentences.
    """
    places = first_of_each(real.texts)
    if not (train.is_aligned and real.is_aligned) or len(places) < 10:
        return {}
    candidates, answers = real.rows(places), generated[places]
    lengths = candidates.there.sum(1)
    tokens = [states[1 : n + 1] for states, n in zip(train.states, train.there.sum(1), strict=True)]
    encoder = TextEncoder(train.features[train.there], np.concatenate(tokens))
    order = _within(lengths, np.random.default_rng(seed))
    sets = {"real": candidates.features, "generated": answers, "shuffled": answers[order]}
    values: dict[str, float] = {}
    for name, features in sets.items():
        scores = word_similarities(encoder, features, candidates)
        fit = follows(scores, lengths, seed)
        if not fit:
            return {}
        better = (scores > np.diag(scores)[:, None]).sum(1)
        values[f"sentence_rank_{name}"] = follows(scores, np.zeros(len(places)), seed)[
            "matched_rank"
        ]
        values[f"sentence_top5_{name}"] = float((better < 5).mean())
        values[f"sentence_p_{name}"] = fit["matched_p"]
    return values
