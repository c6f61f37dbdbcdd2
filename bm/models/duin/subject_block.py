"""What Du-IN learns of a subject's contacts: a linear map of its channels to features, and back."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ...nn.roles import SubjectRows
from ...nn.transformer import truncated_normal


class SubjectBlock(SubjectRows):
    """A linear map per subject: Z = X W_u + b_u.

    Args:
        inner, outer: values of a sample before and after.
        subjects: S.
        bias: learned offsets b_u.
        projection: a further linear layer that all subjects share.
    """

    #: Tensors with a row per subject. `offset` decays like a weight, as published: it has two
    #: dimensions and is not called a bias there.
    by_subject = ("weight", "offset")

    def __init__(
        self, inner: int, outer: int, subjects: int, bias: bool = True, projection: bool = False
    ) -> None:
        super().__init__()
        self.inner, self.outer, self.subjects = inner, outer, subjects
        self.weight = nn.Parameter(truncated_normal(torch.empty(subjects, inner * outer)))
        self.offset = nn.Parameter(torch.zeros(subjects, outer)) if bias else None
        self.projection = nn.Linear(outer, outer) if projection else None
        if self.projection is not None:
            truncated_normal(self.projection.weight)
            nn.init.zeros_(self.projection.bias)

    def maps(self) -> Tensor:
        """Return the maps (S, inner, outer) of all subjects."""
        return self.weight.view(self.subjects, self.inner, self.outer)

    def contribution(self) -> Tensor:
        """Mean absolute weight of each input for each subject, (S, inner)."""
        return self.maps().abs().mean(-1)

    def forward(
        self, x: Tensor, subject: Tensor | None = None, mask: Tensor | None = None
    ) -> Tensor:
        """Map x (B, C, T) to (B, outer, T); C <= inner uses the first rows of the map.

        Args:
            x: values, time last.
            subject: (B,) int64; may be left out when there is one subject.
            mask: (B, C) bool, false = the channel does not exist, whatever x holds there.

        Raises:
            ValueError: more channels than the map has rows, or no subject.
        """
        if x.shape[1] > self.inner:
            raise ValueError(f"{x.shape[1]} channels: the model is built for {self.inner}")
        if subject is None and self.subjects > 1:
            raise ValueError(f"a model of {self.subjects} subjects needs to be told the subject")
        maps, offset = self.maps(), self.offset
        if subject is not None and self.subjects > 1:
            maps = maps[subject]
            offset = None if offset is None else offset[subject]
        maps = maps[:, : x.shape[1]]
        if mask is not None:  # on the map, which is 400 times smaller than a window
            maps = maps * mask[:, : x.shape[1], None]
        mapped = maps.transpose(1, 2) @ x
        mapped = mapped if offset is None else mapped + offset[..., None].to(mapped.dtype)
        if self.projection is None:
            return mapped
        return self.projection(mapped.transpose(1, 2)).transpose(1, 2)
