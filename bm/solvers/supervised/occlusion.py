"""Occlusion maps: what a decoder loses when an electrode is silent, for any network."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ...data.batch import Batch
from ..build_data import batches_of_commonest
from ..electrode_maps import draw_electrode_maps

if TYPE_CHECKING:
    from .solver import SupervisedSolver

N_FORWARD = 2048  # windows that go through the network again, each with one electrode silent


def occlusion(
    outputs: Callable[[Batch], Tensor], scores: Callable[[Tensor, Tensor], Tensor], batch: Batch
) -> Tensor:
    """Return the score of each window less that with one channel at zero (Zeiler & Fergus 2014).

    Args:
        outputs: of the network for a batch, (B, n).
        scores: of outputs against labels, (B,), higher is better.
        batch: B windows of C channels; zero is their mean or what the scaling puts there.

    Returns:
        (B, C).
    """
    assert batch.label is not None
    whole, signal, lost = scores(outputs(batch), batch.label), batch.signal, []
    for channel in range(signal.shape[1]):
        silent = signal.clone()
        silent[:, channel] = 0
        batch.signal = silent
        lost.append(whole - scores(outputs(batch), batch.label))
    batch.signal = signal
    return torch.stack(lost, 1)


@torch.no_grad()
def draw_occlusion(solver: SupervisedSolver, split: str, path: Path) -> None:
    """Draw what a decoder loses electrode by electrode, for the commonest channels of a split.

    The mean over windows, and the mean in units of its standard error: within two of them a loss is
    no more than chance. Nothing is drawn where the channels have no places on a head.

    Args:
        solver: with `outputs` and a `task`; its network is left in evaluation mode.
        split: whose windows; so many, evenly spaced, that `N_FORWARD` windows are looked at.
        path: file to write.
    """
    channels = max(len(signal.channels) for signal in solver.data.signals)
    size = solver.cfg.eval.batch_size or solver.cfg.optim.batch_size
    batches = batches_of_commonest(solver.data, split, max(2, N_FORWARD // channels), size)
    solver.model.eval()
    losses = []
    for batch in batches:
        with solver.precision.autocast():
            lost = occlusion(solver.outputs, solver.task.scores, batch.to(solver.device))
        losses.append(lost.double().cpu().numpy())
    values = maps_of(np.concatenate(losses), solver.task.score_name) if losses else {}
    if values:
        draw_electrode_maps(solver, values, batches[0], path)


def maps_of(lost: np.ndarray, name: str) -> dict[str, np.ndarray]:
    """Return the mean of (N, C) losses, and it in standard errors; nothing of a single window."""
    if len(lost) < 2:
        return {}
    error = lost.std(0, ddof=1) / np.sqrt(len(lost))
    mean = lost.mean(0)
    return {
        f"{name}\nwhen silent": mean,
        "the same\nin standard errors": mean / np.where(error > 0, error, np.inf),
    }
