"""Published results of LaBraM: main tables, other tasks, ablations.

Source: Jiang, Zhao and Lu 2024, "Large Brain Model for Learning Generic Representations with
Tremendous EEG Data in BCI", ICLR.
"""

from __future__ import annotations

from typing import Any

from .rows import PublishedRow, Reference

Pair = tuple[float, float]

TUAB_METRICS = ("balanced_accuracy", "auc_pr", "auroc")
#: Mean and sd over five seeds.
TUAB: dict[str, tuple[Pair, Pair, Pair]] = {
    "SPaRCNet": ((0.7896, 0.0018), (0.8414, 0.0018), (0.8676, 0.0012)),
    "ContraWR": ((0.7746, 0.0041), (0.8421, 0.0104), (0.8456, 0.0074)),
    "CNN-Transformer": ((0.7777, 0.0022), (0.8433, 0.0039), (0.8461, 0.0013)),
    "FFCL": ((0.7848, 0.0038), (0.8448, 0.0065), (0.8569, 0.0051)),
    "ST-Transformer": ((0.7966, 0.0023), (0.8521, 0.0026), (0.8707, 0.0019)),
    "BIOT": ((0.7959, 0.0057), (0.8792, 0.0023), (0.8815, 0.0043)),
    "LaBraM-Base": ((0.8140, 0.0019), (0.8965, 0.0016), (0.9022, 0.0009)),
    "LaBraM-Large": ((0.8226, 0.0015), (0.9130, 0.0005), (0.9127, 0.0005)),
    "LaBraM-Huge": ((0.8258, 0.0011), (0.9204, 0.0011), (0.9162, 0.0016)),
}
TUEV_METRICS = ("balanced_accuracy", "kappa", "f1_weighted")
TUEV: dict[str, tuple[Pair, Pair, Pair]] = {
    "SPaRCNet": ((0.4161, 0.0262), (0.4233, 0.0181), (0.7024, 0.0104)),
    "ContraWR": ((0.4384, 0.0349), (0.3912, 0.0237), (0.6893, 0.0136)),
    "CNN-Transformer": ((0.4087, 0.0161), (0.3815, 0.0134), (0.6854, 0.0293)),
    "FFCL": ((0.3979, 0.0104), (0.3732, 0.0188), (0.6783, 0.0120)),
    "ST-Transformer": ((0.3984, 0.0228), (0.3765, 0.0306), (0.6823, 0.0190)),
    "BIOT": ((0.5281, 0.0225), (0.5273, 0.0249), (0.7492, 0.0082)),
    "LaBraM-Base": ((0.6409, 0.0065), (0.6637, 0.0093), (0.8312, 0.0052)),
    "LaBraM-Large": ((0.6581, 0.0156), (0.6622, 0.0136), (0.8315, 0.0040)),
    "LaBraM-Huge": ((0.6616, 0.0170), (0.6745, 0.0195), (0.8329, 0.0086)),
}
#: The other tasks of the publication, of the base size only, without sd.
OTHER_TASKS = {
    "seed_v": {"accuracy": 0.4095, "kappa": 0.2613, "f1_weighted": 0.4120},
    "mobi": {"pearson": 0.5383, "r2": 0.2876, "rmse": 0.1225},
}
#: Ablations of the base size: balanced accuracy on TUAB and TUEV, kappa on TUEV where published.
ABLATIONS: dict[str, tuple[float, float, float | None]] = {
    "LaBraM-Base": (0.8140, 0.6409, 0.6637),
    "tokenizer embeddings": (0.8058, 0.6162, 0.6376),
    "raw patches": (0.8261, 0.5630, 0.5910),
    "spectrum": (0.8166, 0.5730, 0.5643),
    "mask ratio 0.4": (0.8145, 0.6174, None),
    "mask ratio 0.3": (0.7994, 0.6112, None),
    "mask ratio 0.2": (0.8039, 0.6054, None),
    "mask ratio 0.1": (0.8022, 0.6033, None),
    "w/o symmetric masking": (0.8155, 0.6284, 0.6279),
    "w/o spatial embedding": (0.8004, 0.5949, 0.6069),
}
#: What is fine-tuned: blocks, or the head alone.
TUNED: dict[str, tuple[float, float, float | None]] = {
    "12 blocks": (0.8141, 0.6541, None),
    "8 blocks": (0.8134, 0.6611, None),
    "4 blocks": (0.8074, 0.6188, None),
    "linear probe": (0.7954, 0.3461, None),
}

