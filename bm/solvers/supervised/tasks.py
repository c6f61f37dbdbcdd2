"""Tasks of supervised decoding: classes or values, each with its losses, metrics and items."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ...data.dataset import Dataset
from ...data.segments import values_of
from ...errors import UserError
from ...figures.confusion import draw_confusion
from ...figures.values import draw_values
from ...losses.classification import (
    binary_cross_entropy,
    cross_entropy,
    sigmoid_cross_entropy,
    sigmoid_probabilities,
)
from ...metrics.class_intervals import class_intervals
from ...metrics.classification import (
    chance_levels,
    classification_metrics,
    probabilities,
)
from ...metrics.evaluation import Evaluation
from ...metrics.label_permutation import label_permutation_p
from ...metrics.ridge import class_targets, logit_scale
from ...metrics.shift_test import shift_p
from ...metrics.units import units_of
from ...metrics.values import value_intervals, value_metrics
from ...registry import Registry, check_known

#: Columns of the segment table that items keep.
WHERE = ("recording", "study", "subject", "session", "run", "start_s")
#: Metrics that need both classes of two in the valid split.
RANKED = ("auroc", "auc_pr")
#: What tables show of two classes and of more, as in the tables of Jiang et al. 2024.
TWO = ("balanced_accuracy", "auc_pr", "auroc")
MANY = ("balanced_accuracy", "kappa", "f1_weighted")


class Task(Protocol):
    """Task of a decoder.

    Attributes:
        main_metric: name and direction.
        chance: level drawn where no evaluation says it, or None.
        score_name: what falls when `scores` fall, for figures.
    """

    main_metric: tuple[str, str]
    chance: float | None
    score_name: str

    def check(self, metric: str) -> None:
        """Raise `UserError` when the best epoch cannot be chosen by `metric` on these windows."""
        ...

    def losses(self, outputs: Tensor, labels: Tensor, training: bool) -> dict[str, Tensor]:
        """Return `loss` and running metrics of a batch, from outputs (B, n)."""
        ...

    def scores(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """Return how good each output is, higher is better: (B, n) -> (B,)."""
        ...

    def targets(self, labels: np.ndarray, n_outputs: int) -> np.ndarray:
        """Return what a ridge probe of so many outputs is fitted to, (N, n_outputs)."""
        ...

    def scale(self, outputs: np.ndarray, labels: np.ndarray) -> float:
        """Return the factor by which its outputs (N, n) become those of a network."""
        ...

    def metrics(self, outputs: np.ndarray, labels: np.ndarray) -> dict[str, float]:
        """Return the metrics of a whole split, from outputs (N, n)."""
        ...

    def evaluation(self, split: str, rows: np.ndarray, outputs: np.ndarray) -> Evaluation:
        """Return the evaluation of outputs (N, n) of rows of the segment table."""
        ...

    def draw(self, folder: Path, evaluation: Evaluation) -> None:
        """Draw the figures of an evaluation."""
        ...


#: name -> module that registers it, besides those of this file: class or function that builds a
#: `Task` of a data set and the `solver` section.
TASKS: Registry[Any] = Registry("solver.task", {})


def items_of(dataset: Dataset, rows: np.ndarray, *columns: str) -> pd.DataFrame:
    """Return one row per window: where it is, and some columns of the segment table."""
    items = dataset.table.iloc[rows][[*WHERE, *columns]].copy()
    items.insert(0, "segment", rows)
    return items.reset_index(drop=True)


def outputs_of(task: Task) -> dict[str, Any] | None:
    """Return what a network's outputs are, for `DataFacts.outputs`; None of another task."""
    if isinstance(task, Classes):
        return {"kind": "classes", "link": task.link}
    return {"kind": "values"} if isinstance(task, Values) else None


def class_evaluation(
    dataset: Dataset, split: str, rows: np.ndarray, probs: np.ndarray, permutations: int = 0
) -> Evaluation:
    """Return the evaluation of class probabilities, with one item per window.

    Args:
        dataset: whose table the items come from.
        split: its name.
        rows: (N,) rows of the segment table.
        probs: (N, K).
        permutations: of the labels, for p values beside chance; 0 = none.
    """
    items = items_of(dataset, rows, "label")
    labels = items["label"].to_numpy(dtype=int)
    items["prediction"] = probs.argmax(1)
    for number, name in enumerate(dataset.facts.classes):
        items[f"prob_{name}"] = probs[:, number]
    metrics = classification_metrics(probs, labels)
    units = units_of(items)
    intervals = class_intervals(labels, probs, units)
    extra: dict[str, Any] = {
        "table": list(TWO if len(dataset.facts.classes) == 2 else MANY),
        "intervals": {name: list(ends) for name, ends in intervals.items()},
        "unit": str(units),
    }
    p = shift_p(labels, probs.argmax(1), items["recording"].to_numpy(), items["start_s"].to_numpy())
    if p is not None:
        extra["shift_p"] = p
    if permutations:
        extra["permutation_p"] = label_permutation_p(probs, labels, permutations)
    return Evaluation(
        split=split,
        metrics=metrics,
        chance=chance_levels(labels, probs.shape[1]),
        items=items,
        n_items=len(labels),
        simulated=dataset.facts.simulated,
        extra=extra,
    )


