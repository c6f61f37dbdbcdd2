"""A trained encoder finds the sentence of items that follow it, and of no others."""

from __future__ import annotations

import numpy as np

from bm.metrics.text_retrieval import (
    Told,
    ToldWords,
    first_of_each,
    sentence_retrieval,
    text_retrieval,
)


def items(count: int, seed: int, mixing: np.ndarray) -> Told:
    """Items whose features are a mixture of the states of their text, with as much noise."""
    rng = np.random.default_rng(seed)
    states = rng.standard_normal((count, mixing.shape[0]))
    features = states @ mixing + 2 * rng.standard_normal((count, mixing.shape[1]))
    return Told(features, states, [f"{seed} {i}" for i in range(count)], np.arange(count) % 3)


def test_items_that_follow_their_text_are_found_and_others_are_not() -> None:
    rng = np.random.default_rng(0)
    mixing = rng.standard_normal((8, 40))
    train, real = items(300, 1, mixing), items(80, 2, mixing)
    obedient = real.states @ mixing + rng.standard_normal(real.features.shape)
    values = text_retrieval(train, real, obedient)
    assert values["text_rank_generated"] > 0.9 and values["text_p"] < 0.01
    assert values["text_rank_real"] > 0.8 and values["text_p_real"] < 0.01
    # the control: the same items, each with the text of another one
    assert 0.3 < values["text_rank_shuffled"] < 0.6 and values["text_p_shuffled"] > 0.05
    deaf = text_retrieval(train, real, rng.permutation(obedient))
    assert deaf["text_rank_generated"] < 0.6 and deaf["text_p"] > 0.01


def test_at_most_fifty_sentences_compete_each_once() -> None:
    texts = [str(i % 70) for i in range(200)]
    places = first_of_each(texts)
    assert len(places) == 50 == len({texts[p] for p in places}) and places.max() < 70
    alone = Told(np.zeros((3, 2)), np.zeros((3, 2)), ["a", "b", "c"], np.arange(3))
    assert text_retrieval(alone, alone, alone.features) == {}


def maps(count: int, seed: int, mixing: np.ndarray, noise: float) -> ToldWords:
    """Maps of 4 to 6 words, each a mixture of the state of its word, with noise."""
    rng = np.random.default_rng(seed)
    lengths = 4 + np.arange(count) % 3
    states = rng.standard_normal((count, 8, mixing.shape[0]))
    features = states[:, 1:7] @ mixing
    features = features + noise * rng.standard_normal(features.shape)
    there, mask = (np.arange(n) < lengths[:, None] + extra for n, extra in ((6, 0), (8, 1)))
    return ToldWords(features, there, states, mask, [f"{seed} {i}" for i in range(count)])


def test_sentences_are_found_word_by_word() -> None:
    rng = np.random.default_rng(0)
    mixing = rng.standard_normal((8, 40))
    train, real = maps(200, 1, mixing, 6.0), maps(60, 2, mixing, 6.0)
    obedient = real.states[:, 1:7] @ mixing + 3 * rng.standard_normal(real.features.shape)
    values = sentence_retrieval(train, real, obedient)
    assert values["sentence_rank_real"] > 0.9 and values["sentence_p_real"] < 0.01
    assert values["sentence_rank_generated"] > 0.9 and values["sentence_top5_generated"] > 0.7
    assert values["sentence_p_generated"] < 0.01
    assert 0.3 < values["sentence_rank_shuffled"] < 0.7 and values["sentence_p_shuffled"] > 0.05
    deaf = sentence_retrieval(train, real, rng.standard_normal(obedient.shape))
    assert deaf["sentence_rank_generated"] < 0.65 and deaf["sentence_p_generated"] > 0.01


def test_words_that_are_no_tokens_are_not_compared() -> None:
    mixing = np.random.default_rng(0).standard_normal((8, 40))
    train, real = maps(40, 1, mixing, 1.0), maps(40, 2, mixing, 1.0)
    real.there[3, 2:] = False  # two words were passed over
    assert sentence_retrieval(train, real, real.features) == {}
