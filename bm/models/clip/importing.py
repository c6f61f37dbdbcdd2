"""State dicts of brainmagick into saved models; the network is that of a `model` section.

Its checkpoints as they are written hold pickled scalers, which are not opened: the state dict
alone, saved by `torch.save` or as safetensors, is what can be read.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...facts import DataFacts
from ..importing import Imported, import_state
from ..saved import build
from .published import published_names

#: Rate and length of the published windows (Défossez et al. 2023, section 3): 3 s at 120 Hz.
RATE_HZ, WINDOW_S = 120.0, 3.0
#: Sizes that data decide.
SIZES = ("n_channels", "n_outputs", "n_subjects")


def import_published(
    path: Path,
    section: Mapping[str, Any],
    sizes: Mapping[str, int | None],
    partial: bool = False,
    weights: str | None = None,
) -> tuple[Imported, DataFacts]:
    """Build the network of a section with the weights of an original state dict.

    Args:
        path: of the file.
        section: plain `model` section, such as that of model=clip/clip_conv.
        sizes: n_channels, n_outputs, n_subjects, n_times, rate_hz; None = read off the tensors.
        partial: load what fits.
        weights: key or prefix of one of several sets of weights.

    Returns:
        the model, and facts of its data: subjects are numbered, their names are not in the file.

    Raises:
        UserError: see `import_state`.
    """
    rate = float(sizes.get("rate_hz") or RATE_HZ)
    times = sizes.get("n_times") or round(WINDOW_S * rate)

    def facts(n_channels: int, n_subjects: int) -> DataFacts:
        channels = tuple(str(number + 1) for number in range(n_channels))
        people = tuple(f"{path.stem}/{number}" for number in range(n_subjects))
        return DataFacts(channels, rate, times, subjects=people)

    def network(n_channels: int, n_outputs: int, n_subjects: int) -> Any:
        outputs = {} if "n_outputs" in section else {"n_outputs": n_outputs}
        return build({**section, **outputs}, facts(n_channels, n_subjects))

    unknown = {name: sizes.get(name) for name in SIZES}
    if section.get("merger") and unknown["n_channels"] is None:
        unknown["n_channels"] = 1  # attention over places: no tensor depends on the sensors
    if section.get("n_outputs") is not None:
        unknown["n_outputs"] = int(section["n_outputs"])
    imported, shown = import_state(path, network, published_names, unknown, partial, weights)
    return imported, facts(shown["n_channels"], shown["n_subjects"])
