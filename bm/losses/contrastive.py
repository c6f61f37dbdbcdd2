"""ClipLoss: the estimate of a window is matched to its speech among others.

Défossez et al. (2023), section 2.2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..errors import UserError

TEMPERATURE = 0.07  # first value of the learned one (Radford et al. 2021)
LARGEST_SCALE = 100.0  # of scores, as there
EPSILON = 1e-8  # added to the norm of a candidate, as published: silence has norm 0


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
        """Return the compared part of x (B, C, T), a view; raise `UserError` when it is empty."""
        low, high = self.tmin_s, self.tmax_s
        if training and (self.tmin_train_s is not None or self.tmax_train_s is not None):
            low, high = self.tmin_train_s, self.tmax_train_s
        # int truncates, as published; rounding would move some limits by one sample
        first = 0 if low is None else int((low - self.start_s) * self.rate_hz)
        stop = x.shape[-1] if high is None else int((high - self.start_s) * self.rate_hz)
        if first >= min(stop, x.shape[-1]):
            raise UserError(f"loss: no sample from {low} to {high} s of {x.shape[-1]} samples")
        return x[..., first:stop]


def unit_candidates(candidates: Tensor) -> Tensor:
    """Return the candidates (V, ...) flat and divided by their norms, (V, D)."""
    flat = candidates.flatten(1)
    return flat / (EPSILON + flat.norm(dim=1, keepdim=True))


class ClipLoss(nn.Module):
    """Cross entropy over candidates; score = <estimate, candidate> / |candidate|.

    As published only candidates are normalised; there is no temperature, and no term the other way
    round. Where the candidates are learned too, `symmetric` keeps them from drifting.

    Args:
        trim: what is compared.
        pool: the mean over time instead of the sequence.
        center: subtract the mean of each item.
        linear: width of a learned projection of the channels before the comparison; None = none.
        twin: the same projection for estimates and candidates.
        n_channels: C, needed with `linear`.
        symmetric: normalise estimates too, learn a temperature, and add the loss of each
            candidate among the estimates (Radford et al. 2021).
    """

    def __init__(
        self,
        trim: Trim | None = None,
        pool: bool = False,
        center: bool = False,
        linear: int | None = None,
        twin: bool = True,
        n_channels: int | None = None,
        symmetric: bool = False,
    ) -> None:
        super().__init__()
        self.trim, self.pool, self.center = trim or Trim(), pool, center
        self.log_scale: nn.Parameter | None = None
        if symmetric:
            self.log_scale = nn.Parameter(torch.tensor(math.log(1 / TEMPERATURE)))
        # the original has these two keys, but never applies the layers
        self.estimate_projection: nn.Conv1d | None = None
        self.candidate_projection: nn.Conv1d | None = None
        if linear is not None:
            if n_channels is None:
                raise ValueError("a projection needs the number of channels")
            self.estimate_projection = nn.Conv1d(n_channels, linear, 1)
            if not twin:
                self.candidate_projection = nn.Conv1d(n_channels, linear, 1)

    def _prepare(self, x: Tensor, projection: nn.Conv1d | None) -> Tensor:
        """Trim, project, pool and centre x (B, C, T) as the options say."""
        x = self.trim(x, self.training)
        if projection is not None:
            x = projection(x)
        if self.pool:
            x = x.mean(-1, keepdim=True)
        if self.center:
            x = x - x.mean((1, 2), keepdim=True)
        return x

    def estimates(self, estimates: Tensor) -> Tensor:
        """Return the vectors (B, D) by which estimates (B, C, T) are compared."""
        vectors = self._prepare(estimates, self.estimate_projection).flatten(1)
        return vectors if self.log_scale is None else unit_candidates(vectors)

    def candidates(self, candidates: Tensor) -> Tensor:
        """Return the vectors (V, D) of norm 1 by which candidates (V, C, T) are compared."""
        projection = self.candidate_projection or self.estimate_projection
        return unit_candidates(self._prepare(candidates, projection))

    def scores(self, estimates: Tensor, candidates: Tensor) -> Tensor:
        """Return scores (B, V) of estimates (B, C, T) and candidates (V, C, T), in float32."""
        # whatever autocast says: the sums have 350,000 terms at the published size
        with torch.autocast(estimates.device.type, enabled=False):
            scores = self.estimates(estimates.float()) @ self.candidates(candidates.float()).T
            return scores if self.log_scale is None else scores * self.scale()

    def scale(self) -> Tensor:
        """Return the learned factor of the scores, 1 where none is learned."""
        if self.log_scale is None:
            return torch.ones(())
        return self.log_scale.clamp_max(math.log(LARGEST_SCALE)).exp()

    def probabilities(self, estimates: Tensor, candidates: Tensor) -> Tensor:
        """Return the softmax (B, V) of the scores over the candidates."""
        return self.scores(estimates, candidates).softmax(1)

    def forward(
        self,
        estimates: Tensor,
        candidates: Tensor,
        segments: Tensor | None = None,
        mask: Tensor | None = None,
    ) -> Tensor:
        """Return the mean loss of B estimates.

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
        targets = torch.arange(len(scores), device=scores.device)
        if segments is not None:
            same = segments[: len(scores), None] == segments
            same[targets, targets] = False
            scores = scores.masked_fill(same, torch.finfo(scores.dtype).min)
        loss = functional.cross_entropy(scores, targets)
        if self.log_scale is None:
            return loss
        # only the first B candidates have an estimate of their own here
        return (loss + functional.cross_entropy(scores[:, : len(scores)].T, targets)) / 2
