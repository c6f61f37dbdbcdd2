"""Features of words from word lists and spaCy: frequency, part of speech, embedding."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import UserError
from . import FEATURES
from .base import Feature
from .language import iso_code
from .words import WordFeature

if TYPE_CHECKING:
    import pandas as pd
    from spacy.language import Language
    from spacy.tokens import Token

#: spaCy's corpus of a language.
CORPORA = {"en": "web"} | dict.fromkeys(("da", "nl", "fr", "de", "it", "nb"), "news")
#: spaCy's parts of speech in the published order; the place in the list + 1 is the class.
PARTS = (
    *("ADJ", "ADP", "ADV", "AUX", "CONJ", "CCONJ", "DET", "INTJ", "NOUN", "NUM", "PART"),
    *("PRON", "PROPN", "PUNCT", "SCONJ", "SYM", "VERB", "X", "EOL", "SPACE"),
)


def missing_package(feature: str, package: str) -> UserError:
    """Return the error of a feature whose package is not installed."""
    return UserError(
        f"feature {feature} needs the package {package}, which is not installed; "
        "run `pip install -e '.[words]'`"
    )


@FEATURES.register("WordFrequency")
class WordFrequency(WordFeature):
    """Zipf frequency of the word in its language: log10 of occurrences per billion words.

    Args:
        lang: ISO code; auto = that of the event.
    """

    name = "WordFrequency"
    normalizable = True

    def __init__(self, lang: str = "auto") -> None:
        super().__init__()
        self.lang, self.options = lang, {"lang": lang}

    def value(self, event: dict[str, Any]) -> float:
        """Return the frequency of the word."""
        try:
            from wordfreq import zipf_frequency
        except ImportError:
            raise missing_package(self.name, "wordfreq") from None
        return float(zipf_frequency(event["word"], language_of(event, self.lang)))


def language_of(event: dict[str, Any], lang: str) -> str:
    """Return the code of a word's language."""
    return iso_code(event.get("language") if lang == "auto" else lang)


@functools.lru_cache(maxsize=4)
def pipeline(feature: str, language: str, size: str, models: Path | None) -> Language:
    """Load spaCy's pipeline of a language, from `models` or installed.

    Raises:
        UserError: no spaCy, no pipeline of this language, or it is not there.
    """
    try:
        import spacy
    except ImportError:
        raise missing_package(feature, "spacy") from None
    # xx is spaCy's pipeline of many languages.
    if language not in CORPORA and language != "xx":
        languages = ", ".join([*CORPORA, "xx"])
        raise UserError(
            f"feature {feature}: spaCy has no pipeline of {language!r}; known: {languages}"
        )
    name = "xx_ent_wiki_sm" if language == "xx" else f"{language}_core_{CORPORA[language]}_{size}"
    local = Path(models or "models") / name
    try:
        return spacy.load(local if local.is_dir() else name)
    except OSError:
        raise UserError(
            f"feature {feature}: no spaCy pipeline {name}; run `python -m spacy download {name}`, "
            f"or put its folder (with config.cfg) at {local}"
        ) from None


class SpacyFeature(Feature):
    """A feature of the first token of a word, taken by itself.

    Args:
        lang: ISO code; auto = that of the event.
        models: folder of downloaded models.
    """

    kind = "word"
    columns = ("word", "language")
    size = "md"

    def __init__(self, lang: str = "auto", models: Path | None = None) -> None:
        super().__init__()
        self.lang, self.models = lang, models
        self.options = {"lang": lang}

    def token(self, event: dict[str, Any]) -> Token | None:
        """Return the first token of the word; None of an empty one."""
        language = language_of(event, self.lang)
        document = pipeline(self.name, language, self.size, self.models)(str(event["word"]))
        return document[0] if len(document) else None


@FEATURES.register("PartOfSpeech")
class PartOfSpeech(SpacyFeature):
    """Part of speech, from 1 on."""

    name = "PartOfSpeech"
    cardinality = 1 + len(PARTS)

    def rows(self, events: pd.DataFrame, rate_hz: float) -> Sequence[np.ndarray]:
        """Return one class per word."""
        tokens = [self.token(event) for event in events.to_dict("records")]
        classes = [0 if token is None else 1 + PARTS.index(token.pos_) for token in tokens]
        return [np.array([[number]], np.float32) for number in classes]


@FEATURES.register("WordEmbedding")
class WordEmbedding(SpacyFeature):
    """Word vector of spaCy's medium pipelines."""

    name = "WordEmbedding"
    dimension = 300  # of spaCy's medium pipelines
    normalizable = True

    def rows(self, events: pd.DataFrame, rate_hz: float) -> Sequence[np.ndarray]:
        """Return one vector per word."""
        vectors = []
        for event in events.to_dict("records"):
            token = self.token(event)
            vector = np.zeros(self.dimension) if token is None else np.asarray(token.vector)
            if len(vector) != self.dimension:
                raise UserError(
                    f"feature {self.name}: the vector of {event['word']!r} has {len(vector)} "
                    f"numbers, not {self.dimension}; use a pipeline of size {self.size}"
                )
            vectors.append(vector[None].astype(np.float32))
        return vectors


@FEATURES.register("WordEmbeddingSmall")
class WordEmbeddingSmall(WordEmbedding):
    """Word vector of spaCy's small pipelines."""

    name = "WordEmbeddingSmall"
    dimension = 96  # of spaCy's small pipelines
    size = "sm"
