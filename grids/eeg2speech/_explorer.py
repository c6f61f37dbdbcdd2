"""Columns of eeg2speech's grids."""

from __future__ import annotations

from .._explorers import BaseExplorer


class SpeechExplorer(BaseExplorer):
    """Encoders, autoencoder and denoiser in one table: losses, and what is heard."""

    columns = {
        "train": ("loss",),
        "valid": ("loss", "batch_accuracy", "rec"),
        "test": ("top10_accuracy", "retrieval_percentile", "mel_correlation", "mcd_db"),
        "perf": ("items_per_s", "samples_per_s"),
    }
    titles = {"retrieval_percentile": "retrieval", "mel_correlation": "mel corr."}
