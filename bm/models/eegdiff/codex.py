"""WordCodex: a vector-quantised auto-encoder of the band powers of read words.

Brain-Diffusion holds it without using it; its form is that of DeWave (Duan et al. 2023).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...nn.distance_quantiser import DistanceQuantiser, NearestCodes
from ...nn.sinusoids import sinusoids
from ...registry import check_known
from .. import MODELS
from ..contract import Tokenizer
from ..reconstruction import Reconstruction
from ..sections import section_of

POSITIONS = ("word", "batch")
LOSSES = {"mse": functional.mse_loss, "bce": functional.binary_cross_entropy_with_logits}
ACTIVATIONS = ("relu", "gelu")


@dataclass(frozen=True)
class CodexOptions:
    """Options of the two transformers of a codex.

    Attributes:
        layers: of the encoder, and of the decoder.
        n_heads: which divide both widths.
        forward_width: of the feed-forward layers.
        activation: of the feed-forward layers: relu or gelu.
        norm_first: layer norms before each part instead of behind it.
        dropout: of all parts.
        positions: `word` numbers words; `batch`, as published, numbers the items of the batch,
            because a table for sequences in front is used for batches in front.
    """

    layers: int = 6
    n_heads: int = 8
    forward_width: int = 2048
    activation: str = "relu"
    norm_first: bool = False
    dropout: float = 0.1
    positions: str = "word"

    def __post_init__(self) -> None:
        check_known("model.blocks.positions", self.positions, POSITIONS)
        check_known("model.blocks.activation", self.activation, ACTIVATIONS)


class CodexStage(nn.Module):
    """Positions, transformer layers and a linear layer.

    Args:
        inner, outer: widths before and after; the layers have the first.
        o: options.
    """

    def __init__(self, inner: int, outer: int, o: CodexOptions) -> None:
        super().__init__()
        if inner % o.n_heads:
            raise ValueError(f"width {inner} and n_heads={o.n_heads}: heads must divide it")
        self.positions = o.positions
        layer = nn.TransformerEncoderLayer(
            inner, o.n_heads, o.forward_width, o.dropout, o.activation,
            batch_first=True, norm_first=o.norm_first,
        )  # fmt: skip
        # nested tensors would turn padded words to zero, which the published losses count
        self.blocks = nn.TransformerEncoder(layer, o.layers, enable_nested_tensor=False)
        self.fc1 = nn.Linear(inner, outer)

    def forward(self, x: Tensor, padded: Tensor | None) -> Tensor:
        """Return (B, W, outer) of words (B, W, inner) and the mask (B, W) of padded ones."""
        by_word = self.positions == "word"
        places = torch.arange(x.shape[1] if by_word else len(x), device=x.device)
        table = sinusoids(places, x.shape[2]).to(x.dtype)
        x = x + (table if by_word else table[:, None])
        return self.fc1(self.blocks(x, src_key_padding_mask=padded))


@dataclass(frozen=True)
class CodexOutputs:
    """What a codex makes of words.

    Attributes:
        indices: (B, W) int64 codes.
        rebuilt: (B, W, F) words.
        vectors: (B, W, d) before the codebook.
        quantised: what the codebook gives.
    """

    indices: Tensor
    rebuilt: Tensor
    vectors: Tensor
    quantised: NearestCodes


@MODELS.register("eegdiff_codex")
class WordCodex(Tokenizer):
    """Codes of words from which their band powers are rebuilt.

    A window is a sentence: channels are the features of a word, samples its words, and words of
    zeros are padding.

    Args:
        n_channels: F, values of a word.
        n_times: W, most words of a sentence.
        width: d of the codes.
        n_codes: K; the published 1014 is surely meant to be 1024.
        blocks: `CodexOptions`.
        codebook_scale, commitment_scale: weights of the two terms of the quantiser.
        loss: of the reconstruction: mse; bce of logits, as published, fits no z-scored values.
        rectified: a ReLU ends the decoder, as published: no value below the mean is rebuilt.
        padding_counts: padded words count in the losses, as published.
        kmeans: the codebook starts from training vectors.

    Example:
        >>> model = WordCodex(16, 6, width=12, n_codes=10, blocks={"n_heads": 2, "layers": 1})
        >>> model.tokens(torch.randn(3, 16, 6)).shape
        torch.Size([3, 6])
    """

    patch_samples = 1
    named_channels = False

    def __init__(
        self,
        n_channels: int,
        n_times: int,
        width: int = 512,
        n_codes: int = 1024,
        blocks: Mapping[str, Any] | None = None,
        codebook_scale: float = 0.2,
        commitment_scale: float = 0.4,
        loss: str = "mse",
        rectified: bool = False,
        padding_counts: bool = False,
        kmeans: bool = True,
    ) -> None:
        super().__init__()
        check_known("model.loss", loss, LOSSES)
        options = section_of(CodexOptions, blocks, "blocks")
        self.max_patches, self.n_codes = n_times, n_codes
        self.encoder = CodexStage(n_channels, width, options)
        self.quantiser = DistanceQuantiser(n_codes, width, kmeans)  # type: ignore[assignment]
        self.decoder = CodexStage(width, n_channels, options)
        self.scales = (codebook_scale, commitment_scale)
        self.compare, self.rectified, self.padding_counts = LOSSES[loss], rectified, padding_counts

    def encode(self, words: Tensor, padded: Tensor | None) -> Tensor:
        """Return vectors (B, W, d) of words (B, W, F)."""
        return functional.relu(self.encoder(words, padded))

    def rebuild(self, words: Tensor, padded: Tensor | None = None) -> CodexOutputs:
        """Return codes and rebuilt words of words (B, W, F), padded where (B, W) is true."""
        vectors = self.encode(words, padded)
        quantised = self.quantiser(vectors)
        rebuilt = self.decoder(quantised.codes, padded)
        rebuilt = functional.relu(rebuilt) if self.rectified else rebuilt
        return CodexOutputs(quantised.indices, rebuilt, vectors, quantised)

    def forward(self, x: Tensor) -> CodexOutputs:
        """Rebuild windows (B, F, W)."""
        return self.rebuild(x.transpose(1, 2), padded_words(x))

    def parts(self, outputs: CodexOutputs, words: Tensor, padded: Tensor | None) -> dict:
        """Return `loss` and its unweighted parts, each a mean over words."""
        q = outputs.quantised
        pairs: dict[str, tuple[Tensor, Tensor, Any]] = {
            "reconstruction": (outputs.rebuilt, words, self.compare),
            "codebook": (q.chosen, outputs.vectors.detach(), functional.mse_loss),
            "commitment": (outputs.vectors, q.chosen.detach(), functional.mse_loss),
        }
        there = slice(None) if padded is None or self.padding_counts else ~padded
        values = {name: f(one[there], other[there]) for name, (one, other, f) in pairs.items()}
        book, commitment = self.scales
        total = values["reconstruction"] + book * values["codebook"]
        return {"loss": total + commitment * values["commitment"], **values}

    def losses(self, outputs: CodexOutputs, x: Tensor) -> dict[str, Tensor]:
        """Return `loss` and its parts for windows x (B, F, W)."""
        return self.parts(outputs, x.transpose(1, 2), padded_words(x))

    def tokens(self, x: Tensor, channel_ids: Tensor | None = None) -> Tensor:
        """Return codes (B, W) of windows (B, F, W)."""
        vectors, _ = self.code_vectors(x)
        indices: Tensor = self.quantiser(vectors).indices
        return indices

    def code_vectors(
        self, x: Tensor, channel_ids: Tensor | None = None
    ) -> tuple[Tensor, tuple[int, int]]:
        """Return vectors (B, W, d) of windows (B, F, W), and (1, W)."""
        return self.encode(x.transpose(1, 2), padded_words(x)), (1, x.shape[2])

    def reconstructions(self, outputs: CodexOutputs, x: Tensor) -> list[Reconstruction]:
        """Return the rebuilt words beside those of x (B, F, W)."""
        words = x.transpose(1, 2)
        # padded words are no reconstruction: both sides are 0 there
        rebuilt = outputs.rebuilt * ~padded_words(x)[..., None]
        return [Reconstruction("words", words, rebuilt, "feature", words.shape[2])]


def padded_words(x: Tensor) -> Tensor:
    """Return (B, W) true at words of zeros; of a sentence without words the first one counts."""
    padded = (x == 0).all(1)
    # attention to nothing is NaN
    padded[:, 0] &= ~padded.all(1)
    return padded


def published_codex_names(model: nn.Module) -> dict[str, str]:
    """Return the original's name of each tensor; its unused `translayer.*` have none of ours."""
    names = {}
    for name in model.state_dict():
        if name == "quantiser.weight":
            names[name] = "emb.weight"
            continue
        side, _, rest = name.partition(".")
        rest = rest.replace("blocks.", f"{side}.", 1)
        names[name] = f"brain_codex_{side}.{rest}"
    return names
