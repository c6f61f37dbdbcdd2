"""A miniature of a film of Brain Treebank: electrodes, their places, and words."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np

RNG = np.random.default_rng(0)


def write_film(root: Path, person: int = 1, film: int = 0, seconds: int = 12) -> Path:
    folder = root / "brain_treebank"
    labels = folder / f"electrode_labels/sub_{person}"
    labels.mkdir(parents=True, exist_ok=True)
    names = ["*T1bIc1", "T1bIc2#", "DC4", "T1bIc3"]
    (labels / "electrode_labels.json").write_text(json.dumps(names))
    path = folder / f"sub_{person}_trial{film:03d}.h5"
    with h5py.File(path, "w") as file:
        for number in range(len(names)):
            file[f"data/electrode_{number}"] = RNG.normal(0, 40, 2048 * seconds)
    (folder / "corrupted_elec.json").write_text(json.dumps({f"sub_{person}": ["T1bIc2"]}))
    places = folder / f"localization/sub_{person}"
    places.mkdir(parents=True, exist_ok=True)
    rows = ["Electrode,L,P,I", "*T1bIc1,60.5,70,80", "T1bIc3,64,70,80"]
    (places / "depth-wm.csv").write_text("\n".join(rows) + "\n")
    words = folder / "braintreebank_features_time_alignment"
    words.mkdir(exist_ok=True)
    table = ["est_idx,est_end_idx,text,sentence,idx_in_sentence,pos,rms"]
    for number in range(8):
        begin, kind = 2048 + 2048 * number, "VERB" if number % 2 else "NOUN"
        table.append(
            f"{begin},{begin + 512},w{number},s {number // 4},{number % 4},{kind},0.{number}"
        )
    (words / f"subject{person}_trial{film}_words_df.csv").write_text("\n".join(table) + "\n")
    return path
