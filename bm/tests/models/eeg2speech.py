"""eeg2speech's models in their smallest form."""

from __future__ import annotations

from typing import Any

import torch

from bm.facts import DataFacts
from bm.models.saved import build

AUDIO = {"duration_s": 0.64, "hop": 320, "n_mels": 16}
AUTOENCODER: dict[str, Any] = {
    "name": "eeg2speech_autoencoder", "audio": AUDIO, "width": 32, "multipliers": [1, 1],
    "n_blocks": 1, "latent_channels": 4,
}  # fmt: skip
DENOISER: dict[str, Any] = {
    "name": "eeg2speech", "latent_shape": [4, 16, 8], "width": 6,
    "network": {"width": 32, "multipliers": [1, 1], "attention": [2], "n_blocks": 1},
}  # fmt: skip
VOCODER: dict[str, Any] = {
    "name": "eeg2speech_vocoder", "n_mels": 16, "width": 16, "upsample_rates": [20, 16],
    "upsample_kernels": [40, 32], "block_kernels": [3], "block_dilations": [[1, 3]],
}  # fmt: skip
FACTS = DataFacts((), 16000.0, 0)


def small(section: dict[str, Any], **changes: Any) -> Any:
    """The model of a section."""
    return build({**section, **changes}, FACTS).eval()


def stirred(model: Any) -> Any:
    """The model with small random weights where a network begins at zero."""
    for parameter in model.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.05)
    return model
