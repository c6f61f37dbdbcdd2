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
    from .judgement import Units

EEG, TRUE, SHUFFLED = "eeg", "true audio embedding", "shuffled EEG"
ZERO, NOISE, HALF = "zero vector", "noise EEG", "half-shifted"
#: What a result must be above.
CONTROLS = (SHUFFLED, HALF, ZERO, NOISE)
GENERATED = (EEG, TRUE, SHUFFLED, ZERO, NOISE)
EXCHANGES = ("person", "any")


def deranged_within(speech: np.ndarray, groups: np.ndarray, seed: int) -> np.ndarray:
    """Return a `derangement` that stays within groups (N,), such as people, where that is possible.

    A group with a sound in more than half of its items cannot exchange all of them: such groups
    exchange with one another, and where even these are too much alike with the largest group too.
    """
    names, counts = np.unique(groups, return_counts=True)
    parts = [np.flatnonzero(groups == name) for name in names[np.argsort(-counts, kind="stable")]]
    able = [part for part in parts if _differ(speech[part])]
    rest = [part for part in parts if not _differ(speech[part])]
    if rest and able and not _differ(speech[np.concatenate(rest)]):
        rest.append(able.pop(0))
    other = np.arange(len(speech))
    for part in [*able, *([np.sort(np.concatenate(rest))] if rest else [])]:
        other[part] = part[derangement(speech[part], seed)]
    return other


def _differ(speech: np.ndarray) -> bool:
    """Return whether no sound is more than half of all."""
    return bool(2 * np.unique(speech, return_counts=True)[1].max() <= len(speech))


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
        units: which sound and which person each is of, for the exchange.
    """

    def __init__(self, solver: LatentDiffusionSolver, rows: np.ndarray, units: Units) -> None:
        self.solver, self.rows, self.units = solver, rows, units

    def exchanged(self) -> np.ndarray:
        """Return for each window the place of the one whose signal it gets as a control.

        Of the same person where `solver.exchange` says so: embeddings tell people apart, and where
        each of them heard other sounds an exchange between people is found by the person alone.
        """
        options, seed = self.solver.cfg.solver, int(self.solver.cfg.seed)
        if options.exchange == "any":
            return derangement(self.units.speech, seed)
        return deranged_within(self.units.speech, self.units.people, seed)

    @torch.no_grad()
    def of(self, source: str) -> Tensor:
        """Return conditions (N, D) or (N, T', D) of a source."""
        rows = torch.from_numpy(self.rows)
        conditioner: Any = self.solver.model.conditioner
        if source == SHUFFLED:
            rows = rows[torch.from_numpy(self.exchanged())]
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
