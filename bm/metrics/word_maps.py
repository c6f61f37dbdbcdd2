"""Metrics of generated feature maps of words, beside real ones."""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata, wasserstein_distance

from .distribution import frechet_distance

FLIPS = 2000  # random signs of the paired test, and random orders of that of lengths


def map_distances(real: np.ndarray, other: np.ndarray, bands: int) -> dict[str, float]:
    """Return distances of two sets of words.

    Args:
        real, other: (N, K) and (M, K) values of single words; columns are band after band when K is
            a whole number of channels, else one band.
        bands: in the columns.

    Returns:
        value_wasserstein: mean over columns of W1 over the real sd.
        mean_correlation: of the mean word of both, over the columns.
        topography_correlation: the same within each band, mean over bands.
        frechet_distance: of the mean and sd of every band in a word.
    """
    bands = bands if real.shape[1] % bands == 0 else 1
    spread = np.maximum(real.std(0), 1e-12)
    pairs = zip((real / spread).T, (other / spread).T, strict=True)
    means = [values.mean(0).reshape(bands, -1) for values in (real, other)]
    features = [
        np.concatenate(
            [v.reshape(len(v), bands, -1).mean(2), v.reshape(len(v), bands, -1).std(2)], 1
        )
        for v in (real / spread.mean(), other / spread.mean())
    ]
    maps = [correlation(a, b) for a, b in zip(*means, strict=True)]
    return {
        "value_wasserstein": float(np.mean([wasserstein_distance(a, b) for a, b in pairs])),
        "mean_correlation": correlation(means[0].ravel(), means[1].ravel()),
        "topography_correlation": float(np.mean(maps)),
        "frechet_distance": frechet_distance(*features),
    }


def correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Return the correlation of two vectors, 0 when one is constant."""
    a, b = one - one.mean(), other - other.mean()
    norm = np.sqrt((a * a).sum() * (b * b).sum())
    return float((a * b).sum() / norm) if norm > 0 else 0.0


def length_agreement(predicted: np.ndarray, real: np.ndarray, seed: int = 0) -> dict[str, float]:
    """Return whether lengths (N,) of generated maps are those of the real ones.

    Returns:
        length_error_words: mean absolute error.
        length_spearman: rank correlation, 0 where all of one side are alike.
        length_p: share of random orders of the generated maps with as large a correlation.
    """
    error = float(np.abs(predicted - real).mean())
    if len(set(predicted.tolist())) < 2 or len(set(real.tolist())) < 2:
        return {"length_error_words": error, "length_spearman": 0.0, "length_p": 1.0}
    ranks = np.stack([rankdata(predicted), rankdata(real)])
    one, other = (ranks - ranks.mean(1, keepdims=True)) / ranks.std(1, keepdims=True)
    orders = np.random.default_rng(seed).permuted(np.tile(one, (FLIPS, 1)), axis=1)
    rank = float((one * other).mean())
    # equal ranks make equal correlations, up to rounding
    as_large = int((orders @ other / len(other) >= rank - 1e-12).sum())
    return {
        "length_error_words": error,
        "length_spearman": rank,
        "length_p": (1 + as_large) / (FLIPS + 1),
    }


def match_scores(real: np.ndarray, other: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Return correlations (N, N) of each generated map with every real one, over shared words.

    Args:
        real, other: (N, W, K), of the same sentences in the same order.
        there: (N, W) where the real maps have a word.
    """
    scores = np.full((len(other), len(real)), np.nan)
    for column, (values, rows) in enumerate(zip(real, there, strict=True)):
        centred = values[rows].ravel() - values[rows].mean()
        others = other[:, rows].reshape(len(other), -1)
        others = others - others.mean(1, keepdims=True)
        norms = np.linalg.norm(others, axis=1) * np.linalg.norm(centred)
        scores[:, column] = others @ centred / np.maximum(norms, 1e-12)
    return scores


def follows(scores: np.ndarray, groups: np.ndarray, seed: int = 0) -> dict[str, float]:
    """Return whether generated items fit their condition better than other ones.

    Args:
        scores: (N, N) of item i with candidate j; candidate i has the condition of item i. NaN is
            no candidate: another reader of the same sentence.
        groups: (N,) items of one group compete, such as sentences of one length: else a model that
            follows the length alone would win.
        seed: of the test.

    Returns:
        matched_score, shuffled_score: mean score with the candidate of the condition, and with the
            others.
        matched_rank: mean percentile of the right candidate; 0.5 by chance.
        matched_p: of a paired test over items, of random signs, one-sided.
    """
    gains, ranks, matched, shuffled = [], [], [], []
    for item, row in enumerate(scores):
        alike = (groups == groups[item]) & np.isfinite(row)
        rivals = np.flatnonzero(alike & (np.arange(len(row)) != item))
        if not len(rivals):
            continue
        matched.append(row[item])
        shuffled.append(row[rivals].mean())
        gains.append(row[item] - shuffled[-1])
        worse, equal = (row[rivals] < row[item]).mean(), (row[rivals] == row[item]).mean()
        ranks.append(worse + equal / 2)
    if not gains:
        return {}
    return {
        "matched_score": float(np.mean(matched)),
        "shuffled_score": float(np.mean(shuffled)),
        "matched_rank": float(np.mean(ranks)),
        "matched_p": sign_test(np.array(gains), seed),
    }


def sign_test(gains: np.ndarray, seed: int = 0) -> float:
    """Return the one-sided p of the mean of paired differences (N,), by random signs."""
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], (FLIPS, len(gains)))
    return float((1 + ((signs @ gains) >= gains.sum() - 1e-12).sum()) / (FLIPS + 1))
