"""A typed sentence as if it had been heard word by word, and its features.

A model that predicts brain responses from features then predicts the response to the sentence.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ..errors import UserError
from .base import Feature
from .builder import FeatureBuilder

EDGE_S = 1.0  # before the first word, after the last
LETTER_S, SHORTEST_S, LONGEST_S = 0.1, 0.3, 0.8  # of a word
GAP_S = 0.3  # between words


def sentence_events(text: str, language: str = "en") -> pd.DataFrame:
    """Return the words of a sentence with the times at which they would be heard.

    A word lasts 0.1 s per letter, from 0.3 to 0.8 s; the first begins at 1 s, 0.3 s between two.

    Args:
        text: words between blanks; signs at the ends of a word are no part of it.
        language: ISO code.

    Returns:
        an event table of kind `word`.

    Raises:
        UserError: no word in it.
    """
    stripped = [re.sub(r"^\W+|\W+$", "", token) for token in text.split()]
    words = [word for word in stripped if word]
    if not words:
        raise UserError(f"sentence {text!r} has no word")
    rows, start = [], EDGE_S
    for index, word in enumerate(words):
        duration = min(max(LETTER_S * len(word), SHORTEST_S), LONGEST_S)
        columns = {"word": word, "word_index": index, "word_sequence": text, "language": language}
        times = {"start_s": start, "duration_s": duration}
        rows.append({"kind": "word", **times, **columns, "modality": "audio", "sequence_id": 0})
        start += duration + GAP_S
    return pd.DataFrame(rows)


def sentence_features(
    features: Sequence[Feature], text: str, rate_hz: float, language: str = "en"
) -> dict[str, Tensor]:
    """Return the features of a typed sentence, to one second after its last word: name -> (F, T).

    Args:
        features: made from words; see `build_feature`.
        text, language: see `sentence_events`.
        rate_hz: of the grid.

    Raises:
        UserError: a feature of sounds or phonemes, which a typed sentence does not have.
    """
    others = [feature.name for feature in features if feature.kind != "word"]
    if others:
        raise UserError(f"a typed sentence has no sound: leave out {', '.join(others)}")
    events = sentence_events(text, language)
    last = events.iloc[-1]
    length = round((last["start_s"] + last["duration_s"] + EDGE_S) * rate_hz)
    builder = FeatureBuilder(features)
    builder.add(events, rate_hz)
    windows, _ = builder.gather(np.zeros(1, int), np.zeros(1, int), length)
    return {name: values[0].clone() for name, values in windows.items()}


def zero_features(features: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the same features of a silence: all zero."""
    return {name: torch.zeros_like(values) for name, values in features.items()}
