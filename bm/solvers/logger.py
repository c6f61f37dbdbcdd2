"""Where metrics go besides the history: text lines, TensorBoard, Weights & Biases."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

logger = logging.getLogger("bm")


def format_metrics(values: Mapping[str, float]) -> str:
    """`loss 0.7312 | accuracy 0.512`: four significant digits each."""
    return " | ".join(f"{name} {value:.4g}" for name, value in values.items())


class Progress:
    """Progress of one stage as log lines with speed, so that the log of a job stays readable.

    Args:
        name: `train 3/10`.
        total: number of batches.
        lines: at most so many lines per stage.
    """

    def __init__(self, name: str, total: int, lines: int) -> None:
        self.name, self.total = name, total
        self.every = max(1, math.ceil(total / lines)) if lines > 0 else 0
        self.began, self.done = time.perf_counter(), 0

    def due(self) -> bool:
        """Count one batch; true when a line is due."""
        self.done += 1
        return bool(self.every) and self.done % self.every == 0

    def line(self, index: int, values: Mapping[str, float]) -> None:
        """Write a line: where, metrics, speed."""
        speed = self.done / max(1e-9, time.perf_counter() - self.began)
        logger.info(
            "%s | %d/%d | %s | %.1f it/s",
            self.name,
            index,
            self.total,
            format_metrics(values),
            speed,
        )


class Trackers:
    """TensorBoard and W&B of one experiment; only the first process has any.

    Args:
        folder: of the experiment.
        config: plain resolved configuration.
        sig: signature, the id of the W&B run, so that a restart continues it.
    """

    def __init__(self, folder: Path, config: Mapping[str, Any], sig: str, active: bool) -> None:
        self._board: Any = None
        self._run: Any = None
        if not active:
            return
        if config["log"]["tensorboard"]:
            from torch.utils.tensorboard import SummaryWriter

            self._board = SummaryWriter(str(folder / "tensorboard"))
        if config["wandb"]["mode"] != "disabled":
            import wandb

            self._run = wandb.init(
                mode=config["wandb"]["mode"],
                project=config["wandb"]["project"],
                group=config["wandb"]["group"],
                dir=str(folder),
                id=sig,
                resume="allow",
                config=dict(config),
            )

    def write(self, epoch: int, entry: Mapping[str, Mapping[str, float]]) -> None:
        """Send the metrics of an epoch."""
        flat = {f"{stage}/{name}": v for stage, group in entry.items() for name, v in group.items()}
        if self._board is not None:
            for name, value in flat.items():
                self._board.add_scalar(name, value, epoch)
            self._board.flush()
        if self._run is not None:
            self._run.log(flat, step=epoch)

    def close(self) -> None:
        """Flush and close."""
        if self._board is not None:
            self._board.close()
        if self._run is not None:
            self._run.finish()
