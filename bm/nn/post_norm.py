"""Transformer blocks with norms after the residuals, as in Du-IN (Zheng et al., NeurIPS 2024).

    x = LN(x + Attention(x));  x = LN(x + FFN(x))

Heads may be wider than their share of a token (8 heads of 64 on tokens of 160), and queries and
keys are normalised within each head.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from .transformer import SwitchableAttention, truncated_normal


@dataclass(frozen=True)
class PostNormOptions:
    """What the blocks of one stack have in common.

    Attributes:
        depth: blocks.
        n_heads: H.
        head_width: Dh; H Dh need not be D.
        ff_width: hidden width of the feed-forward layers.
        dropout: of the attention weights and of the hidden feed-forward values.
        norm_first: x = LN(x); x = x + Attention(x): the residual starts from the normalised x,
            which is not the usual pre-norm (as published).
        residual_scores: each block adds the scores of the block before to its own, before the
            softmax; the sum accumulates through the stack.
        start_gain: g of first weights of standard deviation g / sqrt(inputs); None = 0.02 for any
            width, as published. In narrow tokens 0.02 is next to nothing: a masked model of width
            32 does not move for hundreds of steps.
    """

    depth: int = 8
    n_heads: int = 8
    head_width: int = 64
    ff_width: int = 320
    dropout: float = 0.2
    norm_first: bool = False
    residual_scores: bool = False
    start_gain: float | None = None


def hidden_pairs(mask: Tensor | None, padding: Tensor | None) -> Tensor | None:
    """Merge masks of queries and keys into one that broadcasts to (B, H, L, L), true = hidden.

    Args:
        mask: (L, L) or (B, L, L) bool, queries first, true = may not look.
        padding: (B, L) bool, true = nobody may look at it.
    """
    merged = None
    if mask is not None:
        merged = mask if mask.ndim == 2 else mask[:, None]
    if padding is not None:
        keys = padding[:, None, None]
        merged = keys if merged is None else merged | keys
    return merged


class WideAttention(SwitchableAttention):
    """Self-attention whose H heads of width Dh need not share the width of the tokens.

    Args:
        width: D.
        o: options of the blocks.
    """

    scale: Tensor

    def __init__(self, width: int, o: PostNormOptions) -> None:
        super().__init__()
        self.n_heads, self.dropout, self.residual_scores = o.n_heads, o.dropout, o.residual_scores
        inner = o.n_heads * o.head_width
        self.query, self.key, self.value = (nn.Linear(width, inner) for _ in range(3))
        self.query_norm, self.key_norm = nn.LayerNorm(o.head_width), nn.LayerNorm(o.head_width)
        self.register_buffer("scale", torch.tensor(o.head_width**-0.5))
        self.proj = nn.Linear(inner, width)

    def heads(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Compute scaled queries, keys and values (B, H, L, Dh) of tokens (B, L, D).

        The three maps are one product of joined weights: with heads wider than the tokens the
        copy of the weights is 1 MB against 2 GFLOP at the published batch.
        """
        parts = self.query, self.key, self.value
        if all(type(part) is nn.Linear for part in parts):
            weight = torch.cat([part.weight for part in parts])
            joined = functional.linear(x, weight, torch.cat([part.bias for part in parts]))
        else:  # an adapted layer computes more than the product with its weight
            joined = torch.cat([part(x) for part in parts], -1)
        q, k, v = joined.unflatten(-1, (3, self.n_heads, -1)).unbind(2)  # (B, L, H, Dh)
        q, k = (self.query_norm(q) * self.scale).to(v.dtype), self.key_norm(k).to(v.dtype)
        return q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)

    def forward(
        self, x: Tensor, earlier: Tensor | None = None, hidden: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """Attend from all tokens (B, L, D) to all.

        Args:
            x: tokens.
            earlier: scores (B, H, L, L) of the block before, with `residual_scores`.
            hidden: bool that broadcasts to (B, H, L, L), see `hidden_pairs`.

        Returns:
            (B, L, D), and with `residual_scores` the scores (B, H, L, L) before the masks.
        """
        q, k, v = self.heads(x)
        p, scores = self.dropout if self.training else 0.0, None
        if self.residual_scores:
            scores = q @ k.transpose(-2, -1)
            scores = scores if earlier is None else scores + earlier
            masked = scores if hidden is None else scores.masked_fill(hidden, -math.inf)
            mixed = functional.dropout(masked.softmax(-1), p) @ v
        else:
            bias = None if hidden is None else q.new_zeros(hidden.shape)
            bias = bias if bias is None else bias.masked_fill(hidden, -math.inf)  # type: ignore[arg-type]
            mixed = self.attend(q, k, v, bias, p, scale=1.0)
        return self.proj(mixed.transpose(1, 2).flatten(2)), scores


class FeedForward(nn.Module):
    """Linear, ReLU, dropout, linear."""

    def __init__(self, width: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(width, hidden), nn.Linear(hidden, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(..., D) -> the same shape."""
        return self.fc2(self.dropout(functional.relu(self.fc1(x))))


class PostNormBlock(nn.Module):
    """One block."""

    def __init__(self, width: int, o: PostNormOptions) -> None:
        super().__init__()
        self.norm_first = o.norm_first
        self.attention = WideAttention(width, o)
        self.attention_norm = nn.LayerNorm(width)
        self.feed_forward = FeedForward(width, o.ff_width, o.dropout)
        self.feed_forward_norm = nn.LayerNorm(width)

    def forward(
        self, x: Tensor, earlier: Tensor | None = None, hidden: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """Transform tokens (B, L, D); arguments and scores as in `WideAttention`."""
        if self.norm_first:
            x = self.attention_norm(x)
            mixed, scores = self.attention(x, earlier, hidden)
            x = self.feed_forward_norm(x + mixed)
            return x + self.feed_forward(x), scores
        mixed, scores = self.attention(x, earlier, hidden)
        x = self.attention_norm(x + mixed)
        return self.feed_forward_norm(x + self.feed_forward(x)), scores


class PostNormBlocks(nn.ModuleList):
    """A stack of blocks; there is no norm behind the last.

    Args:
        width: D.
        o: options of the blocks.
    """

    def __init__(self, width: int, o: PostNormOptions) -> None:
        super().__init__(PostNormBlock(width, o) for _ in range(o.depth))
        start_post_norm(self, o.start_gain)

    def forward(
        self,
        x: Tensor,
        mask: Tensor | None = None,
        padding: Tensor | None = None,
        layer: int | None = None,
    ) -> Tensor:
        """Transform tokens (B, L, D).

        Args:
            x: tokens.
            mask: (L, L) or (B, L, L) bool, true = may not look.
            padding: (B, L) bool, true = nobody may look at it.
            layer: blocks to go through; None = all.
        """
        hidden, scores = hidden_pairs(mask, padding), None
        for block in list(self)[:layer]:
            x, scores = block(x, scores, hidden)
        return x


@torch.no_grad()
def start_linear(module: nn.Module, gain: float | None = None) -> None:
    """Draw the weights of all linear layers from a normal; their biases are 0.

    Args:
        module: whose layers.
        gain: g of a standard deviation of g / sqrt(inputs); None = 0.02.
    """
    for part in module.modules():
        if isinstance(part, nn.Linear):
            if gain is None:
                truncated_normal(part.weight)
            else:
                part.weight.normal_(0, gain * part.in_features**-0.5)
            if part.bias is not None:
                nn.init.zeros_(part.bias)


@torch.no_grad()
def start_post_norm(blocks: nn.ModuleList, gain: float | None = None) -> None:
    """Draw first values; all linear weights of block i, from 1, are divided by sqrt(2 i).

    Args:
        blocks: of one stack.
        gain: of `start_linear`.
    """
    for number, block in enumerate(blocks, 1):
        start_linear(block, gain)
        for part in block.modules():
            if isinstance(part, nn.Linear):
                part.weight /= math.sqrt(2 * number)
