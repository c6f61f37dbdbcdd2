"""Transformer blocks as published for LaBraM (pre-norm, after BEiT; Jiang et al., ICLR 2024).

x = x + DropPath(gamma_1 * Attention(LN(x)));  x = x + DropPath(gamma_2 * MLP(LN(x)))
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from .roles import CountedExplicitly

EPS = 1e-6  # of every layer norm, as published


@dataclass(frozen=True)
class BlockOptions:
    """Options that all blocks of one network share.

    Attributes:
        width: D.
        n_heads: H; D must be divisible by it.
        mlp_ratio: hidden width of the MLP over D.
        qkv_bias: learned biases of queries and values; that of the keys would cancel out.
        qk_norm: layer norms over the width of a head for queries and keys.
        layer_scale: first value of gamma; 0 = none.
        dropout: after the projection and the MLP.
        attention_dropout: of the attention weights.
        eps: of the layer norms.
        relative: learned bias of the attention by the distance of tokens, one table per block.
    """

    width: int
    n_heads: int
    mlp_ratio: float = 4.0
    qkv_bias: bool = False
    qk_norm: bool = True
    layer_scale: float = 0.1
    dropout: float = 0.0
    attention_dropout: float = 0.0
    eps: float = EPS
    relative: bool = False


class DropPath(nn.Module):
    """Branch left out for whole items in training; survivors are divided by 1 - p.

    Stochastic depth (Huang et al., 2016).
    """

    def __init__(self, p: float = 0.0) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        """Return the branch x (B, ...), zero for the items that are left out."""
        factor = self.factor(x)
        return x if factor is None else x * factor

    def factor(self, x: Tensor) -> Tensor | None:
        """Draw the factor (B, 1, ...) of each item of x (B, ...): 0 or 1 / (1 - p); None = 1."""
        if self.p == 0.0 or not self.training:
            return None
        keep = x.new_empty(len(x), *[1] * (x.ndim - 1)).bernoulli_(1 - self.p)
        return keep / (1 - self.p)

    def extra_repr(self) -> str:
        """Return the probability, for print(model)."""
        return f"p={self.p}"


def explicit_attention(
    q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None, p: float, scale: float | None = None
) -> Tensor:
    """Return softmax(scale q k^T + bias) v by single products instead of the fused kernel.

    The scale is 1 / sqrt(Dh) unless given.
    """
    weights = (q * (q.shape[-1] ** -0.5 if scale is None else scale)) @ k.transpose(-2, -1)
    weights = (weights if bias is None else weights + bias).softmax(-1)
    return functional.dropout(weights, p) @ v


class SwitchableAttention(CountedExplicitly):
    """Attention by the fused kernel or in single products.

    Attributes:
        explicit: single products instead of the fused kernel (to count operations, and to compare);
            None: only for bfloat16 on a CPU, where the fused kernel is 1.15 to 1.5 times slower
            with these narrow heads (measured on two processors, with and without such units).
    """

    def attend(
        self,
        q: Tensor,
        k: Tensor,
        v: Tensor,
        bias: Tensor | None,
        p: float,
        scale: float | None = None,
    ) -> Tensor:
        """Return softmax(scale q k^T + bias) v of (B, H, L, Dh), with dropout p of the weights."""
        narrow = v.dtype == torch.bfloat16 and v.device.type == "cpu"
        if narrow if self.explicit is None else self.explicit:
            return explicit_attention(q, k, v, bias, p, scale)
        return functional.scaled_dot_product_attention(q, k, v, bias, p, scale=scale)


class Attention(SwitchableAttention):
    """Self-attention of all tokens to all.

    Args:
        o: options of the blocks.
    """

    def __init__(self, o: BlockOptions) -> None:
        super().__init__()
        self.n_heads, self.dropout = o.n_heads, o.attention_dropout
        head = o.width // o.n_heads
        # one matrix for queries, keys and values: the names and shapes of the published weights
        self.qkv = nn.Linear(o.width, 3 * o.width, bias=False)
        self.q_bias = nn.Parameter(torch.zeros(o.width)) if o.qkv_bias else None
        self.v_bias = nn.Parameter(torch.zeros(o.width)) if o.qkv_bias else None
        self.q_norm = nn.LayerNorm(head, o.eps) if o.qk_norm else nn.Identity()
        self.k_norm = nn.LayerNorm(head, o.eps) if o.qk_norm else nn.Identity()
        self.proj = nn.Linear(o.width, o.width)
        self.proj_dropout = nn.Dropout(o.dropout)
        self.relative = RelativePositions(o.n_heads) if o.relative else None

    def forward(self, x: Tensor, shape: tuple[int, int], bias: Tensor | None = None) -> Tensor:
        """Return the tokens (B, 1 + L, D), one class token and C * A others, after attention.

        Args:
            x: tokens.
            shape: C and A.
            bias: (H, 1 + L, 1 + L) added to the attention before the softmax.
        """
        bias = bias if self.relative is None else self.relative(shape)
        n_items, length, width = x.shape
        three = self._three(x)
        q, k, v = three.view(n_items, length, 3, self.n_heads, -1).unbind(2)  # (B, N, H, Dh)
        # norms before heads are moved: half the copies, 6 % of a step in attention
        q, k = self.q_norm(q).to(v.dtype), self.k_norm(k).to(v.dtype)
        q, k, v = q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)
        bias = None if bias is None else bias.to(v.dtype)
        p = self.dropout if self.training else 0.0
        heads = self.attend(q, k, v, bias, p)
        joined = heads.transpose(1, 2).reshape(n_items, length, width)
        return self.proj_dropout(self.proj(joined))

    def _three(self, x: Tensor) -> Tensor:
        """Return queries, keys and values (B, L, 3 D) of tokens (B, L, D)."""
        bias = self._bias()
        if type(self.qkv) is nn.Linear:
            return functional.linear(x, self.qkv.weight, bias)
        # an adapted layer computes more than the product with its weight
        three: Tensor = self.qkv(x)
        return three if bias is None else three + bias

    def _bias(self) -> Tensor | None:
        """Return the bias (3 D,) of queries, keys (zero: it cancels out) and values."""
        if self.q_bias is None or self.v_bias is None:
            return None
        return torch.cat([self.q_bias, torch.zeros_like(self.q_bias), self.v_bias])


class MLP(nn.Module):
    """Linear, GELU, linear, dropout."""

    def __init__(self, width: int, hidden: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(width, hidden), nn.Linear(hidden, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Return the tokens (..., D) after both layers."""
        return self.dropout(self.fc2(functional.gelu(self.fc1(x))))


