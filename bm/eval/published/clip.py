"""Published speech decoding: Table 2 and the ablations of Défossez et al. 2023.

"Decoding speech perception from non-invasive brain recordings", Nature Machine Intelligence 5.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .rows import PublishedRow, Reference

Pair = tuple[float, float]

DATASETS = ("brennan2019", "broderick2019", "gwilliams2022", "schoffelen2019")
#: Top-10 segment accuracy, %, mean and sd over three seeds, of the data sets in this order.
TABLE_2: dict[str, tuple[Pair, ...]] = {
    "random": ((5.3, 0.1), (0.5, 0.1), (0.7, 0.1), (0.8, 0.1)),
    "mel regression": ((6.0, 0.9), (1.0, 0.3), (12.4, 1.2), (20.6, 1.8)),
    "contrastive mel": ((8.0, 4.8), (9.7, 1.0), (55.1, 0.7), (55.1, 0.9)),
    "deep mel": ((24.7, 3.2), (15.4, 1.6), (64.4, 0.8), (61.2, 0.6)),
    "wav2vec 2.0": ((25.7, 2.9), (17.7, 0.6), (70.7, 0.1), (67.5, 0.4)),
}
#: The same of the ablations, by the mean over the data sets. Its reference row "our model" is below
#: Table 2 on two data sets: the ablations were trained with batches of 256, Table 2 with 128.
ABLATIONS: dict[str, tuple[Pair, ...]] = {
    "subject embedding": ((29.4, 0.59), (14.7, 0.45), (66.7, 0.25), (64.6, 0.31)),
    "clamp 100": ((27.1, 2.63), (13.3, 0.24), (66.5, 0.36), (66.9, 0.79)),
    "our model": ((25.7, 2.93), (13.4, 0.39), (66.7, 0.15), (67.3, 0.36)),
    "w/o attention dropout": ((26.8, 0.68), (12.3, 1.14), (65.2, 0.09), (67.3, 0.12)),
    "ReLU": ((24.6, 2.12), (12.5, 0.22), (64.9, 1.29), (65.6, 0.56)),
    "w/o skip": ((24.3, 2.67), (11.0, 1.33), (62.4, 0.30), (65.3, 0.28)),
    "w/o final convs": ((19.0, 4.40), (11.2, 0.89), (65.1, 0.92), (67.2, 0.32)),
    "w/o initial 1x1 conv": ((22.1, 1.92), (11.9, 0.52), (64.0, 0.62), (62.7, 0.79)),
    "w/o spatial attention": ((20.6, 2.15), (11.9, 0.42), (61.9, 0.35), (65.6, 0.40)),
    "w/o GLU convs": ((6.0, 0.17), (6.9, 5.13), (66.3, 0.17), (66.7, 0.23)),
    "w/o subject layer": ((20.2, 1.34), (6.9, 1.25), (44.3, 1.24), (42.4, 0.06)),
    "w/o clamping": ((14.1, 1.02), (1.0, 0.39), (22.3, 23.17), (1.5, 0.36)),
}
#: Wilcoxon's p over all people against "our model"; of the others only that it is below 1e-9.
P_VALUES = {"our model": "", "subject embedding": "5.7e-3", "w/o attention dropout": "0.11"}
OTHER_P = "< 1e-9"

# Settings of ours that repeat a row: those of the base first, then what the row changes.
MEL, SOUND = ["MelSpectrum"], ["Wav2VecTransformer"]
TARGETS: dict[str, dict[str, Any]] = {
    "random": {"features": SOUND, "solver.wer_random": True},
    "mel regression": {"features": MEL, "solver.loss": "mse"},
    "contrastive mel": {"features": MEL},
    "deep mel": {"features": MEL, "solver.feature_model": "deep_mel"},
    "wav2vec 2.0": {"features": SOUND},
}
TARGETS_BASE = {"solver.loss": "clip", "solver.feature_model": None, "solver.wer_random": False}

PARTS_BASE: dict[str, Any] = {
    "model.merger.dropout": 0.2,
    "model.initial.depth": 1,
    "model.encoder.glu": 2,
    "model.encoder.activation": "gelu",
    "model.encoder.skip": True,
    "model.head": "complex",
    "model.subject.layers": True,
    "model.subject.embedding": 0,
    "dset.scale.clamp": 20.0,
}
PARTS: dict[str, dict[str, Any]] = {
    "subject embedding": {"model.subject.layers": False, "model.subject.embedding": 64},
    "clamp 100": {"dset.scale.clamp": 100.0},
    "our model": {},
    "w/o attention dropout": {"model.merger.dropout": 0.0},
    "ReLU": {"model.encoder.activation": "relu"},
    "w/o skip": {"model.encoder.skip": False},
    "w/o final convs": {"model.head": "none"},
    "w/o initial 1x1 conv": {"model.initial.depth": None},
    "w/o spatial attention": {"model.merger.dropout": None},
    "w/o GLU convs": {"model.encoder.glu": 0},
    "w/o subject layer": {"model.subject.layers": False},
    # A bound that no scaled sample reaches, as the grid of the ablation sets it.
    "w/o clamping": {"dset.scale.clamp": 1e12},
}


def _rows(
    table: Mapping[str, tuple[Pair, ...]],
    base: Mapping[str, Any],
    settings: Mapping[str, Mapping[str, Any]],
    p_values: Mapping[str, str],
) -> list[PublishedRow]:
    """Build the rows of a published table, each with the settings of ours that repeat it."""
    rows = []
    for name, pairs in table.items():
        values = {
            dataset: {"top10_accuracy": Reference(mean / 100, sd / 100)}
            for dataset, (mean, sd) in zip(DATASETS, pairs, strict=True)
        }
        p = p_values.get(name, OTHER_P) if p_values else ""
        rows.append(PublishedRow(name, values, {**base, **settings[name]}, p))
    return rows


GRIDS = {
    "nmi.main_table": _rows(TABLE_2, TARGETS_BASE, TARGETS, {}),
    "nmi.ablation_final": _rows(ABLATIONS, PARTS_BASE, PARTS, P_VALUES),
}
