"""Independent component analysis (MNE) as a reference of denoising."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import mne
import numpy as np

MOST_TRAINING = 64  # windows that say what amplitude of a component is usual


def independent_components(
    train: np.ndarray, rate_hz: float, limit: float = 3.0, seed: int = 0
) -> Callable[[np.ndarray], np.ndarray]:
    """Return a reference that leaves independent components out of windows (N, C, T).

    FastICA of MNE is fitted on each noisy window alone, because a planted artefact has another
    topography in every one. A component is left out whose amplitude is more than `limit` sd above
    what the same spatial filter gives on clean training windows; nothing is known of the artefact.

    Args:
        train: clean windows (M, C, T).
        rate_hz: of all windows.
        limit: in sd of the training windows.
        seed: of FastICA.
    """
    info = mne.create_info(train.shape[1], rate_hz, "eeg")
    usual = _epochs(train[:: -(-len(train) // MOST_TRAINING)], info)

    def clean(waves: np.ndarray) -> np.ndarray:
        return np.stack([_cleaned(wave, usual, limit, seed) for wave in waves])

    return clean


def _epochs(waves: np.ndarray, info: mne.Info) -> mne.EpochsArray:
    """Return windows in microvolts as epochs of MNE, in volts."""
    return mne.EpochsArray(waves * 1e-6, info, verbose="error")


def _cleaned(wave: np.ndarray, usual: mne.EpochsArray, limit: float, seed: int) -> np.ndarray:
    """Return one window (C, T) without the components that are unusually large in it."""
    epochs = _epochs(wave[None], usual.info)
    ica = mne.preprocessing.ICA(method="fastica", random_state=seed, max_iter=200, verbose="error")
    with warnings.catch_warnings():
        # a second or two hold few samples for so many channels: not every fit converges
        warnings.simplefilter("ignore")
        ica.fit(epochs, verbose="error")
        # sd, and no root mean square: MNE takes the mean of the noisy window from all others too
        before = ica.get_sources(usual).get_data(copy=False).std(2)
        now = ica.get_sources(epochs).get_data(copy=False).std(2)[0]
        unusual = np.flatnonzero(now > before.mean(0) + limit * before.std(0))
        ica.apply(epochs, exclude=unusual.tolist(), verbose="error")
    return np.asarray(epochs.get_data(copy=False)[0] * 1e6)
