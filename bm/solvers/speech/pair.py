"""SpeechPair: brain encoder, speech representation and loss (Défossez et al. 2023)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ...errors import UserError
from ...facts import DataFacts
from ...losses.contrastive import ClipLoss, Trim
from ...models import build_model
from ...models.saved import read_tensors, write_tensors
from ...registry import check_known
from .feature_scaling import FeatureScaling

LOSSES = ("clip", "l1", "mse", "regression_classification")
TASKS = ("decode", "encode")
#: Of a saved pair, beside the brain encoder's own file.
REST = "speech.safetensors"


class SpeechPair(nn.Module):
    """The networks that are trained.

    Args:
        brain: encoder of brain signals.
        scaling: of the features.
        clip: the contrastive loss, which may have projections.
        speech: network over the scaled features that gives the targets; None = features are it.
    """

    def __init__(
        self,
        brain: nn.Module,
        scaling: FeatureScaling,
        clip: ClipLoss,
        speech: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.brain, self.scaling, self.clip = brain, scaling, clip
        self.speech = speech

    def targets(self, features: Tensor) -> Tensor:
        """Return targets (B, F', T) of scaled features (B, F, T)."""
        return features if self.speech is None else self.speech(features)

    def rest(self) -> dict[str, Tensor]:
        """Return all tensors but the brain encoder's."""
        state = self.state_dict().items()
        return {k: v.detach().cpu().contiguous() for k, v in state if not k.startswith("brain.")}

    def save_rest(self, folder: Path) -> None:
        """Write the tensors of `rest` beside the brain encoder."""
        write_tensors(self.rest(), folder / REST)

    def load_rest(self, folder: Path) -> None:
        """Load what `save_rest` wrote; every tensor must match."""
        path = folder / REST
        if not path.exists():
            raise UserError(f"{folder}: no {REST}; it was not saved by a contrastive run")
        # The brain encoder lies in a file of its own, which other programs load alone.
        brain = {f"brain.{k}": v for k, v in self.brain.state_dict().items()}
        self.load_state_dict({**read_tensors(path), **brain}, strict=True)

    def init_rest(self, folder: Path) -> int:
        """Start the speech network and the projections of the loss from saved ones.

        Returns:
            number of tensors loaded; none where they are not the same network.
        """
        path, count = folder / REST, 0
        state = read_tensors(path) if path.exists() else {}
        for part in ("speech", "clip"):
            module: nn.Module | None = getattr(self, part)
            shapes = {k: v.shape for k, v in module.state_dict().items()} if module else {}
            saved = {k.removeprefix(f"{part}."): v for k, v in state.items()
                     if k.startswith(f"{part}.")}  # fmt: skip
            if module is not None and shapes == {k: v.shape for k, v in saved.items()}:
                module.load_state_dict(saved)
                count += len(saved)
        return count


def clip_loss(options: Mapping[str, Any], offset_s: float, rate_hz: float, width: int) -> ClipLoss:
    """Build the loss of `solver.clip`: trims (seconds), pool, center, linear, twin, symmetric."""
    keys = ("tmin_s", "tmax_s", "tmin_train_s", "tmax_train_s", "pool", "center", "linear", "twin",
            "symmetric")  # fmt: skip
    for name in options:
        check_known("key of solver.clip", name, keys)
    trim = Trim(rate_hz, offset_s, **{k: options.get(k) for k in keys[:4]})
    forms = {k: options[k] for k in keys[4:] if k in options}
    return ClipLoss(trim, n_channels=width, **forms)


def output_width(scaling: FeatureScaling) -> int:
    """Return the channels of an estimate of all features: a score per class of categorical ones."""
    return sum(kind.cardinality or kind.dimension for kind in scaling.kinds)


def build_pair(
    model: Mapping[str, Any], solver: Mapping[str, Any], facts: DataFacts, scaling: FeatureScaling,
    offset_s: float,
) -> SpeechPair:  # fmt: skip
    """Build the networks of a configuration.

    Args:
        model: plain `model` section.
        solver: plain `solver` section.
        facts: of the data.
        scaling: of the features, fitted.
        offset_s: start of a window relative to its event.

    Raises:
        UserError: options that exclude each other.
    """
    check_known("solver.loss", solver["loss"], LOSSES)
    check_known("solver.task", solver["task"], TASKS)
    if solver["task"] == "encode" and (solver["loss"] == "clip" or solver["feature_model"]):
        raise UserError("solver.task=encode predicts signals: use solver.loss=l1 or mse alone")
    classes = any(kind.cardinality for kind in scaling.kinds)
    if classes and solver["task"] == "decode" and solver["loss"] != "regression_classification":
        raise UserError("dset.features has classes: use solver.loss=regression_classification")
    speech, width = None, output_width(scaling)
    if solver["feature_model"]:
        options = solver.get(solver["feature_model"])
        if not isinstance(options, Mapping):
            raise UserError(f"solver.feature_model={solver['feature_model']}: use deep_mel or null")
        speech = build_model({**options, "n_features": len(scaling.centre)}, facts)
        width = int(options["n_outputs"])
    if solver["task"] == "encode":
        sizes = {"n_outputs": facts.n_channels, "n_features": len(scaling.centre)}
    else:
        sizes = {"n_outputs": width}
    brain = build_model({**model, **sizes}, facts)
    clip = clip_loss(solver["clip"], offset_s, facts.rate_hz, width)
    return SpeechPair(brain, scaling, clip, speech)


def align(
    signal: Tensor, features: Tensor, mask: Tensor, samples: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Drop the signal's first samples and the features' last ones: the brain answers later."""
    if samples == 0:
        return signal, features, mask
    if not 0 < samples < signal.shape[-1]:
        raise UserError(f"solver.offset_ms: {samples} samples of windows of {signal.shape[-1]}")
    return signal[..., samples:], features[..., :-samples], mask[..., :-samples]


def beginning(signal: Tensor, samples: int) -> Tensor:
    """Return the signal with zeros after its first samples: what encoding sees of it."""
    first = torch.zeros_like(signal)
    first[..., :samples] = signal[..., :samples]
    return first
