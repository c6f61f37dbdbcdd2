"""Generated waves as files: FIF epochs for MNE-Python, HDF5 for everything else, figures."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__
from ..engine.solver import Solver
from ..figures.generation import draw_generation
from ..models.eegdiff.epochs import Generated, epochs_of
from ..models.eegdiff.facts import FactsRecord, WaveFacts
from ..writing import replacing_files

FIF, HDF5 = "generated-epo.fif", "generated.h5"
SPLIT_SIZE = "2GB"  # what the format allows in one file


@dataclass(frozen=True)
class WaveFiles:
    """Where generated waves were written."""

    fif: Path
    hdf5: Path


def write_waves(
    folder: Path,
    generated: Generated,
    facts: FactsRecord | WaveFacts | Mapping[str, Any],
    signature: str | None = None,
) -> WaveFiles:
    """Write generated waves as FIF epochs and as HDF5; each file is whole, or the old one stays.

    The HDF5 file holds `signal` (N, C, T) float32 in the `units` of the channels, `channels`,
    `kinds`, `positions` (C, 3; metres) where known, `labels` and `subjects` (N,; -1 = unknown)
    with `classes` and `subject_names`, `seeds` (N,), and the attributes `rate_hz`, `unit`
    ("mixed" where channels differ), `sampling` (JSON), `signature` ("" without one),
    `generated` (always true), `simulated` (the training data were) and `version`.

    Args:
        folder: made when absent.
        generated: the waves.
        facts: of the training data (`DataFacts`, `WaveFacts` or their entries).
        signature: of the experiment that trained the model; None = that of `sampling`, if any.
    """
    wave_facts = facts if isinstance(facts, WaveFacts) else WaveFacts.of(facts)
    files = WaveFiles(folder / FIF, folder / HDF5)
    # epochs above `SPLIT_SIZE` are several files, of which the first names the others
    with replacing_files(folder, last=FIF) as aside:
        _write_hdf5(aside / HDF5, generated, wave_facts, signature)
        epochs = epochs_of(generated, wave_facts)
        epochs.save(aside / FIF, split_size=SPLIT_SIZE, verbose="error")
        names = {path.name for path in aside.iterdir()}
    for old in folder.glob(f"{Path(FIF).stem}-[0-9]*.fif"):
        if old.name not in names:
            old.unlink(missing_ok=True)  # of a longer run before
    return files


def _write_hdf5(path: Path, generated: Generated, facts: WaveFacts, signature: str | None) -> None:
    import h5py

    units = [unit.name for unit in facts.units]
    arrays: dict[str, Any] = {
        "signal": generated.waves.astype("<f4"),
        "labels": generated.labels.astype("<i8"),
        "subjects": generated.subjects.astype("<i8"),
        "seeds": generated.seeds.astype("<u8"),
    }
    if facts.places is not None:
        arrays["positions"] = facts.places
    names = {
        "channels": facts.channels,
        "kinds": facts.kinds or ("eeg",) * len(facts.channels),
        "units": units,
        "classes": facts.classes,
        "subject_names": facts.subjects,
    }
    attributes = {
        "rate_hz": float(facts.rate_hz),
        "unit": units[0] if len(set(units)) == 1 else "mixed",
        "sampling": json.dumps(dict(generated.sampling), sort_keys=True),
        "signature": signature or str(generated.sampling.get("signature", "")),
        "generated": True,
        "simulated": bool(facts.simulated),
        "version": __version__,
    }
    with h5py.File(path, "w") as file:
        for name, values in arrays.items():
            file.create_dataset(name, data=values)
        for name, texts in names.items():
            file.create_dataset(
                name, data=list(texts), shape=(len(texts),), dtype=h5py.string_dtype()
            )
        file.attrs.update(attributes)


def draw_waves(solver: Solver, real: np.ndarray, generated: np.ndarray) -> None:
    """Draw real beside generated waves into `figures`; log a line instead if there can be none.

    None are drawn of values that are not finite, such as a sampler hardly trained may give, nor
    of fT: the units of the figures are those of electrodes.

    Args:
        solver: its experiment gets the figures.
        real, generated: (N, C, T) and (M, C, T) in the unit of the data.
    """
    facts = WaveFacts.of(solver.data.facts)
    others = sorted({unit.name for unit in facts.units} - {"uV"})
    if others:
        solver.log.line("no figures of generated waves: in %s, not in uV", ", ".join(others))
        return
    places = facts.places if set(facts.kinds) <= {"eeg"} else None  # a map is of the scalp
    about = (facts.rate_hz, facts.channels, places, solver.folder / "figures", facts.simulated)
    try:
        draw_generation(real, generated, *about)
    except ValueError as error:
        solver.log.line("no figures of generated waves: %s", error)
