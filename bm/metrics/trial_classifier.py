"""A classifier of trials by the spatial pattern of their rhythms, and whether generated ones obey.

Tangent space of covariance matrices (Barachant et al. 2012) of some bands, then LDA with the
shrinkage of Ledoit and Wolf: no random number, seconds to fit.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.linalg import solve
from scipy.special import softmax

from . import covariance

#: Bands of imagined movement: mu and beta, where they differ between classes.
BANDS_HZ = ((8.0, 13.0), (13.0, 30.0))
# The smallest p is 1 / 1001.
PERMUTATIONS = 1000


def band_passed(waves: np.ndarray, rate_hz: float, low_hz: float, high_hz: float) -> np.ndarray:
    """Return waves (N, C, T) with the frequencies of a band alone."""
    spectrum = np.fft.rfft(waves)
    frequencies = np.fft.rfftfreq(waves.shape[-1], 1 / rate_hz)
    spectrum[..., (frequencies < low_hz) | (frequencies > high_hz)] = 0
    return np.fft.irfft(spectrum, waves.shape[-1])


def trial_features(
    waves: np.ndarray, rate_hz: float, bands: Sequence[tuple[float, float]] = BANDS_HZ
) -> np.ndarray:
    """Return logarithms (N, bands * C (C + 1) / 2) of the covariances of waves (N, C, T)."""
    parts = []
    for low, high in bands:
        matrices = covariance.covariances(band_passed(np.asarray(waves, float), rate_hz, low, high))
        # Tangent space at the identity; Barachant et al. fit a mean matrix, nothing is fitted here.
        parts.append(covariance.tangent_features(covariance.matrix_logs(matrices)))
    return np.concatenate(parts, 1)


class ShrunkLDA:
    """Linear discriminant of features (N, D) with the shrinkage of Ledoit and Wolf."""

    def __init__(self, features: np.ndarray, labels: np.ndarray) -> None:
        self.classes = np.unique(labels)
        self.mean, self.sd = features.mean(0), np.maximum(features.std(0), 1e-12)
        scaled = (features - self.mean) / self.sd
        centres = np.stack([scaled[labels == c].mean(0) for c in self.classes])
        residual = scaled - centres[np.searchsorted(self.classes, labels)]
        # 22 channels give D = 506, a session of BCI IV 2a 288 trials: singular if not shrunk.
        self.weights = solve(shrunk_covariance(residual), centres.T, assume_a="pos")
        shares = np.array([(labels == c).mean() for c in self.classes])
        self.bias = np.log(shares) - 0.5 * (centres.T * self.weights).sum(0)

    def probabilities(self, features: np.ndarray) -> np.ndarray:
        """Return (N, classes) probabilities."""
        scaled = (features - self.mean) / self.sd
        return np.asarray(softmax(scaled @ self.weights + self.bias, axis=1))

    def predict(self, features: np.ndarray) -> np.ndarray:
        """Return the class numbers (N,)."""
        return np.asarray(self.classes[self.probabilities(features).argmax(1)])


class TrialClassifier:
    """`ShrunkLDA` on `trial_features` of real training trials.

    Args:
        waves: (N, C, T) of the training split.
        labels: (N,) class numbers.
        rate_hz: of the waves.
    """

    def __init__(self, waves: np.ndarray, labels: np.ndarray, rate_hz: float) -> None:
        self.rate_hz = rate_hz
        self.discriminant = ShrunkLDA(trial_features(waves, rate_hz), labels)

    def probabilities(self, waves: np.ndarray) -> np.ndarray:
        """Return (N, classes) probabilities of waves (N, C, T)."""
        return self.discriminant.probabilities(trial_features(waves, self.rate_hz))

    def predict(self, waves: np.ndarray) -> np.ndarray:
        """Return the class numbers (N,) of waves."""
        return self.discriminant.predict(trial_features(waves, self.rate_hz))


def shrunk_covariance(centred: np.ndarray) -> np.ndarray:
    """Return the covariance of centred rows (N, D), shrunk towards a multiple of the identity.

    Source: Ledoit and Wolf 2004, the weight that loses least on average.
    """
    count, size = centred.shape
    sample = centred.T @ centred / count
    level = np.trace(sample) / size
    distance = np.square(sample).sum() - size * level**2
    noise = (np.square(np.square(centred).sum(1)).sum() / count - np.square(sample).sum()) / count
    weight = float(np.clip(noise / distance, 0, 1)) if distance > 0 else 1.0
    return (1 - weight) * sample + weight * level * np.eye(size)


def adherence(
    real: tuple[np.ndarray, np.ndarray], generated: tuple[np.ndarray, np.ndarray], seed: int
) -> dict[str, float]:
    """Return whether generated trials are of the classes that they were asked for.

    Args:
        real, generated: (labels, predictions) of a classifier of real trials, on real test trials
            and on generated ones.
        seed: of the permutations.

    Returns:
        class_accuracy_real, class_accuracy_generated: shares of right predictions.
        class_adherence: their quotient, 1 = as well as real trials.
        class_accuracy_shuffled: generated, with conditions in random order: what a model that
            ignores its condition reaches.
        class_p: one-sided, of the accuracy among those permutations.
    """
    labels, predicted = generated
    accuracy = float((labels == predicted).mean())
    rng = np.random.default_rng(seed)
    shuffled = [float((rng.permutation(labels) == predicted).mean()) for _ in range(PERMUTATIONS)]
    real_accuracy = float((real[0] == real[1]).mean())
    return {
        "class_accuracy_real": real_accuracy,
        "class_accuracy_generated": accuracy,
        "class_adherence": accuracy / max(real_accuracy, 1e-12),
        "class_accuracy_shuffled": float(np.mean(shuffled)),
        # The true order counts as one permutation: p is never 0 (Phipson and Smyth 2010).
        "class_p": float((1 + (np.array(shuffled) >= accuracy).sum()) / (1 + PERMUTATIONS)),
    }


def by_class(labels: np.ndarray, predicted: np.ndarray, names: Sequence[str]) -> dict[str, float]:
    """Return the share of right predictions of each class that occurs."""
    return {
        name: float((predicted[labels == number] == number).mean())
        for number, name in enumerate(names)
        if (labels == number).any()
    }
