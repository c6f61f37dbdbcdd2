"""A loss that is NaN or infinite stops the run, and its batch is kept."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from ..data.batch import Batch


class NonFiniteError(RuntimeError):
    """The loss is not finite; the message names the batch and where it was saved."""


class NonFiniteWatch:
    """Looks at every loss, on a GPU one step late so that the device is never waited for.

    Args:
        folder: where the batch is saved.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._last: tuple[Tensor, Batch, int, int] | None = None

    def see(self, loss: Tensor, batch: Batch, epoch: int, index: int) -> None:
        """Remember a loss; look at the one before (on a CPU at this one)."""
        if loss.device.type != "cpu":
            self.check()
        self._last = (loss.detach(), batch, epoch, index)
        if loss.device.type == "cpu":
            self.check()

    def check(self) -> None:
        """Raise `NonFiniteError` when the remembered loss is not finite."""
        if self._last is None:
            return
        loss, batch, epoch, index = self._last
        self._last = None
        if bool(torch.isfinite(loss)):
            return
        path = self.folder / "nonfinite_batch.pt"
        tensors = {
            name: value.cpu() for name, value in vars(batch).items() if isinstance(value, Tensor)
        }
        torch.save({**tensors, "epoch": epoch, "batch": index}, path)
        finite = bool(torch.isfinite(batch.signal).all())
        rows = batch.segment.tolist()
        shown = ", ".join(map(str, rows[:8])) + (", ..." if len(rows) > 8 else "")
        raise NonFiniteError(
            f"the loss is {float(loss)} in epoch {epoch}, batch {index} (segments {shown}; its "
            f"signal is {'finite' if finite else 'NOT finite'}); the batch is in {path}"
        )