class Classes:
    """Cross entropy; of a single output its sigmoid is the probability of the second class.

    Args:
        dataset: with class labels.
        options: `label_smoothing` of training, with two outputs or more.
    """

    main_metric = ("balanced_accuracy", "max")
    score_name = "log probability lost (nats)"
    link = "softmax"  # from outputs to probabilities, see `bm.predict.outputs`
    cross_entropy = staticmethod(cross_entropy)

    def __init__(self, dataset: Dataset, options: Mapping[str, Any]) -> None:
        self.dataset, self.smoothing = dataset, options["label_smoothing"]
        self.permutations = int(options.get("permutations") or 0)
        if len(dataset.facts.classes) < 2:
            listed = ", ".join(dataset.facts.classes) or "none"
            raise UserError(
                f"supervised: the windows have fewer than two classes ({listed}); see segment.label"
            )
        self.chance = 1 / len(dataset.facts.classes)

    def check(self, metric: str) -> None:
        """Refuse a ranking of two classes where a split lacks one of them."""
        table = self.dataset.table
        for split in ("valid", "test") if metric in RANKED else ():
            classes = set(table["label"][table["split"] == split])
            if len(self.dataset.facts.classes) != 2 or len(classes) == 1:
                raise UserError(
                    f"best.metric={metric} needs two classes, both in split {split}, which has "
                    f"{len(classes)}; use best.metric=kappa or another dset.split"
                )

    def probabilities(self, outputs: np.ndarray) -> np.ndarray:
        """Return (N, K) from outputs (N, K), or (N, 2) from single logits (N, 1)."""
        if outputs.shape[1] > 1:
            return probabilities(outputs)
        # In float64, as exp overflows float32 from 89 on.
        positive = 1 / (1 + np.exp(-outputs[:, 0].astype(float)))
        return np.stack([1 - positive, positive], 1)

    def losses(self, outputs: Tensor, labels: Tensor, training: bool) -> dict[str, Tensor]:
        """Return loss and accuracy; losses of evaluation are not smoothed."""
        if outputs.shape[1] == 1:
            logits = outputs[:, 0]
            # Logit 0 is probability 0.5, which LaBraM counts as the second class.
            right = (logits.detach() >= 0) == (labels == 1)
            return {"loss": binary_cross_entropy(logits, labels), "accuracy": right.float().mean()}
        loss = self.cross_entropy(outputs, labels, self.smoothing if training else 0.0)
        accuracy = (outputs.detach().argmax(1) == labels).float().mean()
        return {"loss": loss, "accuracy": accuracy}

    @staticmethod
    def targets(labels: np.ndarray, n_outputs: int) -> np.ndarray:
        """Return what a ridge probe is fitted to, see `class_targets`."""
        return class_targets(labels, n_outputs)

    @staticmethod
    def scale(outputs: np.ndarray, labels: np.ndarray) -> float:
        """Return the factor that makes logits of what a ridge probe gives, see `logit_scale`."""
        return logit_scale(outputs, labels)

    @staticmethod
    def scores(outputs: Tensor, labels: Tensor) -> Tensor:
        """Return the log probability of the true class."""
        outputs = outputs.float()
        if outputs.shape[1] == 1:
            return torch.nn.functional.logsigmoid(outputs[:, 0] * (2 * labels - 1))
        return outputs.log_softmax(1).gather(1, labels[:, None].long())[:, 0]

    def metrics(self, outputs: np.ndarray, labels: np.ndarray) -> dict[str, float]:
        """Return all of `classification_metrics`."""
        return classification_metrics(self.probabilities(outputs), labels)

    def evaluation(self, split: str, rows: np.ndarray, outputs: np.ndarray) -> Evaluation:
        """Return `class_evaluation` of the outputs' probabilities."""
        probs = self.probabilities(outputs)
        return class_evaluation(self.dataset, split, rows, probs, self.permutations)

    def draw(self, folder: Path, evaluation: Evaluation) -> None:
        """Draw the confusion matrix."""
        assert evaluation.items is not None
        labels, decided = (evaluation.items[c].to_numpy() for c in ("label", "prediction"))
        facts = self.dataset.facts
        draw_confusion(labels, decided, facts.classes, folder / "confusion.svg", facts.simulated)