class Block(nn.Module):
    """Pre-norm block of attention and MLP, each with layer scale and stochastic depth.

    Args:
        o: options of all blocks.
        drop_path: probability that an item skips a branch.
    """

    def __init__(self, o: BlockOptions, drop_path: float = 0.0) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(o.width, o.eps), nn.LayerNorm(o.width, o.eps)
        self.attn, self.mlp = Attention(o), MLP(o.width, int(o.mlp_ratio * o.width), o.dropout)
        self.drop_path = DropPath(drop_path)
        scaled = o.layer_scale > 0
        self.gamma_1 = nn.Parameter(torch.full((o.width,), o.layer_scale)) if scaled else None
        self.gamma_2 = nn.Parameter(torch.full((o.width,), o.layer_scale)) if scaled else None

    def forward(self, x: Tensor, shape: tuple[int, int], bias: Tensor | None = None) -> Tensor:
        """Return the tokens (B, 1 + C * A, D) after the block; see `Attention`."""
        x = self._add(x, self.attn(self.norm1(x), shape, bias), self.gamma_1)
        return self._add(x, self.mlp(self.norm2(x)), self.gamma_2)

    def _add(self, x: Tensor, branch: Tensor, gamma: Tensor | None) -> Tensor:
        """Return x + DropPath(gamma * branch), with both factors in one pass over the branch."""
        if gamma is None:
            return x + self.drop_path(branch)
        factor = self.drop_path.factor(x)
        return torch.addcmul(x, branch, gamma if factor is None else gamma * factor)


class Blocks(nn.ModuleList):
    """A stack of blocks; the probability of drop path grows linearly from 0 to `drop_path`."""

    def __init__(self, o: BlockOptions, depth: int, drop_path: float = 0.0) -> None:
        last = max(1, depth - 1)  # one block alone: rate 0
        super().__init__(Block(o, drop_path * number / last) for number in range(depth))


class RelativePositions(nn.Module):
    """Learned bias of the attention by the distance of two tokens, per head (as in BEiT).

    Tokens are one class token and C channels of A patches. Channels are at their place in the
    list, so their distance means something only where the order of the channels does.

    Args:
        n_heads: H.
        max_channels, max_patches: farther apart than these counts as the farthest.
    """

    def __init__(self, n_heads: int, max_channels: int = 128, max_patches: int = 16) -> None:
        super().__init__()
        self.spans = 2 * max_channels - 1, 2 * max_patches - 1
        # distances, then class to token, token to class, class to class
        self.table = nn.Parameter(torch.zeros(math.prod(self.spans) + 3, n_heads))

    def rows(self, shape: tuple[int, int]) -> Tensor:
        """Return the row of the table for each pair of 1 + C * A tokens; queries first."""
        device = self.table.device
        numbers = torch.arange(shape[0] * shape[1], device=device)
        rows = torch.zeros(len(numbers), len(numbers), dtype=torch.long, device=device)
        for at, span in zip((numbers // shape[1], numbers % shape[1]), self.spans, strict=True):
            distance = (at[:, None] - at[None]).clamp(-(span // 2), span // 2) + span // 2
            rows = rows * span + distance
        whole = functional.pad(rows, (1, 0, 1, 0))
        n = math.prod(self.spans)
        whole[0, :], whole[:, 0], whole[0, 0] = n, n + 1, n + 2
        return whole

    def forward(self, shape: tuple[int, int]) -> Tensor:
        """Return the bias (H, 1 + C * A, 1 + C * A) for C channels of A patches."""
        return self.table[self.rows(shape)].permute(2, 0, 1)


@torch.no_grad()
def truncated_normal(tensor: Tensor, std: float = 0.02, cut: float = 2.0) -> Tensor:
    """Fill with a normal of `std` cut at ±`cut`, both absolute (published: 0.02 and 2)."""
    return nn.init.trunc_normal_(tensor, std=std, a=-cut, b=cut)


@torch.no_grad()
def start_transformer(model: nn.Module, cut: float = 2.0, convolutions: bool = False) -> None:
    """Draw first values of linear layers and layer norms, and scale the blocks by depth.

    In block l, from 1, the weights that write into the residual path are divided by sqrt(2 l).

    Args:
        model: changed in place.
        cut: see `truncated_normal`.
        convolutions: their weights likewise; else they keep torch's.
    """
    for module in model.modules():
        linear = isinstance(module, nn.Linear)
        if linear or (convolutions and isinstance(module, nn.Conv2d)):
            truncated_normal(module.weight, cut=cut)  # type: ignore[arg-type]
            if module.bias is not None:
                module.bias.zero_()  # type: ignore[operator]
    for module in model.modules():
        if isinstance(module, Blocks):
            for number, block in enumerate(module, 1):
                assert isinstance(block, Block)
                block.attn.proj.weight /= math.sqrt(2 * number)
                block.mlp.fc2.weight /= math.sqrt(2 * number)
