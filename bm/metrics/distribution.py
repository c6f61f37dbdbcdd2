"""Distances between sets of generated and real items ."""

from __future__ import annotations

import numpy as np
from scipy import linalg


def frechet_distance(first: np.ndarray, second: np.ndarray) -> float:
    """Return |m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)) of Gaussians fitted to (N, D) features.

    Source: Heusel et al. 2017, with unbiased covariances.

    The trace of the root comes from the eigenvalues of S1 S2, which are real and not negative in
    exact arithmetic: no root of a nearly singular matrix is taken.
    """
    mean1, mean2 = first.mean(0, dtype=float), second.mean(0, dtype=float)
    # float64 throughout: the distance is a small difference of large traces.
    a, b = (
        (x.astype(float) - mean) / np.sqrt(len(x) - 1)
        for x, mean in ((first, mean1), (second, mean2))
    )
    traces = np.square(a).sum() + np.square(b).sum()
    return float(np.square(mean1 - mean2).sum() + traces - 2 * _trace_of_root(a, b))


def _trace_of_root(a: np.ndarray, b: np.ndarray) -> float:
    """Return tr((S1 S2)^(1/2)) of S1 = a' a and S2 = b' b.

    S1 S2 has the eigenvalues of (a b') (a b')', other than 0: with fewer items than features their
    roots are the singular values of a b', which is small (2 x 24 windows of 105 channels have
    5,565 features: 2 ms instead of minutes).
    """
    if min(len(a), len(b)) < a.shape[1]:
        return float(linalg.svdvals(a @ b.T).sum())
    values = linalg.eigvals((a.T @ a) @ (b.T @ b)).real
    return float(np.sqrt(np.maximum(values, 0)).sum())


def _softmax(logits: np.ndarray) -> np.ndarray:
    shifted = np.exp(logits - logits.max(1, keepdims=True))
    return shifted / shifted.sum(1, keepdims=True)


def paired_kl(
    generated: np.ndarray, reference: np.ndarray, link: str, epsilon: float = 1e-6
) -> float:
    """Return the mean over pairs of KL(reference || generated) of class probabilities.

    Args:
        generated, reference: (N, K) logits of the pairs.
        link: softmax, or sigmoid (each class by itself, not normalised, as published).
        epsilon: added to both probabilities inside the logarithm.
    """
    if link == "softmax":
        q, p = _softmax(generated.astype(float)), _softmax(reference.astype(float))
    else:
        q, p = (1 / (1 + np.exp(-x.astype(float))) for x in (generated, reference))
    return float((p * (np.log(p + epsilon) - np.log(q + epsilon))).sum(1).mean())


def inception_score(logits: np.ndarray, splits: int, seed: int) -> tuple[float, float]:
    """Return mean and sd over splits of exp of the mean KL from each item to its split's mean.

    Args:
        logits: (N, K), shuffled by `numpy.random.RandomState(seed)` before splitting.
    """
    # The legacy generator draws the order of the published scores; another order, another score.
    probs = _softmax(logits.astype(float))[np.random.RandomState(seed).permutation(len(logits))]
    scores = [
        class_diversity(probs[index * len(probs) // splits : (index + 1) * len(probs) // splits])
        for index in range(splits)
    ]
    return float(np.mean(scores)), float(np.std(scores))


def class_diversity(probs: np.ndarray) -> float:
    """Return exp of the mean KL from each row of probabilities (N, K) to their mean, 1 to K.

    Source: Salimans et al. 2016; weak, never to be read alone.
    """
    mean = probs.mean(0, keepdims=True)
    # 0 log 0 is 0: a ratio of 1 stands for it, whose logarithm is taken.
    ratio = np.log(np.divide(probs, mean, out=np.ones_like(probs), where=probs > 0))
    return float(np.exp((probs * ratio).sum(1).mean()))
