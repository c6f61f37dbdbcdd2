"""EEGDiffusion: representation, noise schedule, conditions and denoiser in one saved model."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ...errors import UserError
from ...facts import DataFacts
from ...nn.flow import LinearPath
from ...nn.noise import NoiseSchedule
from ...nn.representation import REPRESENTATIONS, Representation
from ...nn.sampling import Denoise
from ...nn.word_maps import WORD_MAPS
from ...registry import argument_names, check_arguments, check_known
from .. import MODELS
from ..contract import Described, Loadable
from .conditioning import Condition, Conditioning
from .unet1d import UNet1d

#: name -> where it is built, and the widths when none are given; diffusers is slow to import.
NETWORKS = {
    "unet1d": ("bm.models.eegdiff.model:wave_denoiser", (128, 128, 256, 256, 512)),
    "unet2d": ("bm.models.eegdiff.unet2d:map_denoiser", (128, 128, 256, 256, 512, 512)),
    "unet2d_text": ("bm.models.eegdiff.unet2d:text_map_denoiser", (128, 256, 512, 512)),
}
#: the original has text alone: its "class" of motor imagery is the subject's number
CONDITIONS = ("class", "subject", "text")
PREDICTIONS = ("noise", "velocity")
#: how data become noise: a chain of small steps (DDPM), or a straight line (flow matching)
PATHS: dict[str, type[NoiseSchedule] | type[LinearPath]] = {
    "chain": NoiseSchedule,
    "linear": LinearPath,
}
TEXT_TOKENS, TEXT_WIDTH = 56, 768  # BERT states of a sentence, as published


def wave_denoiser(shape: tuple[int, ...], vector: bool, options: Mapping[str, Any]) -> nn.Module:
    """Build a `UNet1d` for waves of `shape` (C, T)."""
    check_arguments("model.network", UNet1d, options, ("channels",))
    return UNet1d(shape[0], **options)


def build_network(
    name: str, shape: tuple[int, ...], vector: bool, options: Mapping[str, Any]
) -> nn.Module:
    """Build the denoiser called `name` for images of `shape`; `options` replace its defaults."""
    check_known("model.network.name", name, NETWORKS)
    module, _, function = NETWORKS[name][0].partition(":")
    try:
        factory = getattr(importlib.import_module(module), function)
        network: nn.Module = factory(shape, vector, options)
    except ValueError as error:
        raise UserError(f"model.network {name}: {error}") from None
    return network


def build_representation(section: Mapping[str, Any], sizes: Mapping[str, Any]) -> Representation:
    """Build the representation that a section names.

    Args:
        section: `name`, and arguments of the class.
        sizes: arguments that the data and the network decide, unless the section has them.

    Raises:
        UserError: unknown name or argument, or an impossible value.
    """
    name = str(section.get("name"))
    kinds = {**REPRESENTATIONS, **WORD_MAPS}
    check_known("model.representation.name", name, kinds)
    kind = kinds[name]
    options = {key: value for key, value in section.items() if key != "name"}
    check_arguments(f"model.representation {name}", kind, options)
    names = argument_names(kind)
    try:
        return kind(**{k: v for k, v in sizes.items() if k in names} | options)
    except ValueError as error:
        raise UserError(f"model.representation {name}: {error}") from None


def build_noise(section: Mapping[str, Any], prediction: str) -> NoiseSchedule | LinearPath:
    """Build the way from data to noise of section `model.noise`.

    Args:
        section: `path` (chain or linear), and arguments of its class.
        prediction: of the model; along a straight line it is the velocity alone.

    Raises:
        UserError: an unknown path or argument, or an impossible value.
    """
    options = {key: value for key, value in section.items() if key != "path"}
    name = str(section.get("path", "chain"))
    check_known("model.noise.path", name, PATHS)
    if name == "linear":
        # what a chain is made of stays in the configuration that is changed to a line
        options = {key: options[key] for key in options if key not in ("shape", "start", "end")}
        if prediction != "velocity":
            raise UserError(
                f"model.noise.path=linear with model.prediction={prediction}; use velocity"
            )
    check_arguments("model.noise", PATHS[name], options)
    try:
        return PATHS[name](**options)
    except ValueError as error:
        raise UserError(f"model.noise: {error}") from None


@MODELS.register("eegdiff")
class EEGDiffusion(Described, Loadable):
    """Diffusion model of EEG windows; a saved folder holds all that generating waves needs.

    Args:
        n_channels: C.
        n_times: samples per window.
        rate_hz: sampling rate.
        representation: `name` (wave, stft_complex, stft_magnitude, mel, word_image, band_images,
            word_series) and its arguments.
        network: `name` (unet1d, unet2d, unet2d_text) and its arguments.
        conditions: any of class, subject, text.
        n_classes, n_subjects: sizes of the tables of the conditions used.
        noise: `path` (chain, the default, or linear) and arguments of `NoiseSchedule` or
            `LinearPath`; None = a chain with linear betas, 1000 levels, as published.
        prediction: what the network predicts: noise, or velocity.
        text_tokens: L, tokens of a text.
        condition_sd: of the values that the tables of class and subject begin with.
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
        text_tokens: int = TEXT_TOKENS,
        condition_sd: float = 0.02,
    ) -> None:
        super().__init__()
        self.text_tokens = text_tokens
        check_known("model.prediction", prediction, PREDICTIONS)
        for name in conditions:
            check_known("model.conditions", name, CONDITIONS)
        if not 0 <= condition_sd < math.inf:
            raise UserError(f"model.condition_sd={condition_sd:g}: a finite number from 0 on")
        self.prediction, self.conditions = prediction, tuple(conditions)
        options = {key: value for key, value in network.items() if key != "name"}
        kind = str(network.get("name"))
        check_known("model.network.name", kind, NETWORKS)
        widths = tuple(options.get("block_out_channels", NETWORKS[kind][1]))
        sizes = {"n_channels": n_channels, "n_times": n_times, "rate_hz": rate_hz}
        # each scale but the last halves the image
        multiple = sizes["multiple"] = 2 ** (len(widths) - 1)
        self.representation = build_representation(representation, sizes)
        check_image(kind, self.representation)
        check_halving(kind, self.representation, multiple)
        # buffers outside the state dict: other levels need no other weights
        self.noise = build_noise(noise or {}, prediction)
        self.conditioning = Conditioning(
            self._table("class", n_classes),
            self._table("subject", n_subjects),
            4 * widths[0],
            self._text_shape(kind, options),
            condition_sd,
        )
        vector = bool(self.conditioning.tables)
        self.network = build_network(kind, self.representation.shape, vector, options)

    def _table(self, name: str, size: int) -> int:
        """Return the size of a table, 0 when the condition is not used."""
        if name not in self.conditions:
            return 0
        if size < 1:
            raise UserError(f"model.conditions has {name!r}, but the data have no {name}")
        return size

    def _text_shape(self, kind: str, options: Mapping[str, Any]) -> tuple[int, int] | None:
        """Return the shape (L, D) of text states, None for a network without text."""
        reads_text = kind == "unet2d_text" or bool(options.get("cross_attention_dim"))
        if reads_text != ("text" in self.conditions):
            raise UserError(
                f"model.network {kind} and model.conditions {list(self.conditions)} disagree "
                "about text: use unet2d_text (or unet1d with cross_attention_dim) with 'text'"
            )
        if not reads_text:
            return None
        return self.text_tokens, int(options.get("cross_attention_dim", TEXT_WIDTH))

    #: Published denoisers come without the statistics of our representations.
    may_be_missing = ("representation.",)

    def adapt_weights(self, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return foreign tensors but statistics that were never computed: ours stay then."""
        return {
            name: tensor
            for name, tensor in state.items()
            if not (name.startswith("representation.") and bool(torch.isnan(tensor).any()))
        }

    @property
    def device(self) -> torch.device:
        """Device of weights and statistics."""
        return self.representation.limit.device

    @property
    def dtype(self) -> torch.dtype:
        """Precision of the statistics, and of generated waves."""
        return self.representation.limit.dtype

    def forward(self, x: Tensor, t: Tensor, condition: Condition | None = None) -> Tensor:
        """Return what the network predicts for noisy images.

        Args:
            x: (B, *shape) float32, see `representation.shape`.
            t: (B,) int64 noise levels, or times in 0..1 of a straight line.
            condition: of the items; None = unknown.

        Returns:
            (B, *shape).
        """
        condition = condition or Condition()
        vector = self.conditioning(condition, len(x), x.device)
        text, mask = condition.text, condition.text_mask
        # no text is the empty one, with which training drops the condition for guidance
        if "text" in self.conditions and text is None:
            text, mask = self.conditioning.null_text.expand(len(x), -1, -1), None
        if isinstance(self.noise, NoiseSchedule):
            return self._denoised(x, t, vector, text, mask)
        level = t * self.noise.steps
        return self.noise.around(lambda x: self._denoised(x, level, vector, text, mask), x, t)

    def _denoised(
        self, x: Tensor, t: Tensor, vector: Tensor | None, text: Tensor | None, mask: Tensor | None
    ) -> Tensor:
        """Return what the network gives for images x (B, *shape) at levels t (B,)."""
        prediction: Tensor = self.network.denoise(x, t, vector, text, mask)  # type: ignore[operator]
        return prediction

    @property
    def noise_is_chain(self) -> bool:
        """Whether noise comes in numbered levels; else times are 0..1 along a straight line."""
        return isinstance(self.noise, NoiseSchedule)

    def draw_levels(
        self,
        count: int,
        generator: torch.Generator | None = None,
        device: torch.device | None = None,
    ) -> Tensor:
        """Draw levels (count,) for training: int64, or times in 0..1 of a straight line."""
        if isinstance(self.noise, NoiseSchedule):
            return torch.randint(self.noise.steps, (count,), generator=generator, device=device)
        return self.noise.draw(count, generator, device)

    def description(self, facts: DataFacts) -> list[str]:
        """Return what is diffused, by how many noise levels, and under which conditions."""
        shape = " x ".join(map(str, self.representation.shape))
        conditions = ", ".join(self.conditions) or "nothing"
        back = f"back to waves of {self.representation.n_times} samples"
        back = back if self.representation.has_waves else "from which no waves come back"
        levels = f"{self.noise.steps} noise levels" if self.noise_is_chain else "straight paths"
        return [
            f"diffuses {type(self.representation).__name__} of {shape}, {back}",
            f"predicts {self.prediction} at {levels}, given {conditions}",
        ]

    @torch.no_grad()
    def images(self, waves: Tensor) -> Tensor:
        """Return images (B, *shape) of waves (B, C, T), in full precision under autocast too."""
        with torch.autocast(waves.device.type, enabled=False):
            images: Tensor = self.representation(waves.float())
        return images

    @torch.no_grad()
    def waves(self, images: Tensor, seeds: Sequence[int] | None = None) -> Tensor:
        """Return waves (B, C, n_times) of images (B, *shape); `seeds` (B,) draw unknown phases."""
        with torch.autocast(images.device.type, enabled=False):
            return self.representation.inverse(images.float(), seeds)

    def errors(
        self,
        x0: Tensor,
        noise: Tensor,
        t: Tensor,
        condition: Condition | None = None,
        forward: Callable[..., Tensor] | None = None,
        weights: Tensor | None = None,
    ) -> Tensor:
        """Return the mean squared error of the prediction for each of B images.

        Args:
            x0: (B, *shape) images.
            noise: likewise, unit normal.
            t: (B,) int64 noise levels.
            condition: of the items.
            forward: this model in the wrapper that averages gradients over processes.
            weights: broadcasts to (B, *shape), not negative; None = all alike.

        Returns:
            (B,).
        """
        target = noise if self.prediction == "noise" else self.noise.velocity(x0, noise, t)
        prediction = (forward or self)(self.noise.add_noise(x0, noise, t), t, condition)
        errors = (prediction.float() - target).square()
        if isinstance(self.noise, LinearPath) and self.noise.data_sd is not None:
            errors = errors * self.noise.weights(errors, t)
        if weights is None:
            return errors.flatten(1).mean(1)
        weights = weights.to(errors).expand_as(errors).flatten(1)
        return (errors.flatten(1) * weights).sum(1) / weights.sum(1).clamp_min(1e-12)

    def _guided(self, x: Tensor, t: Tensor, condition: Condition, guidance: float) -> Tensor:
        """Return the prediction, moved away from that without condition."""
        if guidance == 1.0:
            prediction: Tensor = self(x, t, condition)
            return prediction
        every = torch.ones(len(x), dtype=torch.bool, device=x.device)
        free_condition = self.conditioning.dropped(condition, every)
        if x.is_cuda:
            # one pass over twice the items fills a GPU; on two cores two passes were faster, and
            # by device, not by measurement, a seed gives the same wave every time
            both = condition.joined(free_condition)
            conditional, free = self(torch.cat([x, x]), torch.cat([t, t]), both).chunk(2)
        else:
            conditional, free = self(x, t, condition), self(x, t, free_condition)
        return free + guidance * (conditional - free)  # type: ignore[no-any-return]

    def denoiser(self, condition: Condition | None = None, guidance: float = 1.0) -> Denoise:
        """Return (x, t) -> predicted noise, as the samplers of `bm.nn.sampling` take it.

        Of a straight path it is the velocity, as the solvers of `bm.nn.flow` take it.

        Args:
            condition: of all items.
            guidance: s in e_unknown + s (e_condition - e_unknown); 1 = the condition alone.
        """
        condition = condition or Condition()

        def denoise(x: Tensor, t: Tensor) -> Tensor:
            prediction = self._guided(x, t, condition, guidance)
            if self.prediction == "noise" or not isinstance(self.noise, NoiseSchedule):
                return prediction
            return self.noise.noise_from_velocity(x, prediction, t)

        return denoise


def check_halving(kind: str, representation: Representation, multiple: int) -> None:
    """Raise `UserError` when a network that doubles on its way up cannot get its image back.

    The other networks go to the size that they came from.
    """
    sides = representation.shape[1:]
    if kind == "unet2d" and any(side % multiple for side in sides):
        shape = " x ".join(map(str, sides))
        raise UserError(
            f"model.network unet2d halves its image {multiple.bit_length() - 1} times, which "
            f"{shape} does not allow: leave model.representation.multiple out, or use a multiple "
            f"of {multiple}"
        )


def check_image(kind: str, representation: Representation) -> None:
    """Raise `UserError` when waves go to a network for maps, or the other way round."""
    is_map = len(representation.shape) == 3
    if is_map == (kind == "unet1d"):
        what = "maps" if is_map else "waves"
        fits = "unet2d or unet2d_text" if is_map else "unet1d"
        raise UserError(f"model.network.name={kind} does not take {what}; use {fits}")
