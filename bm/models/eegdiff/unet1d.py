"""Denoiser of waves: a U-Net over time with the building blocks of the published map denoiser."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional


def _norm(width: int, groups: int) -> nn.GroupNorm:
    """Build a group norm; widths that the groups do not divide get as many as divide both."""
    return nn.GroupNorm(math.gcd(groups, width), width, eps=1e-5)  # epsilon of diffusers


class TimeEmbedding(nn.Module):
    """Features [cos(t w), sin(t w)], w from 1 to 1/10000, through two linear layers.

    Cosines first, as the published map denoiser of diffusers has them.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.pairs = width // 2
        self.linear_1, self.linear_2 = nn.Linear(width, 4 * width), nn.Linear(4 * width, 4 * width)

    def forward(self, t: Tensor) -> Tensor:
        """Return vectors (B, 4 * width) of noise levels t (B,)."""
        index = torch.arange(self.pairs, device=t.device, dtype=torch.float32)
        angle = t.float()[:, None] * torch.exp(-math.log(10000.0) * index / self.pairs)
        waves = torch.cat([angle.cos(), angle.sin()], 1).to(self.linear_1.weight.dtype)
        return self.linear_2(functional.silu(self.linear_1(waves)))


class Residual(nn.Module):
    """Norm, SiLU, 3-tap convolution, twice, with the time vector in between.

    The vector is added before the second norm, as published, or scales and shifts what that norm
    gives (FiLM, Perez et al. 2018; adaptive norm of Dhariwal and Nichol 2021).
    """

    def __init__(
        self,
        inner: int,
        outer: int,
        vector: int,
        groups: int,
        dropout: float,
        scale_shift: bool = False,
    ) -> None:
        super().__init__()
        self.scale_shift = scale_shift
        self.norm1, self.conv1 = _norm(inner, groups), nn.Conv1d(inner, outer, 3, padding=1)
        self.time = nn.Linear(vector, 2 * outer if scale_shift else outer)
        self.norm2, self.conv2 = _norm(outer, groups), nn.Conv1d(outer, outer, 3, padding=1)
        self.dropout = nn.Dropout(dropout)
        self.shortcut = nn.Conv1d(inner, outer, 1) if inner != outer else nn.Identity()

    def forward(self, x: Tensor, vector: Tensor) -> Tensor:
        """Return (B, outer, T) of x (B, inner, T) and a vector (B, vector)."""
        h = self.conv1(functional.silu(self.norm1(x)))
        told = self.time(functional.silu(vector))[..., None]
        if self.scale_shift:
            scale, shift = told.chunk(2, 1)
            h = self.norm2(h) * (1 + scale) + shift
        else:
            h = self.norm2(h + told)
        return self.conv2(self.dropout(functional.silu(h))) + self.shortcut(x)


