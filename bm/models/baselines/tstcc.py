"""TS-TCC: convolutions, pre-trained to predict the future of another view of the same window.

Eldele et al. (IJCAI 2021), with the sizes of Du-IN's comparison (2024).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...errors import UserError
from ...nn.heads import LinearHead
from ...nn.padding import PaddedConv1d
from .. import MODELS
from ..contract import Loadable, SelfSupervised
from ..transfer import without_foreign_head


@dataclass(frozen=True)
class ConvolutionOptions:
    """Blocks of convolution without bias, batch norm, ReLU, max-pool, dropout; lists by block."""

    filters: tuple[int, ...] = (32, 64, 128)
    kernels: tuple[int, ...] = (25, 8, 8)
    strides: tuple[int, ...] = (1, 1, 1)
    pools: tuple[int, ...] = (10, 2, 2)
    pool_strides: tuple[int, ...] = (10, 2, 2)
    dropouts: tuple[float, ...] = (0.35, 0.0, 0.0)


class ConvolutionEncoder(nn.Module):
    """Tokens (B, L, D) of signals (B, C, T).

    Args:
        n_channels: C.
        o: options of the blocks.
    """

    def __init__(self, n_channels: int, o: ConvolutionOptions) -> None:
        super().__init__()
        inner, blocks = n_channels, list[nn.Module]()
        for i, outer in enumerate(o.filters):
            conv = PaddedConv1d(inner, outer, o.kernels[i], o.strides[i], bias=False)
            pool = nn.MaxPool1d(o.pools[i], o.pool_strides[i])
            layers = conv, nn.BatchNorm1d(outer), nn.ReLU(), pool, nn.Dropout(o.dropouts[i])
            blocks.append(nn.Sequential(*layers))
            inner = outer
        self.blocks = nn.Sequential(*blocks)
        self.pools = tuple(zip(o.pools, o.pool_strides, strict=True))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T) -> (B, L, D)."""
        return self.blocks(x).transpose(1, 2)

    def length(self, n_times: int) -> int:
        """Tokens of windows of so many samples."""
        for block, (size, step) in zip(self.blocks, self.pools, strict=True):
            conv = next(block.children())
            assert isinstance(conv, PaddedConv1d)
            n_times = (conv.length(n_times) - size) // step + 1
        return n_times


@MODELS.register("tstcc")
class TSTCC(Loadable):
    """Classifier, published for words in sEEG at 400 Hz with the plain cross entropy.

    Args:
        n_channels: C.
        n_times: T, samples of a window.
        n_outputs: classes.
        filters, kernels, strides, pools, pool_strides, dropouts: of `ConvolutionOptions`.
        hidden: widths of hidden layers of the head.
    """

    may_be_missing = ("head.",)  # of pre-training weights
    may_be_unexpected = ("head.", "context.", "maps.", "projection.")

    def __init__(
        self,
        n_channels: int,
        n_times: int,
        n_outputs: int,
        filters: Sequence[int] = (32, 64, 128),
        kernels: Sequence[int] = (25, 8, 8),
        strides: Sequence[int] = (1, 1, 1),
        pools: Sequence[int] = (10, 2, 2),
        pool_strides: Sequence[int] = (10, 2, 2),
        dropouts: Sequence[float] = (0.35, 0.0, 0.0),
        hidden: Sequence[int] = (),
    ) -> None:
        super().__init__()
        lists = (filters, kernels, strides, pools, pool_strides, dropouts)
        options = ConvolutionOptions(*map(tuple, lists))  # type: ignore[arg-type]
        self.encoder = ConvolutionEncoder(n_channels, options)
        length = self.encoder.length(n_times)
        if length < 1:
            raise UserError(f"windows of {n_times} samples are too short for model tstcc")
        self.head = LinearHead(filters[-1] * length, n_outputs, hidden, rectified=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T) float32 -> logits (B, n_outputs)."""
        return self.head(self.encoder(x).flatten(1))

    def adapt_weights(self, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """Weights of pre-training or of another classifier; a head of other sizes is left out."""
        return without_foreign_head(state, self.state_dict(), ("context.",))


# views --------------------------------------------------------------------------------------

SCALE_MEAN, SCALE_SD, NOISE_SD, MAX_SEGMENTS = 2.0, 0.001, 0.001, 9  # published


def scaled_view(x: Tensor) -> Tensor:
    """Weak view of (B, C, T): every time point times a factor of its own, N(2, 0.001)."""
    factors = SCALE_MEAN + SCALE_SD * torch.randn(len(x), 1, x.shape[-1], device=x.device)
    return x * factors


def permuted_view(x: Tensor) -> Tensor:
    """Strong view of (B, C, T): up to 9 segments of each window in a random order, plus noise.

    The order is the same for all channels of a window, and every channel keeps its own signal; the
    comparison's code copied the first channel into all.
    """
    n_times = x.shape[-1]
    views = []
    for window in x:
        count = int(torch.randint(1, MAX_SEGMENTS + 1, ()))
        cuts = (torch.randperm(n_times - 1)[: count - 1] + 1).sort().values.tolist()
        segments = window.tensor_split(cuts, -1)
        order = torch.randperm(len(segments)).tolist()
        views.append(torch.cat([segments[i] for i in order], -1))
    permuted = torch.stack(views)
    return permuted + NOISE_SD * torch.randn_like(permuted)


# pre-training -------------------------------------------------------------------------------


class ContextBlock(nn.Module):
    """Pre-norm block whose attention is scaled by the full width, as published."""

    def __init__(self, width: int, n_heads: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.attention_norm, self.norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.output = nn.Linear(width, 3 * width, bias=False), nn.Linear(width, width)
        self.fc1, self.fc2 = nn.Linear(width, hidden), nn.Linear(hidden, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(B, L, D) -> the same shape."""
        joined = self.qkv(self.attention_norm(x)).unflatten(-1, (3, self.n_heads, -1))
        q, k, v = joined.permute(2, 0, 3, 1, 4)  # (B, H, L, Dh)
        mixed = functional.scaled_dot_product_attention(q, k, v, scale=x.shape[-1] ** -0.5)
        x = x + self.dropout(self.output(mixed.transpose(1, 2).flatten(2)))
        hidden = self.dropout(functional.relu(self.fc1(self.norm(x))))
        return x + self.dropout(self.fc2(hidden))


