"""Hashes of words and segments: numbers that are the same in every process and on every machine."""

from __future__ import annotations

import hashlib
from typing import Any

import torch

from ..errors import UserError
from . import FEATURES
from .words import WordFeature


def stable_hash(text: str) -> int:
    """Return a positive 63-bit number of a text, never 0: 0 stands for nothing."""
    digest = hashlib.sha256(text.encode()).digest()
    # int64 has a sign: 63 bits are left for the number.
    return (int.from_bytes(digest[:8], "big") >> 1) or 1


def bare_word(word: str) -> str:
    """Return a word as it is compared: lower case, without full stops at its ends."""
    # As published: the last word of a sentence is the word that it is elsewhere.
    return word.lower().strip(".")


@FEATURES.register("WordHash")
class WordHash(WordFeature):
    """Hash of a word, int64.

    The code of Defossez et al. takes Python's hash, which is another in every process, and passes
    it through float32, where different words become equal.

    Args:
        buckets: 1 + hash modulo this, a categorical feature; different words may then share a
            number. None = the whole hash.
    """

    name = "WordHash"
    dtype = torch.int64

    def __init__(self, buckets: int | None = None) -> None:
        super().__init__()
        if buckets is not None and buckets < 1:
            raise UserError(f"feature WordHash: buckets={buckets}; use 1 or more, or null")
        self.buckets, self.options = buckets, {"buckets": buckets}
        # Class 0 is no word.
        self.cardinality = 0 if buckets is None else 1 + buckets

    def value(self, event: dict[str, Any]) -> int:
        """Return the hash of the word."""
        number = stable_hash(bare_word(event["word"]))
        return number if self.buckets is None else 1 + number % self.buckets


@FEATURES.register("SegmentHash")
class SegmentHash(WordFeature):
    """Hash of (place of the word in its sequence, the sequence): what a segment is, int64."""

    name = "SegmentHash"
    dtype = torch.int64
    columns = ("word_index", "word_sequence")

    def value(self, event: dict[str, Any]) -> int:
        """Return the hash of the word's place."""
        return stable_hash(f"{int(event['word_index'])}|{event['word_sequence']}")
