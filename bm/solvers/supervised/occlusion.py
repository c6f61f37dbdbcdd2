"""Occlusion maps: what a decoder loses when an electrode is silent, for any network."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ...data.batch import Batch
from ...metrics.units import Units, units_of
from ..build_data import batches_of_commonest
from ..electrode_maps import draw_electrode_maps

if TYPE_CHECKING:
    from .solver import SupervisedSolver

N_FORWARD = 2048  # windows that go through the network again, each with one electrode silent
N_WINDOWS = 4  # at least, however short the training was


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

    The mean over windows, and from six people (else recordings or sessions) on the mean in standard
    errors over them: within two a loss is no more than chance. Nothing is drawn where the channels
    have no places on a head.

    Args:
        solver: with `outputs` and a `task`; its network is left in evaluation mode.
        split: whose windows; so many, evenly spaced, that `N_FORWARD` windows are looked at, or as
            many as training looked at: a map of a trivial run takes no longer than the run.
        path: file to write.
    """
    channels = max(len(signal.channels) for signal in solver.data.signals)
    size = solver.cfg.eval.batch_size or solver.cfg.optim.batch_size
    trained = solver.epochs * int((solver.data.table["split"] == "train").sum())
    windows = max(N_WINDOWS, min(N_FORWARD, trained) // channels)
    batches = batches_of_commonest(solver.data, split, windows, size)
    solver.model.eval()
    losses, rows = [], []
    for batch in batches:
        with solver.precision.autocast():
            lost = occlusion(solver.outputs, solver.task.scores, batch.to(solver.device))
        losses.append(lost.double().cpu().numpy())
        rows.append(batch.segment.cpu().numpy())
    if not losses:
        return
    units = units_of(solver.data.table.iloc[np.concatenate(rows)])
    values = maps_of(np.concatenate(losses), solver.task.score_name, units)
    if values:
        draw_electrode_maps(solver, values, batches[0], path)


def maps_of(lost: np.ndarray, name: str, units: Units) -> dict[str, np.ndarray]:
    """Return the mean of (N, C) losses, and it in standard errors over units; else the mean alone.

    Args:
        lost: of N windows and C channels.
        name: of what is lost.
        units: of the windows.
    """
    maps = {f"{name}\nwhen silent": lost.mean(0)}
    if units.few:
        return maps
    codes = np.unique(units.codes, return_inverse=True)[1]
    sizes = np.bincount(codes)[:, None]
    sums = np.stack([np.bincount(codes, column) for column in lost.T], 1)
    # the mean of all windows without each unit: the jackknife, see bm.metrics.intervals
    parts = (sums.sum(0) - sums) / (len(lost) - sizes)
    error = np.sqrt((units.count - 1) / units.count * np.square(parts - lost.mean(0)).sum(0))
    maps[f"the same in standard\nerrors over {units}"] = lost.mean(0) / np.where(
        error > 0, error, np.inf
    )
    return maps
