"""LaBraM's backbone: tokens of a window, their embeddings in space and time, and the blocks.

Jiang et al. (2024), section 2.1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ...errors import UserError
from ...nn.electrode_rows import ELECTRODES, ElectrodeRows
from ...nn.electrodes import N_ROWS, NAMES, position_row
from ...nn.patches import CodeEmbedding, TemporalConv, embedding_width
from ...nn.transformer import (
    EPS,
    BlockOptions,
    Blocks,
    RelativePositions,
    start_transformer,
    truncated_normal,
)
from ...registry import check_arguments, check_known
from ..contract import POOLS

MAX_PATCHES = 16  # rows of the time embedding, as published
AMPLITUDE_UV = 100.0  # the published loops divide microvolts by 100
RELATIVE = ("none", "shared", "blocks")
CLASS_ROWS = ("own", "electrode")  # see `Backbone.class_row`
POOLINGS = ("mean", "class")
LEARNED = "electrodes."  # tensors of `ElectrodeRows`, which weights of other settings lack


#: Arguments that the model gives its backbone, so that no section of the configuration has them.
OF_MODEL = ("channel_names", "class_row", "electrodes", "geodesic_net")


def table_rows(channels: Sequence[str] | None) -> Tensor:
    """Return the row (C,) of each channel in the spatial embedding; None = the 128 names."""
    names = NAMES[: N_ROWS - 1] if channels is None else channels
    return torch.tensor([position_row(name) for name in names])


class Backbone(nn.Module):
    """Class token and patch tokens, plus embeddings of channel name and time, through the blocks.

    Args:
        width: D.
        depth: blocks.
        n_heads: H.
        n_filters: F of the temporal convolutions.
        patch_samples: P.
        code_width: when given, inputs are code vectors of this width instead of signal.
        channel_names: names that `channel_ids` index; None = the published list of 128.
        mlp_ratio, qkv_bias, qk_norm, layer_scale, attention_dropout, eps: see `BlockOptions`.
        dropout: of the tokens, the projections and the MLPs.
        drop_path: probability at the last block, growing linearly from 0.
        positions: learned embedding of the channel's name; without it any channels will do.
        relative: learned bias by distance: none, shared (one table), blocks (one per block).
        class_row: row of the spatial embedding added to the class token: `own` is row 0,
            `electrode` that of the first channel (the published pre-training does this).
        electrodes: what a channel without a row of its own gets: `exact` refuses it, as published;
            see `ElectrodeRows` for `nearest` and `interpolate`.
        geodesic_net: of names `E<number>`; None = the smallest net that has them all.
        row_samples: samples between two rows of the time embedding: rows of shorter patches are
            interpolated. Where `width` is that of patches of `row_samples`, as with published
            weights, shorter ones are filled up with zeros. None = a row per patch.

    Attributes:
        max_patches: as many as the time embedding has rows for.
    """

    rows: Tensor

    def __init__(
        self,
        width: int = 200,
        depth: int = 12,
        n_heads: int = 10,
        n_filters: int = 8,
        patch_samples: int = 200,
        code_width: int | None = None,
        channel_names: Sequence[str] | None = None,
        mlp_ratio: float = 4.0,
        qkv_bias: bool = False,
        qk_norm: bool = True,
        layer_scale: float = 0.1,
        dropout: float = 0.0,
        attention_dropout: float = 0.0,
        drop_path: float = 0.0,
        eps: float = EPS,
        positions: bool = True,
        relative: str = "none",
        class_row: str = "own",
        electrodes: str = "exact",
        geodesic_net: int | None = None,
        row_samples: int | None = None,
    ) -> None:
        super().__init__()
        check_known("relative", relative, RELATIVE)
        check_known("class_row", class_row, CLASS_ROWS)
        check_known("model.electrodes", electrodes, ELECTRODES)
        self.width, self.depth, self.class_row = width, depth, class_row
        self.patch_samples, self.code_width = patch_samples, code_width
        self.row_samples = patch_samples if row_samples is None else row_samples
        self.max_patches = (MAX_PATCHES - 1) * self.row_samples // patch_samples + 1
        self.padding = 0
        self.patch_embed = self._patch_embedding(n_filters)
        o = self._options(n_heads, mlp_ratio, qkv_bias, qk_norm, layer_scale)
        o |= {"dropout": dropout, "attention_dropout": attention_dropout, "eps": eps}
        self.blocks = Blocks(BlockOptions(**o, relative=relative == "blocks"), depth, drop_path)
        self.relative = RelativePositions(n_heads) if relative == "shared" else None
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(torch.zeros(1, N_ROWS, width)) if positions else None
        self.time_embed = nn.Parameter(torch.zeros(1, MAX_PATCHES, width))
        self.token_dropout = nn.Dropout(dropout)
        names = NAMES[: N_ROWS - 1] if channel_names is None else channel_names
        inferred = positions and electrodes != "exact"
        self.electrodes = ElectrodeRows(names, electrodes, geodesic_net) if inferred else None
        exact = positions and not inferred
        rows = table_rows(names) if exact else torch.zeros(0, dtype=torch.long)
        # not saved: rows follow the channel names, which change with the data
        self.register_buffer("rows", rows, persistent=False)
        self.named_channels = positions

    def _patch_embedding(self, n_filters: int) -> nn.Module:
        """Build the embedding of patches, or of code vectors."""
        if self.code_width is not None:
            return CodeEmbedding(self.code_width, self.width)
        if n_filters % 4:
            raise UserError(f"n_filters={n_filters}: must be a multiple of 4 (four groups)")
        width = embedding_width(n_filters, self.patch_samples)
        if width < self.width == embedding_width(n_filters, self.row_samples):
            self.padding = self.row_samples - self.patch_samples
        elif width != self.width:
            raise UserError(
                f"width={self.width}: {n_filters} filters on patches of {self.patch_samples} "
                f"samples give {width}; set width={width} or change n_filters"
            )
        return TemporalConv(n_filters)

    def _options(
        self, n_heads: int, mlp_ratio: float, qkv_bias: bool, qk_norm: bool, layer_scale: float
    ) -> dict[str, Any]:
        if self.width % n_heads:
            raise UserError(f"n_heads={n_heads} does not divide width={self.width}")
        return {
            "width": self.width,
            "n_heads": n_heads,
            "mlp_ratio": mlp_ratio,
            "qkv_bias": qkv_bias,
            "qk_norm": qk_norm,
            "layer_scale": layer_scale,
        }

    def start(self, cut: float = 2.0, convolutions: bool = False) -> None:
        """Draw the first values; `cut` and `convolutions` as in `start_transformer`."""
        start_transformer(self, cut, convolutions)
        for parameter in (self.cls_token, self.pos_embed, self.time_embed):
            if parameter is not None:
                truncated_normal(parameter, cut=cut)

    def patches(self, x: Tensor) -> tuple[Tensor, tuple[int, int]]:
        """Return patch tokens (B, C * A, D) of a signal (B, C, T), and (C, A).

        Token number = channel * A + patch.
        """
        n_channels, n_times = x.shape[1:]
        n_patches, left = divmod(n_times, self.patch_samples)
        if left or not 1 <= n_patches <= self.max_patches:
            raise UserError(
                f"windows of {n_times} samples: must be 1 to {self.max_patches} patches of "
                f"{self.patch_samples} samples; change dset.segment.duration_s"
            )
        cut = x.reshape(len(x), n_channels * n_patches, self.patch_samples)
        padded = nn.functional.pad(cut, (0, self.padding)) if self.padding else cut
        return self.patch_embed(padded), (n_channels, n_patches)

    def _time_rows(self, n_patches: int) -> Tensor:
        """Return the rows (A, D) of the time embedding, linear between those of the table."""
        table = self.time_embed[0]
        if self.row_samples == self.patch_samples:
            return table[:n_patches]
        samples = torch.arange(n_patches, device=table.device) * self.patch_samples
        lower = samples // self.row_samples
        upper = (lower + 1).clamp(max=MAX_PATCHES - 1)
        share = (samples % self.row_samples / self.row_samples).to(table.dtype)
        return torch.lerp(table[lower], table[upper], share[:, None])

    def embed(self, tokens: Tensor, shape: tuple[int, int], ids: Tensor | None) -> Tensor:
        """Add embeddings of space and time to tokens (B, C * A, D) and put the class token first.

        Returns:
            (B, 1 + C * A, D).
        """
        head, place = self.cls_token, self._time_rows(shape[1])[None, None]  # (1, 1, A, D)
        if self.pos_embed is not None:
            vectors = self._vectors(shape[0], ids)  # (C, D) or (B, C, D)
            place = place + vectors.unsqueeze(-2)  # (.., C, A, D)
            # the original's pre-training slices after expanding, so that row 0 is never trained
            # there, though fine-tuning reads it: `own` is row 0 in both stages
            first_row = (
                vectors[..., :1, :] if self.class_row == "electrode" else self.pos_embed[0, 0]
            )
            head = head + first_row.reshape(-1, 1, self.width)
        grid = tokens.unflatten(1, shape) + place
        first = head.to(grid.dtype).expand(len(tokens), -1, -1)
        return self.token_dropout(torch.cat([first, grid.flatten(1, 2)], 1))

    def _vectors(self, n_channels: int, ids: Tensor | None) -> Tensor:
        """Return the spatial embeddings (C, D) or (B, C, D) of the channels."""
        assert self.pos_embed is not None
        inferred = None if self.electrodes is None else self.electrodes(self.pos_embed[0])
        count = len(self.rows) if inferred is None else len(inferred)
        names = count if ids is None else ids.shape[-1]
        if names != n_channels:
            raise UserError(
                f"windows of {n_channels} channels, but {names} channel names: give the "
                "model channel_names= (its list of names), or the batch's channel_ids"
            )
        if inferred is not None:
            return inferred if ids is None else inferred[ids]
        return self.pos_embed[0][self.rows if ids is None else self.rows[ids]]

    def encode(
        self,
        tokens: Tensor,
        shape: tuple[int, int],
        ids: Tensor | None = None,
        layer: int | None = None,
    ) -> Tensor:
        """Return all tokens (B, 1 + C * A, D) after the blocks, of patch tokens (B, C * A, D).

        Args:
            tokens: of `patches`, or code vectors through `patch_embed`.
            shape: C and A.
            ids: (C,) or (B, C) places in `channel_names`; None = all of them in order.
            layer: blocks to go through; 0 = embeddings alone, None = all blocks.
        """
        if layer is not None and not 0 <= layer <= self.depth:
            raise UserError(f"layer={layer}: the network has blocks 1 to {self.depth}; 0 = none")
        x = self.embed(tokens, shape, ids)
        bias = None if self.relative is None else self.relative(shape)
        for block in list(self.blocks)[:layer]:
            x = block(x, shape, bias)
        return x

    def final(self, x: Tensor) -> Tensor:
        """Return tokens (..., D) after the last layer norm; a backbone without one returns x."""
        return x

    def patch_tokens(
        self, x: Tensor, ids: Tensor | None = None, layer: int | None = None, pool: str = "none"
    ) -> Tensor:
        """Return features of a frozen network: (B, C, A, D), or (B, D) with `pool`.

        Args:
            x: (B, C, T) in units of `amplitude_uv`, T a whole number of patches.
            ids: (C,) or (B, C) places in `channel_names`; None = all of them in order.
            layer: blocks to go through, whose tokens are returned as they are; None = all of
                them and the last norm.
            pool: `mean` over channels and patches, before the norm.
        """
        check_known("pool", pool, POOLS)
        tokens, shape = self.patches(x)
        features = self.encode(tokens, shape, ids, layer)[:, 1:]
        # the mean before the norm, as the classifier does it: fine-tuned heads see this
        features = features.mean(1) if pool == "mean" else features.unflatten(1, shape)
        return self.final(features) if layer is None else features

    def no_weight_decay(self) -> set[str]:
        """Return the names of parameters that are never decayed."""
        return {"cls_token", "pos_embed", "time_embed"}


def layer_number(name: str, depth: int) -> int:
    """Return a parameter's layer for layer-wise rates: 0 embeddings, 1..n blocks, n + 1 rest.

    `time_embed` belongs to the rest, as published, although it is an embedding.
    """
    if name in ("cls_token", "mask_token", "pos_embed") or name.startswith("patch_embed."):
        return 0
    if name.startswith("blocks."):
        return int(name.split(".")[1]) + 1
    return depth + 1


class Encoder(Backbone):
    """Backbone with its final layer norm.

    Args:
        pooling: `mean` over the patch tokens, then norm (`fc_norm`); `class`: the class token
            after the norm (`norm`).
        eps: of the layer norms.
        options: of `Backbone`.
    """

    def __init__(self, pooling: str = "mean", eps: float = EPS, **options: Any) -> None:
        super().__init__(eps=eps, **options)
        check_known("pooling", pooling, POOLINGS)
        self.pooling = pooling
        norm = nn.LayerNorm(self.width, eps)
        if pooling == "mean":
            self.fc_norm = norm
        else:
            self.norm = norm

    def final(self, x: Tensor) -> Tensor:
        """Return tokens (..., D) after the last layer norm."""
        return (self.fc_norm if self.pooling == "mean" else self.norm)(x)

    def pooled(self, x: Tensor) -> Tensor:
        """Return the pooled feature (B, D) of all tokens (B, 1 + L, D)."""
        return self.final(x[:, 1:].mean(1) if self.pooling == "mean" else x[:, 0])


def backbone_options(section: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a `Backbone` from a section of the configuration.

    Args:
        section: name of the section, e.g. backbone, for messages.
        options: its keys and values.

    Raises:
        UserError: an unknown key.
    """
    check_arguments(f"model.{section}", Backbone, options, OF_MODEL)
    return dict(options)
