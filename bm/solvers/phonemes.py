"""Phoneme solver: classes of each token of a window, such as initial and final of syllables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from ..data.batch import Batch
from ..data.dataset import Dataset
from ..engine import processes
from ..engine.show import draw_history
from ..errors import UserError, there_is
from ..facts import DataFacts
from ..metrics.evaluation import Evaluation
from ..models.contract import TokenClassifier
from . import SOLVERS
from .model_inputs import inputs_of
from .window_solver import WindowSolver

NONE = -1  # class of a token in which nothing is spoken


@SOLVERS.register("phonemes")
class PhonemeSolver(WindowSolver):
    """Trains any `TokenClassifier` on what is spoken during each token.

    Events of kind `solver.kind` say when; their columns, named as the heads of the model, say what.
    Tokens whose middle lies in no such event count in no loss and no metric.
    """

    main_metric = ("accuracy", "max")
    model: Any

    def build_data(self) -> Dataset:
        """Build windows.

        Raises:
            UserError: an augmentation moves windows away from their phonemes.
        """
        dataset = super().build_data()
        if dataset.augmentation is not None and dataset.augmentation.shifts_time:
            raise UserError("dset.augment: shifts in time move windows away from their phonemes")
        return dataset

    def build_model(self, facts: DataFacts) -> nn.Module:
        """Build the configured network, and number the classes of every token."""
        model = super().build_model(facts)
        if not isinstance(model, TokenClassifier):
            raise UserError(
                f"model {self.cfg.model.name or self.cfg.model.target} gives no classes of tokens; "
                "use model=duin/phoneme"
            )
        self.classes = {
            name: token_classes(self.data, self.cfg.solver.kind, name, model.patch_samples, size)
            for name, size in model.head_sizes.items()
        }
        self.shares = {name: self._shares(name, size) for name, size in model.head_sizes.items()}
        self.counts = torch.zeros(len(self.classes), 2, dtype=torch.long)
        return model

    def _shares(self, name: str, size: int) -> np.ndarray:
        """Return how frequent each class of a head is in the training tokens (K,)."""
        values = self.classes[name][self.data.rows("train")]
        spoken = values[values != NONE]
        if not len(spoken):
            raise UserError(f"no training token has a {name}; check dset.segment and solver.kind")
        return np.bincount(spoken, minlength=size) / len(spoken)

    def begin_stage(self, stage: str) -> None:
        """Clear the count of right tokens of an evaluation."""
        if stage != "train":
            self.counts = torch.zeros_like(self.counts, device=self.device)

    def step(self, batch: Batch, stage: str) -> dict[str, Tensor]:
        """Return `loss`, the losses of the heads and, in training, their running accuracy."""
        outputs = self.model(batch.signal, **inputs_of(self.model, batch))
        labels = {
            name: torch.from_numpy(values[batch.segment.cpu().numpy()]).to(self.device)
            for name, values in self.classes.items()
        }
        mask = torch.stack([label != NONE for label in labels.values()]).all(0)
        # cross entropy refuses class -1 even where the mask leaves the token out of the mean
        targets = {name: label.clamp(min=0) for name, label in labels.items()}
        values: dict[str, Tensor] = self.model.losses(outputs, targets, mask)
        rights = [((outputs[n].argmax(-1) == targets[n]) & mask).sum() for n in targets]
        if stage == "train":
            total = mask.sum().clamp(min=1)
            values |= {f"accuracy_{n}": r / total for n, r in zip(targets, rights, strict=True)}
            return values
        both = torch.stack([torch.stack(rights), mask.sum().expand(len(rights))], 1)
        self.counts = self.counts.to(both.device) + both
        return values

    def epoch_metrics(self, stage: str) -> dict[str, float]:
        """Return the share of right tokens of each head, and the mean of the trained ones."""
        if stage == "train":
            return {}
        right, total = processes.total(self.counts.clone()).cpu().double().T
        shares = (right / total.clamp(min=1)).tolist()
        values = {f"accuracy_{name}": v for name, v in zip(self.classes, shares, strict=True)}
        # Du-IN trains its head of finals alone; the other one would pull the mean to chance
        trained = [values[f"accuracy_{name}"] for name in self.model.trained]
        return {**values, "accuracy": float(np.mean(trained))}

    def evaluate(self, split: str) -> Evaluation:
        """Evaluate, beside the guess of the class that is the most frequent in training."""
        metrics = self.run.stage_metrics(split)
        rows = self.data.rows(split)
        chance = {}
        for name, values in self.classes.items():
            spoken = values[rows][values[rows] != NONE]
            chance[f"accuracy_{name}"] = float((spoken == self.shares[name].argmax()).mean())
        chance["accuracy"] = float(np.mean([chance[f"accuracy_{n}"] for n in self.model.trained]))
        return Evaluation(
            split=split,
            metrics=metrics,
            chance=chance,
            n_items=self.count_items(split),
            simulated=self.data.facts.simulated,
            extra={"table": ["accuracy", *(f"accuracy_{name}" for name in self.classes), "loss"]},
        )

    def draw(self, folder: Path, evaluation: Evaluation | None) -> None:
        """Draw the learning curves."""
        draw_history(self, folder)


def token_classes(
    dataset: Dataset, kind: str, column: str, patch_samples: int, size: int
) -> np.ndarray:
    """Return the class of each token of each window (N, L), `NONE` where nothing is spoken.

    Args:
        dataset: windows of one length.
        kind: of the events.
        column: of the events: whole numbers are classes, texts are numbered in sorted order.
        patch_samples: of a token.
        size: classes of the head.

    Raises:
        UserError: no such event or column, or more classes than the head has.
    """
    tables = [signal.events for signal in dataset.signals]
    rows = [table[table["kind"] == kind] if len(table) else table for table in tables]
    names = {str(name) for part in rows for name in part if part[name].notna().any()}
    if column not in names:
        kinds = sorted({str(k) for table in tables if len(table) for k in table["kind"]})
        raise UserError(
            f"no event of kind {kind!r} has a column {column!r} ({there_is(names, column)}; kinds: "
            f"{', '.join(kinds)}): a phoneme model needs to know when each phoneme is spoken"
        )
    numbers = _numbers([part[column] for part in rows], column, size)
    windows = dataset.table[["recording", "start", "length"]].to_numpy()
    count = int(windows[:, 2].max()) // patch_samples
    result = np.full((len(windows), count), NONE)
    for recording, part in enumerate(rows):
        members = np.flatnonzero(windows[:, 0] == recording)
        if not len(members) or part.empty:
            continue
        rate = dataset.signals[recording].rate_hz
        middles = (windows[members, 1][:, None] + (np.arange(count) + 0.5) * patch_samples) / rate
        result[members] = _spoken_at(middles, part, numbers[recording])
    return result


def _numbers(columns: list[pd.Series], column: str, size: int) -> list[np.ndarray]:
    values = pd.concat(columns)
    if values.isna().any():
        raise UserError(f"some phonemes have no {column!r}; complete the table of events")
    whole = pd.to_numeric(values, errors="coerce")
    if whole.notna().all() and (whole == whole.round()).all():
        highest = int(whole.max())
        if whole.min() < 0 or highest >= size:
            raise UserError(f"{column} {highest}: the head has classes 0 to {size - 1}")
        return [part.to_numpy(int) for part in columns]
    # sorted: Python orders a set of texts differently in each process
    texts = {text: i for i, text in enumerate(sorted(set(values.astype(str))))}
    if len(texts) > size:
        raise UserError(f"{len(texts)} values of {column}: the head has {size} classes")
    return [np.array([texts[str(v)] for v in part], int) for part in columns]


def _spoken_at(times_s: np.ndarray, events: pd.DataFrame, classes: np.ndarray) -> np.ndarray:
    """Return the class of the event that each time lies in, `NONE` where there is none."""
    order = np.argsort(events["start_s"].to_numpy(float), kind="stable")
    starts = events["start_s"].to_numpy(float)[order]
    stops = starts + events["duration_s"].to_numpy(float)[order]
    places = np.searchsorted(starts, times_s, "right") - 1
    # half-open: at a border the phoneme that begins counts, not the one that ends
    inside = (places >= 0) & (times_s < stops[places.clip(min=0)])
    return np.where(inside, classes[order][places.clip(min=0)], NONE)
