"""Condition of a generated clip: an embedding's average, or its steps as tokens or as maps."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ...errors import UserError
from ...registry import check_known

MODES = ("film", "sequence", "concat")
NORMALISATIONS = ("none", "l2", "standardize")
DROPS = ("example", "batch")
SOURCES = ("audio", "eeg")
POSITIONS = 32  # numbers that say where a token is


def pooled(embedding: Tensor) -> Tensor:
    """Return the average over time (..., D) of embeddings (..., D, T), as published."""
    return embedding.mean(-1)


def no_condition(items: int, width: int) -> Tensor:
    """Return the condition "nothing" (items, 1, width) of the original: zeros."""
    return torch.zeros(items, 1, width)


def window_pooled(embedding: Tensor, windows: int) -> Tensor:
    """Return the average (B, D) of the embeddings (B * windows, D) of consecutive windows."""
    return embedding.unflatten(0, (-1, windows)).mean(1)


def resized(embedding: Tensor, tokens: int) -> Tensor:
    """Return embeddings (B, D, T) averaged to `tokens` steps: (B, D, tokens)."""
    return nn.functional.adaptive_avg_pool1d(embedding, tokens)


def dropped_items(items: int, probability: float, mode: str, device: torch.device) -> Tensor:
    """Draw which items lose their condition: each by itself, or the whole batch as published."""
    check_known("solver.cond.drop_mode", mode, DROPS)
    count = items if mode == "example" else 1
    return (torch.rand(count, device=device) < probability).expand(items)


def mixed_source(source: str | float) -> float:
    """Return the share of items that train on the brain's embedding.

    Args:
        source: `audio`, `eeg`, or that share itself, 0 to 1, as `mixed(0.5)` or 0.5.

    Raises:
        UserError: anything else.
    """
    text = str(source).strip().removeprefix("mixed(").removesuffix(")")
    if text in SOURCES:
        return float(SOURCES.index(text))
    try:
        share = float(text)
    except ValueError:
        share = math.nan
    if not 0 <= share <= 1:
        raise UserError(f"solver.cond.train_source={source}: audio, eeg, or mixed(0.0 to 1.0)")
    return share


@dataclass(frozen=True)
class Statistics:
    """Mean and deviation (D,) of the embeddings of one side over the training clips."""

    mean: Tensor
    sd: Tensor

    @classmethod
    def of(cls, embeddings: Tensor) -> Statistics:
        """Compute them from pooled embeddings (N, D)."""
        # a dimension that never moves would be divided by nothing
        sd = embeddings.std(0, unbiased=False)
        return cls(embeddings.mean(0), sd.clamp_min(1e-6 * float(sd.max()) + 1e-12))


class Conditioner(nn.Module):
    """Embeddings of either side to what the denoiser takes; statistics are saved with it.

    Args:
        width: D.
        mode: film (a vector (B, D)), sequence (tokens (B, T', D + positions) that attention looks
            at) or concat (steps (B, T', D), which become channels of the input, see
            `ConditionMaps`).
        normalise: none (published), l2, or standardize with the statistics of each side.
        tokens: T', of sequence and concat.
    """

    means: Tensor
    sds: Tensor

    def __init__(self, width: int, mode: str, normalise: str, tokens: int) -> None:
        super().__init__()
        check_known("model.cond.mode", mode, MODES)
        check_known("model.cond.normalize", normalise, NORMALISATIONS)
        self.width, self.mode, self.normalise, self.tokens = width, mode, normalise, tokens
        self.register_buffer("means", torch.zeros(len(SOURCES), width))
        self.register_buffer("sds", torch.ones(len(SOURCES), width))
        self.register_buffer("positions", _positions(tokens), persistent=False)

    @property
    def token_width(self) -> int:
        """Width of a token."""
        return self.width + POSITIONS

    def fit(self, source: str, embeddings: Tensor) -> None:
        """Take the statistics of pooled training embeddings (N, D) of a side."""
        statistics, row = Statistics.of(embeddings.float()), SOURCES.index(source)
        self.means[row], self.sds[row] = statistics.mean, statistics.sd

    def forward(self, embeddings: Tensor, brain: Tensor) -> Tensor:
        """Return conditions of embeddings.

        Args:
            embeddings: (B, D, T).
            brain: (B,) bool, true where an embedding is the brain's and not the sound's.

        Returns:
            (B, D) or (B, T', D).
        """
        vectors = pooled(embeddings)[:, None] if self.mode == "film" else embeddings.mT
        if self.normalise == "standardize":
            row = brain.long()
            vectors = (vectors - self.means[row][:, None]) / self.sds[row][:, None]
        elif self.normalise == "l2":
            vectors = nn.functional.normalize(vectors, dim=-1)
        return vectors[:, 0] if self.mode == "film" else vectors

    def arguments(self, condition: Tensor) -> dict[str, Tensor]:
        """Return the denoiser's arguments of conditions (B, D) or (B, T', D)."""
        if self.mode == "concat":
            return {}
        if self.mode == "film":
            return {"class_labels": condition}
        places = self.get_buffer("positions").to(condition).expand(len(condition), -1, -1)
        return {"encoder_hidden_states": torch.cat([condition, places], -1)}


class ConditionMaps(nn.Module):
    """Steps of an embedding as channels of a latent, each step at its own time.

    What happens when is then where the convolutions look for it, and nothing has to learn which
    token belongs to which time. Nothing (zeros) gives zeros: there is no bias.

    Args:
        width: D.
        shape: channels, steps T and bands F of the maps.
    """

    def __init__(self, width: int, shape: tuple[int, int, int]) -> None:
        super().__init__()
        self.shape = shape
        self.spread = nn.Linear(width, shape[0] * shape[2], bias=False)

    def forward(self, condition: Tensor) -> Tensor:
        """Return maps (B, C, T, F) of conditions (B, T', D)."""
        channels, steps, bands = self.shape
        values: Tensor = self.spread(resized(condition.mT, steps).mT)
        return values.unflatten(-1, (channels, bands)).transpose(1, 2)


def _positions(tokens: int) -> Tensor:
    """Return sines and cosines of the place of each token: (1, tokens, POSITIONS)."""
    half = POSITIONS // 2
    place = (torch.arange(tokens) + 0.5) / max(1, tokens)
    # from half a period over the clip to one of about two tokens
    waves = math.pi * place[:, None] * torch.linspace(1, max(1, tokens), half)
    return torch.cat([waves.sin(), waves.cos()], -1)[None]
