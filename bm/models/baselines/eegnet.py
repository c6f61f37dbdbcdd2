"""EEGNet: a compact convolutional network for EEG (Lawhern et al., 2018, Table 2)."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor, nn

from .. import MODELS

# Its kernels are even, as published: two lines of every run would say that torch copies for them.
warnings.filterwarnings("ignore", "Using padding='same' with even kernel")


class MaxNormConv2d(nn.Conv2d):
    """Convolution whose filters have a largest norm (the paper's constraint).

    Args:
        max_norm: largest L2 norm of each output filter.
    """

    def __init__(self, *args: int, max_norm: float, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self.max_norm = max_norm

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, F', C', T') of x (B, F, C, T)."""
        # in the forward pass, not after the step: no optimiser has to know of the constraint
        weight = torch.renorm(self.weight, p=2, dim=0, maxnorm=self.max_norm)
        return self._conv_forward(x, weight, self.bias)


@MODELS.register("eegnet")
class EEGNet(nn.Module):
    """Temporal filters, spatial filters for each of them, separable convolution, linear layer.

    Args:
        n_channels: C.
        n_times: T, samples per window.
        n_outputs: classes.
        rate_hz: sampling rate; the first kernel spans `kernel_s` of it.
        f1: temporal filters (F1 of the paper).
        depth: spatial filters per temporal filter (D).
        kernel_s: length of the temporal filters in seconds (half a second in the paper).
        pool: two average poolings in samples (4 and 8 at 128 Hz in the paper).
        dropout: probability.
    """

    def __init__(
        self,
        n_channels: int,
        n_times: int,
        n_outputs: int,
        rate_hz: float,
        f1: int = 8,
        depth: int = 2,
        kernel_s: float = 0.5,
        pool: tuple[int, int] = (4, 8),
        dropout: float = 0.25,
    ) -> None:
        super().__init__()
        f2, kernel = f1 * depth, max(1, round(kernel_s * rate_hz))
        short = max(1, round(0.125 * rate_hz))  # 16 samples at 128 Hz
        self.temporal = nn.Sequential(
            nn.Conv2d(1, f1, (1, kernel), padding="same", bias=False), nn.BatchNorm2d(f1)
        )
        self.spatial = nn.Sequential(
            MaxNormConv2d(f1, f2, (n_channels, 1), groups=f1, bias=False, max_norm=1.0),  # type: ignore[arg-type]
            nn.BatchNorm2d(f2),
            nn.ELU(),
            nn.AvgPool2d((1, pool[0])),
            nn.Dropout(dropout),
        )
        self.separable = nn.Sequential(
            nn.Conv2d(f2, f2, (1, short), padding="same", groups=f2, bias=False),
            nn.Conv2d(f2, f2, 1, bias=False),
            nn.BatchNorm2d(f2),
            nn.ELU(),
            nn.AvgPool2d((1, pool[1])),
            nn.Dropout(dropout),
        )
        self.classifier = nn.Linear(f2 * (n_times // pool[0] // pool[1]), n_outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (B, n_outputs) of windows (B, C, T) float32."""
        # a batch is a transposed view, made contiguous on the device (see `conformer`)
        features = self.separable(self.spatial(self.temporal(x.contiguous().unsqueeze(1))))
        return self.classifier(features.flatten(1))
