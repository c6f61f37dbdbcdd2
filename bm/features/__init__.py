"""What was heard, read or done, as tensors: audio, text, words."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UserError, nearest
from ..registry import Registry

if TYPE_CHECKING:
    from .base import Feature

#: name -> module; a feature is a class built with its own keyword arguments, see `base.Feature`.
FEATURES: Registry[Any] = Registry(
    "feature",
    {
        "BertEmbedding": "bm.features.text",
        "MelSpectrum": "bm.features.mel",
        "Modality": "bm.features.words",
        "PartOfSpeech": "bm.features.lexicon",
        "Phoneme": "bm.features.phonemes",
        "PhonemePulse": "bm.features.phonemes",
        "Pitch": "bm.features.pitch",
        "SegmentHash": "bm.features.hashes",
        "Wav2VecChunk": "bm.features.wav2vec",
        "Wav2VecConvolution": "bm.features.wav2vec",
        "Wav2VecTransformer": "bm.features.wav2vec",
        "WordEmbedding": "bm.features.lexicon",
        "WordEmbeddingSmall": "bm.features.lexicon",
        "WordFrequency": "bm.features.lexicon",
        "WordHash": "bm.features.hashes",
        "WordIndex": "bm.features.words",
        "WordLength": "bm.features.words",
        "WordPulse": "bm.features.words",
        "WordSegment": "bm.features.words",
        "XlmEmbedding": "bm.features.text",
    },
)


def build_feature(entry: Mapping[str, Any] | str, models: Path | None = None) -> Feature:
    """The feature of one entry of `dset.features`.

    Args:
        entry: a registered name, or a mapping with `name` and the feature's own options.
        models: folder of downloaded models (`paths.models`), given to the features that read some.

    Raises:
        UserError: unknown feature or option, with the nearest valid name.
    """
    options = {"name": entry} if isinstance(entry, str) else dict(entry)
    if "name" not in options:
        raise UserError(f"dset.features: {options} has no name")
    name = options.pop("name")
    kind = FEATURES.get(name)
    parameters = options_of(kind)
    for option in options:
        if option not in parameters or option == "models":
            raise UserError(
                f"feature {name}: unknown option {option!r}{nearest(option, parameters)}"
            )
    return kind(**options, **({"models": models} if "models" in parameters else {}))


def options_of(kind: type) -> list[str]:
    """Keyword arguments of a class, also those that it hands on to its parent by `**options`."""
    found: list[str] = []
    for base in kind.__mro__:
        if "__init__" not in vars(base):
            continue
        own = list(inspect.signature(vars(base)["__init__"]).parameters.values())[1:]
        found += [p.name for p in own if p.kind is not p.VAR_KEYWORD and p.name not in found]
        if not any(p.kind is p.VAR_KEYWORD for p in own):
            break
    return found