class SigmoidClasses(Classes):
    """Cross entropy that takes sigmoids of the outputs for logits; two outputs or more.

    Du-IN and most networks that it was compared with were trained so (Zheng et al., 2024).
    Probabilities are the sigmoids over their sum, of which the published cross entropies are.
    """

    link = "sigmoid_share"
    # Scores lie in (0, 1): with 61 words the loss cannot fall below ln(1 + 60 / e) = 3.14.
    cross_entropy = staticmethod(sigmoid_cross_entropy)

    def probabilities(self, outputs: np.ndarray) -> np.ndarray:
        """Return (N, K) from outputs (N, K).

        Raises:
            UserError: a single output.
        """
        if outputs.shape[1] == 1:
            raise UserError("solver.cls_loss=sigmoid_ce: the model has one output; leave it out")
        return sigmoid_probabilities(torch.from_numpy(outputs)).numpy()

    @staticmethod
    def scores(outputs: Tensor, labels: Tensor) -> Tensor:
        """Return the log probability of the true class."""
        logs = sigmoid_probabilities(outputs.float()).log()
        return logs.gather(1, labels[:, None].long())[:, 0]


#: Classes by `solver.cls_loss`, which old configurations do not have.
CLS_LOSSES = {"cross_entropy": Classes, "sigmoid_ce": SigmoidClasses}


@TASKS.register("classes")
def classes_of(dataset: Dataset, options: Mapping[str, Any]) -> Classes:
    """Build the task `classes` with the loss that the solver's options name."""
    name = options.get("cls_loss", "cross_entropy")
    check_known("solver.cls_loss", name, CLS_LOSSES)
    return CLS_LOSSES[name](dataset, options)


@TASKS.register("values")
class Values:
    """Mean squared error of one or several values of a window (`segment.values`), as they are.

    Args:
        dataset: with values.
        options: none is used.
    """

    main_metric = ("r2", "max")
    chance = 0.0
    score_name = "squared error added"

    def __init__(self, dataset: Dataset, options: Mapping[str, Any]) -> None:
        self.dataset, self.names = dataset, dataset.facts.values
        values = values_of(dataset.table)
        if values is None:
            raise UserError(
                "solver.task=values: the windows have none; name columns of the events in "
                "dset.segment.values"
            )
        self.values = values.astype(float)
        train = (dataset.table["split"] == "train").to_numpy()
        # Of training alone: the test windows' mean would use their answers to set the chance level.
        self.mean = self.values[train].mean(0)

    def check(self, metric: str) -> None:
        """Refuse values that do not vary in the valid split: they cannot choose an epoch."""
        values = self.values[(self.dataset.table["split"] == "valid").to_numpy()]
        if metric in ("r2", "pearson") and len(values) and (values.std(0) == 0).all():
            raise UserError(f"best.metric={metric}: the values of the valid split are all the same")

    def losses(self, outputs: Tensor, labels: Tensor, training: bool) -> dict[str, Tensor]:
        """Return the mean squared error over windows and values."""
        if outputs.shape != labels.shape:
            raise UserError(
                f"the model gives {outputs.shape[1]} outputs for {labels.shape[1]} values; leave "
                "model.n_outputs out"
            )
        return {"loss": torch.nn.functional.mse_loss(outputs.float(), labels)}

    @staticmethod
    def targets(labels: np.ndarray, n_outputs: int) -> np.ndarray:
        """Return the values (N, n), which a ridge probe is fitted to as they are."""
        return labels

    @staticmethod
    def scale(outputs: np.ndarray, labels: np.ndarray) -> float:
        """Return 1: values have their own unit."""
        return 1.0

    @staticmethod
    def scores(outputs: Tensor, labels: Tensor) -> Tensor:
        """Return minus the mean squared error over the values."""
        return -(outputs.float() - labels).square().mean(1)

    def metrics(self, outputs: np.ndarray, labels: np.ndarray) -> dict[str, float]:
        """Return R2, Pearson and RMSE."""
        return value_metrics(outputs, labels)

    def evaluation(self, split: str, rows: np.ndarray, outputs: np.ndarray) -> Evaluation:
        """Return values of every window; chance is the mean of the training windows."""
        targets = self.values[rows]
        items = items_of(self.dataset, rows)
        for number, name in enumerate(self.names):
            items[f"true_{name}"] = targets[:, number]
            items[f"predicted_{name}"] = outputs[:, number]
        mean, units = np.broadcast_to(self.mean, targets.shape), units_of(items)
        intervals = value_intervals(outputs, targets, units)
        return Evaluation(
            split=split,
            metrics=value_metrics(outputs, targets),
            chance=value_metrics(mean, targets),
            items=items,
            n_items=len(rows),
            simulated=self.dataset.facts.simulated,
            extra={
                "table": ["r2", "pearson", "rmse"],
                "intervals": {name: list(ends) for name, ends in intervals.items()},
                "unit": str(units),
            },
        )

    def draw(self, folder: Path, evaluation: Evaluation) -> None:
        """Draw predicted against true values."""
        items = evaluation.items
        assert items is not None
        pairs = {n: (items[f"true_{n}"], items[f"predicted_{n}"]) for n in self.names}
        draw_values(
            {n: (a.to_numpy(), b.to_numpy()) for n, (a, b) in pairs.items()},
            folder / "values.svg",
            evaluation.simulated,
        )
