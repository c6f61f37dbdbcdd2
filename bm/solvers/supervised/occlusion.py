"""What a decoder loses when an electrode falls silent: a map of the head, for any network."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...data.batch import Batch
from ..build_data import commonest
from ..electrode_maps import draw_electrode_maps

N_FORWARD = 2048  # windows that go through the network again, each with one electrode silent


def occlusion(
    outputs: Callable[[Batch], Tensor], scores: Callable[[Tensor, Tensor], Tensor], batch: Batch
) -> Tensor:
    """Score of each window less its score with one channel at zero (Zeiler & Fergus 2014, 4.2).

    Args:
        outputs: of the network for a batch, (B, n).
        scores: of outputs against labels, (B,), higher is better.
        batch: B windows of C channels; zero is their mean or what the scaling puts there.

    Returns:
        (B, C).
    """
    assert batch.label is not None
    whole, kept, lost = scores(outputs(batch), batch.label), batch.signal, []
    for channel in range(kept.shape[1]):
        silent = kept.clone()
        silent[:, channel] = 0
        batch.signal = silent
        lost.append(whole - scores(outputs(batch), batch.label))
    batch.signal = kept
    return torch.stack(lost, 1)


@torch.no_grad()
def draw_occlusion(solver: Any, split: str, path: Path) -> None:
    """Map of what a decoder loses electrode by electrode, for the commonest channel set of a split.

    The mean over windows, and the mean in units of its standard error: within two of them a loss is
    no more than chance. Nothing is drawn where the channels have no places on a head.

    Args:
        solver: with `outputs` and a `task`; its network is left in evaluation mode.
        split: whose windows; so many, evenly spaced, that `N_FORWARD` windows are looked at.
        path: file to write.
    """
    channels = max(len(signal.channels) for signal in solver.data.signals)
    size = solver.cfg.eval.batch_size or solver.cfg.optim.batch_size
    batches = commonest(solver.data, split, max(2, N_FORWARD // channels), size)
    solver.model.eval()
    found = []
    for batch in batches:
        with solver.precision.autocast():
            lost = occlusion(solver.outputs, solver.task.scores, batch.to(solver.device))
        found.append(lost.double().cpu().numpy())
    values = maps_of(np.concatenate(found), solver.task.score_name) if found else {}
    if values:
        draw_electrode_maps(solver, values, batches[0], path)


def maps_of(lost: np.ndarray, name: str) -> dict[str, np.ndarray]:
    """Mean of (N, C) losses, and the mean in standard errors; nothing of a single window."""
    if len(lost) < 2:
        return {}
    error = lost.std(0, ddof=1) / np.sqrt(len(lost))
    mean = lost.mean(0)
    return {
        f"{name}\nwhen silent": mean,
        "the same\nin standard errors": mean / np.where(error > 0, error, np.inf),
    }
