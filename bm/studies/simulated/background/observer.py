"""Bound of mode `background`: the likelihood ratio of the latent numbers of a recording.

The signal depends on the label through the latent alone, so that no decoder of a recording can be
right more often than who knows the latent itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import scipy
from numpy.random import Generator

from ..random_streams import Place
from .recording import ABNORMAL, NORMAL, SPREAD, latent_centre

if TYPE_CHECKING:
    from .. import Simulated

LEAST_DRAWS = 200_000  # of three numbers each: a standard error of 0.0011 at most


def observe(severity: float, draws: int, rng: Generator) -> dict[str, float]:
    """Estimate accuracy and AUC of the likelihood ratio by Monte Carlo.

    Returns:
        accuracy, auc, and n, the number of draws.
    """
    half = draws // 2
    normal = NORMAL + SPREAD * rng.standard_normal((half, 3))
    shares = [share for _, share, _ in ABNORMAL]
    kinds = rng.choice(len(ABNORMAL), half, p=shares)
    centres = np.stack([latent_centre(name, severity) for name, _, _ in ABNORMAL])
    abnormal = centres[kinds] + SPREAD * rng.standard_normal((half, 3))

    def density(theta: np.ndarray, centre: np.ndarray) -> np.ndarray:
        return np.exp(-0.5 * np.square((theta - centre) / SPREAD).sum(1))

    def ratio(theta: np.ndarray) -> np.ndarray:
        mixture = sum(s * density(theta, m) for s, m in zip(shares, centres, strict=True))
        return np.log(np.maximum(mixture, 1e-300)) - np.log(
            np.maximum(density(theta, NORMAL), 1e-300)
        )

    low, high = ratio(normal), ratio(abnormal)
    ties = (np.isclose(low, 0, atol=1e-9).sum() + np.isclose(high, 0, atol=1e-9).sum()) / 2
    right = (low < -1e-9).sum() + (high > 1e-9).sum() + ties
    # Rounded, so that scores equal but for the last bits tie: at severity 0 all do.
    ranks = scipy.stats.rankdata(np.round(np.concatenate([low, high]), 9))
    auc = (ranks[half:].sum() - half * (half + 1) / 2) / half**2
    return {"accuracy": float(right / (2 * half)), "auc": float(auc), "n": 2 * half}


def observe_study(study: Simulated, severity: float, draws: int) -> tuple[float, int]:
    """Return the accuracy at a severity, and the draws made."""
    rng = Place(study.seed, study.mode).stream("study", 9)
    bound = observe(severity, max(draws, LEAST_DRAWS), rng)
    return bound["accuracy"], int(bound["n"])
