"""Losses of a vocoder: discriminators of periods and scales, features, mel (Kong et al. 2020)."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

SLOPE = 0.1  # of every leaky unit
# Primes, so that the periods share as few samples as possible (HiFi-GAN).
PERIODS = (2, 3, 5, 7, 11)
# The wave, and its averages over 2 and 4 samples, as in MelGAN (Kumar et al. 2019).
SCALES = 3
# Weights 2 of the features and 45 of the mel distance are those of HiFi-GAN.
FEATURE_WEIGHT, MEL_WEIGHT = 2.0, 45.0


@dataclass(frozen=True)
class Judged:
    """Logits of a discriminator, and the outputs of its layers."""

    logits: Tensor
    features: list[Tensor]


class _Layers(nn.Module):
    """Convolutions with leaky units between them; the last has one output."""

    def __init__(self, layers: Sequence[nn.Module]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def judged(self, x: Tensor) -> Judged:
        features = []
        for layer in self.layers[:-1]:
            x = functional.leaky_relu(layer(x), SLOPE)
            features.append(x)
        return Judged(self.layers[-1](x).flatten(1), features)


class PeriodDiscriminator(_Layers):
    """Looks at every `period`-th sample.

    Args:
        period: p.
        width: of the first layer; each is four times as wide, up to 32 times it.
    """

    def __init__(self, period: int, width: int = 32) -> None:
        widths = [1, width, 4 * width, 16 * width, 32 * width]
        layers: list[nn.Module] = [
            # Kernels are 1 wide: samples of different phases of the period never mix.
            nn.utils.parametrizations.weight_norm(nn.Conv2d(a, b, (5, 1), (3, 1), (2, 0)))
            for a, b in itertools.pairwise(widths)
        ]
        super().__init__([*layers, nn.Conv2d(widths[-1], 1, (3, 1), 1, (1, 0))])
        self.period = period

    def forward(self, wave: Tensor) -> Judged:
        """Judge waves (B, n)."""
        short = -wave.shape[-1] % self.period
        wave = functional.pad(wave[:, None], (0, short), "reflect")
        return self.judged(wave.unflatten(-1, (-1, self.period)))


class ScaleDiscriminator(_Layers):
    """Looks at waves as they are, or averaged.

    Args:
        width: of the first layer.
    """

    def __init__(self, width: int = 32) -> None:
        settings = [(15, 1, 1), (41, 2, 4), (41, 4, 16), (41, 4, 16), (5, 1, 1)]
        widths = [1, width, width, 2 * width, 4 * width, 8 * width]
        layers: list[nn.Module] = [
            nn.utils.parametrizations.weight_norm(
                nn.Conv1d(a, b, kernel, stride, kernel // 2, groups=min(groups, a))
            )
            for (kernel, stride, groups), a, b in zip(settings, widths, widths[1:], strict=False)
        ]
        super().__init__([*layers, nn.Conv1d(widths[-1], 1, 3, 1, 1)])

    def forward(self, wave: Tensor) -> Judged:
        """Judge waves (B, n)."""
        return self.judged(wave[:, None])


class VocoderDiscriminator(nn.Module):
    """All discriminators of a vocoder.

    Args:
        width: of their first layers.
    """

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.periods = nn.ModuleList(PeriodDiscriminator(p, width) for p in PERIODS)
        self.scales = nn.ModuleList(ScaleDiscriminator(width) for _ in range(SCALES))

    def forward(self, wave: Tensor) -> list[Judged]:
        """Judge waves (B, n) by each."""
        judged = [part(wave) for part in self.periods]
        for scale in self.scales:
            judged.append(scale(wave))
            wave = functional.avg_pool1d(wave[:, None], 4, 2, 2)[:, 0]
        return judged

    def loss(self, real: Tensor, generated: Tensor) -> Tensor:
        """Return the discriminators' least-squares loss."""
        pairs = zip(self(real), self(generated.detach()), strict=True)
        terms = [(1 - r.logits).square().mean() + g.logits.square().mean() for r, g in pairs]
        return torch.stack(terms).sum()

    def generator_loss(self, real: Tensor, generated: Tensor) -> dict[str, Tensor]:
        """Return the generator's `adversarial` and `feature` losses."""
        with torch.no_grad():
            targets = self(real)
        adversarial, feature = [], []
        for r, g in zip(targets, self(generated), strict=True):
            adversarial.append((1 - g.logits).square().mean())
            feature += [(a - b).abs().mean() for a, b in zip(r.features, g.features, strict=True)]
        return {
            "adversarial": torch.stack(adversarial).sum(),
            "feature": FEATURE_WEIGHT * torch.stack(feature).sum(),
        }
