"""DistanceAttention: attention over time with learned vectors of the distance (brainmagick)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

RADIUS = 50  # steps
EMBEDDING_WEIGHT = 0.3  # of the vector of the distance beside the content, as published
START = 0.1  # of the factor of the block


class DistanceAttention(nn.Module):
    """Attention of each time step to the steps around it, to be added to the input.

    dots[t, s] = q_t k_s + 0.3 q_t E[t - s], E a vector for each distance up to `radius`; the
    gathered values carry 0.3 E too. The original looks at all steps, those beyond the radius
    with the vector of the radius: its mask never acts.

    Args:
        channels: C, a multiple of `heads`.
        heads: of width C / heads.
        radius: steps to each side.
        as_published: attend to all steps, as the original does.
    """

    def __init__(
        self, channels: int, heads: int = 4, radius: int = RADIUS, as_published: bool = False
    ) -> None:
        super().__init__()
        if channels % heads:
            raise ValueError(f"{channels} channels do not split into {heads} heads")
        self.heads, self.radius, self.as_published = heads, radius, as_published
        self.content, self.query, self.key, self.project = (
            nn.Conv1d(channels, channels, 1) for _ in range(4)
        )
        self.embedding = nn.Embedding(2 * radius + 1, channels // heads)
        with torch.no_grad():  # neighbouring distances start alike
            rank = torch.arange(1, 2 * radius + 2, dtype=torch.float32)[:, None]
            self.embedding.weight.copy_(self.embedding.weight.cumsum(0) / rank.sqrt())
        self.norm = nn.BatchNorm1d(channels)
        self.scale = nn.Parameter(torch.full((channels,), START))

    def forward(self, x: Tensor) -> Tensor:
        """Return what each step of x (B, C, T) gathers, (B, C, T)."""
        steps = torch.arange(x.shape[-1], device=x.device)
        distance = steps[:, None] - steps
        near = self.embedding(distance.clamp(-self.radius, self.radius) + self.radius)  # (T, T, d)
        content, query, key = (
            layer(x).unflatten(1, (self.heads, -1))  # (B, H, d, T)
            for layer in (self.content, self.query, self.key)
        )
        dots = query.transpose(2, 3) @ key  # not divided by the root of d, as published
        dots = dots + EMBEDDING_WEIGHT * torch.einsum("bhdt,tsd->bhts", query, near)
        if not self.as_published:
            dots = dots.masked_fill(distance.abs() > self.radius, torch.finfo(dots.dtype).min)
        weights = dots.softmax(-1)
        values = content @ weights.transpose(2, 3)
        values = values + EMBEDDING_WEIGHT * torch.einsum("bhts,tsd->bhdt", weights, near)
        values = functional.relu(self.norm(self.project(values.flatten(1, 2))))
        return self.scale[:, None] * values
