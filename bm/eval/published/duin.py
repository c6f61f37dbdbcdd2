"""Published words from sEEG: mean over 12 people with its standard error.

Source: Zheng et al. 2024, "Du-IN: Discrete units-guided mask modeling for decoding speech from
intracranial neural signals", NeurIPS, Table 2.
"""

from __future__ import annotations

from typing import Any

from .rows import PublishedRow, Reference

Pair = tuple[float, float]
#: Row -> accuracy of 61 words in %, and its standard error over people. The error is that of the
#: population (ddof 0), which reproduces these figures from the table of single people.
ACCURACY: dict[str, Pair] = {
    "TS-TCC": (24.85, 4.42),
    "CNN-BiGRU": (32.04, 5.45),
    "EEG-Conformer": (45.82, 4.66),
    "Neuro-BERT": (49.51, 4.43),
    "DeWave": (32.43, 4.48),
    "BrainBERT": (6.72, 1.59),
    "BrainBERT, several people": (7.50, 1.76),
    "Brant": (11.16, 3.56),
    "Brant, several people": (12.42, 4.10),
    "LaBraM": (11.53, 2.63),
    "LaBraM-PopT, several people": (11.78, 2.70),
    "Du-IN from scratch": (56.29, 5.20),
    "Du-IN (vqvae+vq)": (44.17, 4.04),
    "Du-IN (vqvae)": (58.24, 4.83),
    "Du-IN (mae)": (62.70, 4.69),
    "Du-IN (poms), several people": (59.18, 4.63),
}
#: Accuracy in % of single people, 001 to 012, mean over six seeds.
PEOPLE: dict[str, tuple[float, ...]] = {
    "TS-TCC": (26.90, 61.57, 6.65, 20.66, 34.53, 9.73, 24.83, 20.08, 37.75, 5.71, 35.72, 14.12),
    "CNN-BiGRU": (
        *(46.46, 68.06, 4.35, 17.68, 51.26, 31.52, 47.75, 24.64, 44.03, 7.11, 28.44, 13.17),
    ),
    "EEG-Conformer": (
        *(58.41, 69.82, 19.50, 49.65, 65.44, 31.06, 47.89, 42.12, 56.51, 22.22, 57.10, 29.87),
    ),
    "Neuro-BERT": (
        *(60.44, 72.97, 28.38, 52.76, 71.61, 36.63, 50.23, 43.24, 54.12, 24.66, 62.99, 36.07),
    ),
    "DeWave": (43.31, 57.12, 3.70, 33.52, 45.20, 26.88, 38.24, 29.15, 41.98, 6.22, 44.60, 19.22),
    "Du-IN from scratch": (
        *(71.25, 77.99, 23.04, 59.91, 77.60, 41.91, 59.63, 52.35, 66.39, 27.07, 73.56, 44.76),
    ),
    "Du-IN (vqvae+vq)": (
        *(50.15, 62.79, 20.72, 48.24, 63.46, 34.84, 45.20, 40.14, 60.06, 22.05, 50.31, 32.06),
    ),
    "Du-IN (vqvae)": (
        *(72.36, 79.16, 29.21, 63.83, 78.56, 43.29, 62.29, 54.10, 67.18, 31.06, 72.41, 45.38),
    ),
    "Du-IN (mae)": (
        *(78.60, 83.61, 38.80, 70.98, 81.56, 46.90, 65.45, 59.09, 69.18, 34.23, 75.52, 48.54),
    ),
    "Du-IN (poms), several people": (
        *(73.23, 79.12, 28.89, 64.24, 76.91, 47.01, 61.68, 55.17, 70.71, 36.90, 72.80, 43.53),
    ),
}
#: Rows that experiments of ours repeat, by what tells them apart.
SETTINGS: dict[str, dict[str, Any]] = {
    "TS-TCC": {"model.name": "tstcc"},
    "CNN-BiGRU": {"model.name": "cnn_bigru"},
    "EEG-Conformer": {"model.name": "seeg_conformer"},
    "DeWave": {"model.name": "dewave"},
    "LaBraM": {"model.name": "seeg_labram"},
    "Neuro-BERT": {"model.name": "neurobert"},
    "BrainBERT": {"model.name": "brainbert"},
    "Du-IN from scratch": {"model.name": "duin_cls", "pretrained": False},
    "Du-IN (vqvae)": {"model.name": "duin_cls", "upstream.solver.name": "tokenizer"},
    "Du-IN (mae)": {"model.name": "duin_cls", "upstream.solver.name": "masked"},
}


def _rows(names: list[str]) -> list[PublishedRow]:
    """Return rows with the mean over people, and its standard error in the place of a deviation."""
    return [
        PublishedRow(
            name,
            {"duin": {"accuracy": Reference(ACCURACY[name][0] / 100, ACCURACY[name][1] / 100)}},
            SETTINGS.get(name),
        )
        for name in names
    ]


STARTS = ["Du-IN from scratch", "Du-IN (vqvae)", "Du-IN (mae)"]
GRIDS = {
    "duin.main": _rows(STARTS),
    "duin.public": _rows(STARTS),
    "duin.baselines": _rows([name for name in ACCURACY if not name.startswith("Du-IN (")]),
}
