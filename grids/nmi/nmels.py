"""Number of mel filters, with three ways to learn from them."""

from __future__ import annotations

from typing import Any

from dora import Launcher

from ..clip._explorer import ClipExplorer
from ._common import each, published, with_mels

FILTERS = (20, 40, 80, 120)
WAYS: tuple[dict[str, Any], ...] = (
    {},
    {"solver.feature_model": "deep_mel"},
    {"solver.loss": "mse"},
)


@ClipExplorer
def explorer(launcher: Launcher) -> None:
    """Schedule contrastive, learned and regression for every number of filters."""
    bound = published(launcher)
    with launcher.job_array():
        for sub in each(bound):
            for filters in FILTERS:
                for way in WAYS:
                    sub(with_mels(filters) | way)
