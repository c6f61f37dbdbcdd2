"""Retrieval: is the right candidate among the most probable ones?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

EPSILON = 1e-8  # beside the norm of a candidate, as in training
BLOCK = 1024  # queries, and candidates, of one product


def rank_of_right(scores: Tensor, right: Tensor) -> Tensor:
    """Return how many wrong candidates are at least as good as the best right one.

    Equal scores count against the query, and so does nan: a network that says the same of all
    candidates retrieves nothing.

    Args:
        scores: (N, V).
        right: (N, V) bool, right candidates; none: the rank is V.

    Returns:
        (N,) int64, 0 = best.
    """
    best = scores.masked_fill(~right, -torch.inf).amax(1, keepdim=True)
    wrong = ~(scores < best) & ~right  # not `scores >= best`, which is false for nan
    return torch.where(right.any(1), wrong.sum(1), scores.shape[1])


@dataclass(frozen=True)
class Ranking:
    """Ranks of the right candidates among V, of N queries.

    Attributes:
        rank: (N,) int64, wrong candidates at least as good as the right one; 0 = first.
        log_probability: (N,) float32 of the right label, over all its candidates.
        best: (N, K) int64 rows of the most probable candidates, the first first.
        n_candidates: V.
    """

    rank: Tensor
    log_probability: Tensor
    best: Tensor
    n_candidates: int

    def accuracy(self, k: int) -> float:
        """Return the share of queries whose label is among the k best candidates."""
        return float((self.rank < min(k, self.n_candidates)).double().mean())

    @classmethod
    def joined(cls, parts: Iterable[Ranking]) -> Ranking:
        """Return the ranking of the queries of several, in order."""
        rankings = list(parts)
        return cls(
            rank=torch.cat([part.rank for part in rankings]),
            log_probability=torch.cat([part.log_probability for part in rankings]),
            best=torch.cat([part.best for part in rankings]),
            n_candidates=rankings[0].n_candidates,
        )


class Ranker:
    """Candidates that are encoded once; queries are ranked against them a block at a time.

    score = <query, candidate> / |candidate|, as `ClipLoss` has it. Products are of `block` queries
    with `block` candidates; of the scores only those of one block of queries exist at a time.
    Put the candidates on the GPU where they fit; else each block is copied there when needed.

    Args:
        candidates: (V, ...), flattened for the product.
        labels: (V,) integers; a label may occur several times.
        n_best: K, best candidates stored of each query.
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
        # Candidates alone are normalised, as in training: the norm of a query changes no rank.
        norms = [part.to(self.device).float().norm(dim=1) for part in self._blocks()]
        self.factor = 1 / (EPSILON + torch.cat(norms))

    def _blocks(self) -> Iterable[Tensor]:
        return self.candidates.split(self.block)

    def scores(self, queries: Tensor) -> Tensor:
        """Return the scores (B, V) float32 of queries (B, ...), at most a few blocks of them."""
        flat = queries.flatten(1).to(self.device, self.candidates.dtype)
        scores = torch.empty(len(flat), len(self.labels), device=self.device)
        start = 0
        for part in self._blocks():
            stop = start + len(part)
            scores[:, start:stop] = flat @ part.to(self.device, non_blocking=True).T
            start = stop
        return scores.mul_(self.factor)

    @torch.no_grad()
    def rank(self, queries: Tensor, labels: Tensor) -> Ranking:
        """Rank the candidates for each query.

        Args:
            queries: (N, ...) as long as the candidates when flattened.
            labels: (N,) right label of each.

        Returns:
            Its tensors are on the CPU.
        """
        parts = []
        blocks = zip(queries.split(self.block), labels.split(self.block), strict=True)
        for block, block_labels in blocks:
            scores = self.scores(block)
            right = block_labels.to(self.device)[:, None] == self.labels
            evidence = scores.masked_fill(~right, -torch.inf).logsumexp(1)
            parts.append(
                Ranking(
                    rank=rank_of_right(scores, right).cpu(),
                    log_probability=(evidence - scores.logsumexp(1)).cpu(),
                    best=scores.topk(self.n_best, 1).indices.cpu(),
                    n_candidates=len(self.labels),
                )
            )
        return Ranking.joined(parts)
