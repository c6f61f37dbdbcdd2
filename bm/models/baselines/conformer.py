"""EEG Conformer: local convolutions, then attention over time (Song et al., 2023)."""

from __future__ import annotations

from torch import Tensor, nn

from ...errors import UserError
from .. import MODELS


@MODELS.register("conformer")
class EEGConformer(nn.Module):
    """Temporal and spatial filters, mean over time, transformer encoder, fully connected layers.

    Song, Zheng, Liu and Gao, IEEE TNSRE 31, 710-719 (2023). Kernels are given in seconds, so that
    they are the published ones at 250 Hz.

    Args:
        n_channels: C.
        n_times: T, samples per window.
        n_outputs: classes or values.
        rate_hz: sampling rate.
        filters: temporal and spatial filters, and width of the tokens (40).
        kernel_s: length of the temporal filters (25 samples).
        pool_s, stride_s: mean over time (75 and 15 samples).
        depth: blocks (6).
        n_heads: of the attention (10).
        hidden: widths of the two fully connected layers (256 and 32).
        dropout: of convolutions, attention and the first fully connected layer.
        last_dropout: of the second one.

    Raises:
        UserError: windows too short for a single token.
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
        depth: int = 6,
        n_heads: int = 10,
        hidden: tuple[int, int] = (256, 32),
        dropout: float = 0.5,
        last_dropout: float = 0.3,
    ) -> None:
        super().__init__()
        kernel, pool = max(1, round(kernel_s * rate_hz)), max(1, round(pool_s * rate_hz))
        stride = max(1, round(stride_s * rate_hz))
        # the head reads all tokens side by side, so that their number is part of its size
        n_tokens = (n_times - kernel + 1 - pool) // stride + 1
        if n_tokens < 1:
            raise UserError(
                f"model conformer: windows of {n_times} samples are shorter than its kernels "
                f"({kernel + pool - 1}); lengthen dset.segment.duration_s"
            )
        self.tokens = nn.Sequential(
            nn.Conv2d(1, filters, (1, kernel)),
            nn.Conv2d(filters, filters, (n_channels, 1)),
            nn.BatchNorm2d(filters),
            nn.ELU(),
            nn.AvgPool2d((1, pool), (1, stride)),
            nn.Dropout(dropout),
            nn.Conv2d(filters, filters, 1),
        )
        block = nn.TransformerEncoderLayer(
            filters, n_heads, 4 * filters, dropout, "gelu", batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(block, depth, enable_nested_tensor=False)
        self.head = nn.Sequential(
            nn.Flatten(),
            nn.Linear(filters * n_tokens, hidden[0]),
            nn.ELU(),
            nn.Dropout(dropout),
            nn.Linear(hidden[0], hidden[1]),
            nn.ELU(),
            nn.Dropout(last_dropout),
            nn.Linear(hidden[1], n_outputs),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return logits or values (B, n_outputs) of windows (B, C, T) float32."""
        # a batch is a transposed view, made contiguous here on the device: a loader that copies on
        # the CPU gives 10,000 to 40,000 windows/s instead of 98,000 to 250,000
        tokens = self.tokens(x.contiguous().unsqueeze(1)).squeeze(2).transpose(1, 2)
        logits: Tensor = self.head(self.encoder(tokens))
        return logits
