"""Where the eyes rest: fixations of a sentence and the windows that follow (section 6)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

LEAD_S, TAIL_S = 0.3, 0.4  # before the first fixation, after the last
SKIP, REFIXATE, REGRESS = 0.15, 0.2, 0.08  # probabilities
REGRESS_FROM = 3  # fixations before a regression may happen
DURATION_S, DURATION_SD, SHORTEST_S, LONGEST_S = 0.23, 0.25, 0.1, 0.6
SACCADE_S, FIXED_S = 0.03, 0.25
WINDOWS = ("FFD", "SFD", "GD", "TRT", "GPT")


@dataclass(frozen=True)
class Fixation:
    """One rest of the eyes: index of the word, samples from and to, number of the visit from 1."""

    word: int
    start: int
    stop: int
    visit: int


def schedule(rng: Generator, words: int, start: int, rate_hz: float) -> list[Fixation]:
    """Fixations of a sentence of `words` words that appears at sample `start`."""
    order: list[tuple[int, int]] = []  # word, visit
    visits: dict[int, int] = {}

    def visit(word: int, times: int = 1) -> None:
        visits[word] = visits.get(word, 0) + 1
        order.extend([(word, visits[word])] * times)

    for word in range(words):
        if word and rng.uniform() < SKIP:
            continue
        earlier = sorted(visits)
        visit(word, 2 if rng.uniform() < REFIXATE else 1)
        if len(order) >= REGRESS_FROM and earlier and rng.uniform() < REGRESS:
            visit(int(rng.choice(earlier)))
    lengths = DURATION_S * np.exp(DURATION_SD * rng.standard_normal(len(order)))
    return _place(order, np.clip(lengths, SHORTEST_S, LONGEST_S), start, rate_hz)


def fixed_schedule(words: int, start: int, rate_hz: float) -> list[Fixation]:
    """Every word once for .25 s: for waves whose fixation times nobody knows."""
    return _place([(word, 1) for word in range(words)], np.full(words, FIXED_S), start, rate_hz)


def _place(
    order: Sequence[tuple[int, int]], lengths_s: np.ndarray, start: int, rate_hz: float
) -> list[Fixation]:
    found, at = [], start + round(LEAD_S * rate_hz)
    for (word, visit), length in zip(order, lengths_s, strict=True):
        stop = at + round(float(length) * rate_hz)
        found.append(Fixation(word, at, stop, visit))
        at = stop + round(SACCADE_S * rate_hz)
    return found


def windows_of(fixations: Sequence[Fixation], word: int) -> dict[str, list[Fixation]]:
    """Fixations in each reading window of a word; empty lists for a word without fixation.

    Returns:
        FFD first fixation; SFD the only one of a word fixated once; GD all of the first visit;
        TRT all; GPT from the first until the eyes pass the word to the right, regressions included.
    """
    own = [f for f in fixations if f.word == word]
    if not own:
        return {name: [] for name in WINDOWS}
    since = [f for f in fixations if f.start >= own[0].start]
    passed = next((k for k, f in enumerate(since) if f.word > word), len(since))
    return {
        "FFD": own[:1],
        "SFD": own if len(own) == 1 else [],
        "GD": [f for f in own if f.visit == 1],
        "TRT": own,
        "GPT": since[:passed],
    }
