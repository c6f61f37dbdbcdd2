"""Self-supervised solver: any network that says itself what it learns from windows alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import Tensor, nn

from ..data.batch import Batch
from ..engine.show import draw_history
from ..errors import UserError
from ..facts import DataFacts
from ..metrics.evaluation import Evaluation
from ..models.contract import SelfSupervised
from . import SOLVERS
from .model_inputs import inputs_of
from .window_solver import WindowSolver

CHANCE = "chance_"  # start of the names of what a network says that knows nothing of the signal


@SOLVERS.register("selfsupervised")
class SelfSupervisedSolver(WindowSolver):
    """Trains any `SelfSupervised` of `bm.models.contract`, such as TS-TCC's two contrasts.

    What a network draws at random, views or masks, is new in each training step; evaluations have a
    seed of their own, so that epochs can be compared.
    """

    main_metric = ("loss", "min")
    model: Any

    def build_model(self, facts: DataFacts) -> nn.Module:
        """Build the configured network.

        Raises:
            UserError: it does not say what it learns.
        """
        model = super().build_model(facts)
        if not isinstance(model, SelfSupervised):
            name = self.cfg.model.name or self.cfg.model.target
            raise UserError(f"model {name} has no loss of its own without labels; see docs/duin.md")
        return model

    def step(self, batch: Batch, stage: str) -> dict[str, Tensor]:
        """Return the losses of the network; those of chance in evaluation alone."""
        inputs = inputs_of(self.model, batch, "self_losses")
        values: dict[str, Tensor] = self.model.self_losses(batch.signal, **inputs)
        if stage == "train":
            return {name: v for name, v in values.items() if not name.startswith(CHANCE)}
        return values

    def evaluate(self, split: str) -> Evaluation:
        """Evaluate the losses beside those of a network that knows nothing of the signal."""
        values = self.run.stage_metrics(split)
        metrics = {name: v for name, v in values.items() if not name.startswith(CHANCE)}
        chance = {n.removeprefix(CHANCE): v for n, v in values.items() if n.startswith(CHANCE)}
        return Evaluation(
            split=split,
            metrics=metrics,
            chance=chance,
            n_items=self.count_items(split),
            simulated=self.data.facts.simulated,
            extra={"table": ["loss", *(name for name in chance if name != "loss")]},
        )

    def draw(self, folder: Path, evaluation: Evaluation | None) -> None:
        """Draw the learning curves."""
        draw_history(self, folder)
