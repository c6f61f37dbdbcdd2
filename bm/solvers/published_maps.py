"""Maps of windows in the values that Brain-Diffusion stores, before any scaling."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import UserError
from ..facts import DataFacts
from ..models.eegdiff.model import build_representation
from ..nn.representation import MelImage, Representation, StftComplexImage, StftMagnitudeImage
from ..nn.word_maps import BandImages, WordMap


def representation_for(section: Mapping[str, Any], facts: DataFacts) -> Representation:
    """Build the representation of a `model` section for windows, without a network."""
    sizes = {"n_channels": facts.n_channels, "n_times": facts.window_samples}
    return build_representation(section, {**sizes, "rate_hz": facts.rate_hz, "multiple": 1})


@torch.no_grad()
def published_maps(representation: Representation, signal: Tensor) -> np.ndarray:
    """Return maps (B, C, T, F) of windows (B, C, T): attenuation in dB, complex STFT, or values.

    Raises:
        UserError: a representation that is no map.
    """
    waves = signal.contiguous().double()
    if isinstance(representation, MelImage):
        mel = representation.mel
        return mel.attenuation(mel.power(representation.pad(waves))).numpy()
    if isinstance(representation, StftComplexImage | StftMagnitudeImage):
        return representation.stft(waves).to(torch.complex64).numpy()
    if isinstance(representation, WordMap):
        values, _ = representation.words(waves)
        if isinstance(representation, BandImages):
            bands = values.unflatten(2, (representation.bands, -1))
            return bands.permute(0, 2, 3, 1)[..., : representation.n_words].contiguous().numpy()
        return representation.columns(values)[:, None, : representation.shape[1]].numpy()
    name = type(representation).__name__
    raise UserError(f"{name} is no map: Arrow folders hold mel maps, STFT and word maps")
