"""Plain decoders of the simulated recordings: linear discriminants on band powers and on CSP."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh
from scipy.signal import welch
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from bm.studies.simulated import electrode_positions as positions
from bm.studies.simulated.background.caps import CAPS

MOTOR_BANDS = ((8.0, 13.0), (14.0, 30.0))
BACKGROUND_BANDS = ((1, 4), (4, 8), (8, 10), (10, 13), (13, 20), (20, 30), (30, 45))
SITES = CAPS["clinical19"].channels  # what all caps of mode background have


def discriminant() -> LinearDiscriminantAnalysis:
    """Linear discriminant analysis with automatic shrinkage."""
    return LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")


@dataclass
class Trials:
    """Windows of motor imagery of one subject: (n, C, 750) uV, labels, true where session 0."""

    windows: np.ndarray
    labels: np.ndarray
    train: np.ndarray


def motor_trials(recordings: Sequence) -> Trials:
    """Windows 3-6 s after the cross."""
    windows: list[np.ndarray] = []
    labels: list[int] = []
    train: list[bool] = []
    for recording in recordings:
        signal, events = recording.signal_uv(), recording.events()
        trials = events[events["kind"] == "trial"]
        starts = (trials["start_s"] * 250).round().astype(int) + 750
        windows += [signal[:, start : start + 750] for start in starts]
        labels += trials["label"].astype(int).tolist()
        train += [recording.id.session == "0"] * len(trials)
    return Trials(np.stack(windows), np.array(labels), np.array(train))


def band_power(windows: np.ndarray) -> np.ndarray:
    """Log power in 8-13 and 14-30 Hz of Hann-weighted windows: (n, 2 * C).

    The taper matters: without one the plateau is used whole and the discriminant gains .15.
    """
    power = np.square(np.abs(np.fft.rfft(windows * np.hanning(windows.shape[-1]), axis=-1)))
    f = np.fft.rfftfreq(windows.shape[-1], 1 / 250)
    bands = [power[..., (f >= low) & (f <= high)].sum(-1) for low, high in MOTOR_BANDS]
    return np.log(np.concatenate(bands, 1))


def csp_features(windows: np.ndarray, labels: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Log variance in 8-30 Hz of 3 + 3 common spatial patterns of each class against the rest."""
    f = np.fft.rfftfreq(windows.shape[-1], 1 / 250)
    bins = np.fft.rfft(windows, axis=-1)[..., (f >= 8) & (f <= 30)]
    covariances = (bins @ bins.conj().swapaxes(1, 2)).real
    features = []
    for label in np.unique(labels):
        inside = covariances[train & (labels == label)].mean(0)
        outside = covariances[train & (labels != label)].mean(0)
        vectors = eigh(inside, inside + outside)[1]
        filters = np.concatenate([vectors[:, :3], vectors[:, -3:]], 1)
        projected = (filters.T @ covariances @ filters).diagonal(axis1=1, axis2=2)
        features.append(np.log(projected))
    return np.concatenate(features, 1)


def score(features: np.ndarray, labels: np.ndarray, train: np.ndarray) -> float:
    """Accuracy on what is not in `train`."""
    model = discriminant().fit(features[train], labels[train])
    return float(model.score(features[~train], labels[~train]))


@dataclass
class Windows:
    """Log band powers of 10 s windows of mode background: (n, 7 * 19), labels, recording, pair."""

    features: np.ndarray
    labels: np.ndarray
    recording: np.ndarray
    pair: np.ndarray


def background_windows(recordings: Sequence) -> Windows:
    """Band powers at the sites that all caps share."""
    rows, labels, numbers, pairs = [], [], [], []
    for number, recording in enumerate(recordings):
        names = [positions.standard(name) for name in recording.channels]
        rate = recording.rate_hz
        signal = recording.signal_uv()[[names.index(site) for site in SITES]]
        length = round(10 * rate)
        count = signal.shape[1] // length
        cut = signal[:, : count * length].reshape(len(SITES), count, length)
        f, power = welch(cut, rate, nperseg=round(2 * rate))
        bands = [power[..., (f >= low) & (f < high)].mean(-1) for low, high in BACKGROUND_BANDS]
        rows.append(np.log(np.concatenate(bands)).T)
        block = recording.events().query("kind == 'block'").iloc[0]
        labels += [int(block["label"])] * count
        numbers += [number] * count
        pairs += [int(recording.id.subject[1:]) // 2] * count
    return Windows(np.concatenate(rows), np.array(labels), np.array(numbers), np.array(pairs))


def background_scores(windows: Windows, labels: np.ndarray, pairs: int) -> dict[str, float]:
    """Accuracy of windows and recordings and AUC of recordings; the first `pairs` pairs train."""
    from sklearn.metrics import roc_auc_score

    train = windows.pair < pairs
    model = discriminant().fit(windows.features[train], labels[train])
    odds, true = model.decision_function(windows.features[~train]), labels[~train]
    numbers = windows.recording[~train]
    recordings = np.unique(numbers)
    means = np.array([odds[numbers == k].mean() for k in recordings])
    truth = np.array([true[numbers == k][0] for k in recordings])
    return {
        "window": float(((odds > 0) == true).mean()),
        "recording": float(((means > 0) == truth).mean()),
        "auc": float(roc_auc_score(truth, means)),
    }
