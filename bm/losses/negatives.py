"""Further candidates for the contrastive loss: from a pool of former batches, from other ranks."""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch import Tensor


class NegativePool:
    """The latest outputs, on the CPU, to fill small batches up with (spec clip 4.1).

    Only outputs of batches enter it, each once. (The original puts the filled batches in, so that
    copies grow.) It is saved with the experiment; one for training, one for validation.

    Args:
        wanted: candidates that a batch should have.
        size: outputs that are kept; None = 2 * wanted.
    """

    def __init__(self, wanted: int, size: int | None = None) -> None:
        self.wanted, self.size = wanted, 2 * wanted if size is None else size
        self.outputs: Tensor | None = None
        self.segments: Tensor | None = None

    def __len__(self) -> int:
        return 0 if self.outputs is None else len(self.outputs)

    def extend(self, outputs: Tensor, segments: Tensor) -> tuple[Tensor, Tensor]:
        """Fill up with different random items of the pool, as many as it has, then keep the new.

        Gradients flow into the batch's own outputs.

        Args:
            outputs: (B, C, T).
            segments: (B,) int64, which speech they are.

        Returns:
            (V, C, T) and (V,), the given ones first.
        """
        found, found_segments = outputs, segments
        missing = min(self.wanted - len(outputs), len(self))
        if missing > 0 and self.outputs is not None and self.segments is not None:
            rows = torch.randperm(len(self))[:missing]
            more = self.outputs[rows].to(outputs.device, outputs.dtype)
            found = torch.cat([outputs, more])
            found_segments = torch.cat([segments, self.segments[rows].to(segments.device)])
        self._keep(outputs.detach().cpu(), segments.detach().cpu())
        return found, found_segments

    def _keep(self, outputs: Tensor, segments: Tensor) -> None:
        """Put new outputs in front; the oldest go."""
        if self.outputs is not None and self.segments is not None:
            outputs = torch.cat([outputs, self.outputs])
            segments = torch.cat([segments, self.segments])
        # copies: a part of a larger tensor would hold all of it in memory and in checkpoints
        self.outputs = outputs[: self.size].clone()
        self.segments = segments[: self.size].clone()

    def state_dict(self) -> dict[str, Tensor]:
        """The kept outputs; nothing when there is none."""
        if self.outputs is None or self.segments is None:
            return {}
        return {"outputs": self.outputs, "segments": self.segments}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Inverse of `state_dict`."""
        self.outputs, self.segments = state.get("outputs"), state.get("segments")


def _all_rows(values: Tensor, counts: list[int]) -> list[Tensor]:
    """The rows of every rank, which may have different numbers of them."""
    padded = values.new_zeros(max(counts), *values.shape[1:])
    padded[: len(values)] = values
    parts = [torch.empty_like(padded) for _ in counts]
    dist.all_gather(parts, padded)
    return [part[:count] for part, count in zip(parts, counts, strict=True)]


@torch.no_grad()
def _others(values: Tensor) -> list[Tensor]:
    """Rows of the other ranks."""
    rank, world = dist.get_rank(), dist.get_world_size()
    count = torch.tensor([len(values)], device=values.device)
    counts = [torch.empty_like(count) for _ in range(world)]
    dist.all_gather(counts, count)
    rows = _all_rows(values.contiguous(), [int(c) for c in counts])
    return [part for index, part in enumerate(rows) if index != rank]


def gather_candidates(outputs: Tensor, segments: Tensor) -> tuple[Tensor, Tensor]:
    """Candidates of all ranks, the own ones first; gradients flow into the own ones.

    As published each rank has its own negatives, so that the number of GPUs changes the task;
    gathered, it does not. One process: as given.

    Args:
        outputs: (B, C, T); B may differ between ranks.
        segments: (B,) int64.
    """
    if not dist.is_initialized() or dist.get_world_size() == 1:
        return outputs, segments
    everything = [torch.cat([own, *_others(own)]) for own in (outputs, segments)]
    return everything[0], everything[1]
