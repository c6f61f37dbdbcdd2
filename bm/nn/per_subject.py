"""One network per subject, of which a batch uses those of its subjects alone."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn


class PerSubject(nn.ModuleList):
    """The network of the subject is applied to each item.

    Only the networks that a batch needs are computed, and each sees its own subject's items alone,
    so that the statistics of batch norms are that subject's (the published multi-subject Du-IN runs
    every network on every item, and mixes them).

    Args:
        build: makes one network.
        subjects: S.
    """

    def __init__(self, build: Callable[[], nn.Module], subjects: int) -> None:
        super().__init__(build() for _ in range(subjects))

    def forward(self, x: Tensor, subject: Tensor | None) -> Tensor:
        """Apply the networks of subjects (B,) int64 to the items of x (B, ...).

        Raises:
            ValueError: no subjects, and more than one network.
        """
        if len(self) == 1:
            return self[0](x)
        if subject is None:
            raise ValueError(f"a model of {len(self)} subjects needs to be told the subject")
        order = subject.argsort(stable=True)
        present, counts = subject.unique(return_counts=True)
        parts = x[order].split(counts.tolist())
        outputs = [self[s](part) for s, part in zip(present.tolist(), parts, strict=True)]
        return torch.cat(outputs)[order.argsort()]
