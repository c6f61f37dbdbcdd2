"""Channel solver: a probe on all channels, then the channels that later stages are given."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..data.dataset import Dataset
from ..errors import UserError
from ..figures.contributions import Contribution, draw_contributions
from ..metrics.evaluation import Evaluation
from ..models.contract import ChannelRanker
from ..writing import write_text
from . import SOLVERS
from .build_data import CHANNELS_FILE, evenly_spaced
from .supervised.occlusion import occlusion
from .supervised.solver import SupervisedSolver

Z95 = 1.96  # of the normal distribution, for 95 % intervals
N_WINDOWS = 256  # windows that occlusion looks at


@SOLVERS.register("channels")
class ChannelSolver(SupervisedSolver):
    """Trains a `ChannelRanker` on all channels of one person and keeps the best `solver.keep`.

    As in Zheng et al. (2024, appendix) a channel is ranked by the mean absolute weight of the
    person's linear map, which saw training windows alone; the interval is over the features of the
    map. Beside it stands what the decoder loses on validation windows without the channel, with an
    interval over windows. Test windows choose nothing.

    The experiment's address is the choice: `dset.channels=//sig/...`.
    """

    def build_data(self) -> Dataset:
        """Build windows of one person.

        Raises:
            UserError: several people or channel sets, or fewer channels than are to be kept.
        """
        dataset = super().build_data()
        people, keep = dataset.facts.subjects, int(self.cfg.solver.keep)
        if len(people) > 1:
            raise UserError(
                f"channels are chosen for one person at a time, not {len(people)}: choose by "
                "dset.studies"
            )
        if len({s.channels for s in dataset.signals}) > 1:
            raise UserError(
                "channels: the recordings have different ones; set dset.channels=common"
            )
        if not 0 < keep <= dataset.facts.n_channels:
            raise UserError(
                f"solver.keep={keep}: the recordings have {dataset.facts.n_channels} channels"
            )
        return dataset

    def ranking(self) -> list[Contribution]:
        """Return all channels by descending contribution, of the network as it is.

        Raises:
            UserError: a network without a map of channels.
        """
        if not isinstance(self.model, ChannelRanker):
            name = self.cfg.model.name or self.cfg.model.target
            raise UserError(f"model {name} tells no contribution of channels; use model=duin/cls")
        # (C, D) of the one person
        weights = self.model.channel_weights()[0].detach().abs().double().cpu()
        share = weights.mean(1) / weights.mean(1).max()
        error = weights.std(1) / weights.shape[1] ** 0.5 / weights.mean(1).max()
        losses, loss_errors = self._losses()
        rows = [
            Contribution(name, float(share[i]), float(Z95 * error[i]), losses[i], loss_errors[i])
            for i, name in enumerate(self.data.facts.channels)
        ]
        return sorted(rows, key=lambda row: -row.share)

    @torch.no_grad()
    def _losses(self) -> tuple[list[float], list[float]]:
        """Return what the decoder loses without each channel, and 95 % of its interval, half."""
        rows = evenly_spaced(self.data.rows("valid"), N_WINDOWS)
        if len(rows) < 2:
            return [float("nan")] * self.data.facts.n_channels, [0.0] * self.data.facts.n_channels
        self.model.eval()
        batch = self.data.gather(rows.tolist()).to(self.device)
        lost = occlusion(self.outputs, self.task.scores, batch).double().cpu()
        error = Z95 * lost.std(0) / len(rows) ** 0.5
        return lost.mean(0).tolist(), error.tolist()

    def evaluate(self, split: str) -> Evaluation:
        """Evaluate the probe; of the test split also write which channels are kept."""
        evaluation = super().evaluate(split)
        if split == "test":
            ranking, keep = self.ranking(), int(self.cfg.solver.keep)
            names = [row.name for row in ranking[:keep]]
            evaluation.extra["channels"] = names
            table = [vars(row) for row in ranking]
            person = self.data.facts.subjects[0]
            content: dict[str, Any] = {"person": person, "channels": names, "ranking": table}
            text = json.dumps(content, indent=1, ensure_ascii=False)
            write_text(self.folder / CHANNELS_FILE, text + "\n")
            for row in ranking[:keep]:
                self.log.line(
                    "channel %s: contribution %.3f +- %.3f, loss without it %.3f +- %.3f",
                    row.name, row.share, row.share_error, row.loss, row.loss_error,
                )  # fmt: skip
        return evaluation

    def draw(self, folder: Path, evaluation: Evaluation | None) -> None:
        """Draw what the supervised solver draws, and the contributions."""
        super().draw(folder, evaluation)
        ranking = self.ranking()
        if np.isfinite([row.share for row in ranking]).all():
            path, simulated = folder / "channels.svg", self.data.facts.simulated
            draw_contributions(ranking, int(self.cfg.solver.keep), path, simulated)
