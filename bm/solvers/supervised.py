"""Supervised solver: classes from windows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ..data.batch import Batch
from ..data.dataset import Dataset
from ..data.facts import DataFacts
from ..errors import UserError
from ..losses.classification import cross_entropy
from ..metrics.classification import (
    chance_levels,
    classification_metrics,
    probabilities,
    wilson_interval,
)
from ..metrics.evaluation import Evaluation
from ..models import build_model
from ..xp.resolve import to_plain
from . import SOLVERS, distribution
from .base import Solver
from .show import draw_history
from .windows import windows_of


def class_evaluation(
    dataset: Dataset, split: str, rows: np.ndarray, probs: np.ndarray
) -> Evaluation:
    """Evaluation of class probabilities, with one item per window.

    Args:
        dataset: whose table the items come from.
        split: its name.
        rows: (N,) rows of the segment table.
        probs: (N, K).
    """
    table = dataset.table.iloc[rows]
    labels = table["label"].to_numpy(dtype=int)
    items = table[["recording", "study", "subject", "session", "run", "start_s", "label"]].copy()
    items.insert(0, "segment", rows)
    items["prediction"] = probs.argmax(1)
    for number, name in enumerate(dataset.facts.classes):
        items[f"prob_{name}"] = probs[:, number]
    found = classification_metrics(probs, labels)
    low, high = wilson_interval(found["accuracy"], len(labels))
    return Evaluation(
        split=split,
        metrics=found,
        chance=chance_levels(labels, probs.shape[1]),
        items=items.reset_index(drop=True),
        n_items=len(labels),
        simulated=dataset.facts.simulated,
        extra={"accuracy_interval": [low, high]},
    )


@SOLVERS.register("supervised")
class SupervisedSolver(Solver):
    """Cross entropy on class labels; metrics over the whole split in any number of processes."""

    main_metric = ("balanced_accuracy", "max")

    def build_data(self) -> Dataset:
        """Windows with class labels."""
        if self.cfg.solver.task != "classes":
            raise UserError(
                f"solver.task={self.cfg.solver.task}: only `classes` can be trained yet"
            )
        dataset = windows_of(self.cfg)
        if len(dataset.facts.classes) < 2:
            raise UserError(
                "supervised: the windows have fewer than two classes; see segment.label"
            )
        return dataset

    def build_model(self, facts: DataFacts) -> nn.Module:
        """The configured network with one output per class."""
        if len(set(self.data.layout.tolist())) > 1:
            raise UserError(
                f"model {self.cfg.model.name} needs one channel set and rate; set "
                "dset.channels=common and dset.rate_hz"
            )
        return build_model(to_plain(self.cfg.model), facts)

    def begin_stage(self, stage: str) -> None:
        """Forget the decisions of the stage before."""
        self.seen: list[tuple[Tensor, Tensor]] = []

    def step(self, batch: Batch, stage: str) -> dict[str, Tensor]:
        """`loss` and, in training, the running `accuracy`."""
        logits = self.model(batch.signal)
        assert batch.label is not None
        smoothing = self.cfg.solver.label_smoothing if stage == "train" else 0.0
        loss = cross_entropy(logits, batch.label, smoothing)
        if stage == "valid":
            self.seen.append((logits.detach().float(), batch.label))
        accuracy = (logits.detach().argmax(1) == batch.label).float().mean()
        return {"loss": loss, "accuracy": accuracy}

    def epoch_metrics(self, stage: str) -> dict[str, float]:
        """Whole-split metrics of the valid stage."""
        if stage != "valid":
            return {}
        own = [(logits.cpu().tolist(), labels.tolist()) for logits, labels in self.seen]
        parts = [pair for process in distribution.same_objects(own) for pair in process]
        logits = np.array([row for rows, _ in parts for row in rows])
        labels = np.array([label for _, rows in parts for label in rows])
        return classification_metrics(probabilities(logits), labels)

    def evaluate(self, split: str) -> Evaluation:
        """Class probabilities of every window of a split."""
        loader = self.data.loader(split, self.cfg.eval.batch_size or self.cfg.optim.batch_size)
        self.model.eval()
        logits, rows = [], []
        for batch in loader:
            moved = batch.to(self.device)
            with torch.no_grad(), self.precision.autocast():
                logits.append(self.model(moved.signal).float().cpu())
            rows.append(batch.segment)
        probs = probabilities(torch.cat(logits).numpy().astype(np.float64))
        return class_evaluation(self.data, split, torch.cat(rows).numpy(), probs)

    def draw(self, folder: Path, evaluation: Evaluation | None) -> None:
        """Learning curves with the chance level, and the confusion matrix of the test split."""
        from ..figures.confusion import draw_confusion

        draw_history(self, folder, 1 / len(self.data.facts.classes))
        if evaluation is not None and evaluation.items is not None:
            labels, decided = (evaluation.items[c].to_numpy() for c in ("label", "prediction"))
            path, facts = folder / "confusion.svg", self.data.facts
            draw_confusion(labels, decided, facts.classes, path, facts.simulated)
