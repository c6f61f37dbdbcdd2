"""Where the eyes rest: fixations of a sentence, and the reading windows that follow from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

LEAD_S, TAIL_S = 0.3, 0.4  # before the first fixation, after the last
# Probabilities that a word is skipped, fixated again, and that the eyes go back after it.
SKIP, REFIXATE, REGRESS = 0.15, 0.2, 0.08
REGRESS_FROM = 3  # fixations before a regression may happen
# Median length of a fixation, sd of its logarithm, and limits.
DURATION_S, DURATION_SD, SHORTEST_S, LONGEST_S = 0.23, 0.25, 0.1, 0.6
SACCADE_S, FIXED_S = 0.03, 0.25  # between fixations; length of a fixation in `timing: fixed`
#: First fixation, single fixation, gaze, total reading time, go-past time, as in ZuCo.
WINDOWS = ("FFD", "SFD", "GD", "TRT", "GPT")


@dataclass(frozen=True)
class Fixation:
    """One rest of the eyes: place of the word, samples from and to, number of the visit from 1."""

    word: int
    start: int
    stop: int
    visit: int


def schedule(rng: Generator, words: int, start: int, rate_hz: float) -> list[Fixation]:
    """Draw the fixations of a sentence of `words` words that appears at sample `start`."""
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
    """Return one fixation of .25 s for every word.

    Generated waves are scored by these times: nobody knows where their reader looked.
    """
    return _place([(word, 1) for word in range(words)], np.full(words, FIXED_S), start, rate_hz)


def _place(
    order: Sequence[tuple[int, int]], lengths_s: np.ndarray, start: int, rate_hz: float
) -> list[Fixation]:
    fixations, at = [], start + round(LEAD_S * rate_hz)
    for (word, visit), length in zip(order, lengths_s, strict=True):
        stop = at + round(float(length) * rate_hz)
        fixations.append(Fixation(word, at, stop, visit))
        at = stop + round(SACCADE_S * rate_hz)
    return fixations


def windows_of(fixations: Sequence[Fixation], word: int) -> dict[str, list[Fixation]]:
    """Return the fixations in each reading window of a word; none for a word without fixation.

    Returns:
        FFD first fixation; SFD the only one of a word fixated once; GD all of the first visit;
        TRT all; GPT from the first until the eyes pass the word to the right, regressions included.
    """
    total = [f for f in fixations if f.word == word]
    if not total:
        return {name: [] for name in WINDOWS}
    since = [f for f in fixations if f.start >= total[0].start]
    passed = next((k for k, f in enumerate(since) if f.word > word), len(since))
    return {
        "FFD": total[:1],
        "SFD": total if len(total) == 1 else [],
        "GD": [f for f in total if f.visit == 1],
        "TRT": total,
        "GPT": since[:passed],
    }
