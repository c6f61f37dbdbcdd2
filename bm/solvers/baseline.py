"""Baseline solver, fitted at once: LDA on powers, means or CSP, Riemannian rows, and chance."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor, nn

from ..data.batch import Batch
from ..data.dataset import Dataset
from ..engine.solver import Solver
from ..errors import UserError
from ..facts import DataFacts
from ..metrics.classification import probabilities
from ..metrics.evaluation import Evaluation
from ..models.baselines.classical import (
    COMPONENTS,
    FEATURES,
    METHODS,
    ClassicalDecoder,
    FittedDecoder,
    Recipe,
)
from ..models.saved import save
from ..registry import check_known
from . import SOLVERS
from .build_data import windows_of
from .supervised.tasks import class_evaluation

logger = logging.getLogger(__name__)


def check_options(options: Mapping[str, Any]) -> None:
    """Raise `UserError` for options that no decoder could be fitted with, before data are read."""
    method, features = options["method"], options.get("features", "powers")
    check_known("solver.method", method, METHODS)
    check_known("solver.features", features, FEATURES)
    if method == "lda" and features == "means":
        if options.get("stretch_s") is None:
            raise UserError("solver.features=means: of what length? set +solver.stretch_s=0.1 (s)")
        return
    if method != "chance" and not options["bands"]:
        raise UserError(f"solver.method={method}: no band; set solver.bands=[[8,30]] (Hz)")
    for band in options["bands"]:
        pair = isinstance(band, Sequence) and not isinstance(band, str) and len(band) == 2
        if not pair or not all(isinstance(end, int | float) for end in band):
            raise UserError(f"solver.bands: {band} is no band; use pairs of Hz, such as [[8,30]]")
        if not 0 <= band[0] < band[1]:
            raise UserError(
                f"solver.bands: [{band[0]:g}, {band[1]:g}] Hz; the lower end comes first"
            )


@SOLVERS.register("baseline")
class BaselineSolver(Solver):
    """Decoders without training by gradient, on the same windows and splits as the networks."""

    main_metric = ("balanced_accuracy", "max")
    stepped = False

    def build_data(self) -> Dataset:
        """Build windows with class labels."""
        check_options(self.cfg.solver)
        dataset = windows_of(self.cfg, self.folder_of)
        if self.cfg.solver.method != "chance" and not self._fits_layouts(dataset):
            raise UserError(
                "baseline: recordings have different channels or rates; set dset.channels=common "
                "and dset.rate_hz, or solver.per_subject=true where each subject has one layout "
                "and windows to train on"
            )
        return dataset

    def _fits_layouts(self, dataset: Dataset) -> bool:
        """Return whether the windows of each decoder have one layout (people with own contacts)."""
        layouts = dataset.layout[dataset.table["recording"].to_numpy()]
        if len(set(layouts.tolist())) == 1:
            return True
        if not self.cfg.solver.per_subject:
            return False
        subjects = (dataset.table["study"] + "/" + dataset.table["subject"]).to_numpy()
        trained = set(subjects[dataset.rows("train")])
        one = all(len(set(layouts[subjects == name].tolist())) == 1 for name in set(subjects))
        return one and trained == set(subjects)

    def build_model(self, facts: DataFacts) -> nn.Module:
        """Return a placeholder: there is nothing before the fit."""
        return nn.Identity()

    def step(self, batch: Batch, stage: str) -> dict[str, Tensor]:
        """Raise an error: baselines take no steps."""
        raise NotImplementedError("a baseline is fitted, not stepped")

    def evaluate(self, split: str) -> Evaluation:
        """Fit on the train split, once, and evaluate class probabilities of another."""
        if not isinstance(self.model, ClassicalDecoder):
            self.model = self._fitted()
        rows, subjects = self.data.rows(split), self._subjects()
        probs = np.zeros((len(rows), len(self.data.facts.classes)))
        for subject in np.unique(subjects[rows]):
            places = np.flatnonzero(subjects[rows] == subject)
            windows = self._windows(rows[places])
            probs[places] = probabilities(self.model.logits(windows, int(subject)))
        permutations = int(self.cfg.solver.get("permutations") or 0)
        return class_evaluation(self.data, split, rows, probs, permutations)

    def save_model(self, folder: Path) -> None:
        """Write the coefficients, with facts that say that windows are taken as they are.

        People with channels of their own have no common facts: nothing is saved of them.
        """
        layouts = self.data.layout[self.data.table["recording"].to_numpy()]
        if len(set(layouts.tolist())) > 1:
            return
        facts = self.data.facts
        recipe = dict(facts.recipe or {})
        recipe["scale"] = {"kind": "none", "clamp": None}
        recipe["segment"] = {k: v for k, v in recipe["segment"].items() if k != "baseline"}
        recipe.pop("statistics", None)
        outputs = {"kind": "classes", "link": "softmax"}
        save(
            self.model,
            folder,
            dataclasses.replace(facts, recipe=recipe, outputs=outputs, scaler={}),
        )

    def _fitted(self) -> ClassicalDecoder:
        """Return one decoder, or one of each subject: pooled where it has too few windows."""
        subjects, train = self._subjects(), self.data.rows("train")
        recipe = self._recipe()
        if not self.cfg.solver.per_subject or self.cfg.solver.method == "chance":
            return ClassicalDecoder.of([self._fit(train, recipe)], [0], recipe)
        rows_of: dict[int | None, np.ndarray] = {}
        keys: list[int | None] = []
        common = len(set(self.data.layout[self.data.table["recording"].to_numpy()].tolist())) == 1
        for subject in range(len(self.data.facts.subjects)):
            rows = train[subjects[train] == subject]
            # people with channels of their own have no windows in common
            alone = self._suffices(rows) or (len(rows) > 0 and not common)
            if len(rows) and not alone:
                logger.warning(
                    "%s: %d training windows are too few for a decoder of its own; the windows of "
                    "all people decide", self.data.facts.subjects[subject], len(rows),
                )  # fmt: skip
            keys.append(subject if alone else None)
            rows_of.setdefault(keys[-1], rows if alone else train)
        decoders = {key: self._fit(rows, recipe) for key, rows in rows_of.items()}
        places = [list(decoders).index(key) for key in keys]
        return ClassicalDecoder.of(list(decoders.values()), places, recipe)

    def _suffices(self, rows: np.ndarray) -> bool:
        """Return whether a linear map can be fitted: two classes, and more windows than classes."""
        present = len(set(self.data.table["label"].to_numpy(dtype=int)[rows].tolist()))
        return 2 <= present < len(rows)

    def _fit(self, rows: np.ndarray, recipe: Mapping[str, Any]) -> FittedDecoder:
        labels = self.data.table["label"].to_numpy(dtype=int)[rows]
        classes = len(self.data.facts.classes)
        if recipe["method"] != "chance" and not self._suffices(rows):
            raise UserError(
                f"solver.method={recipe['method']}: {len(rows)} training windows of "
                f"{len(set(labels.tolist()))} classes; it takes two classes and more windows than "
                "classes: see dset.split (ratios, shots) and dset.segment"
            )
        # frequencies need no windows
        windows = self._windows(rows if recipe["method"] != "chance" else rows[:1])
        return FittedDecoder.fit(Recipe(**recipe), windows, labels, classes)

    def _recipe(self) -> dict[str, Any]:
        """Return what is done before the linear map, as plain values."""
        options = self.cfg.solver
        first = self.data.signals[int(self.data.table["recording"].iloc[0])]
        return {
            "method": options.method,
            "rate_hz": float(first.rate_hz),
            "bands": [[float(low), float(high)] for low, high in options.bands],
            "features": options.get("features", "powers"),
            "stretch_s": options.get("stretch_s"),
            "components": options.get("components", COMPONENTS),
        }

    def _subjects(self) -> np.ndarray:
        """Return the number of each row's subject in the facts."""
        names = (self.data.table["study"] + "/" + self.data.table["subject"]).tolist()
        places = {name: place for place, name in enumerate(self.data.facts.subjects)}
        return np.array([places[name] for name in names])

    def _windows(self, rows: np.ndarray) -> np.ndarray:
        """Return windows (N, C, T) in microvolts (MEG: femtotesla)."""
        columns = self.data.table[["recording", "start", "length"]].to_numpy()[rows]
        return np.stack([self.data.signals[r].rows(a, n).numpy().T for r, a, n in columns])
