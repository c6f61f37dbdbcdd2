"""VQ-NSP, LaBraM's tokenizer: codes from which amplitude and phase of each patch are predicted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ...errors import UserError
from ...losses.spectrum import spectral_losses, spectral_targets
from ...nn.precision import without_autocast
from ...nn.quantiser import Quantiser, nearest, unit
from ...nn.transformer import truncated_normal
from .. import MODELS
from ..contract import Loadable, Microvolts, Tokenizer
from ..reconstruction import Reconstruction
from .backbone import AMPLITUDE_UV, LEARNED, Encoder, backbone_options


@dataclass(frozen=True)
class Tokenised:
    """Outputs of the tokenizer for B windows of L = C * A patches.

    Attributes:
        indices: (B, L) int64 codes.
        codes: (B, L, d) code vectors.
        loss: scalar, the quantiser's.
        amplitude, phase: (B, L, P) predicted spectra, standardised.
    """

    indices: Tensor
    codes: Tensor
    loss: Tensor
    amplitude: Tensor
    phase: Tensor


def task_layers(width: int, n_outputs: int) -> nn.Sequential:
    """Build linear, tanh, linear, with their first values."""
    layers = nn.Sequential(nn.Linear(width, width), nn.Tanh(), nn.Linear(width, n_outputs))
    for layer in (layers[0], layers[2]):
        truncated_normal(layer.weight)  # type: ignore[arg-type]
        nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return layers


@MODELS.register("vqnsp")
class VQNSP(Loadable, Microvolts, Tokenizer):
    """Vector-quantised neural spectrum prediction (Jiang et al., 2024, section 2.2).

    Args:
        encoder, decoder: arguments of `Backbone`; they have the same width.
        n_codes: K.
        code_width: d.
        channel_names: names that `channel_ids` index; None = the published list of 128.
        electrodes, geodesic_net: of channels that the published list lacks, see `Backbone`.
        amplitude_uv: microvolts that count as 1.
        decay, beta, kmeans, count_in_eval, extras: of `Quantiser`.
        smooth: smooth L1 instead of squared errors of the spectra.

    Example:
        >>> model = VQNSP({"depth": 1}, {"depth": 1}, n_codes=64, channel_names=["CZ", "PZ"])
        >>> model.tokens(torch.zeros(3, 2, 800)).shape
        torch.Size([3, 8])
    """

    may_be_missing = (f"encoder.{LEARNED}", f"decoder.{LEARNED}")
    # unused tensors of published files
    may_be_unexpected = ("quantiser.start_", f"encoder.{LEARNED}", f"decoder.{LEARNED}")

    def __init__(
        self,
        encoder: Mapping[str, Any],
        decoder: Mapping[str, Any],
        n_codes: int = 8192,
        code_width: int = 64,  # as published; 32 is the default of the original code
        channel_names: Sequence[str] | None = None,
        amplitude_uv: float = AMPLITUDE_UV,
        decay: float = 0.99,
        beta: float = 1.0,
        kmeans: bool = True,
        smooth: bool = False,
        count_in_eval: bool = False,
        extras: bool = False,
        electrodes: str = "exact",
        geodesic_net: int | None = None,
    ) -> None:
        super().__init__()
        self.electrode_rule, self.geodesic_net = electrodes, geodesic_net
        shared: dict[str, Any] = {"channel_names": channel_names, "electrodes": electrodes}
        shared["geodesic_net"] = geodesic_net
        self.amplitude_uv, self.smooth, self.n_codes = amplitude_uv, smooth, n_codes
        self.encoder = Encoder(**shared, **backbone_options("encoder", encoder))
        self.patch_samples, self.max_patches = self.encoder.patch_samples, self.encoder.max_patches
        self.named_channels = self.encoder.named_channels
        # the decoder sees no signal, but its rows in time are those of the encoder's patches
        times = {n: getattr(self.encoder, n) for n in ("patch_samples", "row_samples")}
        options = times | backbone_options("decoder", decoder)
        self.decoder = Encoder(**shared, code_width=code_width, **options)
        width = self.encoder.width
        if self.decoder.width != width:
            raise UserError(f"model.decoder.width={self.decoder.width}: the encoder has {width}")
        self.quantiser = Quantiser(
            n_codes, code_width, decay, beta, kmeans, count_in_eval=count_in_eval, extras=extras
        )
        for network in (self.encoder, self.decoder):
            network.start()
        self.to_code = task_layers(width, code_width)
        # all P bins of the full transform, though half mirror the others, as published
        self.amplitude_head = task_layers(width, self.encoder.patch_samples)
        self.phase_head = task_layers(width, self.encoder.patch_samples)

    def code_vectors(
        self, x: Tensor, channel_ids: Tensor | None = None
    ) -> tuple[Tensor, tuple[int, int]]:
        """Return vectors (B, L, d) before the quantiser, and (C, A), of a signal (B, C, T)."""
        tokens, shape = self.encoder.patches(x / self.amplitude_uv)
        tokens = self.encoder.final(self.encoder.encode(tokens, shape, channel_ids)[:, 1:])
        with without_autocast(x):  # published: this layer in float32
            return self.to_code(tokens.float()), shape

    @torch.no_grad()
    def tokens(self, x: Tensor, channel_ids: Tensor | None = None) -> Tensor:
        """Return codes (B, L) of a signal (B, C, T) in microvolts; changes no state in any mode."""
        vectors, _ = self.code_vectors(x, channel_ids)
        # not through the quantiser, which counts codes and starts its codebook in training mode
        return nearest(unit(vectors.flatten(0, 1)), self.quantiser.codebook).view(vectors.shape[:2])

    def decode(
        self, codes: Tensor, shape: tuple[int, int], channel_ids: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return amplitude and phase (B, L, P), standardised, of code vectors (B, L, d)."""
        tokens = self.decoder.encode(self.decoder.patch_embed(codes), shape, channel_ids)
        # no pooling: the paper speaks of an average before the heads, its code predicts per token
        tokens = self.decoder.final(tokens[:, 1:])
        return self.amplitude_head(tokens), self.phase_head(tokens)

    def forward(self, x: Tensor, channel_ids: Tensor | None = None) -> Tokenised:
        """Quantise and predict spectra; in training the codebook follows.

        Args:
            x: (B, C, T) float32 microvolts, T a whole number of patches.
            channel_ids: (C,) or (B, C) places in `channel_names`; None = all of them in order.
        """
        vectors, shape = self.code_vectors(x, channel_ids)
        quantised = self.quantiser(vectors)
        amplitude, phase = self.decode(quantised.codes, shape, channel_ids)
        return Tokenised(quantised.indices, quantised.codes, quantised.loss, amplitude, phase)

    def targets(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the standardised amplitude and phase (B, L, P) of a signal (B, C, T)."""
        n_samples = self.encoder.patch_samples
        return spectral_targets(x.reshape(len(x), -1, n_samples) / self.amplitude_uv)

    def losses(self, outputs: Tokenised, x: Tensor) -> dict[str, Tensor]:
        """Return `loss`, the sum of `quantiser`, `amplitude` and `phase`, which it holds too."""
        spectra = outputs.amplitude, outputs.phase
        parts = spectral_losses(spectra, self.targets(x), self.smooth)
        return {"loss": outputs.loss + sum(parts.values()), "quantiser": outputs.loss, **parts}

    def reconstructions(self, outputs: Tokenised, x: Tensor) -> list[Reconstruction]:
        """Return predicted beside true spectra of signal x, standardised, bin by bin."""
        shown = self.encoder.patch_samples // 2 + 1  # the other bins repeat these
        pairs = zip(("amplitude", "phase"), self.targets(x), strict=True)
        return [
            Reconstruction(name, target, getattr(outputs, name), "cycles per patch", shown, True)
            for name, target in pairs
        ]

    def no_weight_decay(self) -> set[str]:
        """Return the names of parameters that are never decayed."""
        names = self.encoder.no_weight_decay()
        return {f"{part}.{name}" for part in ("encoder", "decoder") for name in names}
