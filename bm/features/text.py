"""Features of words from language models: BERT and XLM-R."""

from __future__ import annotations

import functools
import math
from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ..errors import UserError
from . import FEATURES
from .base import Feature
from .pretrained import find_model, fingerprint, load_model, read_config

if TYPE_CHECKING:
    import pandas as pd
    from transformers import PreTrainedTokenizerBase

BERT, XLM = "google-bert/bert-base-multilingual-cased", "FacebookAI/xlm-roberta-large"
#: Hidden states of BERT whose mean is taken, as published.
BERT_LAYERS = (8, 9, 10)


@functools.lru_cache(maxsize=2)
def load_tokenizer(folder: str) -> PreTrainedTokenizerBase:
    """Load the tokenizer of a model."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder)


class TextFeature(Feature):
    """A feature of words from a language model that reads their sequence.

    Args:
        model: folder, or name on the hub.
        device: where the model runs.
        models: folder of downloaded models.
    """

    kind = "word"
    columns = ("word_index", "word_sequence")
    normalizable = True

    def __init__(self, model: str, device: str = "cpu", models: Path | None = None) -> None:
        super().__init__()
        self.folder = find_model(self.name, model, models)
        self.device, self.config = device, read_config(self.folder)
        self.dimension = int(self.config["hidden_size"])
        self.options = {"model": fingerprint(self.folder)}

    def rows(self, events: pd.DataFrame, rate_hz: float) -> Sequence[np.ndarray]:
        """Return one vector per word; every sequence is read once."""
        sequences: dict[str, Tensor] = {}
        vectors = []
        for event in events.to_dict("records"):
            sequence, place = str(event["word_sequence"]), int(event["word_index"])
            if sequence not in sequences:
                # A story repeats its sentence for each of its words; the model reads it once.
                sequences[sequence] = self.vectors(sequence.split())
            if not 0 <= place < len(sequences[sequence]):
                raise UserError(
                    f"feature {self.name}: word_index {place} is outside {sequence[:60]!r}"
                )
            vectors.append(sequences[sequence][place][None].numpy())
        return vectors

    @abstractmethod
    def vectors(self, words: list[str]) -> Tensor:
        """Return the vectors of the words of a sequence: (words, F)."""

    def states(self, tokens: list[int]) -> tuple[Tensor, ...]:
        """Return the hidden states (tokens, F) of every layer, the embedding first."""
        # Positions of XLM-R begin at 2: of 514, 512 are for tokens.
        limit = int(self.config.get("max_position_embeddings", len(tokens) + 2)) - 2
        if len(tokens) > limit:
            raise UserError(
                f"feature {self.name}: a sequence has {len(tokens)} tokens, the model reads {limit}"
            )
        model = load_model(str(self.folder), self.device)
        with torch.inference_mode():
            ids = torch.tensor([tokens], device=self.device)
            output = model(ids, output_hidden_states=True)
        return tuple(state[0].float().cpu().clone() for state in output.hidden_states)


@FEATURES.register("BertEmbedding")
class BertEmbedding(TextFeature):
    """Mean of hidden states of BERT, summed over the tokens of a word.

    Args:
        layers: numbers of hidden states; 0 is the embedding.
        model, device, models: see `TextFeature`.
    """

    name = "BertEmbedding"

    def __init__(
        self,
        layers: Sequence[int] = BERT_LAYERS,
        model: str = BERT,
        device: str = "cpu",
        models: Path | None = None,
    ) -> None:
        super().__init__(model, device, models)
        last = int(self.config["num_hidden_layers"])
        if not layers or not all(0 <= layer <= last for layer in layers):
            raise UserError(f"feature {self.name}: layers={list(layers)}; {model} has 0 to {last}")
        self.layers = list(layers)
        self.options["layers"] = self.layers

    def vectors(self, words: list[str]) -> Tensor:
        """Return vectors of words that are read as one sentence."""
        # Tokens know their word; those that the tokenizer adds have none.
        encoded = load_tokenizer(str(self.folder))(words, is_split_into_words=True)
        states = self.states(encoded["input_ids"])
        mean = torch.stack([states[layer] for layer in self.layers]).mean(0)
        owners = encoded.word_ids(0)
        vectors = torch.zeros(len(words), self.dimension)
        for token, word in enumerate(owners):
            # Summed, not averaged: a word of three pieces has a longer vector, as published.
            if word is not None:
                vectors[word] += mean[token]
        return vectors


@FEATURES.register("XlmEmbedding")
class XlmEmbedding(TextFeature):
    """Embedding or last layer of XLM-R, summed over the tokens of a word over their root number.

    Args:
        contextual: the last layer instead of the embedding.
        model, device, models: see `TextFeature`.
    """

    name = "XlmEmbedding"

    def __init__(
        self,
        contextual: bool = False,
        model: str = XLM,
        device: str = "cpu",
        models: Path | None = None,
    ) -> None:
        super().__init__(model, device, models)
        self.contextual = contextual
        self.options["contextual"] = contextual

    def vectors(self, words: list[str]) -> Tensor:
        """Return vectors of words that are made tokens one by one, and read as one sentence."""
        tokenizer = load_tokenizer(str(self.folder))
        parts = [tokenizer(word, add_special_tokens=False)["input_ids"] for word in words]
        flat = [token for part in parts for token in part]
        tokens = [tokenizer.cls_token_id, *flat, tokenizer.sep_token_id]
        state = self.states(tokens)[-1 if self.contextual else 0]
        vectors, first = torch.zeros(len(words), self.dimension), 1
        for number, part in enumerate(parts):
            if part:
                total = state[first : first + len(part)].sum(0)
                vectors[number] = total / math.sqrt(len(part))
            first += len(part)
        return vectors
