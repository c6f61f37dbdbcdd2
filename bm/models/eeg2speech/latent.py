"""LatentDiffusion: the denoiser of latents under a condition, and how its error is weighed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ...errors import UserError
from ...facts import DataFacts
from ...nn.noise import NoiseSchedule
from ...nn.sampling import Denoise
from ...registry import check_arguments, check_known
from .. import MODELS
from ..contract import Described, Loadable
from .conditioning import Conditioner, ConditionMaps
from .networks import DenoiserSizes, build_denoiser

#: What the network predicts: eps, v and x0 of the original.
PREDICTIONS = ("noise", "velocity", "data")
LOSSES = ("l2", "l1")
#: Keys of `cond`: published, but for the normalisation.
CONDITION = {"mode": "film", "normalize": "standardize", "tokens": 32, "maps": 8}
#: Published levels of noise.
SCHEDULE = {"shape": "scaled_linear", "steps": 1000, "start": 0.0015, "end": 0.0195}


@MODELS.register("eeg2speech")
class LatentDiffusion(Described, Loadable):
    """AudioLDM's latent diffusion on an embedding; 185,298,696 parameters as published.

    Args:
        latent_shape: channels, steps and bands of a latent.
        width: D, of the embeddings.
        cond: `mode` film | sequence | concat, `normalize` none | l2 | standardize, `tokens` of
            sequence and concat, `maps` of concat: channels beside those of the latent.
        network: sizes, see `DenoiserSizes`; channels, film and tokens follow from the others.
        noise: arguments of `NoiseSchedule`; None = published.
        prediction: noise, velocity or data.
        loss: l2 or l1.
        audio: settings of the front-end of its autoencoder, kept for whoever loads it.
    """

    scale: Tensor
    #: A published denoiser comes without statistics of embeddings, and may lack the scale.
    may_be_missing = ("conditioner.", "scale")

    def __init__(
        self,
        latent_shape: Sequence[int] = (8, 256, 16),
        width: int = 1024,
        cond: Mapping[str, Any] | None = None,
        network: Mapping[str, Any] | None = None,
        noise: Mapping[str, Any] | None = None,
        prediction: str = "noise",
        loss: str = "l2",
        audio: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        check_known("model.prediction", prediction, PREDICTIONS)
        check_known("model.loss", loss, LOSSES)
        self.latent_shape, self.prediction, self.loss = tuple(latent_shape), prediction, loss
        self.audio = dict(audio or {})
        cond = {**CONDITION, **(cond or {})}
        for name in cond:
            check_known("key of model.cond", name, CONDITION)
        self.conditioner = Conditioner(width, cond["mode"], cond["normalize"], int(cond["tokens"]))
        self.maps: ConditionMaps | None = None
        if cond["mode"] == "concat":
            _, steps, bands = self.latent_shape
            self.maps = ConditionMaps(width, (int(cond["maps"]), steps, bands))
        self.sizes = self._sizes(dict(network or {}))
        self.noise = NoiseSchedule(**(noise or SCHEDULE))
        self.network = build_denoiser(self.sizes)
        # 1 / sd of latents, by which they are multiplied; nan until it is measured
        self.register_buffer("scale", torch.tensor(float("nan")))

    def _sizes(self, options: dict[str, Any]) -> DenoiserSizes:
        ours = ("channels", "film", "tokens", "maps")
        check_arguments("model.network", DenoiserSizes, options, ours)
        mode = self.conditioner.mode
        sizes = DenoiserSizes(
            channels=self.latent_shape[0],
            film=self.conditioner.width if mode == "film" else 0,
            tokens=self.conditioner.token_width if mode == "sequence" else 0,
            maps=self.maps.shape[0] if self.maps else 0,
            **options,
        )
        if any(side % sizes.multiple for side in self.latent_shape[1:]):
            raise UserError(
                f"model: latents of {self.latent_shape[1]} x {self.latent_shape[2]}; both must be "
                f"multiples of {sizes.multiple}: change model.audio.duration_s of the autoencoder "
                "or model.network.multipliers"
            )
        return sizes

    @property
    def device(self) -> torch.device:
        """Device of the weights."""
        return self.scale.device

    def forward(self, x: Tensor, t: Tensor, condition: Tensor) -> Tensor:
        """Return what the network predicts for noisy latents.

        Args:
            x: (B, C, T, F) float32.
            t: (B,) int64 noise levels.
            condition: (B, D), or (B, T', D) of sequence and concat; zeros = nothing.
        """
        if self.maps is not None:
            x = torch.cat([x, self.maps(condition)], 1)
        arguments: dict[str, Any] = {"encoder_hidden_states": None}
        arguments |= self.conditioner.arguments(condition)
        prediction: Tensor = self.network(x, t, return_dict=False, **arguments)[0]
        return prediction

    def target(self, x0: Tensor, noise: Tensor, t: Tensor) -> Tensor:
        """Return what the network should predict."""
        if self.prediction == "data":
            return x0
        return noise if self.prediction == "noise" else self.noise.velocity(x0, noise, t)

    def errors(self, x0: Tensor, noise: Tensor, t: Tensor, condition: Tensor) -> Tensor:
        """Return the mean squared (or absolute) error of the prediction for each of B latents."""
        prediction = self(self.noise.add_noise(x0, noise, t), t, condition)
        return self.error_of(prediction, self.target(x0, noise, t))

    def error_of(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return the error (B,) of predictions (B, C, T, F)."""
        difference = prediction.float() - target
        values = difference.square() if self.loss == "l2" else difference.abs()
        return values.flatten(1).mean(1)

    def noise_of(self, x: Tensor, prediction: Tensor, t: Tensor) -> Tensor:
        """Return the noise in x (B, C, T, F) by a prediction."""
        if self.prediction == "noise":
            return prediction
        if self.prediction == "velocity":
            return self.noise.noise_from_velocity(x, prediction, t)
        signal = self.noise.at("sqrt_alphas_cumprod", t, x)
        return (x - signal * prediction) / self.noise.at("sqrt_one_minus_alphas_cumprod", t, x)

    def denoiser(self, condition: Tensor, guidance: float = 1.0, together: bool = False) -> Denoise:
        """Return (x, t) -> predicted noise, as the samplers of `bm.nn.sampling` take it.

        Args:
            condition: of all items.
            guidance: s in e_nothing + s (e_condition - e_nothing); 1 = the condition alone.
            together: both predictions in one pass of twice the batch, faster on a GPU.
        """
        nothing = torch.zeros_like(condition)
        both = torch.cat([condition, nothing])
        # without a condition both predictions are one
        once = guidance == 1.0 or not bool(condition.any())

        def denoise(x: Tensor, t: Tensor) -> Tensor:
            if once:
                return self.noise_of(x, self(x, t, condition), t)
            if together:
                with_it, free = self(torch.cat([x, x]), torch.cat([t, t]), both).chunk(2)
            else:
                with_it, free = self(x, t, condition), self(x, t, nothing)
            return self.noise_of(x, free + guidance * (with_it - free), t)

        return denoise

    def description(self, facts: DataFacts) -> list[str]:
        """Return what is diffused, and under which condition."""
        shape = " x ".join(map(str, self.latent_shape))
        c = self.conditioner
        film = c.mode == "film"
        how = "one vector" if film else f"{c.tokens} {'steps' if self.maps else 'tokens'}"
        return [
            f"diffuses latents of {shape} at {self.noise.steps} noise levels, predicts "
            f"{self.prediction}",
            f"condition: {how} of {c.width} numbers, normalised: {c.normalise}",
        ]
