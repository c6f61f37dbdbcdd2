"""What a solver shows before a run and writes after it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..data.batch import Batch
from ..metrics.evaluation import Evaluation
from ..models.contract import Described
from .perf import Perf
from .precision import Precision


def show(solver: Any) -> None:
    """Print the model, its parameters, the data facts and the cost of one item."""
    count = sum(p.numel() for p in solver.model.parameters())
    print(solver.model)
    print(f"parameters {count:,} ({4 * count / 2**20:.1f} MiB in float32)")
    for name, value in vars(solver.data.facts).items():
        print(f"{name}: {str(value)[:160]}")
    if isinstance(solver.model, Described):
        print("\n".join(solver.model.description(solver.data.facts)))
    solver.show_facts()
    solver.precision = Precision(solver.cfg["precision"], solver.device)
    solver.perf = Perf(solver.device, solver.cfg["precision"])
    loader = solver.loaders["train"]
    loader.set_epoch(0)
    solver.count_flops(next(iter(loader)).to(solver.device))
    print(f"forward pass {(solver.perf.flops_per_item or 0) / 1e6:.3f} MFLOP per item")


def write_evaluation(folder: Path, evaluation: Evaluation) -> None:
    """`evaluation.json`, and `items.parquet` when there are items."""
    from ..xp.files import write_json

    if evaluation.items is not None:
        evaluation.items.to_parquet(folder / "items.parquet")
    write_json(folder / "evaluation.json", json.loads(json.dumps(evaluation.to_dict())))


def draw_history(solver: Any, folder: Path, chance: float | None = None) -> None:
    """`curves.svg`: loss and main metric of every epoch, `chance` drawn with the metric."""
    from ..figures.curves import draw_learning_curves

    history = list(solver.xp.link.history)
    simulated = bool(getattr(solver.data.facts, "simulated", False))
    metric = solver.best.metric
    path = folder / "curves.svg"
    draw_learning_curves({solver.xp.sig: [history]}, metric, path, chance, simulated)


def draw_generated(solver: Any, real: np.ndarray, generated: np.ndarray) -> None:
    """Pictures of real beside generated waves in `figures`; a line instead if there can be none.

    None are drawn of values that are not finite, such as a sampler hardly trained may give, nor
    of fT: the units of the pictures are those of electrodes.

    Args:
        solver: its experiment gets the pictures.
        real, generated: (N, C, T) and (M, C, T) in the unit of the data.
    """
    from ..figures.generation import draw_generation
    from ..models.eegdiff.facts import WaveFacts

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


def draw_channels(solver: Any, values: Mapping[str, np.ndarray], batch: Batch, path: Path) -> None:
    """Maps of values of electrodes on the head; a line instead where there are no places.

    Args:
        solver: its log is told.
        values: title -> (C,).
        batch: windows of the channel set that the values are of.
        path: file to write.
    """
    from ..figures.topography import draw_topographies

    signal = solver.data.signals[int(batch.recording[0])]
    if set(signal.kinds) != {"eeg"}:  # a map is of the scalp
        return
    maps = {title: {"": np.asarray(value)} for title, value in values.items()}
    simulated = solver.data.facts.simulated
    try:
        draw_topographies(maps, signal.positions, path, "", simulated)
    except ValueError as error:
        solver.log.line("no map of electrodes: %s", error)
