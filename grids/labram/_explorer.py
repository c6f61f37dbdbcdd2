"""Columns of LaBraM's grids."""

from __future__ import annotations

from .._explorers import BaseExplorer


class LabramExplorer(BaseExplorer):
    """Three stages in one table: codebook, masked accuracy, and the accuracy of what is decoded."""

    columns = {
        "train": ("loss",),
        "valid": (
            "loss",
            "usage",
            "perplexity",
            "accuracy",
            "probe",
            "balanced_accuracy",
            "auroc",
            "kappa",
        ),
        "test": ("amplitude_correlation", "accuracy", "balanced_accuracy", "auroc", "kappa"),
        "perf": ("items_per_s",),
    }
    titles = {"amplitude_correlation": "amp.corr"}
