"""A trained encoder finds the sentence of items that follow it, and of no others."""

from __future__ import annotations

import numpy as np

from bm.metrics.text_retrieval import Told, first_of_each, text_retrieval


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
