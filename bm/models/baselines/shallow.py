"""ShallowFBCSPNet: band power by filter, square, pool, log (Schirrmeister et al., 2017, Fig. 2)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from .. import MODELS

EPSILON = 1e-6  # uV^2 in units of the scaling; keeps the logarithm finite


@MODELS.register("shallow_fbcsp")
class ShallowFBCSPNet(nn.Module):
    """Temporal filters, spatial filters over all of them, square, mean over time, log, linear.

    The two filters are linear and follow each other without a nonlinearity: their kernels are
    multiplied first, and the signal is filtered once.

    Args:
        n_channels: C.
        n_times: T, samples per window.
        n_outputs: classes.
        rate_hz: sampling rate.
        filters: temporal filters, and as many spatial ones (40 in the paper).
        kernel_s: length of the temporal filters (25 samples at 250 Hz in the paper).
        pool_s, stride_s: pooling of the power (75 and 15 samples at 250 Hz in the paper).
        dropout: probability.
    """

    def __init__(
        self,
        n_channels: int,
        n_times: int,
        n_outputs: int,
        rate_hz: float,
        filters: int = 40,
        kernel_s: float = 0.1,
        pool_s: float = 0.3,
        stride_s: float = 0.06,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        kernel = max(1, round(kernel_s * rate_hz))
        self.pool, self.stride = round(pool_s * rate_hz), max(1, round(stride_s * rate_hz))
        self.temporal = nn.Parameter(torch.empty(filters, kernel))
        self.spatial = nn.Parameter(torch.empty(filters, filters, n_channels))
        nn.init.xavier_uniform_(self.temporal)
        nn.init.xavier_uniform_(self.spatial)
        self.norm = nn.BatchNorm1d(filters)
        self.dropout = nn.Dropout(dropout)
        length = n_times - kernel + 1
        pooled = (length - self.pool) // self.stride + 1
        self.classifier = nn.Linear(filters * pooled, n_outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (B, n_outputs) of windows (B, C, T) float32."""
        # one convolution instead of two: the full map of temporal filters per channel never exists
        kernels = torch.einsum("ofc,fk->ock", self.spatial, self.temporal)
        filtered = self.norm(functional.conv1d(x.contiguous(), kernels))
        power = functional.avg_pool1d(filtered.square(), self.pool, self.stride)
        return self.classifier(self.dropout(power.clamp_min(EPSILON).log()).flatten(1))
