"""Generated waves on disk: MNE epochs (FIF) and HDF5, with how they were made."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..data.facts import DataFacts

if TYPE_CHECKING:
    import mne

#: Unit of signals to SI.
TO_SI = {"eeg": 1e-6, "seeg": 1e-6, "ecog": 1e-6, "meg": 1e-15}


@dataclass(frozen=True)
class Generated:
    """Waves that a model made.

    Attributes:
        waves: (N, C, T) float32, uV (MEG: fT).
        seeds: (N,) one per item.
        labels: (N,) class numbers, -1 where there is none.
        subjects: (N,) subject numbers, likewise.
        made: how they were sampled, and by which model; plain values.
    """

    waves: np.ndarray
    seeds: np.ndarray
    labels: np.ndarray
    subjects: np.ndarray
    made: Mapping[str, Any] = field(default_factory=dict)


def epochs_of(generated: Generated, facts: DataFacts) -> mne.EpochsArray:
    """The waves as MNE epochs in volts (MEG: tesla), events named by class."""
    import mne

    kinds = list(facts.kinds) or ["eeg"] * facts.n_channels
    types = ["mag" if kind == "meg" else kind for kind in kinds]
    info = mne.create_info(list(facts.channels), facts.rate_hz, types)
    info["description"] = "generated" + (" from simulated data" if facts.simulated else "")
    factors = np.array([TO_SI[kind] for kind in kinds])[:, None]
    count = len(generated.waves)
    known = generated.labels >= 0
    codes = np.where(known, generated.labels + 1, len(facts.classes) + 1).astype(int)
    names = {name: i + 1 for i, name in enumerate(facts.classes)}
    names["generated"] = len(facts.classes) + 1
    used = {name: code for name, code in names.items() if code in codes}
    events = np.stack([np.arange(count), np.zeros(count, int), codes], 1)
    data = generated.waves.astype(float) * factors
    epochs = mne.EpochsArray(data, info, events, event_id=used, verbose="error")
    if facts.positions:
        places = {n: np.array(p) for n, p in zip(facts.channels, facts.positions, strict=True)}
        montage = mne.channels.make_dig_montage(places, coord_frame="head")
        epochs.set_montage(montage, on_missing="ignore", verbose="error")
    return epochs


def write_waves(folder: Path, generated: Generated, facts: DataFacts) -> list[Path]:
    """Write `generated-epo.fif` and `generated.h5`, each complete or not at all.

    The HDF5 file holds `signal` (N, C, T) float32 with its unit, `seeds`, `labels`, `subjects`,
    and as attributes the channels, the rate, the classes and how the waves were made.
    """
    import h5py

    folder.mkdir(parents=True, exist_ok=True)
    fif, h5 = folder / "generated-epo.fif", folder / "generated.h5"
    aside = folder / f".generated.{os.getpid()}-epo.fif"
    epochs_of(generated, facts).save(aside, overwrite=True, verbose="error")
    os.replace(aside, fif)
    aside = folder / f".generated.{os.getpid()}.h5"
    with h5py.File(aside, "w") as file:
        signal = file.create_dataset("signal", data=generated.waves.astype("<f4"))
        signal.attrs["unit"] = "fT" if "meg" in facts.kinds else "uV"
        for name in ("seeds", "labels", "subjects"):
            file[name] = np.asarray(getattr(generated, name), dtype="<i8")
        file.attrs["channels"] = list(facts.channels)
        file.attrs["classes"] = list(facts.classes)
        file.attrs["rate_hz"] = facts.rate_hz
        file.attrs["simulated"] = facts.simulated
        file.attrs["made"] = json.dumps(dict(generated.made))
    os.replace(aside, h5)
    return [fif, h5]
