"""Power laws of the loss: from a formula, and from learners of a corpus with a known law."""

from __future__ import annotations

import numpy as np
import pytest

from bm.metrics.scaling_law import fit_power_law

ZIPF = 0.8  # probabilities of items fall as rank ^ -(1 + ZIPF)
ITEMS = 2_000_000


def corpus_loss(capacity: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Mean error of learners that keep the most frequent items of those they have seen.

    Simulated corpus of items with Zipf's frequencies p (Hutter 2021): an item is known when it is
    among the `capacity` most frequent ones and occurred among `seen` draws. With unlimited data the
    error falls as capacity ^ -ZIPF, with unlimited capacity as seen ^ -(ZIPF / (1 + ZIPF)).
    """
    p = np.arange(1, ITEMS + 1, dtype=float) ** -(1 + ZIPF)
    p /= p.sum()
    errors = []
    for n, d in zip(capacity, seen, strict=True):
        unseen = np.exp(d * np.log1p(-p[: int(n)]))
        errors.append(float((p[: int(n)] * unseen).sum() + p[int(n) :].sum()))
    return np.array(errors)


def drawn_loss(seen: int, seed: int) -> float:
    """Error of a learner without limit on an actual draw of the corpus."""
    rng = np.random.default_rng(seed)
    p = np.arange(1, 200_001, dtype=float) ** -(1 + ZIPF)
    p /= p.sum()
    classes = np.unique(rng.choice(len(p), seen, p=p))
    return float(1 - p[classes].sum())


def test_a_formula_is_recovered_through_noise() -> None:
    rng = np.random.default_rng(0)
    n, d = (a.ravel() for a in np.meshgrid(np.logspace(5, 8, 5), np.logspace(4, 7, 5)))
    loss = 1.7 + 400 * n**-0.34 + 410 * d**-0.28
    law = fit_power_law(n, d, loss * np.exp(0.002 * rng.standard_normal(len(n))))
    assert law.alpha == pytest.approx(0.34, rel=0.1) and law.beta == pytest.approx(0.28, rel=0.1)
    assert law.floor == pytest.approx(1.7, rel=0.1) and law.error < 0.01
    np.testing.assert_allclose(law.loss(n, d), loss, rtol=0.02)


def test_both_exponents_of_a_simulated_corpus_are_found() -> None:
    """Within 10 % of the law: over model sizes with ample data, over data with ample capacity."""
    sizes = np.logspace(1, 3.5, 6).round()
    ample = np.full(6, 1e10)
    models = fit_power_law(sizes, ample, corpus_loss(sizes, ample), floor=False)
    assert models.alpha == pytest.approx(ZIPF, rel=0.1) and models.b is None
    seen, large = np.logspace(2, 5, 6), np.full(6, 1_900_000.0)
    data = fit_power_law(large, seen, corpus_loss(large, seen), floor=False)
    assert data.beta == pytest.approx(ZIPF / (1 + ZIPF), rel=0.1) and data.a is None


def test_the_exponent_of_drawn_corpora_is_found() -> None:
    seen = np.repeat(np.logspace(2, 4.5, 6).astype(int), 3)
    losses = np.array([drawn_loss(count, seed) for seed, count in enumerate(seen)])
    law = fit_power_law(np.full(len(seen), 1e6), seen, losses, floor=False)
    assert law.beta == pytest.approx(ZIPF / (1 + ZIPF), rel=0.1)


def test_one_run_that_diverged_does_not_bend_it() -> None:
    d = np.logspace(3, 6, 7)
    loss = 0.5 + 30 * d**-0.5
    loss[3] *= 3
    assert fit_power_law(np.full(7, 1e6), d, loss).beta == pytest.approx(0.5, rel=0.1)


@pytest.mark.parametrize(
    ("n", "d", "loss", "text"),
    [
        ([1, 2, 3], [1, 1, 1], [1, 1, 1], "5 runs"),
        ([1, 1, 1, 2, 2, 2], [1] * 6, [1] * 6, "3 sizes"),
        ([1] * 6, [1] * 6, [1] * 6, "3 sizes"),
        ([1, 2, 3, 4, 5], [1] * 5, [1, 1, -1, 1, 1], "positive"),
    ],
)
def test_too_little_is_refused(n: list, d: list, loss: list, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        fit_power_law(np.array(n), np.array(d), np.array(loss))
