"""Conditions of the same windows from the brain, from the sound, and from controls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ...data.batch import Batch
from ..build_data import batches_of

if TYPE_CHECKING:
    from .diffusion import LatentDiffusionSolver

EEG, TRUE, SHUFFLED = "eeg", "true audio embedding", "shuffled EEG"
ZERO, NOISE, HALF = "zero vector", "noise EEG", "half-shifted"
#: What a result must be above.
CONTROLS = (SHUFFLED, HALF, ZERO, NOISE)
GENERATED = (EEG, TRUE, SHUFFLED, ZERO, NOISE)


def derangement(speech: np.ndarray, seed: int) -> np.ndarray:
    """Return for each item the place of another with another sound; each is used once.

    Items of one sound stand together, the sounds in random order, and all move on by as many
    places as the commonest sound has: none meets its own unless one sound is more than half of all.
    """
    if not len(speech):
        return np.zeros(0, int)
    rng = np.random.default_rng(seed)
    sounds, numbers, counts = np.unique(speech, return_inverse=True, return_counts=True)
    order = np.lexsort((rng.random(len(speech)), rng.permutation(len(sounds))[numbers]))
    other = np.empty(len(speech), int)
    other[order] = np.roll(order, counts.max())
    return other


class SourceConditions:
    """Conditions of some windows by the name of their source.

    Args:
        solver: with model, embeddings and encoders.
        rows: of the segment table.
        speech: (N,) number of each window's sound, for the exchange; None = all differ.
    """

    def __init__(
        self, solver: LatentDiffusionSolver, rows: np.ndarray, speech: np.ndarray | None = None
    ) -> None:
        self.solver, self.rows = solver, rows
        self.speech = np.arange(len(rows)) if speech is None else speech

    @torch.no_grad()
    def of(self, source: str) -> Tensor:
        """Return conditions (N, D) or (N, T', D) of a source."""
        rows = torch.from_numpy(self.rows)
        conditioner: Any = self.solver.model.conditioner
        if source == SHUFFLED:
            rows = rows[torch.from_numpy(derangement(self.speech, self.solver.cfg.seed))]
        if source == NOISE:
            embeddings = self._noise()
        else:
            side = "audio" if source == TRUE else "eeg"
            embeddings = self.solver.embeddings.of_side(side, rows)
        brain = torch.full((len(rows),), source != TRUE)
        device = self.solver.model.device
        condition: Tensor = conditioner(embeddings.to(device), brain.to(device))
        return torch.zeros_like(condition) if source == ZERO else condition

    def _noise(self) -> Tensor:
        """Return embeddings of white noise of the deviation of each window's channels."""
        generator = torch.Generator().manual_seed(int(self.solver.cfg.seed))
        solver, parts = self.solver, []
        places = {int(row): place for place, row in enumerate(self.rows)}
        device = next(solver.chain.pair.buffers()).device
        order: list[int] = []
        for batch in batches_of(solver.data, self.rows, solver.windows.batch):
            noise = torch.randn(batch.signal.shape, generator=generator)
            signal = noise * batch.signal.std(-1, keepdim=True)
            moved = Batch(**{**vars(batch), "signal": signal}).to(device)
            parts.append(solver.windows.joined(solver.chain.pair, moved, "eeg").cpu())
            order += [places[int(row)] for row in batch.segment]
        return torch.cat(parts)[torch.from_numpy(np.argsort(order))]
