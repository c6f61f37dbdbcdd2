"""Losses must stay finite: the first one that is not stops the run, with its batch identified.

On the CPU every optimiser step is checked at once. On a GPU the verdict of a step is copied
asynchronously and read one step later, so the host stays one step ahead and never waits for the
step it has just launched; before a checkpoint the open verdict is read.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import UserError
from ..writing import replacing


class NonFiniteError(UserError):
    """The loss became NaN or infinite; a failure of the run, not of the command: exit code 1."""

    exit_code = 1


@dataclasses.dataclass
class _Verdict:
    losses: Tensor
    batches: list[Any]
    epoch: int
    step: int
    ready: Any = None


class FiniteCheck:
    """Watches the losses of the training steps.

    Args:
        folder: where `nonfinite_batch.pt` is written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.open: _Verdict | None = None

    def watch(self, losses: list[Tensor], batches: list[Any], epoch: int, step: int) -> None:
        """Check the losses of one optimiser step (see the module for when)."""
        # one transfer per optimiser step, not one per batch
        stacked = torch.stack([loss.detach().float() for loss in losses])
        verdict = _Verdict(stacked, batches, epoch, step)
        if not stacked.is_cuda:
            self._judge(verdict)
            return
        verdict.losses = stacked.to("cpu", non_blocking=True)
        verdict.ready = torch.cuda.Event()
        verdict.ready.record()
        self.flush()
        self.open = verdict

    def flush(self) -> None:
        """Read the open verdict, and raise if a loss was not finite."""
        if self.open is not None:
            verdict, self.open = self.open, None
            verdict.ready.synchronize()
            self._judge(verdict)

    def _judge(self, verdict: _Verdict) -> None:
        finite = torch.isfinite(verdict.losses)
        if bool(finite.all()):
            return
        index = int((~finite).nonzero()[0])
        batch = verdict.batches[index]
        path = self.folder / "nonfinite_batch.pt"
        fields = dataclasses.fields(batch) if dataclasses.is_dataclass(batch) else ()
        tensors = {f.name: getattr(batch.to("cpu"), f.name) for f in fields}
        try:
            with replacing(path) as aside:
                torch.save(tensors, aside)
            place = f"the batch is in {path}"
        except UserError as error:  # the loss is the news, not the disk
            place = f"the batch is lost ({error})"
        rows = batch.segment.tolist()
        shown = ", ".join(map(str, rows[:8])) + (", ..." if len(rows) > 8 else "")
        raise NonFiniteError(
            f"loss {float(verdict.losses[index])} in epoch {verdict.epoch}, step {verdict.step}, "
            f"segment rows [{shown}]; {place}. Lower optim.lr, set "
            "optim.clip_norm or look at these segments"
        )
