"""Features of what was heard, read or said, as tensors: of sounds, of phonemes, of words.

They are those of Defossez et al., "Decoding speech perception from non-invasive brain recordings"
(Nature Machine Intelligence 5:1097, 2023), whose code defines the details. Equal numbers on the
same events are held by golden cases of that code.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UserError
from ..registry import Registry, argument_names, check_arguments

if TYPE_CHECKING:
    from .base import Feature

#: name -> module; a feature is a class built with its own keyword arguments, see `base.Feature`.
FEATURES: Registry[Any] = Registry(
    "feature",
    {
        "BertEmbedding": "bm.features.text",
        "MelSpectrum": "bm.features.mel",
        "SoundWave": "bm.features.wave",
        "Modality": "bm.features.words",
        "PartOfSpeech": "bm.features.lexicon",
        "Phoneme": "bm.features.phonemes",
        "PhonemePulse": "bm.features.phonemes",
        "Pitch": "bm.features.pitch",
        "SegmentHash": "bm.features.hashes",
        "StoredEmbedding": "bm.features.stored",
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
    """Build the feature of one entry of `dset.features`.

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
    check_arguments(f"feature {name}", kind, options, excluded=("models",))
    reads_models = "models" in argument_names(kind)
    return kind(**options, **({"models": models} if reads_models else {}))
