"""Published results that tables put beside ours (Défossez et al. 2023; spec clip 5.4)."""

from __future__ import annotations

DATASETS = ("brennan2019", "broderick2019", "gwilliams2022", "schoffelen2019")
#: Top-10 segment accuracy, %, mean over three seeds, of the data sets in this order (Table 2).
TABLE_2: dict[str, tuple[float, ...]] = {
    "random": (5.3, 0.5, 0.7, 0.8),
    "mel regression": (6.0, 1.0, 12.4, 20.6),
    "contrastive mel": (8.0, 9.7, 55.1, 55.1),
    "deep mel": (24.7, 15.4, 64.4, 61.2),
    "wav2vec 2.0": (25.7, 17.7, 70.7, 67.5),
}
#: The same of the ablations, with batches of 256.
ABLATIONS: dict[str, tuple[float, ...]] = {
    "subject embedding": (29.4, 14.7, 66.7, 64.6),
    "clamp 100": (27.1, 13.3, 66.5, 66.9),
    "our model": (25.7, 13.4, 66.7, 67.3),
    "w/o attention dropout": (26.8, 12.3, 65.2, 67.3),
    "ReLU": (24.6, 12.5, 64.9, 65.6),
    "w/o skip": (24.3, 11.0, 62.4, 65.3),
    "w/o final convs": (19.0, 11.2, 65.1, 67.2),
    "w/o initial 1x1 conv": (22.1, 11.9, 64.0, 62.7),
    "w/o spatial attention": (20.6, 11.9, 61.9, 65.6),
    "w/o GLU convs": (6.0, 6.9, 66.3, 66.7),
    "w/o subject layer": (20.2, 6.9, 44.3, 42.4),
    "w/o clamping": (14.1, 1.0, 22.3, 1.5),
}
GRIDS = {"nmi.main_table": TABLE_2, "nmi.ablation_final": ABLATIONS}


def published_levels(grid: str, metric: str, dataset: str) -> dict[str, float]:
    """Name -> value from 0 to 1 that was published for a data set; empty when nothing was."""
    if metric != "top10_accuracy" or dataset not in DATASETS:
        return {}
    place = DATASETS.index(dataset)
    rows = GRIDS.get(grid, {})
    return {f"published: {name}": values[place] / 100 for name, values in rows.items()}
