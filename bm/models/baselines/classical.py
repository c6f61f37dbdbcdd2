"""Decoders that are fitted at once, as modules: their coefficients are saved like any weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ...errors import UserError
from .. import MODELS
from .csp import CommonSpatialPatterns
from .powers import band_passed, log_band_powers, mean_amplitudes
from .tangent import TangentSpace

METHODS = ("lda", "csp", "tangent", "chance")
#: What LDA sees: log band powers, or the mean signal of consecutive stretches.
FEATURES = ("powers", "means")
COMPONENTS = 6  # of common spatial patterns


@dataclass(frozen=True)
class Recipe:
    """What a decoder does before its linear map.

    Attributes:
        method: one of `METHODS`.
        rate_hz: of the windows.
        bands: Hz, for powers, spatial patterns and covariances.
        features: one of `FEATURES`, for LDA.
        stretch_s: length of a stretch of `means`.
        components: filters of each class and band, for spatial patterns.
    """

    method: str
    rate_hz: float
    bands: tuple[tuple[float, float], ...] = ()
    features: str = "powers"
    stretch_s: float | None = None
    components: int = COMPONENTS

    def space(self) -> CommonSpatialPatterns | TangentSpace | None:
        """Return what maps the windows of a band to features, not fitted yet; None of others."""
        if self.method == "csp":
            return CommonSpatialPatterns(self.components)
        return TangentSpace() if self.method == "tangent" else None

    def inside(self, windows: np.ndarray) -> list[np.ndarray]:
        """Return windows (N, C, T) within each band."""
        return [band_passed(windows, self.rate_hz, low, high) for low, high in self.bands]


class FittedDecoder(nn.Module):
    """Linear decoder of the features of windows; class probabilities are the softmax of its output.

    Args:
        recipe: from windows to features.
        shapes: of its arrays by name: `weights` (K, F), `bias` (K,), and `space_N` of band N, which
            holds spatial filters (n, C) or a mean covariance (C, C).
    """

    weights: Tensor
    bias: Tensor

    def __init__(self, recipe: Recipe, shapes: Mapping[str, Sequence[int]]) -> None:
        super().__init__()
        self.recipe = recipe
        for name, shape in shapes.items():
            self.register_buffer(name, torch.zeros(*shape, dtype=torch.float64))

    @classmethod
    def fit(
        cls, recipe: Recipe, windows: np.ndarray, labels: np.ndarray, n_classes: int
    ) -> FittedDecoder:
        """Fit on windows (N, C, T) with class numbers (N,)."""
        if recipe.method == "chance":
            shares = np.bincount(labels, minlength=n_classes) / len(labels)
            with np.errstate(divide="ignore"):  # a class that never was: probability 0
                return cls._holding(recipe, np.zeros((n_classes, 0)), np.log(shares), [])
        spaces, features = _fitted_features(recipe, windows, labels)
        weights, bias = linear_map(recipe.method, features, labels, n_classes)
        return cls._holding(recipe, weights, bias, spaces)

    @classmethod
    def _holding(
        cls, recipe: Recipe, weights: np.ndarray, bias: np.ndarray, spaces: list[np.ndarray]
    ) -> FittedDecoder:
        arrays = {"weights": weights, "bias": bias}
        arrays |= {f"space_{number}": space for number, space in enumerate(spaces)}
        decoder = cls(recipe, {name: array.shape for name, array in arrays.items()})
        decoder.load_state_dict({k: torch.from_numpy(np.array(v)) for k, v in arrays.items()})
        return decoder

    def shapes(self) -> dict[str, list[int]]:
        """Return the shapes of the arrays, from which an empty decoder is built."""
        return {name: list(array.shape) for name, array in self.state_dict().items()}

    def logits(self, windows: np.ndarray) -> np.ndarray:
        """Return (N, K) of windows (N, C, T): 0 at the largest; the softmax are probabilities."""
        weights, bias = self.weights.cpu().numpy(), self.bias.cpu().numpy()
        if self.recipe.method == "chance":
            return np.tile(bias, (len(windows), 1))
        if self.recipe.method == "lda":
            features = _plain_features(self.recipe, windows)
        else:
            features = np.concatenate(
                [
                    self._space(number).transform(inside)
                    for number, inside in enumerate(self.recipe.inside(windows))
                ],
                1,
            )
        scores = features @ weights.T + bias
        # without what all classes share, which float32 would keep instead of their differences
        return np.asarray(scores - scores.max(1, keepdims=True))

    def _space(self, number: int) -> CommonSpatialPatterns | TangentSpace:
        space, array = self.recipe.space(), getattr(self, f"space_{number}").cpu().numpy()
        assert space is not None
        if isinstance(space, CommonSpatialPatterns):
            space.filters = array
        else:
            space.centre = array
        return space


def _plain_features(recipe: Recipe, windows: np.ndarray) -> np.ndarray:
    if recipe.features == "means":
        assert recipe.stretch_s is not None
        return mean_amplitudes(windows, round(recipe.stretch_s * recipe.rate_hz))
    return log_band_powers(windows, recipe.rate_hz, recipe.bands)


def _fitted_features(
    recipe: Recipe, windows: np.ndarray, labels: np.ndarray
) -> tuple[list[np.ndarray], np.ndarray]:
    """Return what was learned of each band, and the features (N, F) of the training windows."""
    if recipe.method == "lda":
        return [], _plain_features(recipe, windows)
    spaces, parts = [], []
    for inside in recipe.inside(windows):
        space = recipe.space()
        if isinstance(space, CommonSpatialPatterns):
            spaces.append(space.fit(inside, labels).filters)
            parts.append(space.transform(inside))
        elif isinstance(space, TangentSpace):
            spaces.append(space.fit(inside).centre)
            parts.append(space.transform(inside))
    return spaces, np.concatenate(parts, 1)


def linear_map(
    method: str, features: np.ndarray, labels: np.ndarray, n_classes: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return weights (K, F) and bias (K,) of LDA, or of logistic regression in a tangent space.

    Of a class without training windows the bias is -inf: its probability is 0.
    """
    decoder = logistic_regression() if method == "tangent" else shrunk_lda()
    decoder.fit(features, labels)
    last = decoder[-1] if method == "tangent" else decoder
    weights, bias = last.coef_, last.intercept_
    if method == "tangent":  # the scaling is a linear map, too
        weights = weights / decoder[0].scale_
        bias = bias - weights @ decoder[0].mean_
    if len(weights) == 1:  # of two classes: the softmax of (0, x) is the sigmoid of x
        weights = np.concatenate([np.zeros_like(weights), weights])
        bias = np.concatenate([np.zeros_like(bias), bias])
    whole, constants = np.zeros((n_classes, features.shape[1])), np.full(n_classes, -np.inf)
    whole[decoder.classes_], constants[decoder.classes_] = weights, bias
    return whole, constants


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


