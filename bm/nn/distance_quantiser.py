"""Quantiser of the first VQ-VAE: the nearest code by Euclidean distance, moved by gradients.

van den Oord et al. 2017, equation 3, with weights of their own for the two terms. The codebook of
`bm.nn.quantiser` lies on the unit sphere and follows averages instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch import distributed as dist
from torch.nn import functional

from .quantiser import BLOCK, distributed, random_rows


@torch.no_grad()
def nearest_by_distance(vectors: Tensor, codes: Tensor) -> Tensor:
    """Return the index (N,) of the code (K, d) that is nearest to each vector (N, d)."""
    # |z|^2 is the same for all codes
    half = codes.square().sum(1) / 2
    return torch.cat([(half - block @ codes.T).argmin(1) for block in vectors.split(BLOCK)])


class MeanGradient(torch.autograd.Function):
    """Rows of a codebook, whose gradient is the mean over the places that took a code."""

    @staticmethod
    def forward(ctx: Any, codes: Tensor, indices: Tensor) -> Tensor:
        """Return codes[indices] of a codebook (K, d) and indices (N,)."""
        ctx.save_for_backward(indices)
        ctx.n_codes = len(codes)
        return codes[indices]

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        """Return the gradient of the codebook (K, d), of rows (N, d)."""
        (indices,), gradient = ctx.saved_tensors, gradients[0]
        counts = torch.bincount(indices, minlength=ctx.n_codes).clamp(min=1)
        sums = gradient.new_zeros(ctx.n_codes, gradient.shape[1]).index_add_(0, indices, gradient)
        return sums / counts[:, None].to(sums), None


@dataclass(frozen=True)
class NearestCodes:
    """Codes of vectors (..., d).

    Attributes:
        codes: (..., d) as passed on: gradients go straight to the vectors.
        chosen: (..., d) rows of the codebook, whose gradients go there.
        indices: (...) int64.
        codebook_loss: scalar, mean squared distance that moves the codes.
        commitment_loss: scalar, the same that moves the vectors.
    """

    codes: Tensor
    chosen: Tensor
    indices: Tensor
    codebook_loss: Tensor
    commitment_loss: Tensor


class DistanceQuantiser(nn.Module):
    """Nearest code in the place of each vector; the codebook is a parameter.

    Args:
        n_codes: K.
        width: d.
        kmeans: the codebook starts from training vectors, see `start`; else uniform in 0..1.
    """

    counts: Tensor
    started: Tensor

    def __init__(self, n_codes: int, width: int, kmeans: bool = False) -> None:
        super().__init__()
        self.n_codes = n_codes
        self.weight = nn.Parameter(torch.rand(width, n_codes))  # codes are columns, as published
        self.register_buffer("counts", torch.zeros(n_codes), persistent=False)
        self.register_buffer("started", torch.tensor(0.0 if kmeans else 1.0), persistent=False)

    def forward(self, vectors: Tensor) -> NearestCodes:
        """Quantise vectors (..., d)."""
        flat = vectors.reshape(-1, vectors.shape[-1])
        indices = nearest_by_distance(flat.detach().float(), self.weight.detach().T.float())
        if self.training:
            with torch.no_grad():
                counts = torch.bincount(indices, minlength=self.n_codes)
                if distributed():
                    dist.all_reduce(counts)  # the use of codes is that of all processes
                self.counts += counts
        nearest = MeanGradient.apply(self.weight.T, indices).view_as(vectors)
        return NearestCodes(
            codes=vectors + (nearest - vectors).detach(),
            chosen=nearest,
            indices=indices.view(vectors.shape[:-1]),
            codebook_loss=functional.mse_loss(nearest, vectors.detach()),
            commitment_loss=functional.mse_loss(vectors, nearest.detach()),
        )

    @torch.no_grad()
    def start(self, vectors: Tensor, everywhere: bool = False) -> None:
        """Start the codes at random training vectors (N, d)."""
        self.weight.copy_(random_rows(vectors, self.n_codes).T)
        self.started.fill_(1.0)

    def reset_counts(self) -> None:
        """Zero the counts of the use of codes."""
        self.counts.zero_()
