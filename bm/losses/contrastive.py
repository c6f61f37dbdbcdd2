"""ClipLoss: the estimate of a window must find its own speech among others (spec clip 4.1)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..errors import UserError

EPSILON = 1e-8  # beside the norm of a candidate


@dataclass(frozen=True)
class Trim:
    """The part of the windows that is compared; times relative to the event, in seconds.

    Attributes:
        rate_hz: of the sequences.
        start_s: time of their first sample (the window's offset).
        tmin_s, tmax_s: first time, and the one after the last; None = to the end.
        tmin_train_s, tmax_train_s: those while training; when either is given it is this pair.
    """

    rate_hz: float = 120.0
    start_s: float = -0.5
    tmin_s: float | None = None
    tmax_s: float | None = None
    tmin_train_s: float | None = None
    tmax_train_s: float | None = None

    def __post_init__(self) -> None:
        for name in ("tmin_s", "tmin_train_s", "tmax_s", "tmax_train_s"):
            value = getattr(self, name)
            if value is not None and value < self.start_s:
                raise UserError(f"loss {name}={value}: the windows begin at {self.start_s} s")

    def __call__(self, x: Tensor, training: bool) -> Tensor:
        """(B, C, T) -> (B, C, T'), a view; raises `UserError` when nothing is left."""
        low, high = self.tmin_s, self.tmax_s
        if training and (self.tmin_train_s is not None or self.tmax_train_s is not None):
            low, high = self.tmin_train_s, self.tmax_train_s
        first = 0 if low is None else int((low - self.start_s) * self.rate_hz)
        stop = x.shape[-1] if high is None else int((high - self.start_s) * self.rate_hz)
        if first >= min(stop, x.shape[-1]):
            raise UserError(f"loss: no sample from {low} to {high} s of {x.shape[-1]} samples")
        return x[..., first:stop]


def unit_candidates(candidates: Tensor) -> Tensor:
    """(V, ...) -> (V, D): flat, divided by the norm."""
    flat = candidates.flatten(1)
    return flat / (EPSILON + flat.norm(dim=1, keepdim=True))


class ClipLoss(nn.Module):
    """Cross entropy over candidates; score = <estimate, candidate> / |candidate|.

    Only candidates are normalised; there is no temperature, and no term the other way round.

    Args:
        trim: what is compared.
        pool: the mean over time instead of the sequence.
        center: subtract the mean of each item.
        linear: width of a learned projection of the channels before the comparison; None = none.
        twin: the same projection for estimates and candidates.
        n_channels: C, needed with `linear`.
    """

    def __init__(
        self,
        trim: Trim | None = None,
        pool: bool = False,
        center: bool = False,
        linear: int | None = None,
        twin: bool = True,
        n_channels: int | None = None,
    ) -> None:
        super().__init__()
        self.trim, self.pool, self.center = trim or Trim(), pool, center
        self.estimate_projection: nn.Conv1d | None = None
        self.candidate_projection: nn.Conv1d | None = None
        if linear is not None:
            if n_channels is None:
                raise ValueError("a projection needs the number of channels")
            self.estimate_projection = nn.Conv1d(n_channels, linear, 1)
            if not twin:
                self.candidate_projection = nn.Conv1d(n_channels, linear, 1)

    def _prepare(self, x: Tensor, projection: nn.Conv1d | None) -> Tensor:
        x = self.trim(x, self.training)
        if projection is not None:
            x = projection(x)
        if self.pool:
            x = x.mean(-1, keepdim=True)
        if self.center:
            x = x - x.mean((1, 2), keepdim=True)
        return x

    def estimates(self, estimates: Tensor) -> Tensor:
        """What is compared of estimates: (B, C, T) -> (B, D)."""
        return self._prepare(estimates, self.estimate_projection).flatten(1)

    def candidates(self, candidates: Tensor) -> Tensor:
        """What is compared of candidates: (V, C, T) -> (V, D) of norm 1."""
        own = self.candidate_projection
        projection = self.estimate_projection if own is None else own
        return unit_candidates(self._prepare(candidates, projection))

    def scores(self, estimates: Tensor, candidates: Tensor) -> Tensor:
        """(B, C, T), (V, C, T) -> (B, V) float32, whatever autocast says: sums of 350,000 terms."""
        with torch.autocast(estimates.device.type, enabled=False):
            return self.estimates(estimates.float()) @ self.candidates(candidates.float()).T

    def probabilities(self, estimates: Tensor, candidates: Tensor) -> Tensor:
        """(B, C, T), (V, C, T) -> (B, V), each row of sum 1."""
        return self.scores(estimates, candidates).softmax(1)

    def forward(
        self,
        estimates: Tensor,
        candidates: Tensor,
        segments: Tensor | None = None,
        mask: Tensor | None = None,
    ) -> Tensor:
        """Mean loss of B estimates.

        Args:
            estimates: (B, C, T).
            candidates: (V, C, T), V >= B: the first B are the targets, in order.
            segments: (V,) which speech each candidate is; the same one elsewhere in the batch is
                left out instead of being a wrong answer. None = all others are wrong (published).
            mask: (B, 1, T) bool; everything must count, a part cannot be left out here.

        Raises:
            ValueError: fewer candidates than estimates, or a mask that is not all true.
        """
        if len(candidates) < len(estimates):
            raise ValueError(f"{len(candidates)} candidates for {len(estimates)} estimates")
        if mask is not None and not bool(mask.all()):
            raise ValueError("the contrastive loss compares whole windows: no mask")
        scores = self.scores(estimates, candidates)
        own = torch.arange(len(scores), device=scores.device)
        if segments is not None:
            same = segments[: len(scores), None] == segments
            same[own, own] = False
            scores = scores.masked_fill(same, torch.finfo(scores.dtype).min)
        return functional.cross_entropy(scores, own)
