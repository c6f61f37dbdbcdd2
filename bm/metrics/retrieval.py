"""Retrieval: is the right candidate among the most probable ones?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

EPSILON = 1e-8  # beside the norm of a candidate, as in training
BLOCK = 1024  # queries, and candidates, of one product


def own_rank(scores: Tensor, own: Tensor) -> Tensor:
    """How many wrong candidates are at least as good as the best right one: (N,) int64, 0 = best.

    Equal scores count against the query, and so does nan: a network that says the same of all
    candidates finds nothing.

    Args:
        scores: (N, V).
        own: (N, V) bool, right candidates; none: the rank is V.
    """
    best = scores.masked_fill(~own, -torch.inf).amax(1, keepdim=True)
    wrong = ~(scores < best) & ~own
    return torch.where(own.any(1), wrong.sum(1), scores.shape[1])


@dataclass(frozen=True)
class Ranking:
    """What queries found among V candidates.

    Attributes:
        rank: (N,) int64, wrong candidates at least as good as the right one; 0 = found first.
        log_probability: (N,) float32 of the right label, over all its candidates.
        best: (N, K) int64 rows of the most probable candidates, the first first.
        n_candidates: V.
    """

    rank: Tensor
    log_probability: Tensor
    best: Tensor
    n_candidates: int

    def accuracy(self, k: int) -> float:
        """Share of queries whose label is among the k best candidates."""
        return float((self.rank < min(k, self.n_candidates)).double().mean())

    @classmethod
    def joined(cls, parts: Iterable[Ranking]) -> Ranking:
        """One of all queries, in order."""
        found = list(parts)
        return cls(
            rank=torch.cat([part.rank for part in found]),
            log_probability=torch.cat([part.log_probability for part in found]),
            best=torch.cat([part.best for part in found]),
            n_candidates=found[0].n_candidates,
        )


class Ranker:
    """Candidates that are encoded once; queries are ranked against them a block at a time.

    score = <query, candidate> / |candidate|, as `ClipLoss` has it. Products are of `block` queries
    with `block` candidates; of the scores only those of one block of queries exist at a time.
    Put the candidates on the GPU where they fit; else each block is copied there when needed.

    Args:
        candidates: (V, ...) what is compared, flattened.
        labels: (V,) integers; a label may occur several times.
        n_best: K, rows kept of each query.
        block: queries, and candidates, of one product.
        device: where products are computed; None = where the candidates are.

    Example:
        >>> ranker = Ranker(torch.eye(3), torch.tensor([7, 8, 9]))
        >>> ranker.rank(torch.tensor([[0.1, 2.0, 0.3]]), torch.tensor([8])).rank
        tensor([0])
    """

    def __init__(
        self,
        candidates: Tensor,
        labels: Tensor,
        n_best: int = 10,
        block: int = BLOCK,
        device: torch.device | str | None = None,
    ) -> None:
        if labels.is_floating_point():
            raise TypeError("labels are integers: 64-bit hashes do not survive as floats")
        if len(candidates) != len(labels) or not len(labels):
            raise ValueError(f"{len(candidates)} candidates with {len(labels)} labels")
        self.candidates, self.block = candidates.flatten(1), block
        self.device = torch.device(device) if device is not None else candidates.device
        self.labels = labels.to(self.device)
        self.n_best = min(n_best, len(labels))
        norms = [part.to(self.device).float().norm(dim=1) for part in self._blocks()]
        self.factor = 1 / (EPSILON + torch.cat(norms))

    def _blocks(self) -> Iterable[Tensor]:
        return self.candidates.split(self.block)

    def scores(self, queries: Tensor) -> Tensor:
        """(B, ...) -> (B, V) float32; B of at most a few blocks."""
        flat = queries.flatten(1).to(self.device, self.candidates.dtype)
        found = torch.empty(len(flat), len(self.labels), device=self.device)
        start = 0
        for part in self._blocks():
            stop = start + len(part)
            found[:, start:stop] = flat @ part.to(self.device, non_blocking=True).T
            start = stop
        return found.mul_(self.factor)

    @torch.no_grad()
    def rank(self, queries: Tensor, labels: Tensor) -> Ranking:
        """Rank the candidates for each query.

        Args:
            queries: (N, ...) as long as the candidates when flattened.
            labels: (N,) what each should find.

        Returns:
            Its tensors are on the CPU.
        """
        parts = []
        for some, wanted in zip(queries.split(self.block), labels.split(self.block), strict=True):
            scores = self.scores(some)
            own = wanted.to(self.device)[:, None] == self.labels
            right = scores.masked_fill(~own, -torch.inf).logsumexp(1)
            parts.append(
                Ranking(
                    rank=own_rank(scores, own).cpu(),
                    log_probability=(right - scores.logsumexp(1)).cpu(),
                    best=scores.topk(self.n_best, 1).indices.cpu(),
                    n_candidates=len(self.labels),
                )
            )
        return Ranking.joined(parts)
