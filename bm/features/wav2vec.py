"""wav2vec 2.0 (Baevski et al., NeurIPS 2020): hidden states, convolutions, and its input."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

import torch
from torch import Tensor

from ..errors import UserError
from . import FEATURES
from .pretrained import find_model, fingerprint, load_model, read_config
from .sound import SOUND_HZ, SoundFeature, mono

if TYPE_CHECKING:
    from transformers.utils import ModelOutput
    from typing_extensions import Unpack

#: Model and layers of Defossez et al. 2023; layer 0 is the input of the 24 blocks.
MODEL, LAYERS = "facebook/wav2vec2-large-xlsr-53", (14, 15, 16, 17, 18)


def normalised(wave: Tensor) -> Tensor:
    """Return a sound (n,) with mean 0 and variance 1, as the model was trained with."""
    # With the epsilon of the feature extractor of transformers.
    return (wave - wave.mean()) / (wave.var(unbiased=False) + 1e-7).sqrt()


class Wav2VecOptions(TypedDict, total=False):
    """Keyword arguments that features of wav2vec 2.0 hand on to `Wav2VecFeature`."""

    context_s: float | None
    device: str
    random: bool
    models: Path | None


class Wav2VecFeature(SoundFeature):
    """A feature of a wav2vec 2.0 model (or HuBERT, WavLM: any of their class with such a config).

    Args:
        model: folder, or name on the hub.
        context_s: longest stretch of sound that the model sees at once; None = the whole event,
            as published. Longer sounds are cut into parts of half of it, seen with a quarter on
            either side.
        device: where the model runs.
        random: weights drawn at random.
        models: folder of downloaded models.
    """

    def __init__(
        self,
        model: str = MODEL,
        context_s: float | None = None,
        device: str = "cpu",
        random: bool = False,
        models: Path | None = None,
    ) -> None:
        super().__init__()
        if context_s is not None and context_s < 1:
            raise UserError(f"feature {self.name}: context_s={context_s}; use 1 s or more, or null")
        self.folder = find_model(self.name, model, models)
        self.config = read_config(self.folder)
        self.context_s, self.device, self.random = context_s, device, random
        files = fingerprint(self.folder)
        self.options = {"model": files, "context_s": context_s, "random": random}
        self.dimension = self.width
        # Published model: an output every 320 samples, which sees 400.
        self.hop = math.prod(self.config["conv_stride"])
        self.field = 1  # samples that one output sees
        for kernel, stride in reversed(
            list(zip(self.config["conv_kernel"], self.config["conv_stride"], strict=True))
        ):
            self.field = (self.field - 1) * stride + kernel

    @property
    @abstractmethod
    def width(self) -> int:
        """Return F, the width of the representation."""

    def represent(self, wave: Tensor, rate_hz: int) -> Tensor:
        """Represent a sound (channels, n): (F, m), 50 columns a second for the published model."""
        sound = normalised(mono(wave, rate_hz, normalise=False))
        # A sound that is shorter than the field of one output would have none.
        sound = torch.nn.functional.pad(sound, (0, max(0, self.field - len(sound))))
        count = (len(sound) - self.field) // self.hop + 1
        if self.context_s is None or len(sound) <= self.context_s * SOUND_HZ:
            return self._embed(sound)
        # Attention costs the square of the length: a story of minutes does not fit into memory at
        # once. The outer quarters of a stretch are context alone.
        part = max(1, round(self.context_s / 2 * SOUND_HZ / self.hop))
        margin, columns = part // 2, []
        for first in range(0, count, part):
            last, begin = min(first + part, count), max(0, first - margin)
            end = min(last + margin, count)
            stretch = sound[begin * self.hop : (end - 1) * self.hop + self.field]
            columns.append(self._embed(stretch)[:, first - begin : last - begin])
        return torch.cat(columns, 1)

    def _embed(self, sound: Tensor) -> Tensor:
        """Run the model on a sound (n,) at once: (F, m)."""
        model = load_model(str(self.folder), self.device, self.random)
        with torch.inference_mode():
            output = model(sound[None].to(self.device), output_hidden_states=True)
            return self.select(output)[0].float().cpu().clone().T

    @abstractmethod
    def select(self, output: ModelOutput) -> Tensor:
        """Return what the feature takes from the model's output: (1, m, F)."""


@FEATURES.register("Wav2VecTransformer")
class Wav2VecTransformer(Wav2VecFeature):
    """Mean of hidden states of wav2vec 2.0 over layers: the published target of `clip`.

    Args:
        layers: numbers of hidden states; 0 is the input of the first block.
        options: see `Wav2VecFeature`.
    """

    name = "Wav2VecTransformer"
    layout = "stretched"

    def __init__(
        self,
        layers: Sequence[int] = LAYERS,
        model: str = MODEL,
        **options: Unpack[Wav2VecOptions],
    ) -> None:
        super().__init__(model, **options)
        last = int(self.config["num_hidden_layers"])
        if not layers or not all(0 <= layer <= last for layer in layers):
            raise UserError(f"feature {self.name}: layers={list(layers)}; {model} has 0 to {last}")
        self.layers = list(layers)
        self.options["layers"] = self.layers

    @property
    def width(self) -> int:
        """Return the width of a hidden state."""
        return int(self.config["hidden_size"])

    def select(self, output: ModelOutput) -> Tensor:
        """Return the mean over the layers."""
        states = output["hidden_states"]
        return torch.stack([states[layer] for layer in self.layers]).mean(0)

    def placed(self, values: Tensor, duration_s: float, rate_hz: float) -> Tensor:
        """Return the values as they are: windows spread them."""
        return values


@FEATURES.register("Wav2VecConvolution")
class Wav2VecConvolution(Wav2VecFeature):
    """Output of the convolutions of wav2vec 2.0."""

    name = "Wav2VecConvolution"

    @property
    def width(self) -> int:
        """Return the width of the last convolution."""
        return int(self.config["conv_dim"][-1])

    def select(self, output: ModelOutput) -> Tensor:
        """Return the convolutional features."""
        return output["extract_features"]


@FEATURES.register("Wav2VecChunk")
class Wav2VecChunk(SoundFeature):
    """The normalised sound itself, 16 kHz."""

    name = "Wav2VecChunk"
    normalizable = False
    rate_hz = float(SOUND_HZ)

    def represent(self, wave: Tensor, rate_hz: int) -> Tensor:
        """Return the normalised sound (channels, n): (1, m)."""
        return normalised(mono(wave, rate_hz, normalise=False))[None]
