"""Further candidates for the contrastive loss: from a pool of former batches, from other ranks."""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch import Tensor


class NegativePool:
    """Latest outputs, on the CPU, that fill up small batches.

    Only outputs of batches enter it, each once. (The original puts the filled batches in, so that
    copies grow.) It is saved with the experiment; training and validation have one each.

    Args:
        n_candidates: candidates that a batch should have.
        size: outputs that the pool holds; None = 2 * n_candidates, as published.
    """

    def __init__(self, n_candidates: int, size: int | None = None) -> None:
        self.n_candidates, self.size = n_candidates, 2 * n_candidates if size is None else size
        self.outputs: Tensor | None = None
        self.segments: Tensor | None = None

    def __len__(self) -> int:
        return 0 if self.outputs is None else len(self.outputs)

    def extend(self, outputs: Tensor, segments: Tensor) -> tuple[Tensor, Tensor]:
        """Append random items of the pool, as many as are missing, then add the batch to the pool.

        Gradients flow into the batch's own outputs.

        Args:
            outputs: (B, C, T).
            segments: (B,) int64, which speech they are.

        Returns:
            (V, C, T) and (V,), those of the batch first.
        """
        candidates, candidate_segments = outputs, segments
        missing = min(self.n_candidates - len(outputs), len(self))
        if missing > 0 and self.outputs is not None and self.segments is not None:
            # without repetition: the same speech twice would be one candidate counted double
            rows = torch.randperm(len(self))[:missing]
            more = self.outputs[rows].to(outputs.device, outputs.dtype)
            candidates = torch.cat([outputs, more])
            candidate_segments = torch.cat([segments, self.segments[rows].to(segments.device)])
        self._push(outputs.detach().cpu(), segments.detach().cpu())
        return candidates, candidate_segments

    def _push(self, outputs: Tensor, segments: Tensor) -> None:
        """Put outputs in front of the pool and drop the oldest."""
        if self.outputs is not None and self.segments is not None:
            outputs = torch.cat([outputs, self.outputs])
            segments = torch.cat([segments, self.segments])
        # copies: a part of a larger tensor would hold all of it in memory and in checkpoints
        self.outputs = outputs[: self.size].clone()
        self.segments = segments[: self.size].clone()

    def state_dict(self) -> dict[str, Tensor]:
        """Return the outputs of the pool; nothing when it is empty."""
        if self.outputs is None or self.segments is None:
            return {}
        return {"outputs": self.outputs, "segments": self.segments}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Restore a `state_dict`."""
        self.outputs, self.segments = state.get("outputs"), state.get("segments")


def _all_rows(values: Tensor, counts: list[int]) -> list[Tensor]:
    """Gather the rows of every rank, whose numbers may differ."""
    padded = values.new_zeros(max(counts), *values.shape[1:])
    padded[: len(values)] = values
    # all_gather wants equal shapes: the padding is cut off again below
    parts = [torch.empty_like(padded) for _ in counts]
    dist.all_gather(parts, padded)
    return [part[:count] for part, count in zip(parts, counts, strict=True)]


@torch.no_grad()
def _others(values: Tensor) -> list[Tensor]:
    """Gather the rows of the other ranks."""
    rank, world = dist.get_rank(), dist.get_world_size()
    count = torch.tensor([len(values)], device=values.device)
    counts = [torch.empty_like(count) for _ in range(world)]
    dist.all_gather(counts, count)
    rows = _all_rows(values.contiguous(), [int(c) for c in counts])
    return [part for index, part in enumerate(rows) if index != rank]


def gather_candidates(outputs: Tensor, segments: Tensor) -> tuple[Tensor, Tensor]:
    """Gather the candidates of all ranks, first those of this rank, which have gradients.

    As published each rank has its own negatives, so that the number of GPUs changes the task;
    gathered, it does not. One process returns its arguments.

    Args:
        outputs: (B, C, T); B may differ between ranks.
        segments: (B,) int64.
    """
    if not dist.is_initialized() or dist.get_world_size() == 1:
        return outputs, segments
    gathered = [torch.cat([rows, *_others(rows)]) for rows in (outputs, segments)]
    return gathered[0], gathered[1]