class Context(nn.Module):
    """What a class token has seen of some tokens.

    Args:
        inner: width of the tokens.
        width, depth, n_heads, hidden, dropout: of the transformer, which knows no positions.
    """

    def __init__(
        self,
        inner: int,
        width: int = 64,
        depth: int = 4,
        n_heads: int = 4,
        hidden: int = 64,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.width = width
        self.token = nn.Parameter(torch.randn(1, 1, width))
        self.input = nn.Linear(inner, width)
        blocks = [ContextBlock(width, n_heads, hidden, dropout) for _ in range(depth)]
        self.blocks = nn.Sequential(*blocks)

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, L, inner) -> (B, width)."""
        x = torch.cat([self.token.expand(len(tokens), -1, -1), self.input(tokens)], 1)
        return self.blocks(x)[:, 0]


def nt_xent(a: Tensor, b: Tensor, temperature: float) -> Tensor:
    """Contrast of both views (B, D) of each window with all others, mean over 2 B rows."""
    both = functional.normalize(torch.cat([a, b]), dim=1)
    scores = (both @ both.T / temperature).fill_diagonal_(-torch.inf)
    partners = torch.arange(len(both), device=both.device).roll(len(a))
    return functional.cross_entropy(scores, partners)


@MODELS.register("tstcc_contrast")
class TSTCCContrast(SelfSupervised):
    """Pre-training: temporal and contextual contrast of a weak and a strong view.

    Args:
        n_channels: C.
        n_times: T, samples of a window.
        filters, kernels, strides, pools, pool_strides, dropouts: of `ConvolutionOptions`.
        steps: future tokens that are predicted.
        context: width of the context.
        projection: width in which contexts are contrasted.
        contextual_scale, temperature: of the contextual loss.
    """

    def __init__(
        self,
        n_channels: int,
        n_times: int,
        filters: Sequence[int] = (32, 64, 128),
        kernels: Sequence[int] = (25, 8, 8),
        strides: Sequence[int] = (1, 1, 1),
        pools: Sequence[int] = (10, 2, 2),
        pool_strides: Sequence[int] = (10, 2, 2),
        dropouts: Sequence[float] = (0.35, 0.0, 0.0),
        steps: int = 20,
        context: int = 64,
        projection: int = 32,
        contextual_scale: float = 0.7,
        temperature: float = 0.2,
    ) -> None:
        super().__init__()
        lists = (filters, kernels, strides, pools, pool_strides, dropouts)
        options = ConvolutionOptions(*map(tuple, lists))  # type: ignore[arg-type]
        self.steps, self.scale, self.temperature = steps, contextual_scale, temperature
        self.encoder = ConvolutionEncoder(n_channels, options)
        length = self.encoder.length(n_times)
        if length <= steps:
            raise UserError(
                f"model.steps={steps}: windows of {n_times} samples have {length} tokens; steps "
                "must be fewer"
            )
        self.context = Context(filters[-1], context)
        self.maps = nn.ModuleList(nn.Linear(context, filters[-1]) for _ in range(steps))
        self.projection = nn.Sequential(
            nn.Linear(context, context),
            nn.BatchNorm1d(context),
            nn.ReLU(),
            nn.Linear(context, projection),
        )

    def predict(self, past: Tensor, future: Tensor, last: int) -> tuple[Tensor, Tensor]:
        """Predict tokens after `last` of one view from those up to it of another.

        Args:
            past, future: tokens (B, L, D) of both views of B windows.
            last: place of the last token that is seen.

        Returns:
            the loss, minus the mean log probability of a window's own future among those of the
            batch, and the context (B, D').
        """
        context = self.context(past[:, : last + 1])
        targets = future[:, last + 1 : last + 1 + self.steps]
        predicted = torch.stack([m(context) for m in self.maps], 1)
        scores = torch.einsum("akd,bkd->kab", targets, predicted)
        diagonal = torch.arange(len(past), device=past.device).expand(self.steps, -1)
        return functional.cross_entropy(scores.transpose(1, 2), diagonal), context

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """`loss` and its parts `temporal` and `contextual` of windows (B, C, T)."""
        weak, strong = self.encoder(scaled_view(x)), self.encoder(permuted_view(x))
        last = int(torch.randint(weak.shape[1] - self.steps, ()))
        losses, contexts = zip(
            self.predict(weak, strong, last), self.predict(strong, weak, last), strict=True
        )
        temporal = torch.stack(losses).sum()
        a, b = (self.projection(context) for context in contexts)
        contextual = nt_xent(a, b, self.temperature)
        loss = temporal + self.scale * contextual
        return {"loss": loss, "temporal": temporal, "contextual": contextual}

    def self_losses(self, x: Tensor) -> dict[str, Tensor]:
        """Return what `forward` returns, beside the losses of even guesses among the windows."""
        temporal = 2 * math.log(len(x))  # both directions
        contextual = math.log(max(1, 2 * len(x) - 1))
        parts = {"loss": temporal + self.scale * contextual, "temporal": temporal,
                 "contextual": contextual}  # fmt: skip
        chance = {f"chance_{name}": x.new_tensor(value) for name, value in parts.items()}
        return {**self(x), **chance}
