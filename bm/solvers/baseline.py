"""Baseline solver, fitted at once: LDA on powers, means or CSP, Riemannian rows, and chance."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor, nn

from ..data.batch import Batch
from ..data.dataset import Dataset
from ..engine.solver import Solver
from ..errors import UserError
from ..facts import DataFacts
from ..metrics.evaluation import Evaluation
from ..models.baselines.csp import CommonSpatialPatterns
from ..models.baselines.tangent import TangentSpace
from ..registry import check_known
from . import SOLVERS
from .build_data import windows_of
from .supervised.tasks import class_evaluation

METHODS = ("lda", "csp", "tangent", "chance")
#: What LDA sees: log band powers, or the mean signal of consecutive stretches.
FEATURES = ("powers", "means")
COMPONENTS, FILTER_ORDER = 6, 4  # of common spatial patterns; of their band-pass
PSD_S = 1.0  # length of a Welch segment: 1 Hz between frequencies, enough for bands


def log_band_powers(
    windows: np.ndarray, rate_hz: float, bands: list[tuple[float, float]]
) -> np.ndarray:
    """Return the log of the mean Welch density in each band: (N, C, T) -> (N, C * bands).

    Raises:
        UserError: a band lies between two frequencies of the windows.
    """
    from scipy.signal import welch

    segment = min(windows.shape[-1], round(PSD_S * rate_hz))
    frequencies, density = welch(windows, rate_hz, nperseg=segment, axis=-1)
    parts = []
    for low, high in bands:
        inside = (frequencies >= low) & (frequencies <= high)
        if not inside.any():
            raise UserError(
                f"solver.bands: no frequency of a window of {windows.shape[-1] / rate_hz:g} s lies "
                f"in [{low:g}, {high:g}] Hz; they are {frequencies[1]:g} Hz apart up to "
                f"{frequencies[-1]:g}: use wider bands or longer windows"
            )
        # A disconnected channel has no power at all; 1e-12 is far below any amplifier.
        parts.append(np.log(density[..., inside].mean(-1) + 1e-12))
    return np.concatenate(parts, 1)


def mean_amplitudes(windows: np.ndarray, samples: int) -> np.ndarray:
    """Return the mean of consecutive stretches: (N, C, T) -> (N, C * (T // samples)).

    The features of event-related and slow potentials (Blankertz et al., NeuroImage 56, 814, 2011).
    What is left over at the end is not used.

    Raises:
        UserError: a stretch longer than the windows, or of no sample.
    """
    count = windows.shape[-1] // max(1, samples)
    if samples < 1 or count < 1:
        raise UserError(
            f"solver.stretch_s: a stretch has {samples} samples, a window {windows.shape[-1]}"
        )
    parts = windows[..., : count * samples].reshape(*windows.shape[:2], count, samples)
    return parts.mean(-1).reshape(len(windows), -1)


def band_passed(windows: np.ndarray, rate_hz: float, low_hz: float, high_hz: float) -> np.ndarray:
    """Return windows (N, C, T) within a band: Butterworth of order 4, there and back.

    Raises:
        UserError: a band that the rate cannot hold.
    """
    from scipy.signal import butter, sosfiltfilt

    if not 0 < low_hz < high_hz < rate_hz / 2:
        raise UserError(
            f"solver.bands: [{low_hz:g}, {high_hz:g}] Hz does not lie between 0 and "
            f"{rate_hz / 2:g} Hz, half the rate of these windows; use another band"
        )
    sections = butter(FILTER_ORDER, (low_hz, high_hz), "bandpass", fs=rate_hz, output="sos")
    return np.asarray(sosfiltfilt(sections, windows, padlen=min(windows.shape[-1] - 1, 200)))


def shrunk_lda() -> Any:
    """Return LDA with the shrinkage of Ledoit and Wolf."""
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    # With more features than windows (64 channels x 5 bands) the plain covariance is singular.
    return LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")


def logistic_regression() -> Any:
    """Return logistic regression with a penalty of 1 on the squares of scaled features' weights."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))


@SOLVERS.register("baseline")
class BaselineSolver(Solver):
    """Decoders without training by gradient, on the same windows and splits as the networks."""

    main_metric = ("balanced_accuracy", "max")
    stepped = False

    def build_data(self) -> Dataset:
        """Build windows with class labels."""
        check_known("baseline", self.cfg.solver.method, METHODS)
        if self.cfg.solver.method in ("csp", "tangent") and not self.cfg.solver.bands:
            raise UserError(
                f"solver.method={self.cfg.solver.method}: no band; set solver.bands=[[8,30]] (Hz)"
            )
        check_known("solver.features", self.cfg.solver.get("features", "powers"), FEATURES)
        dataset = windows_of(self.cfg, self.folder_of)
        if self.cfg.solver.method != "chance" and not self._fits_layouts(dataset):
            raise UserError(
                "baseline: recordings have different channels or rates; set dset.channels=common "
                "and dset.rate_hz, or solver.per_subject=true where each subject has one layout "
                "and windows to train on"
            )
        return dataset

    def _fits_layouts(self, dataset: Dataset) -> bool:
        """Return whether the windows of each decoder have one layout (people with own contacts)."""
        layouts = dataset.layout[dataset.table["recording"].to_numpy()]
        if len(set(layouts.tolist())) == 1:
            return True
        if not self.cfg.solver.per_subject:
            return False
        subjects = (dataset.table["study"] + "/" + dataset.table["subject"]).to_numpy()
        trained = set(subjects[dataset.rows("train")])
        one = all(len(set(layouts[subjects == name].tolist())) == 1 for name in set(subjects))
        return one and trained == set(subjects)

    def build_model(self, facts: DataFacts) -> nn.Module:
        """Return a placeholder: there is no network."""
        return nn.Identity()

    def step(self, batch: Batch, stage: str) -> dict[str, Tensor]:
        """Raise an error: baselines take no steps."""
        raise NotImplementedError("a baseline is fitted, not stepped")

    def evaluate(self, split: str) -> Evaluation:
        """Fit on the train split and evaluate class probabilities of another."""
        rows = self.data.rows(split)
        train = self.data.rows("train")
        labels = self.data.table["label"].to_numpy(dtype=int)
        classes = len(self.data.facts.classes)
        if self.cfg.solver.method == "chance":
            shares = np.bincount(labels[train], minlength=classes) / len(train)
            return class_evaluation(self.data, split, rows, np.tile(shares, (len(rows), 1)))
        probs = np.zeros((len(rows), classes))
        for fit_rows, places in self._parts(train, rows):
            probs[places] = self._fit(fit_rows, rows[places], labels, classes)
        return class_evaluation(self.data, split, rows, probs)

    def _parts(self, train: np.ndarray, rows: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return rows to fit on and places to predict: per subject if it has both, else pooled."""
        if not self.cfg.solver.per_subject:
            return [(train, np.arange(len(rows)))]
        subjects = (self.data.table["study"] + "/" + self.data.table["subject"]).to_numpy()
        parts = []
        for name in np.unique(subjects[rows]):
            subject_rows = train[subjects[train] == name]
            parts.append(
                (
                    subject_rows if len(subject_rows) else train,
                    np.flatnonzero(subjects[rows] == name),
                )
            )
        return parts

    def _windows(self, rows: np.ndarray) -> tuple[np.ndarray, float]:
        """Return windows (N, C, T) in microvolts (MEG: femtotesla), and their rate in Hz."""
        columns = self.data.table[["recording", "start", "length"]].to_numpy()[rows]
        windows = np.stack([self.data.signals[r].rows(a, n).numpy().T for r, a, n in columns])
        return windows, self.data.signals[columns[0][0]].rate_hz

    def _features(self, rows: np.ndarray) -> np.ndarray:
        """Return features of windows for LDA: (N, features)."""
        windows, rate = self._windows(rows)
        if self.cfg.solver.get("features", "powers") == "means":
            return mean_amplitudes(windows, round(self.cfg.solver.stretch_s * rate))
        bands = [(float(low), float(high)) for low, high in self.cfg.solver.bands]
        return log_band_powers(windows, rate, bands)

    def _fit(
        self, train: np.ndarray, rows: np.ndarray, labels: np.ndarray, classes: int
    ) -> np.ndarray:
        """Return class probabilities of `rows` by the configured decoder."""
        method = self.cfg.solver.method
        if method == "lda":
            features = self._features(train), self._features(rows)
        else:
            features = self._spatial(train, rows, labels)
        decoder = logistic_regression() if method == "tangent" else shrunk_lda()
        decoder.fit(features[0], labels[train])
        probs = np.zeros((len(rows), classes))
        # A subject may lack a class in training: its probability stays 0.
        probs[:, decoder.classes_] = decoder.predict_proba(features[1])
        return probs

    def _spatial(
        self, train: np.ndarray, rows: np.ndarray, labels: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return features of both sets of windows, band by band: of CSP, or in a tangent space."""
        windows, rate = self._windows(train)
        others = self._windows(rows)[0]
        parts: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
        for band in self.cfg.solver.bands:
            inside = [band_passed(x, rate, band[0], band[1]) for x in (windows, others)]
            if self.cfg.solver.method == "csp":
                patterns = CommonSpatialPatterns(self.cfg.solver.get("components", COMPONENTS))
                space: CommonSpatialPatterns | TangentSpace = patterns.fit(inside[0], labels[train])
            else:
                space = TangentSpace().fit(inside[0])
            for part, x in zip(parts, inside, strict=True):
                part.append(space.transform(x))
        return np.concatenate(parts[0], 1), np.concatenate(parts[1], 1)
