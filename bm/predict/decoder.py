"""Decoder: a saved model as a step of scikit-learn, fitted already."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin

from ..errors import UserError
from .predictor import Predictor


class Decoder(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Class probabilities of windows (N, C, T), for `Pipeline`, `cross_val_score` and the like.

    Windows have the model's channels in its order, at its rate unless `sfreq` says otherwise.

    Args:
        source: as of `Predictor.from_pretrained`.
        unit: of the windows.
        sfreq: Hz; None = the model's.
        preprocessed: filters were applied already.
    """

    def __init__(
        self,
        source: str,
        unit: str = "uV",
        sfreq: float | None = None,
        preprocessed: bool = False,
    ) -> None:
        self.source, self.unit, self.sfreq, self.preprocessed = source, unit, sfreq, preprocessed

    def opened(self, predictor: Predictor) -> Decoder:
        """Take a predictor that is open already."""
        if predictor.kind != "classes":
            raise UserError(f"a decoder needs classes, the model predicts {predictor.kind}")
        self.predictor_, self.classes_ = predictor, np.array(predictor.classes)
        return self

    def fit(self, x: object = None, y: Iterable[object] | None = None) -> Decoder:
        """Open the model; nothing is trained.

        Raises:
            UserError: labels that the model does not know.
        """
        self.opened(Predictor.from_pretrained(self.source))
        strangers = sorted(set(map(str, y)) - set(self.classes_)) if y is not None else []
        if strangers:
            raise UserError(f"y has {strangers[0]!r}; the model knows {', '.join(self.classes_)}")
        return self

    def predict_proba(self, x: np.ndarray) -> np.ndarray:
        """Return class probabilities (N, K), columns in the order of `classes_`."""
        if not hasattr(self, "predictor_"):
            self.fit()
        rate = self.sfreq or self.predictor_.facts.rate_hz
        return self.predictor_.predict_proba(
            x, sfreq=rate, unit=self.unit, preprocessed=self.preprocessed
        )

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Return class names (N,)."""
        places = self.predict_proba(x).argmax(1)
        return np.asarray(self.classes_[places])
