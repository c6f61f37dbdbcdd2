"""ChannelMerger: attention over sensors by their places (Défossez et al., 2023, section 2.3)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .positions import flat_places, fourier_features, fourier_side, is_invalid, is_near
from .roles import Penalised, SubjectRows
from .shared_draws import once_a_batch


class ChannelMerger(SubjectRows, Penalised):
    """Weighted sums of the sensors, the weights a softmax of learned functions of the place.

    score[o, c] = <Fourier features of the place of c, head o>; sensors without a place are left
    out, and while training those near one random centre too (one per call, for the whole batch).
    Weights are computed once per distinct set of places (and subject), not once per item.

    Args:
        channels: O, merged channels.
        dimension: D, Fourier features of a place; twice a square.
        dropout: radius around the centre, in units of the layout; 0 = none.
        subjects: S for heads per subject, else None.
        usage_penalty: factor of the sum over sensors of (mean weight)^2, which is smallest when all
            sensors are used alike. The original penalises the sum of the mean weights: always 1.
    """

    def __init__(
        self,
        channels: int,
        dimension: int = 2048,
        dropout: float = 0.2,
        subjects: int | None = None,
        usage_penalty: float = 0.0,
    ) -> None:
        super().__init__()
        fourier_side(dimension)
        shape = (channels, dimension) if subjects is None else (subjects, channels, dimension)
        self.heads = nn.Parameter(torch.randn(shape) / dimension**0.5)
        self.dimension, self.dropout, self.usage_penalty = dimension, dropout, usage_penalty
        self.by_subject = () if subjects is None else ("heads",)

    def draw_centre(self, like: Tensor) -> Tensor:
        """Draw a centre (2,) uniform on the unit square, on the device of `like`."""
        with once_a_batch():
            return torch.rand(2, device=like.device, dtype=like.dtype)

    def weights(self, places: Tensor, subject: Tensor | None = None) -> Tensor:
        """Return the weights (B, O, C) of sensors at places (B, C, 2) for subjects (B,).

        They are not negative and sum to 1 over the sensors that take part; where none does, they
        are all zero.
        """
        left_out = is_invalid(places)
        # one centre for the whole batch, as published: weights can be shared between items
        if self.training and self.dropout > 0:
            centre = self.draw_centre(places)[None]
            left_out = left_out | is_near(places, centre, self.dropout)[..., 0, :]
        heads = self.heads if self.heads.ndim == 2 else self.heads[subject]
        with torch.autocast(places.device.type, enabled=False):  # exponents; few, so not slower
            score = heads @ fourier_features(places, self.dimension).transpose(1, 2)
        # the lowest finite number, not -inf: an item without any sensor would become nan
        score = score.masked_fill(left_out[:, None], torch.finfo(score.dtype).min)
        return score.softmax(-1).masked_fill(left_out[:, None], 0.0)

    def forward(self, signal: Tensor, positions: Tensor, subject: Tensor | None = None) -> Tensor:
        """Merge the sensors of B windows.

        Args:
            signal: (B, C, T).
            positions: (B, C, >= 2) x and y of the sensors, `INVALID` twice or nan where unknown.
            subject: (B,) int64, needed with heads per subject.

        Returns:
            (B, O, T).
        """
        places = flat_places(positions).to(self.heads.dtype)
        per_subject = self.heads.ndim == 3
        rows = places.flatten(1)
        if per_subject:
            if subject is None:
                raise ValueError("heads per subject need the subject of each window")
            rows = torch.cat([rows, subject[:, None].to(rows.dtype)], 1)
        # a batch has few layouts: their weights are computed once, with 2,048 features a sensor
        distinct, which = torch.unique(rows, dim=0, return_inverse=True)
        owner = distinct[:, -1].long() if per_subject else None
        layouts = distinct[:, : 2 * places.shape[1]].unflatten(1, places.shape[1:])
        weights = self.weights(layouts, owner)[which]
        if self.usage_penalty:
            usage = weights.mean((0, 1))
            self.training_penalty = self.usage_penalty * usage.square().sum()
        return weights.to(signal.dtype) @ signal
