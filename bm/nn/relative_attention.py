"""Self-attention with sine and cosine encodings of the distance (Transformer-XL; Dai et al., 2019).

score_ij = ((q_i + u) k_j + (q_i + v) p_(i-j)) / sqrt(Dh), with learned u and v per head.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .sinusoids import sinusoids
from .transformer import SwitchableAttention


def by_distance(scores: Tensor) -> Tensor:
    """Scores (..., T, 2 T - 1) against distances T - 1 .. -(T - 1) -> (..., T, T) against keys.

    Query i meets key j at column T - 1 - i + j: cutting T - 1 values off the flat rows and reading
    them as rows of 2 T - 2 shifts each row by one more, without a gather.
    """
    length = scores.shape[-2]
    if length == 1:
        return scores
    flat = scores.flatten(-2)[..., length - 1 : -1]
    return flat.unflatten(-1, (length, 2 * length - 2))[..., :length]


class RelativeAttention(SwitchableAttention):
    """Self-attention of all tokens to all by content and distance.

    Args:
        width: D.
        n_heads: H; divides D.
        dropout: of the attention weights.
    """

    def __init__(self, width: int, n_heads: int, dropout: float) -> None:
        super().__init__()
        self.n_heads, self.dropout = n_heads, dropout
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.distance = nn.Linear(width, width, bias=False)
        self.u = nn.Parameter(nn.init.xavier_uniform_(torch.empty(n_heads, width // n_heads)))
        self.v = nn.Parameter(nn.init.xavier_uniform_(torch.empty(n_heads, width // n_heads)))
        self.output = nn.Linear(width, width)

    def heads(self, x: Tensor) -> Tensor:
        """(..., L, D) -> (..., H, L, Dh)."""
        return x.unflatten(-1, (self.n_heads, -1)).transpose(-3, -2)

    def forward(self, x: Tensor) -> Tensor:
        """(B, L, D) -> the same shape."""
        length, width = x.shape[1:]
        q, k, v = (self.heads(part(x)) for part in (self.query, self.key, self.value))
        distances = torch.arange(length - 1, -length, -1, device=x.device)
        p = self.heads(self.distance(sinusoids(distances, width).to(x.dtype)))
        scale = q.shape[-1] ** -0.5
        bias = by_distance((q + self.v[:, None]) * scale @ p.transpose(-2, -1))
        mixed = self.attend(q + self.u[:, None], k, v, bias, self.dropout if self.training else 0.0)
        return self.output(mixed.transpose(1, 2).flatten(2))
