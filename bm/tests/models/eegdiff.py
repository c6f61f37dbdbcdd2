"""A tiny untrained pipeline of the diffusion model."""

from __future__ import annotations

import torch

from bm.facts import DataFacts
from bm.models import build_model
from bm.models.eegdiff.pipeline import EEGDiffusionPipeline

FACTS = DataFacts(
    channels=("C3", "Cz", "C4"),
    rate_hz=125.0,
    window_samples=250,
    positions=((-0.05, 0.0, 0.08), (0.0, 0.01, 0.1), (0.05, 0.0, 0.08)),
    kinds=("eeg", "eeg", "eeg"),
    subjects=("anna", "ben"),
    classes=("left_hand", "right_hand"),
    simulated=True,
)


WAVES = {"name": "wave", "multiple": 2}


STFT = {"name": "stft_complex", "nperseg": 32, "noverlap": 22, "multiple": 4}


MEL = {"name": "mel", "n_fft": 32, "hop": 10, "n_mels": 12, "multiple": 4}


UNET1D = {"name": "unet1d", "block_out_channels": [8, 8], "layers_per_block": 1}


UNET1D |= {"attention_levels": 1, "head": 8, "groups": 4}


UNET2D = {"name": "unet2d", "block_out_channels": [8, 8], "layers_per_block": 1}


UNET2D |= {"down_block_types": ["DownBlock2D"] * 2, "up_block_types": ["UpBlock2D"] * 2}


UNET2D |= {"norm_num_groups": 4, "attention_head_dim": 8}


def pipeline(
    representation: dict = WAVES, conditions: tuple[str, ...] = ("class", "subject"), **facts
) -> EEGDiffusionPipeline:
    """A tiny untrained model of noise of 20 µV."""
    network = UNET1D if representation is WAVES else UNET2D
    config = {"name": "eegdiff", "representation": representation, "network": network}
    torch.manual_seed(0)
    model = build_model({**config, "conditions": list(conditions)}, FACTS)
    for table in model.conditioning.tables.values():
        torch.nn.init.normal_(table.weight)
    model.representation.fit(20 * torch.randn(20, 3, 250, generator=torch.Generator()))
    return EEGDiffusionPipeline(model, DataFacts.from_dict({**FACTS.to_dict(), **facts}))
