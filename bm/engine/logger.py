"""Log of a run: lines of text, and on request TensorBoard and W&B."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..registry import check_known

logger = logging.getLogger("bm.solver")


def show_metrics(metrics: Mapping[str, float]) -> str:
    """Return `loss 0.693 | accuracy 0.5`, at most four digits each."""
    return " | ".join(f"{name} {value:.4g}" for name, value in metrics.items())


class Logger:
    """Progress of one experiment; silent in all but the first process.

    Args:
        folder: of the experiment.
        sig: its signature, the id of the W&B run.
        config: whole configuration (`log` and `wandb` groups are read).
        active: false in other processes.
    """

    def __init__(self, folder: Path, sig: str, config: Mapping[str, Any], active: bool) -> None:
        self.active = active
        self.every = config["log"]["every"]
        self.writer: Any = None
        self.wandb: Any = None
        mode = config["wandb"]["mode"]
        check_known("wandb.mode", mode, ("disabled", "offline", "online"))
        if active and config["log"]["tensorboard"]:
            from torch.utils.tensorboard import SummaryWriter

            self.writer = SummaryWriter(str(folder / "tensorboard"))
        if active and mode != "disabled":
            import wandb

            group = config["wandb"]["group"]
            names = {"project": config["wandb"]["project"], "group": group, "id": sig, "name": sig}
            self.wandb = wandb.init(**names, mode=mode, dir=str(folder), resume="allow")

    def line(self, text: str, *arguments: Any) -> None:
        """Write one line of text."""
        if self.active:
            logger.info(text, *arguments)

    def due(self, index: int, total: int) -> bool:
        """Return whether a progress line is due after `index` batches of `total`."""
        if not self.active or self.every <= 0:
            return False
        return index % max(1, math.ceil(total / self.every)) == 0

    def progress(
        self, head: str, index: int, total: int, speed: float, metrics: Mapping[str, float]
    ) -> None:
        """Write `train 3 | 10/50 | 12.3 it/sec | loss 0.5`; `speed` in batches per second."""
        self.line("%s | %d/%d | %.1f it/sec | %s", head, index, total, speed, show_metrics(metrics))

    def epoch(self, epoch: int, groups: Mapping[str, Mapping[str, float]]) -> None:
        """Write the metrics of one epoch, by stage."""
        if not self.active:
            return
        for stage, metrics in groups.items():
            if stage != "perf":
                self.line("%s summary | epoch %d | %s", stage, epoch, show_metrics(metrics))
        flat = {f"{s}/{k}": v for s, m in groups.items() for k, v in m.items()}
        if self.writer is not None:
            for name, value in flat.items():
                self.writer.add_scalar(name, value, epoch)
            self.writer.flush()
        if self.wandb is not None:
            self.wandb.log({**flat, "epoch": epoch})

    def close(self) -> None:
        """Flush and release everything."""
        if self.writer is not None:
            self.writer.close()
        if self.wandb is not None:
            self.wandb.finish()
