"""Columns of the grids of speech decoding."""

from __future__ import annotations

from .._explorers import BaseExplorer


class ClipExplorer(BaseExplorer):
    """Speech decoding: losses, accuracy of retrieved segments, errors of words, speed."""

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
    titles = {
        "top10_accuracy": "top-10",
        "top1_accuracy": "top-1",
        "word_error": "w.err",
        "word_error_vocabulary": "w.err voc",
    }