@MODELS.register("classical")
class ClassicalDecoder(nn.Module):
    """Fitted decoders of one or more people on windows in microvolts (MEG: femtotesla), unscaled.

    Args:
        shapes: of the arrays of each decoder, see `FittedDecoder`.
        recipe: arguments of `Recipe` as plain values.
        decoder_of: place of the decoder of each subject, where there are several.
        n_subjects: 1 where all people share a decoder.

    Raises:
        UserError: no shapes, as when it is chosen as a network.
    """

    def __init__(
        self,
        shapes: Sequence[Mapping[str, Sequence[int]]] = (),
        recipe: Mapping[str, Any] | None = None,
        decoder_of: Sequence[int] = (0,),
        n_subjects: int = 1,
    ) -> None:
        super().__init__()
        if not shapes or recipe is None:
            raise UserError("model classical: it is fitted at once, not trained; use "
                            "solver=baseline/lda, or baseline/csp")  # fmt: skip
        bands = tuple((float(low), float(high)) for low, high in recipe.get("bands", ()))
        self.recipe = Recipe(**{**recipe, "bands": bands})
        self.decoder_of, self.n_subjects = list(decoder_of), n_subjects
        self.decoders = nn.ModuleList(FittedDecoder(self.recipe, part) for part in shapes)

    @classmethod
    def of(
        cls, decoders: Sequence[FittedDecoder], decoder_of: Sequence[int], recipe: Mapping[str, Any]
    ) -> ClassicalDecoder:
        """Hold fitted decoders; arguments as of the class."""
        arguments: dict[str, Any] = {
            "shapes": [decoder.shapes() for decoder in decoders],
            "recipe": dict(recipe),
            "decoder_of": list(decoder_of),
            "n_subjects": len(decoder_of),
        }
        module = cls(**arguments)
        module.decoders = nn.ModuleList(decoders)
        config = {"name": "classical", "target": None, "arguments": arguments}
        module.bm_arguments = config  # type: ignore[assignment]
        return module

    def logits(self, windows: np.ndarray, subject: int = 0) -> np.ndarray:
        """Return (N, K) of the windows (N, C, T) of one subject; softmax gives probabilities."""
        decoder = self.decoders[self.decoder_of[subject if self.n_subjects > 1 else 0]]
        assert isinstance(decoder, FittedDecoder)
        return decoder.logits(windows)

    def forward(self, x: Tensor, subject: Tensor | None = None) -> Tensor:
        """Return logits (B, K), float64.

        Args:
            x: (B, C, T) microvolts.
            subject: (B,) int64; None where all share a decoder.
        """
        windows = x.detach().cpu().numpy()
        if subject is None or self.n_subjects == 1:
            return torch.from_numpy(self.logits(windows)).to(x.device)
        subjects = subject.cpu().numpy()
        parts = {one: np.flatnonzero(subjects == one) for one in np.unique(subjects).tolist()}
        values = [self.logits(windows[places], one) for one, places in parts.items()]
        order = np.argsort(np.concatenate(list(parts.values())))
        return torch.from_numpy(np.concatenate(values)[order]).to(x.device)
