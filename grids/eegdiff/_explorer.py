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


class ObedienceExplorer(DiffusionExplorer):
    """Also whether generated trials are of the class that was asked for."""

    columns = {
        **DiffusionExplorer.columns,
        "test": (
            "class_accuracy_real",
            "class_accuracy_generated",
            "class_accuracy_shuffled",
            "class_adherence",
            *DiffusionExplorer.columns["test"],
        ),
    }
    titles = {
        **DiffusionExplorer.titles,
        "class_accuracy_real": "acc real",
        "class_accuracy_generated": "acc gen",
        "class_accuracy_shuffled": "control",
        "class_adherence": "obeys",
    }


class MapExplorer(BaseExplorer):
    """Feature maps of words: distances, lengths, and whether they follow their sentence."""

    columns = {
        "train": ("loss",),
        "valid": ("loss",),
        "test": (
            "value_wasserstein",
            "topography_correlation",
            "length_error_words",
            "length_spearman",
            "matched_rank",
            "matched_p",
            "sentence_rank_generated",
            "sentence_rank_shuffled",
            "sentence_p_generated",
        ),
        "perf": ("items_per_s", "samples_per_s"),
    }
    titles = {
        "value_wasserstein": "W1",
        "topography_correlation": "maps",
        "length_error_words": "length",
        "length_spearman": "follows",
        "matched_rank": "rank",
        "matched_p": "p",
        "sentence_rank_generated": "sentence",
        "sentence_rank_shuffled": "control",
        "sentence_p_generated": "sentence p",
    }
