"""Layers with weights per subject: a matrix, or a vector (Défossez et al., 2023, section 2.3)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .roles import SubjectRows


class SubjectLayers(SubjectRows):
    """Matrix per subject, without bias, applied to every sample.

    Args:
        inner, outer: channels before and after.
        subjects: S.
        identity: start from the identity instead of random numbers, both / sqrt(inner).
    """

    by_subject = ("weights",)

    def __init__(self, inner: int, outer: int, subjects: int, identity: bool = False) -> None:
        super().__init__()
        if identity and inner != outer:
            raise ValueError(f"subject layers: no identity from {inner} to {outer} channels")
        # both starts are divided by the root of the width: the identity too, as published
        start = torch.eye(inner).repeat(subjects, 1, 1) if identity else None
        if start is None:
            start = torch.randn(subjects, inner, outer)
        self.weights, self.outer = nn.Parameter(start / inner**0.5), outer

    def forward(self, x: Tensor, subject: Tensor) -> Tensor:
        """Return (B, outer, T) of x (B, inner, T) and subjects (B,) int64."""
        return self.weights[subject].transpose(1, 2) @ x


class SubjectEmbedding(SubjectRows):
    """Learned vector per subject; `scale` multiplies its learning rate, not its first value.

    Args:
        subjects: S.
        width: of the vector.
        scale: the weights are stored divided by it, the output is multiplied.
    """

    by_subject = ("embedding.weight",)

    def __init__(self, subjects: int, width: int, scale: float = 1.0) -> None:
        super().__init__()
        self.embedding, self.scale = nn.Embedding(subjects, width), scale
        with torch.no_grad():
            self.embedding.weight /= scale

    @property
    def width(self) -> int:
        """Number of values of a vector."""
        return self.embedding.embedding_dim

    def forward(self, subject: Tensor) -> Tensor:
        """Return the vectors (B, width) of subjects (B,) int64."""
        return self.embedding(subject) * self.scale

    def append(self, x: Tensor, subject: Tensor) -> Tensor:
        """Append the vector to x (B, C, T) as constant channels: (B, C + width, T)."""
        vector = self(subject).to(x.dtype)[..., None].expand(-1, -1, x.shape[-1])
        return torch.cat([x, vector], 1)
