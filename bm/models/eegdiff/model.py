"""EEGDiffusion: representation, noise schedule, conditions and denoiser in one saved model."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ...errors import UserError
from ...nn.noise import NoiseSchedule
from ...nn.representation import REPRESENTATIONS, Representation
from ...nn.sampling import Denoise
from ...registry import check_known
from .. import MODELS
from .conditioning import Condition, Conditioning

#: name -> where it is built, and the widths when none are given; diffusers is slow to import.
NETWORKS = {
    "unet1d": ("bm.models.eegdiff.model:wave_denoiser", (128, 128, 256, 256, 512)),
    "unet2d": ("bm.models.eegdiff.unet2d:map_denoiser", (128, 128, 256, 256, 512, 512)),
    "unet2d_text": ("bm.models.eegdiff.unet2d:text_map_denoiser", (128, 256, 512, 512)),
}
CONDITIONS = ("class", "subject", "text")
PREDICTIONS = ("noise", "velocity")
TEXT_TOKENS, TEXT_WIDTH = 56, 768  # BERT states of a sentence, as published


def wave_denoiser(shape: tuple[int, ...], vector: bool, given: Mapping[str, Any]) -> nn.Module:
    """`UNet1d` for waves of `shape` (C, T)."""
    from .unet1d import UNet1d

    for key in given:
        check_known("key of model.network unet1d", key, inspect.signature(UNet1d).parameters)
    return UNet1d(shape[0], **given)


def build_network(
    name: str, shape: tuple[int, ...], vector: bool, given: Mapping[str, Any]
) -> nn.Module:
    """The denoiser called `name` for images of `shape`; `given` replaces its defaults."""
    check_known("model.network.name", name, NETWORKS)
    module, _, function = NETWORKS[name][0].partition(":")
    try:
        found: nn.Module = getattr(importlib.import_module(module), function)(shape, vector, given)
    except ValueError as error:
        raise UserError(f"model.network {name}: {error}") from None
    return found


def build_representation(given: Mapping[str, Any], facts: Mapping[str, Any]) -> Representation:
    """The representation `given` names, for the data `facts` describe."""
    name = str(given.get("name"))
    check_known("model.representation.name", name, REPRESENTATIONS)
    kind = REPRESENTATIONS[name]
    known = inspect.signature(kind).parameters
    options = {key: value for key, value in given.items() if key != "name"}
    for key in options:
        check_known(f"key of model.representation {name}", key, known)
    options |= {key: value for key, value in facts.items() if key in known and key not in options}
    try:
        return kind(**options)
    except ValueError as error:
        raise UserError(f"model.representation {name}: {error}") from None


@MODELS.register("eegdiff")
class EEGDiffusion(nn.Module):
    """Diffusion model of EEG windows; a saved folder holds all that generating waves needs.

    Args:
        n_channels: C.
        n_times: samples per window.
        rate_hz: sampling rate.
        representation: `name` (wave, stft_complex, stft_magnitude, mel) and its arguments.
        network: `name` (unet1d, unet2d, unet2d_text) and its arguments.
        conditions: any of class, subject, text.
        n_classes, n_subjects: sizes of the tables of the conditions used.
        noise: arguments of `NoiseSchedule`; None = linear, 1000 levels, as published.
        prediction: what the network predicts: noise, or velocity.
    """

    def __init__(
        self,
        n_channels: int,
        n_times: int,
        rate_hz: float,
        representation: Mapping[str, Any],
        network: Mapping[str, Any],
        conditions: Sequence[str] = (),
        n_classes: int = 0,
        n_subjects: int = 0,
        noise: Mapping[str, Any] | None = None,
        prediction: str = "noise",
    ) -> None:
        super().__init__()
        check_known("model.prediction", prediction, PREDICTIONS)
        for name in conditions:
            check_known("model.conditions", name, CONDITIONS)
        self.prediction, self.conditions = prediction, tuple(conditions)
        given = {key: value for key, value in network.items() if key != "name"}
        kind = str(network.get("name"))
        check_known("model.network.name", kind, NETWORKS)
        widths = tuple(given.get("block_out_channels", NETWORKS[kind][1]))
        facts = {"n_channels": n_channels, "n_times": n_times, "rate_hz": rate_hz}
        facts["multiple"] = 2 ** (len(widths) - 1)
        self.representation = build_representation(representation, facts)
        check_image(kind, self.representation)
        self.noise = NoiseSchedule(**(noise or {}))
        self.conditioning = Conditioning(
            self._table("class", n_classes),
            self._table("subject", n_subjects),
            4 * widths[0],
            self._text_shape(kind, given),
        )
        vector = bool(self.conditioning.tables)
        self.network = build_network(kind, self.representation.shape, vector, given)

    def _table(self, name: str, size: int) -> int:
        """Size of a table, 0 when the condition is not used."""
        if name not in self.conditions:
            return 0
        if size < 1:
            raise UserError(f"model.conditions has {name!r}, but the data have no {name}")
        return size

    def _text_shape(self, kind: str, given: Mapping[str, Any]) -> tuple[int, int] | None:
        takes = kind == "unet2d_text" or bool(given.get("cross_attention_dim"))
        if takes != ("text" in self.conditions):
            raise UserError(
                f"model.network {kind} and model.conditions {list(self.conditions)} disagree "
                "about text: use unet2d_text (or unet1d with cross_attention_dim) with 'text'"
            )
        return (TEXT_TOKENS, int(given.get("cross_attention_dim", TEXT_WIDTH))) if takes else None

    @property
    def device(self) -> torch.device:
        """Where weights and statistics are."""
        return self.representation.limit.device

    @property
    def dtype(self) -> torch.dtype:
        """Precision of the statistics: that of the waves made."""
        return self.representation.limit.dtype

    def forward(self, x: Tensor, t: Tensor, condition: Condition | None = None) -> Tensor:
        """What the network predicts for noisy images.

        Args:
            x: (B, *shape) float32, see `representation.shape`.
            t: (B,) int64 noise levels.
            condition: of the items; None = unknown.

        Returns:
            (B, *shape).
        """
        condition = condition or Condition()
        vector = self.conditioning(condition, len(x), x.device)
        text, mask = condition.text, condition.text_mask
        if "text" in self.conditions and text is None:
            text, mask = self.conditioning.null_text.expand(len(x), -1, -1), None
        found: Tensor = self.network.denoise(x, t, vector, text, mask)  # type: ignore[operator]
        return found

    @torch.no_grad()
    def images(self, waves: Tensor) -> Tensor:
        """Waves (B, C, T) -> images (B, *shape), in full precision whatever autocast says."""
        with torch.autocast(waves.device.type, enabled=False):
            found: Tensor = self.representation(waves.float())
        return found

    @torch.no_grad()
    def waves(self, images: Tensor, seeds: Sequence[int] | None = None) -> Tensor:
        """Images (B, *shape) -> waves (B, C, n_times); `seeds` (B,) draw unknown phases."""
        with torch.autocast(images.device.type, enabled=False):
            return self.representation.inverse(images.float(), seeds)

    def errors(
        self,
        x0: Tensor,
        noise: Tensor,
        t: Tensor,
        condition: Condition | None = None,
        forward: Callable[..., Tensor] | None = None,
    ) -> Tensor:
        """Mean squared error of the prediction for each of B images.

        Args:
            x0: (B, *shape) images.
            noise: likewise, unit normal.
            t: (B,) int64 noise levels.
            condition: of the items.
            forward: this model in the wrapper that averages gradients over processes.

        Returns:
            (B,).
        """
        target = noise if self.prediction == "noise" else self.noise.velocity(x0, noise, t)
        found = (forward or self)(self.noise.add_noise(x0, noise, t), t, condition)
        return (found.float() - target).square().flatten(1).mean(1)

    def denoiser(self, condition: Condition | None = None, guidance: float = 1.0) -> Denoise:
        """(x, t) -> predicted noise, as the samplers of `bm.nn.sampling` take it.

        Args:
            condition: of all items.
            guidance: s in e_unknown + s (e_condition - e_unknown); 1 = the condition alone.
        """
        condition = condition or Condition()

        def denoise(x: Tensor, t: Tensor) -> Tensor:
            found = self(x, t, condition)
            if guidance != 1.0:
                all_items = torch.ones(len(x), dtype=torch.bool, device=x.device)
                free = self(x, t, self.conditioning.dropped(condition, all_items))
                found = free + guidance * (found - free)
            return (
                found if self.prediction == "noise" else self.noise.noise_from_velocity(x, found, t)
            )

        return denoise


def check_image(kind: str, representation: Representation) -> None:
    """Raise `UserError` when waves go to a network for maps, or the other way round."""
    is_map = len(representation.shape) == 3
    if is_map == (kind == "unet1d"):
        what = "maps" if is_map else "waves"
        fits = "unet2d or unet2d_text" if is_map else "unet1d"
        raise UserError(f"model.network.name={kind} does not take {what}; use {fits}")
