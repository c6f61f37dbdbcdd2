"""Naive Bayes over visible neighbours: equal to the plain form, and as good as the codes allow."""

from __future__ import annotations

import numpy as np
import pytest

from bm.metrics import code_neighbours
from bm.metrics.code_neighbours import SMOOTHING, CodeNeighbours


def counted(codes: np.ndarray, n_codes: int) -> CodeNeighbours:
    neighbours = CodeNeighbours(n_codes)
    for part in np.array_split(codes, 3):
        neighbours.add(part)
    return neighbours


@pytest.mark.parametrize("axis", [1, 2])
def test_neighbours_tell_hidden_codes(axis: int) -> None:
    rng = np.random.default_rng(0)
    start = rng.integers(5, size=(400, 1))
    codes = (start + np.arange(12)) % 5  # each code follows from its neighbour
    mask = np.broadcast_to(np.arange(12) % 2 == 0, codes.shape)
    codes, mask = np.expand_dims(codes, 3 - axis), np.expand_dims(mask, 3 - axis)
    guess = counted(codes[:200], 5).guess(codes[200:], mask[200:])
    assert (guess == codes[200:]).all()
    # without a visible neighbour the most frequent code is all that is left
    codes[np.arange(300), 0, 0] = 3
    codes[:, :, 0] = 3
    alone = np.zeros_like(mask)
    often = np.bincount(codes[:200].ravel()).argmax()
    assert (counted(codes[:200], 5).guess(codes[200:], alone[200:]) == often).all()


def plain_guess(
    train: np.ndarray, codes: np.ndarray, hidden: np.ndarray, n_codes: int
) -> np.ndarray:
    """Return the guesses by loops over patches and neighbours, from the definition."""
    steps = [(0, -1), (0, 1), (-1, 0), (1, 0)]
    pairs = {step: np.full((n_codes, n_codes), SMOOTHING) for step in steps}  # code, neighbour
    channels, patches = codes.shape[1:]
    places = [(c, a) for c in range(channels) for a in range(patches)]

    def beside(place: tuple[int, int], step: tuple[int, int]) -> tuple[int, int] | None:
        c, a = place[0] + step[0], place[1] + step[1]
        return (c, a) if 0 <= c < channels and 0 <= a < patches else None

    for window in train:
        for place in places:
            for step in steps:
                other = beside(place, step)
                if other is not None:
                    pairs[step][window[place], window[other]] += 1
    prior = np.log(np.bincount(train.ravel(), minlength=n_codes) + SMOOTHING)
    guesses = np.zeros_like(codes)
    for i, window in enumerate(codes):
        for place in places:
            scores = prior.copy()
            for step in steps:
                other = beside(place, step)
                if other is not None and hidden[i][place] != hidden[i][other]:
                    table = pairs[step] / pairs[step].sum(1, keepdims=True)
                    scores += np.log(table[:, window[other]])
            guesses[i][place] = scores.argmax()
    return guesses


def test_guesses_are_those_of_the_definition(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    codes = rng.integers(6, size=(30, 3, 4)).cumsum(2) % 7
    hidden = rng.random(codes.shape) < 0.5
    monkeypatch.setattr(code_neighbours, "CHUNK", 50)  # several parts
    guess = counted(codes[:20], 7).guess(codes[20:], hidden[20:])
    assert (guess == plain_guess(codes[:20], codes[20:], hidden[20:], 7)).all()


def test_a_published_codebook_fits_in_memory() -> None:
    codes = np.random.default_rng(2).integers(8192, size=(8, 4, 16))
    guess = counted(codes, 8192).guess(codes[:2], codes[:2] % 2 == 0)
    assert guess.shape == (2, 4, 16) and (guess < 8192).all()