class Attention(nn.Module):
    """Attention over time to itself, or to text states, added to the input.

    Args:
        width: of the wave's features.
        head: size of a head.
        groups: of the norm.
        text: size of the text states; None = to itself.
    """

    def __init__(self, width: int, head: int, groups: int, text: int | None = None) -> None:
        super().__init__()
        self.heads = max(1, width // head)
        self.norm = _norm(width, groups)
        self.query = nn.Linear(width, width)
        self.key, self.value = (nn.Linear(text or width, width) for _ in range(2))
        self.out = nn.Linear(width, width)
        self.to_text = text is not None

    def forward(self, x: Tensor, text: Tensor | None, mask: Tensor | None) -> Tensor:
        """Return (B, width, T) of x (B, width, T), text (B, L, D) and its mask (B, L)."""
        states = self.norm(x).transpose(1, 2)
        source = text if self.to_text else states
        if source is None:
            raise ValueError("this network attends to text: Condition.text is missing")
        q, k, v = (
            f(s).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for f, s in ((self.query, states), (self.key, source), (self.value, source))
        )
        allowed = mask[:, None, None].bool() if self.to_text and mask is not None else None
        heads = functional.scaled_dot_product_attention(q, k, v, attn_mask=allowed)
        return x + self.out(heads.transpose(1, 2).flatten(2)).transpose(1, 2)


class Scale(nn.Module):
    """Residual blocks of one scale, each followed by its attentions."""

    def __init__(self, blocks: list[Residual], attentions: list[list[Attention]]) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(blocks)
        self.attentions = nn.ModuleList(nn.ModuleList(a) for a in attentions)

    def step(
        self, index: int, x: Tensor, vector: Tensor, text: Tensor | None, mask: Tensor | None
    ) -> Tensor:
        """Return x after one residual block and its attentions."""
        x = self.blocks[index](x, vector)
        for attention in self.attentions[index]:  # type: ignore[attr-defined,union-attr]
            x = attention(x, text, mask)
        return x


class UNet1d(nn.Module):
    """U-Net over time; waves of any length (upsampling goes to the length of the skip).

    Args:
        channels: EEG channels.
        block_out_channels: width of each scale; each but the last halves the length.
        layers_per_block: residual blocks per scale.
        attention_levels: lowest scales with attention.
        head: size of an attention head.
        groups: of the norms.
        dropout: in the residual blocks.
        cross_attention_dim: size of text states; None = no text.
        scale_shift: the time vector scales and shifts features, see `Residual`; else it is added.
        text_places: sample i is a word, and hears of token i + 1 at its place (the first token is
            the beginning). Attention alone does not know at which word it stands.
        place_gain: what comes out has a multiple of what went in besides, learned for each sample
            and shared by all channels. Where nothing is (behind the last word) all noise has to
            go, and a network narrower than its channels cannot carry it through itself.
    """

    def __init__(
        self,
        channels: int,
        block_out_channels: tuple[int, ...] = (128, 128, 256, 256, 512),
        layers_per_block: int = 2,
        attention_levels: int = 2,
        head: int = 32,
        groups: int = 32,
        dropout: float = 0.0,
        cross_attention_dim: int | None = None,
        scale_shift: bool = False,
        text_places: bool = False,
        place_gain: bool = False,
    ) -> None:
        super().__init__()
        if text_places and not cross_attention_dim:
            raise ValueError("text_places without cross_attention_dim: there is no text to place")
        widths, layers = tuple(block_out_channels), layers_per_block
        vector = 4 * widths[0]  # of the time embedding, as in diffusers
        self.layers = layers

        def scale(pairs: list[tuple[int, int]], attended: bool) -> Scale:
            blocks = [Residual(a, b, vector, groups, dropout, scale_shift) for a, b in pairs]
            kinds = [None, cross_attention_dim] if cross_attention_dim else [None]
            attentions = [
                [Attention(b, head, groups, k) for k in kinds] if attended else [] for _, b in pairs
            ]
            return Scale(blocks, attentions)

        # attention at the lowest scales alone: its cost grows with the square of the length
        lowest = [index >= len(widths) - attention_levels for index in range(len(widths))]
        inner = (widths[0], *widths[:-1])
        self.time_embedding = TimeEmbedding(widths[0])
        self.conv_in = nn.Conv1d(channels, widths[0], 3, padding=1)
        # without text_places no layer is drawn: seeds give the weights that they gave
        self.text_in = nn.Linear(cross_attention_dim or 1, widths[0]) if text_places else None
        self.down = nn.ModuleList(
            scale([(a, b)] + [(b, b)] * (layers - 1), low)
            for a, b, low in zip(inner, widths, lowest, strict=True)
        )
        self.shrink = nn.ModuleList(nn.Conv1d(w, w, 3, 2, padding=1) for w in widths[:-1])
        # two blocks, attention after each: diffusers has it between them alone
        self.mid = scale([(widths[-1], widths[-1])] * 2, True)
        self.up = nn.ModuleList(
            scale(up_pairs(widths, index, layers), lowest[index])
            for index in reversed(range(len(widths)))
        )
        self.grow = nn.ModuleList(nn.Conv1d(w, w, 3, padding=1) for w in reversed(widths[1:]))
        self.norm_out = _norm(widths[0], groups)
        self.conv_out = nn.Conv1d(widths[0], channels, 3, padding=1)
        self.gain_out = nn.Conv1d(widths[0], 1, 3, padding=1) if place_gain else None
        if self.gain_out is not None:
            for values in self.gain_out.parameters():
                nn.init.zeros_(values)

    def denoise(
        self, x: Tensor, t: Tensor, vector: Tensor | None, text: Tensor | None, mask: Tensor | None
    ) -> Tensor:
        """Return the prediction for x (B, C, T) at noise levels t (B,).

        Args:
            x: noisy waves.
            t: their levels.
            vector: (B, 4 * width) added to the time embedding, or None.
            text: (B, L, D) states, when the network attends to text.
            mask: (B, L) true at the tokens that count; None = all.
        """
        time = self.time_embedding(t)
        if vector is not None:
            time = time + vector
        noisy = x
        x = self.conv_in(x)
        if self.text_in is not None:
            x = x + self._placed(text, mask, x.shape[-1])
        skips = [x]  # as in diffusers: the first convolution, each block and each downsampling
        for index, scale in enumerate(self.down):
            for layer in range(self.layers):
                x = scale.step(layer, x, time, text, mask)  # type: ignore[operator]
                skips.append(x)
            if index < len(self.shrink):
                x = self.shrink[index](x)
                skips.append(x)
        for layer in range(2):
            x = self.mid.step(layer, x, time, text, mask)
        for index, scale in enumerate(self.up):
            for layer in range(self.layers + 1):
                x = torch.cat([x, skips.pop()], 1)
                x = scale.step(layer, x, time, text, mask)  # type: ignore[operator]
            if index < len(self.grow):
                # to the length of the skip, not twice: an odd length was rounded up on the way down
                x = self.grow[index](functional.interpolate(x, skips[-1].shape[-1]))
        features = functional.silu(self.norm_out(x))
        out: Tensor = self.conv_out(features)
        return out if self.gain_out is None else out + self.gain_out(features) * noisy

    def _placed(self, text: Tensor | None, mask: Tensor | None, length: int) -> Tensor:
        """Return features (B, width, length) of the token of each word."""
        if text is None or self.text_in is None:
            raise ValueError("this network places text: Condition.text is missing")
        states = text if mask is None else text * mask[..., None]
        # places behind the last token hear what an empty text says
        states = functional.pad(
            states[:, 1 : length + 1], (0, 0, 0, max(0, length + 1 - text.shape[1]))
        )
        placed: Tensor = self.text_in(states)
        return placed.transpose(1, 2)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        """Return the prediction for x (B, C, T) at noise levels t (B,) without any condition."""
        return self.denoise(x, t, None, None, None)


def up_pairs(widths: tuple[int, ...], index: int, layers: int) -> list[tuple[int, int]]:
    """Return input and output widths of the residual blocks on the way up at scale `index`.

    The inputs are those of the way down in reverse: the blocks of the scale, then what came in
    (the downsampled wave of the scale above, or the first convolution).
    """
    width, above = widths[index], widths[max(0, index - 1)]
    below = widths[min(len(widths) - 1, index + 1)]
    skips = [width] * layers + [above]
    before = [below] + [width] * layers
    return [(a + b, width) for a, b in zip(before, skips, strict=True)]
