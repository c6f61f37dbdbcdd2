"""Results of others as dated rows with their source; protocols differ, so none is ranked with ours.

Values are copied from the publications; what a source does not say (sd, several metrics) is absent.
"""

from __future__ import annotations

from dataclasses import dataclass

from .clip import DATASETS, TABLE_2
from .competitions import ACCURACY as COMPETITIONS
from .duin import ACCURACY as WORDS
from .labram import OTHER_TASKS, TUAB, TUAB_METRICS, TUEV, TUEV_METRICS
from .rows import Reference

#: "sd" of a row is over seeds, but of Du-IN: the standard error over people.
LABRAM = ("Jiang, Zhao and Lu, ICLR", "2024")
CLIP = ("Défossez et al., Nature Machine Intelligence 5, Table 2", "2023")
DUIN = ("Zheng et al., NeurIPS, Table 2 (± standard error over people)", "2024")
COMPETITION = ("Blankertz et al., IEEE Trans Biomed Eng 51, and README of the data", "2004")
NEURALBENCH = ("NeuralBench 0.4.0, table of its documentation, 3 seeds", "read November 2026")
EEG_BENCH = ("EEG-Bench, table of its documentation", "read November 2026")


@dataclass(frozen=True)
class Record:
    """One published value.

    Attributes:
        dataset: of ours, or the task in the words of its source.
        metric: name of ours where there is one.
        model: as in the publication.
        value: with its sd.
        source: publication.
        date: of the publication, or when a living table was read.
    """

    dataset: str
    metric: str
    model: str
    value: Reference
    source: str
    date: str


#: (data set or task, metric) -> model -> percent and its sd over three seeds.
NEURALBENCH_VALUES: dict[tuple[str, str], dict[str, tuple[float, float]]] = {
    ("tuab", "balanced_accuracy"): {
        "BENDR": (81.75, 0.27), "LaBraM": (78.52, 0.78), "SimpleConv": (80.43, 0.27),
        "EEGNet": (79.45, 0.29), "chance": (49.90, 0.42),
    },
    ("tuev", "f1_macro"): {
        "REVE": (54.7, 5.1), "LaBraM": (48.1, 4.0), "SimpleConv": (42.6, 2.5),
        "EEGNet": (45.3, 2.8), "chance": (26.0, 0.4),
    },
    ("EEG, speech retrieval (task)", "top-5 accuracy per subject"): {
        "REVE": (5.49, 0.38), "LaBraM": (2.78, 0.16), "SimpleConv": (2.90, 0.22),
        "EEGNet": (4.38, 0.11), "chance": (2.39, 0.17),
    },
    ("EEG, word retrieval (task)", "top-5 accuracy"): {
        "LaBraM": (22.55, 0.39), "SimpleConv": (5.74, 0.21), "EEGNet": (5.13, 0.04),
        "chance": (0.47, 0.02),
    },
    ("EEG, sentence retrieval (task)", "top-5 accuracy"): {
        "REVE": (11.33, 1.23), "LaBraM": (8.40, 0.51), "SimpleConv": (5.99, 0.84),
        "EEGNet": (4.15, 0.79), "chance": (2.12, 0.14),
    },
    ("EEG, motor imagery (task)", "balanced_accuracy"): {
        "REVE": (68.04, 0.73), "LaBraM": (65.31, 0.57), "SimpleConv": (61.88, 0.78),
        "EEGNet": (58.58, 0.34), "chance": (24.81, 1.03),
    },
}  # fmt: skip
#: LaBraM in EEG-Bench: task -> balanced accuracy and its spread.
EEG_BENCH_LABRAM = {
    "EEG-Bench, abnormal (task)": (0.838, 0.011),
    "EEG-Bench, left or right hand (task)": (0.672, 0.007),
    "EEG-Bench, four kinds of imagery (task)": (0.638, 0.002),
    "EEG-Bench, five fingers (task)": (0.354, 0.007),
    "EEG-Bench, epilepsy (task)": (0.565, 0.017),
    "EEG-Bench, sleep stages (task)": (0.192, 0.001),
    "EEG-Bench, seizure (task)": (0.588, 0.011),
}

#: (data set or task, metric, model, value, source, date), as the abstract of each source says it.
LATER = (
    ("tuab", "balanced_accuracy", "FEMBA", 0.8182, "Tegon et al., arXiv 2502.06438", "2025"),
    ("tuab", "auroc", "FEMBA", 0.8921, "Tegon et al., arXiv 2502.06438", "2025"),
    ("TUAR (task)", "auroc", "FEMBA", 0.949, "Tegon et al., arXiv 2502.06438", "2025"),
    ("TUAR (task)", "auroc", "LUNA", 0.921, "Döner et al., NeurIPS", "2025"),
    ("LibriBrain 2025, speech or none (task)", "f1_macro", "MEGConformer", 0.889,
     "de Zuazo et al., arXiv 2512.01443, hidden test set", "2025"),
    ("LibriBrain 2025, phonemes of 100 averaged (task)", "f1_macro", "MEGConformer", 0.658,
     "de Zuazo et al., arXiv 2512.01443, hidden test set", "2025"),
)  # fmt: skip


def records() -> list[Record]:
    """Return all rows, those of one data set together."""
    rows = [*_labram(), *_clip(), *_others()]
    return sorted(rows, key=lambda row: (row.dataset, row.metric, row.date, -row.value.value))


def _labram() -> list[Record]:
    tables = (("tuab", TUAB, TUAB_METRICS), ("tuev", TUEV, TUEV_METRICS))
    rows = [
        Record(dataset, metric, name, Reference(*pair), *LABRAM)
        for dataset, table, metrics in tables
        for name, pairs in table.items()
        for metric, pair in zip(metrics, pairs, strict=True)
    ]
    return rows + [
        Record(dataset, metric, "LaBraM-Base", Reference(value), *LABRAM)
        for dataset, values in OTHER_TASKS.items()
        for metric, value in values.items()
    ]


def _clip() -> list[Record]:
    return [
        Record(dataset, "top10_accuracy", name, Reference(mean / 100, sd / 100), *CLIP)
        for name, pairs in TABLE_2.items()
        for dataset, (mean, sd) in zip(DATASETS, pairs, strict=True)
    ]


def _others() -> list[Record]:
    rows = [Record("duin", "accuracy", name, Reference(mean / 100, error / 100), *DUIN)
            for name, (mean, error) in WORDS.items()]  # fmt: skip
    rows += [
        Record(dataset, "accuracy", name, Reference(value), *COMPETITION)
        for name, values in COMPETITIONS.items()
        for dataset, value in values.items()
    ]
    rows += [
        Record(dataset, metric, name, Reference(mean / 100, sd / 100), *NEURALBENCH)
        for (dataset, metric), values in NEURALBENCH_VALUES.items()
        for name, (mean, sd) in values.items()
    ]
    rows += [Record(dataset, metric, model, Reference(value), source, date)
             for dataset, metric, model, value, source, date in LATER]  # fmt: skip
    return rows + [
        Record(dataset, "balanced_accuracy", "LaBraM", Reference(*pair), *EEG_BENCH)
        for dataset, pair in EEG_BENCH_LABRAM.items()
    ]