# Without `pretrained` the networks from scratch of the same grid would count as repetitions.
TRANSFORMER = {"model.name": "labram", "pretrained": True}
WIDTHS = {"LaBraM-Base": 200, "LaBraM-Large": 400, "LaBraM-Huge": 800}  # of the backbone, Table 1
PARTS_BASE: dict[str, Any] = {
    **TRANSFORMER,
    "model.backbone.positions": True,
    "upstream.solver.target": "codes",
    "upstream.solver.mask_ratio": 0.5,
    "upstream.solver.symmetric": True,
}
PARTS: dict[str, dict[str, Any]] = {
    "LaBraM-Base": {},
    "tokenizer embeddings": {"upstream.solver.target": "embeddings"},
    "raw patches": {"upstream.solver.target": "patches"},
    "spectrum": {"upstream.solver.target": "spectrum"},
    **{f"mask ratio {r}": {"upstream.solver.mask_ratio": r} for r in (0.4, 0.3, 0.2, 0.1)},
    "w/o symmetric masking": {"upstream.solver.symmetric": False},
    "w/o spatial embedding": {"model.backbone.positions": False},
}
# "linear probe" trains the head alone: no block of the backbone.
BLOCKS = {"8 blocks": 8, "4 blocks": 4, "linear probe": 0}


def _main_rows() -> list[PublishedRow]:
    """Build the rows of the main tables; the base size has the other tasks too."""
    rows = []
    for name in TUAB:
        values = {
            "tuab": {m: Reference(*p) for m, p in zip(TUAB_METRICS, TUAB[name], strict=True)},
            "tuev": {m: Reference(*p) for m, p in zip(TUEV_METRICS, TUEV[name], strict=True)},
        }
        settings = None
        if name in WIDTHS:
            settings = {**TRANSFORMER, "model.backbone.width": WIDTHS[name]}
            settings |= {"solver.tune_blocks": None}
        if name == "LaBraM-Base":
            for task, metrics in OTHER_TASKS.items():
                values[task] = {m: Reference(value) for m, value in metrics.items()}
        rows.append(PublishedRow(name, values, settings))
    return rows


def _values(numbers: tuple[float, float, float | None]) -> dict[str, dict[str, Reference]]:
    """Return dataset -> metric -> value of one row of the ablations."""
    tuab, tuev, kappa = numbers
    second = {"balanced_accuracy": Reference(tuev)}
    if kappa is not None:
        second["kappa"] = Reference(kappa)
    return {"tuab": {"balanced_accuracy": Reference(tuab)}, "tuev": second}


def _tuned_rows() -> list[PublishedRow]:
    """Build the rows of fine-tuning fewer blocks.

    "12 blocks" is a second run of the base size in the publication: none of ours repeats it.
    """
    rows = []
    for name, numbers in TUNED.items():
        settings = None
        if name in BLOCKS:
            settings = {**TRANSFORMER, "solver.tune_blocks": BLOCKS[name]}
        rows.append(PublishedRow(name, _values(numbers), settings))
    return rows


GRIDS = {
    "labram.main": _main_rows(),
    "labram.finetune": [*_main_rows(), *_tuned_rows()],
    "labram.ablation": [
        PublishedRow(name, _values(numbers), {**PARTS_BASE, **PARTS[name]})
        for name, numbers in ABLATIONS.items()
    ],
}
