"""Published systems and baselines: one module each, registered by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..registry import Registry, argument_names

if TYPE_CHECKING:
    from torch import nn

    from ..facts import DataFacts
    from .saved import FactsRecord, LoadReport

#: name -> module that registers it.
MODELS: Registry[Any] = Registry(
    "model",
    {
        "brainbert": "bm.models.baselines.brainbert",
        "brainbert_mae": "bm.models.baselines.brainbert_mae",
        "brant": "bm.models.baselines.brant",
        "brant_mae": "bm.models.baselines.brant_mae",
        "classical": "bm.models.baselines.classical",
        "clip_convrnn": "bm.models.clip.convrnn",
        "clip_deep_mel": "bm.models.clip.deep_mel",
        "clip_simpleconv": "bm.models.clip.simpleconv",
        "cnn_bigru": "bm.models.baselines.cnn_bigru",
        "conformer": "bm.models.baselines.conformer",
        "dewave": "bm.models.baselines.dewave",
        "duin_cls": "bm.models.duin.classifier",
        "duin_mae": "bm.models.duin.masked",
        "duin_phoneme": "bm.models.duin.phonemes",
        "duin_vqvae": "bm.models.duin.tokenizer",
        "eeg2speech": "bm.models.eeg2speech.latent",
        "eeg2speech_autoencoder": "bm.models.eeg2speech.autoencoder",
        "eeg2speech_vocoder": "bm.models.eeg2speech.vocoder",
        "eegdiff": "bm.models.eegdiff.model",
        "eegdiff_codex": "bm.models.eegdiff.codex",
        "eegnet": "bm.models.baselines.eegnet",
        "labram": "bm.models.labram.classifier",
        "labram_masked": "bm.models.labram.masked",
        "neurobert": "bm.models.baselines.neurobert",
        "neurobert_mae": "bm.models.baselines.neurobert",
        "seeg_conformer": "bm.models.baselines.seeg_conformer",
        "seeg_labram": "bm.models.baselines.seeg_labram",
        "shallow_fbcsp": "bm.models.baselines.shallow",
        "tstcc": "bm.models.baselines.tstcc",
        "tstcc_contrast": "bm.models.baselines.tstcc",
        "vqnsp": "bm.models.labram.tokenizer",
    },
)


def arguments_of(name: str) -> list[str]:
    """Return the names of the arguments of a registered model, none of an unknown one."""
    return argument_names(MODELS.get(name)) if name in MODELS.names() else []


# The functions below import what they call when they are called: this package is on the path of
# commands that list names and must not wait for torch. Models come back as `Any`, because their
# methods are those of the class that the configuration names.


def build_model(model: Mapping[str, Any], facts: DataFacts) -> Any:
    """Build the network of the `model` section for these data; see `bm.models.saved.build`."""
    from .saved import build

    return build(model, facts)


def save(module: nn.Module, folder: Path, facts: FactsRecord) -> None:
    """Write a model in `save_pretrained` form; see `bm.models.saved.save`."""
    from .saved import save as write

    write(module, folder, facts)


def load(folder: Path, trust_target: bool = False, **changes: Any) -> Any:
    """Rebuild a saved model without Hydra or Dora; see `bm.models.saved.load`."""
    from .saved import load as read

    return read(folder, trust_target, **changes)


def load_weights(module: nn.Module, folder: Path) -> None:
    """Load saved weights into a model, strictly; see `bm.models.saved.load_weights`."""
    from .saved import load_weights as read

    read(module, folder)


def init_weights(
    module: nn.Module,
    folder: Path,
    partial: bool = False,
    subjects: Sequence[str] | None = None,
) -> LoadReport:
    """Start a model from saved weights with a report; see `bm.models.saved.init_weights`."""
    from .saved import init_weights as start

    return start(module, folder, partial, subjects)
