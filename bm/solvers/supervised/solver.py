"""Supervised solver: classes or values from windows."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ...data.batch import Batch
from ...data.dataset import Dataset
from ...data.selection import check_label
from ...engine import processes
from ...engine.show import draw_history
from ...errors import UserError
from ...facts import DataFacts
from ...metrics.evaluation import Evaluation
from ...models.contract import LabelPenalised
from ...models.saved import save
from ...xp.resolve import to_plain
from .. import SOLVERS
from ..model_inputs import inputs_of
from ..window_solver import WindowSolver
from .adapters import adapted, merged, neutralise, plain_layers
from .occlusion import draw_occlusion
from .tasks import TASKS, Task, outputs_of
from .tuning import fit_head, head_inputs, linear_head, prepare, set_head


@SOLVERS.register("supervised")
class SupervisedSolver(WindowSolver):
    """Classes or values of windows; metrics over the whole split in any number of processes.

    Any model will do: one that asks for `channel_ids` may be given mixed channel sets.
    """

    main_metric = ("balanced_accuracy", "max")

    @property
    def epochs(self) -> int:
        """Return how many epochs are trained: a ridge probe is fitted at once."""
        return 0 if self.cfg.solver.get("tune") == "ridge" else super().epochs

    def build_data(self) -> Dataset:
        """Build windows with what the task predicts."""
        build_task = TASKS.get(self.cfg.solver.task)  # a wrong name is told before data are read
        dataset = super().build_data()
        try:
            self.task: Task = build_task(dataset, to_plain(self.cfg.solver))
        except UserError:
            if not dataset.facts.classes:  # a mistyped column is the likeliest reason
                segment = self.cfg.dset.segment
                check_label(segment.label, [s.events for s in dataset.signals], segment.kind)
            raise
        dataset.facts = dataclasses.replace(dataset.facts, outputs=outputs_of(self.task))
        self.main_metric = self.task.main_metric
        self.task.check(self.best_metric)
        return dataset

    def build_model(self, facts: DataFacts) -> nn.Module:
        """Build the configured network; what is not to be trained further is frozen."""
        model = super().build_model(facts)
        self.frozen = prepare(model, to_plain(self.cfg.solver))
        return model

    def init_model(self, folder: Path) -> None:
        """Start from the weights that `init_from` names, under the names of the plain network."""
        with plain_layers(self.model):
            super().init_model(folder)

    def build_optim(self, model: nn.Module) -> torch.optim.Optimizer:
        """Build the optimiser; a ridge probe is fitted here, as the weights are in place."""
        if self.cfg.solver.get("tune") == "ridge":
            self._fit_ridge()
        return super().build_optim(model)

    def _fit_ridge(self) -> None:
        """Fit the head to the training windows in closed form."""
        loader = self.data.loader("train", self.cfg.eval.batch_size or self.cfg.optim.batch_size)
        self.model.eval()
        with torch.no_grad(), self.precision.autocast():
            batches = (batch.to(self.device) for batch in loader)
            features, labels = head_inputs(self.model, self.outputs, batches)
        head = linear_head(self.model)
        ridge = fit_head(features, self.task.targets(labels, head.out_features))
        set_head(head, ridge, self.task.scale(ridge.left_out, labels))
        self.log.line(
            "ridge probe of %d windows and %d features, penalty %g", *features.shape, ridge.penalty
        )

    def save_model(self, folder: Path) -> None:
        """Write the present weights, adapters merged into the layers that they adapt."""
        if adapted(self.model):
            save(merged(self.model), folder, self.data.facts)
        else:
            super().save_model(folder)

    def load_model(self, folder: Path) -> None:
        """Load weights that `save_model` wrote; adapters then add nothing to them."""
        with plain_layers(self.model):
            super().load_model(folder)
        neutralise(self.model)

    def begin_stage(self, stage: str) -> None:
        """Clear the outputs of the stage before."""
        self.valid_outputs: list[tuple[Tensor, Tensor]] = []

    def outputs(self, batch: Batch) -> Tensor:
        """Return the network's outputs for a batch, (B, n)."""
        outputs: Tensor = self.model(batch.signal, **inputs_of(self.model, batch))
        if not isinstance(outputs, Tensor) or outputs.ndim != 2:
            shape = tuple(outputs.shape) if isinstance(outputs, Tensor) else type(outputs).__name__
            raise UserError(
                f"model {self.cfg.model.name or self.cfg.model.target} gives {shape} where a "
                "decoder gives (windows, classes); choose a classifier, or the model's own solver"
            )
        return outputs

    def step(self, batch: Batch, stage: str) -> dict[str, Tensor]:
        """Return `loss` and, for classes, the running `accuracy`."""
        if stage == "train":
            # the run has put the whole model into training mode: what is frozen draws no dropout
            for part in self.frozen:
                part.eval()
        assert batch.label is not None
        model = self.model
        if stage == "train" and isinstance(model, LabelPenalised) and model.penalty_scale:
            return self._penalised(batch, model)
        outputs = self.outputs(batch)
        if stage == "valid":
            self.valid_outputs.append((outputs.detach().float(), batch.label))
        return self.task.losses(outputs, batch.label, stage == "train")

    def _penalised(self, batch: Batch, model: LabelPenalised) -> dict[str, Tensor]:
        """Add the model's own loss, made of the labels, to that of the task."""
        assert batch.label is not None
        outputs, penalty = model.penalised(batch.signal, batch.label, **inputs_of(model, batch))
        values = self.task.losses(outputs, batch.label, True)
        loss = values["loss"] + model.penalty_scale * penalty
        return {**values, "loss": loss, "penalty": penalty.detach()}

    def epoch_metrics(self, stage: str) -> dict[str, float]:
        """Return metrics of the whole valid split."""
        if stage != "valid":
            return {}
        pairs = [(rows.cpu().tolist(), labels.tolist()) for rows, labels in self.valid_outputs]
        parts = [pair for process in processes.same_objects(pairs) for pair in process]
        outputs = np.array([row for rows, _ in parts for row in rows])
        return self.task.metrics(outputs, np.array([label for _, rows in parts for label in rows]))

    def valid_metrics(self, batch: Batch) -> set[str]:
        """Return the names for the whole split: a batch that lacks a class has no AUROC."""
        table = self.data.table
        rows = np.flatnonzero(table["split"] == "valid")
        with torch.no_grad(), self.precision.autocast():
            width = self.outputs(batch).shape[1]
        blank = self.task.evaluation("valid", rows, np.zeros((len(rows), width)))
        return super().valid_metrics(batch) | set(blank.metrics)

    def evaluate(self, split: str) -> Evaluation:
        """Evaluate the network on every window of a split."""
        loader = self.data.loader(split, self.cfg.eval.batch_size or self.cfg.optim.batch_size)
        self.model.eval()
        parts, rows = [], []
        for batch in loader:
            with torch.no_grad(), self.precision.autocast():
                parts.append(self.outputs(batch.to(self.device)).float().cpu())
            rows.append(batch.segment)
        outputs = torch.cat(parts).numpy().astype(np.float64)
        return self.task.evaluation(split, torch.cat(rows).numpy(), outputs)

    def draw(self, folder: Path, evaluation: Evaluation | None) -> None:
        """Draw learning curves with chance; of the test split decisions and electrodes."""
        chance: Any = None if evaluation is None else evaluation.chance.get(self.best_metric)
        draw_history(self, folder, chance if chance is not None else self.task.chance)
        if evaluation is not None and evaluation.items is not None:
            self.task.draw(folder, evaluation)
            draw_occlusion(self, "test", folder / "electrodes.svg")
