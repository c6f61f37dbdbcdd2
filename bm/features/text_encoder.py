"""Encoders of whole texts: a state for each token, for models that are conditioned on sentences."""

from __future__ import annotations

import functools
import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import UserError
from ..nn.sinusoids import sinusoids
from .pretrained import find_model, fingerprint, load_model, read_config
from .text import load_tokenizer

HASHED = "hashed"
#: Files that decide how a text becomes tokens.
TOKENIZER_FILES = ("tokenizer.json", "vocab.txt", "vocab.json", "merges.txt", "tokenizer.model",
                   "sentencepiece.bpe.model", "tokenizer_config.json")  # fmt: skip


@dataclass(frozen=True)
class TextOptions:
    """Which encoder reads texts, and how much of them.

    Attributes:
        encoder: a folder or name on the hub of a transformer, or `hashed`: a random vector for each
            word, drawn from its letters, which needs no file and no network.
        tokens: L, most tokens of a text; longer ones are cut.
        width: of the vectors of `hashed`.
    """

    encoder: str = "google-bert/bert-base-uncased"
    tokens: int = 56  # as published
    width: int = 64

    def __post_init__(self) -> None:
        if self.tokens < 1:
            raise UserError(f"text.tokens={self.tokens}: at least 1")
        if self.width < 2 or self.width % 2:
            raise UserError(f"text.width={self.width}: an even number from 2 on")


class TextEncoder(ABC):
    """States of the tokens of texts.

    Attributes:
        width: D.
        identity: what decides the states, plain values; other values are other states.
    """

    width: int
    identity: dict[str, Any]

    @abstractmethod
    def states(self, texts: Sequence[str]) -> list[Tensor]:
        """Return (n, D) float32 states of the 1 to L tokens of each text."""


class HashedEncoder(TextEncoder):
    """A beginning and a random vector for each word, with the place in the text added."""

    def __init__(self, options: TextOptions) -> None:
        self.tokens, self.width = options.tokens, options.width
        self.identity = {"encoder": HASHED, "tokens": self.tokens, "width": self.width}

    def states(self, texts: Sequence[str]) -> list[Tensor]:
        """Return states of texts; words are told apart without case and signs."""
        states = []
        for text in texts:
            plain = ("".join(c for c in word if c.isalnum()) for word in text.lower().split())
            words = ["", *(word for word in plain if word)][: self.tokens]
            vectors = torch.stack([word_vector(word, self.width) for word in words])
            states.append(vectors + sinusoids(torch.arange(len(words)), self.width))
        return states


@functools.lru_cache(maxsize=100_000)
def word_vector(word: str, width: int) -> Tensor:
    """Return the unit normal vector (width,) of a word, the same on every machine."""
    seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:8], "big") % 2**63
    return torch.randn(width, generator=torch.Generator().manual_seed(seed))


class PretrainedEncoder(TextEncoder):
    """Last hidden states of a transformer, attending to the tokens of the text alone.

    Brain-Diffusion gives the number of words for that of tokens, so that the last ones are hidden.

    Args:
        options: name of the model, and tokens.
        models: folder of downloaded models.
        device: where the model runs.

    Raises:
        UserError: no such model, or more tokens than it reads.
    """

    def __init__(self, options: TextOptions, models: Path | None, device: str = "cpu") -> None:
        self.folder = find_model("text condition", options.encoder, models)
        self.tokens, self.device = options.tokens, device
        config = read_config(self.folder)
        self.width = int(config["hidden_size"])
        most = int(config.get("max_position_embeddings", options.tokens))
        if options.tokens > most:
            raise UserError(
                f"text.tokens={options.tokens}: {options.encoder} reads {most} tokens; use fewer"
            )
        self.identity = {
            "encoder": options.encoder,
            "tokens": options.tokens,
            "model": fingerprint(self.folder),
            "tokenizer": tokenizer_hash(self.folder),
        }

    def states(self, texts: Sequence[str]) -> list[Tensor]:
        """Return states of texts; one model call for all."""
        encoded = load_tokenizer(str(self.folder))(
            list(texts), padding=True, truncation=True, max_length=self.tokens, return_tensors="pt"
        ).to(self.device)
        with torch.inference_mode():
            hidden = load_model(str(self.folder), self.device)(**encoded).last_hidden_state
        lengths = encoded["attention_mask"].sum(1).tolist()
        return [rows[:n].float().cpu().clone() for rows, n in zip(hidden, lengths, strict=True)]


def tokenizer_hash(folder: Path) -> str:
    """Return a hash of the files of a tokenizer, whose versions cut texts differently."""
    parts = [
        [name, hashlib.sha256((folder / name).read_bytes()).hexdigest()]
        for name in TOKENIZER_FILES
        if (folder / name).is_file()
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def text_encoder(options: TextOptions, models: Path | None, device: str = "cpu") -> TextEncoder:
    """Build the encoder that the options name."""
    if options.encoder == HASHED:
        return HashedEncoder(options)
    return PretrainedEncoder(options, models, device)
