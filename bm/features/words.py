"""Features that can be read off words: where, how long, which."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from . import FEATURES
from .base import Feature, HeldFeature

if TYPE_CHECKING:
    import pandas as pd


class WordFeature(HeldFeature):
    """A feature with one number per word."""

    kind = "word"
    columns: ClassVar[tuple[str, ...]] = ("word", "language")


@FEATURES.register("WordSegment")
class WordSegment(WordFeature):
    """1 inside words."""

    name = "WordSegment"
    cardinality = 2  # outside, inside

    def value(self, event: dict[str, Any]) -> float:
        """Return 1."""
        return 1.0


@FEATURES.register("Modality")
class Modality(WordFeature):
    """1 for words that are heard, 2 for words that are seen."""

    name = "Modality"
    cardinality = 3  # no word, heard, seen
    columns = ("modality",)

    def value(self, event: dict[str, Any]) -> float:
        """Return 1 or 2."""
        return {"audio": 1.0, "visual": 2.0}[event["modality"]]


@FEATURES.register("WordLength")
class WordLength(WordFeature):
    """Number of characters."""

    name = "WordLength"
    normalizable = True

    def value(self, event: dict[str, Any]) -> float:
        """Return the number of characters."""
        return float(len(event["word"]))


@FEATURES.register("WordIndex")
class WordIndex(WordFeature):
    """Place of the word in its sentence, from 1 on."""

    name = "WordIndex"
    normalizable = True
    columns = ("word_index",)

    def value(self, event: dict[str, Any]) -> float:
        """Return word_index + 1."""
        return float(event["word_index"]) + 1


@FEATURES.register("WordPulse")
class WordPulse(Feature):
    """1 at the beginning of words.

    Args:
        duration_ms: of the pulse.
    """

    name = "WordPulse"
    kind = "word"
    layout = "sampled"

    def __init__(self, duration_ms: float = 50.0) -> None:
        super().__init__()
        self.duration_ms = duration_ms
        self.options = {"duration_ms": duration_ms}

    def rows(self, events: pd.DataFrame, rate_hz: float) -> Sequence[np.ndarray]:
        """Return as many rows as the word has samples, at least one."""
        length = round(self.duration_ms / 1000 * rate_hz)
        pulses = []
        for duration in events["duration_s"]:
            # As long as the word: the last row is repeated until the event ends.
            pulse = np.zeros((max(1, round(duration * rate_hz)), 1), np.float32)
            pulse[:length] = 1
            pulses.append(pulse)
        return pulses
