"""`python -m scripts.import_checkpoint family=labram path=FILE [to=FOLDER] [partial=true]`.

Reads a checkpoint of a published implementation without running code from it and writes it as a
saved model, which `init_from=//file/FOLDER` (or tokenizer=, encoder=) then takes. Prints the
outcome of every tensor: matched, missing, unexpected, of another shape. Without `to` the folder is
BM_MODELS (./models)/FAMILY/NAME. `partial=true` keeps what fits; `n_heads=N` where no tensor shows
it; `weights=KEY` chooses among several sets of weights in a file, such as an average.

`family=clip` and `family=eegdiff` read state dicts (torch or safetensors) under the original's
names into the network that `model=` names: `family=clip path=FILE model=clip/clip_conv`,
`family=eegdiff path=FILE model=eegdiff/bci_stft n_times=750 rate_hz=250`. Sizes that tensors show
(n_channels, n_outputs, n_subjects) need not be given. `changes=[model.hidden=64,...]` changes the
section. `family=eeg2speech model=eeg2speech/denoiser` (or autoencoder, vocoder) reads that part of
a file in AudioLDM's format; `weights=model_ema` its averages.

`family=duin path=checkpoint-399.pth` reads the three stages, one person's or several, and the
phoneme model. `subjects=[duin/001]` says who the rows of the file are, `channels=[SM8,SM9,...]`
what its channels are called; without them both are numbered, and later stages take the weights of
no person by name. `classes=[...]` names the words of a decoder in the order of its outputs, for the
tables of `bm.Predictor`.

  python -m scripts.import_checkpoint family=labram path=labram-base.pth to=models/labram
  python -m scripts.import_checkpoint family=clip path=best.th model=clip/clip_conv
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bm.errors import UserError
from bm.registry import check_known

from ._arguments import main_of

if TYPE_CHECKING:
    from bm.models.importing import Imported

#: family -> module with `import_published`; labram's files say themselves what they are of.
FAMILIES = {
    "labram": "bm.models.labram.importing",
    "clip": "bm.models.clip.importing",
    "eegdiff": "bm.models.eegdiff.importing",
    "duin": "bm.models.duin.importing",
    "eeg2speech": "bm.models.eeg2speech.importing",
}
SHOWN = 40  # names of a kind that are printed


@dataclass(frozen=True)
class Sizes:
    """What a file under the original's names does not say; 0 = read off its tensors."""

    model: str | None = None
    changes: Sequence[str] = ()
    weights: str | None = None
    n_channels: int = 0
    n_outputs: int = 0
    n_subjects: int = 0
    n_times: int = 0
    rate_hz: float = 0.0
    subjects: Sequence[str] = ()
    channels: Sequence[str] = ()
    classes: Sequence[str] = ()

    @property
    def numbers(self) -> dict[str, int | float | None]:
        """Sizes by name, None where they are read off the tensors."""
        names = ("n_channels", "n_outputs", "n_subjects", "n_times", "rate_hz")
        return {name: getattr(self, name) or None for name in names}


@dataclass(frozen=True)
class Arguments(Sizes):
    """Arguments of the command line."""

    family: str | None = None
    path: str | None = None
    to: str | None = None
    partial: bool = False
    n_heads: int = 0


def command(
    family: str | None = None,
    path: str | None = None,
    to: str | None = None,
    partial: bool = False,
    n_heads: int = 0,
    **others: Any,
) -> int:
    """Import one file; `others` are those of `Sizes`."""
    from bm.models import save

    if family is None or path is None:
        raise UserError("which file? use: family=labram path=labram-base.pth")
    check_known("family", family, FAMILIES)
    source, sizes = Path(path).expanduser(), Sizes(**others)
    # By name: the networks of one family are enough to import its file.
    importer = importlib.import_module(FAMILIES[family])
    if family == "labram":
        imported = importer.import_published(source, partial, n_heads or None, sizes.weights)
        facts = importer.published_facts(imported.module)
    elif family == "duin":
        imported, facts = importer.import_published(
            source, sizes.subjects, sizes.channels, partial, sizes.weights, sizes.classes
        )
    else:
        section = section_of(family, sizes.model, sizes.changes)
        imported, facts = importer.import_published(
            source, section, sizes.numbers, partial, sizes.weights
        )
    folder = Path(to) if to else _folder(family, source)
    _show(source, imported)
    folder.parent.mkdir(parents=True, exist_ok=True)
    save(imported.module, folder, facts)
    print(f"written: {folder}; use it as //file/{folder}")
    return 0


def section_of(family: str, model: str | None, changes: Sequence[str]) -> dict[str, object]:
    """Return the `model` section that a recipe would get.

    Raises:
        UserError: no model is named, or one of another family.
    """
    from bm.train import main
    from bm.xp.resolve import to_plain

    if model is None or not model.startswith(f"{family}/"):
        raise UserError(
            f"family={family}: its files do not say what network they are of; give "
            f"model={family}/..., as in conf/model/{family}"
        )
    words = [changes] if isinstance(changes, str) else list(changes)
    section: dict[str, object] = to_plain(main.resolve([f"model={model}", *words]).cfg.model)
    return section


def _show(source: Path, imported: Imported) -> None:
    """Print what became of the file."""
    name = getattr(imported.module, "bm_arguments")["name"]  # noqa: B009 - set on any module
    print(f"{source}: {name}")
    for key, words in imported.others.items():
        print(f"  {key}: {words} (not used)")
    for outcome in ("matched", "missing", "unexpected", "wrong_shape"):
        names = getattr(imported.report, outcome)
        listed = "" if outcome == "matched" else f": {', '.join(names[:SHOWN])}" * bool(names)
        print(f"  {len(names)} {outcome.replace('_', ' ')}{listed}")
    for note in imported.notes:
        print(f"  {note}")


def _folder(family: str, source: Path) -> Path:
    return Path(os.environ.get("BM_MODELS", "models")) / family / source.stem


if __name__ == "__main__":
    sys.exit(main_of(command, record=Arguments))
