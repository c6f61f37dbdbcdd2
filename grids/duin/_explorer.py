"""Columns of Du-IN's grids."""

from __future__ import annotations

from .._explorers import BaseExplorer


class DuinExplorer(BaseExplorer):
    """Three stages in one table: codebook, masked accuracy, and the accuracy of the words."""

    columns = {
        "train": ("loss",),
        "valid": ("loss", "usage", "perplexity", "accuracy", "balanced_accuracy"),
        "test": ("signal_correlation", "accuracy", "balanced_accuracy"),
        "perf": ("items_per_s",),
    }
    titles = {"signal_correlation": "corr"}
