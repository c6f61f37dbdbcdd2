"""Independent component analysis (MNE) as a reference of denoising."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import mne
import numpy as np

MOST_TRAINING = 64  # windows that say what amplitude of a component is usual
# Share of the variance of a window that is unmixed. A second or two hold too few samples for as
# many components as channels: a blink is then spread over several, and none of them is unusual.
UNMIXED = 0.99


def independent_components(
    train: np.ndarray, rate_hz: float, limit: float = 3.0, seed: int = 0
) -> Callable[[np.ndarray], np.ndarray]:
    """Return a reference that leaves independent components out of windows (N, C, T).

    FastICA of MNE is fitted on each noisy window alone, because a planted artefact has another
    topography in every one. A component is left out whose amplitude is more than `limit` sd above
    what the same spatial filter gives on clean training windows; nothing is known of the artefact.
    It goes with its mean, which `ICA.apply` would put back: most of a blink is slower than 1 Hz.

    Args:
        train: clean windows (M, C, T).
        rate_hz: of all windows.
        limit: in sd of the training windows.
        seed: of FastICA.
    """
    info = mne.create_info(train.shape[1], rate_hz, "eeg")
    usual = train[:: -(-len(train) // MOST_TRAINING)]

    def clean(waves: np.ndarray) -> np.ndarray:
        return np.stack([_cleaned(wave, usual, info, limit, seed) for wave in waves])

    return clean


def _filters(wave: np.ndarray, info: mne.Info, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return spatial filters (K, C) and patterns (C, K) of the components of a window (C, T)."""
    epochs = mne.EpochsArray(wave[None] * 1e-6, info, verbose="error")  # MNE counts in volts
    ica = mne.preprocessing.ICA(
        UNMIXED, method="fastica", random_state=seed, max_iter=200, verbose="error"
    )
    with warnings.catch_warnings():
        # few samples for so many channels: not every fit converges
        warnings.simplefilter("ignore")
        ica.fit(epochs, verbose="error")
    axes = ica.pca_components_[: ica.n_components_]
    scale = ica.pre_whitener_.ravel()
    return ica.unmixing_matrix_ @ (axes / scale), (axes * scale).T @ ica.mixing_matrix_


def _cleaned(
    wave: np.ndarray, usual: np.ndarray, info: mne.Info, limit: float, seed: int
) -> np.ndarray:
    """Return one window (C, T) without the components that are unusually large in it."""
    filters, patterns = _filters(wave, info, seed)
    sources = filters @ wave
    # root mean squares, not sd: the mean of a window belongs to what is judged and left out
    before = np.sqrt(np.square(filters @ usual).mean(2))
    now = np.sqrt(np.square(sources).mean(1))
    unusual = now > before.mean(0) + limit * before.std(0)
    return np.asarray(wave - patterns[:, unusual] @ sources[unusual])
