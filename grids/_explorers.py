"""Explorers: the columns of a grid's table. A metric that is missing is an empty cell."""

from __future__ import annotations

import math
from typing import Any

import treetable as tt
from dora import Explorer

#: Short titles: a long name would be cut to the width of its numbers.
TITLES = {
    "amplitude_correlation": "amp.corr",
    "perplexity": "perpl.",
    "balanced_accuracy": "bal.acc",
    "chance_balanced_accuracy": "chance",
    "items_per_s": "items/s",
    "data_wait": "wait",
    "samples_per_s": "samples/s",
    "log_spectral_distance_db": "LSD dB",
    "bandpower_wasserstein": "bands",
    "riemann_distance_of_logeuclidean_means": "riemann",
    "max_train_correlation_max": "copy",
    "top10_accuracy": "top-10",
    "top1_accuracy": "top-1",
    "chance_top10_accuracy": "chance",
    "word_error": "w.err",
    "word_error_vocabulary": "w.err voc",
}
FORMATS = {"items_per_s": ".0f", "data_wait": ".0%", "samples_per_s": ".2f"}


class BaseExplorer(Explorer):
    """Table with groups of stages.

    Attributes:
        columns: stage -> names of the metrics shown.
    """

    columns: dict[str, tuple[str, ...]] = {"train": ("loss",), "valid": ("loss",)}

    def get_grid_metrics(self) -> list[Any]:
        """One group per stage and one leaf per metric; the train group begins with the epoch."""
        groups = []
        for stage in self._stages():
            leaves = [tt.leaf("epoch")] if stage == "train" else []
            leaves += [
                tt.leaf(name, FORMATS.get(name, ".4f"), display=TITLES.get(name, name))
                for name in self.columns.get(stage, ())
            ]
            groups.append(tt.group(stage, leaves, align=">", shorten=False))
        return groups

    def process_history(self, history: list[dict[str, Any]]) -> dict[str, Any]:
        """The last finite value of each shown metric."""
        found: dict[str, Any] = {stage: {} for stage in self._stages()}
        for entry in history:
            for stage, names in self.columns.items():
                values = entry.get(stage) or {}
                for name in names:
                    value = values.get(name)
                    if isinstance(value, int | float) and math.isfinite(value):
                        found[stage][name] = value
        found["train"]["epoch"] = len(history)
        return found

    def _stages(self) -> list[str]:
        return list(dict.fromkeys(("train", *self.columns)))


class SupervisedExplorer(BaseExplorer):
    """Classification: loss, balanced accuracy with its chance level, speed."""

    columns = {
        "train": ("loss",),
        "valid": ("loss", "balanced_accuracy"),
        "test": ("balanced_accuracy", "chance_balanced_accuracy"),
        "perf": ("items_per_s", "data_wait"),
    }


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


class LabramExplorer(BaseExplorer):
    """Three stages in one table: codebook, masked accuracy, and what is decoded in the end."""

    columns = {
        "train": ("loss",),
        "valid": ("loss", "usage", "perplexity", "accuracy", "balanced_accuracy", "auroc", "kappa"),
        "test": ("amplitude_correlation", "accuracy", "balanced_accuracy", "auroc", "kappa"),
        "perf": ("items_per_s",),
    }


class ClipExplorer(BaseExplorer):
    """Speech decoding: losses, segments and words found among the candidates, speed."""

    columns = {
        "train": ("loss",),
        "valid": ("loss", "best"),
        "test": (
            "top10_accuracy",
            "chance_top10_accuracy",
            "top1_accuracy",
            "word_error",
            "word_error_vocabulary",
        ),
        "perf": ("items_per_s", "data_wait"),
    }

    def process_history(self, history: list[dict[str, Any]]) -> dict[str, Any]:
        """With the lowest loss of validation so far."""
        found = super().process_history(history)
        losses = [(entry.get("valid") or {}).get("loss") for entry in history]
        known = [v for v in losses if isinstance(v, int | float) and math.isfinite(v)]
        if known:
            found["valid"]["best"] = min(known)
        return found
