"""What a run shows before it begins and writes after it ends."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from ..figures.curves import draw_learning_curves
from ..metrics.evaluation import Evaluation
from ..models.contract import Described
from ..writing import replacing
from ..xp.files import write_json

if TYPE_CHECKING:
    from .solver import Solver


def show(solver: Solver) -> None:
    """Print the model, its parameters, the data facts and the cost of one item."""
    if not solver.stepped:
        print(f"windows {solver.split_counts()}")
        return
    count = sum(p.numel() for p in solver.model.parameters())
    print(solver.model)
    print(f"parameters {count:,} ({4 * count / 2**20:.1f} MiB in float32)")
    for name, value in vars(solver.data.facts).items():
        print(f"{name}: {str(value)[:160]}")
    if isinstance(solver.model, Described):
        print("\n".join(solver.model.description(solver.data.facts)))
    for line in solver.describe():
        print(line)
    loader = solver.run.loaders["train"]
    loader.set_epoch(0)
    flops = solver.count_flops(next(iter(loader)).to(solver.device))
    print(f"forward pass {flops / 1e6:.3f} MFLOP per item")


def write_evaluation(folder: Path, evaluation: Evaluation) -> None:
    """Write `evaluation.json`, and `items.parquet` when there are items."""
    if evaluation.items is not None:
        with replacing(folder / "items.parquet") as aside:
            evaluation.items.to_parquet(aside)
    write_json(folder / "evaluation.json", json.loads(json.dumps(evaluation.to_dict())))


def draw_history(solver: Solver, folder: Path, chance: float | None = None) -> None:
    """Draw `curves.svg`: loss and best metric of every epoch, `chance` beside the metric."""
    history = list(solver.xp.link.history)
    path, simulated = folder / "curves.svg", solver.data.facts.simulated
    draw_learning_curves({solver.xp.sig: [history]}, solver.best_metric, path, chance, simulated)
