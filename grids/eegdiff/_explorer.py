"""Columns of the grids of EEG diffusion."""

from __future__ import annotations

from .._explorers import BaseExplorer


class DiffusionExplorer(BaseExplorer):
    """Generation: losses, distances to real EEG, speed of training and sampling."""

    columns = {
        "train": ("loss",),
        "valid": ("loss",),
        "test": (
            "log_spectral_distance_db",
            "bandpower_wasserstein",
            "riemann_distance_of_logeuclidean_means",
            "max_train_correlation_max",
        ),
        "perf": ("items_per_s", "samples_per_s"),
    }
    titles = {
        "log_spectral_distance_db": "LSD dB",
        "bandpower_wasserstein": "bands",
        "riemann_distance_of_logeuclidean_means": "riemann",
        "max_train_correlation_max": "copy",
    }
