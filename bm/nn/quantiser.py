"""Vector quantiser: a codebook on the unit sphere that follows its members by moving averages.

LaBraM (Jiang et al., ICLR 2024) and Du-IN (Zheng et al., NeurIPS 2024) share it. With unit vectors
z and codes e, members assigned by the largest dot product, n_k their number and s_k their sum:

    t_k = unit(s_k / n_k), or e_k without members;  e_k <- unit(m e_k + (1 - m) t_k)
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch import distributed as dist
from torch.nn import functional

from .precision import without_autocast
from .shared_draws import once_a_batch

#: rows compared with all codes at a time: 4096 x 8192 products are 128 MiB of float32.
BLOCK = 4096
KMEANS_ITERATIONS = 10  # published by both


def unit(vectors: Tensor) -> Tensor:
    """Scale vectors (..., d) to length 1; those shorter than 1e-12 are divided by that."""
    return functional.normalize(vectors, dim=-1, eps=1e-12)


@torch.no_grad()
def nearest(vectors: Tensor, codes: Tensor) -> Tensor:
    """Return the index (N,) of the code with the largest dot product, the first of equals.

    For unit vectors it is the nearest code: |z - e|^2 = 2 - 2 z.e.

    Args:
        vectors: (N, d) float32.
        codes: (K, d) float32.
    """
    if len(vectors) <= BLOCK:
        return (vectors @ codes.T).argmax(1)
    return torch.cat([(block @ codes.T).argmax(1) for block in vectors.split(BLOCK)])


def members(vectors: Tensor, indices: Tensor, n_codes: int) -> tuple[Tensor, Tensor]:
    """Return number (K,) and sum (K, d) of the vectors (N, d) that indices (N,) assign."""
    counts = vectors.new_zeros(n_codes).index_add_(0, indices, vectors.new_ones(len(indices)))
    sums = vectors.new_zeros(n_codes, vectors.shape[1])
    if vectors.is_cuda:  # sorts, so that sums have the same bits every time; index_add_ does not
        sums.index_put_((indices,), vectors, accumulate=True)
    else:
        sums.index_add_(0, indices, vectors)
    return counts, sums


@torch.no_grad()
def spherical_kmeans(samples: Tensor, means: Tensor, iterations: int) -> tuple[Tensor, Tensor]:
    """Cluster unit vectors by their angles with k-means.

    Args:
        samples: (N, d) unit vectors.
        means: (K, d) where to start; a cluster without members keeps its mean.
        iterations: assignments and updates.

    Returns:
        Unit means (K, d), and the members (K,) counted in the last assignment.
    """
    counts = means.new_zeros(len(means))
    for _ in range(iterations):
        counts, sums = members(samples, nearest(samples, means), len(means))
        means = torch.where(counts[:, None] > 0, unit(sums / counts.clamp(min=1)[:, None]), means)
    return means, counts.long()


def random_rows(samples: Tensor, n: int) -> Tensor:
    """Draw n rows of samples (N, d), without repetition where there are enough."""
    if len(samples) >= n:
        return samples[torch.randperm(len(samples), device=samples.device)[:n]]
    with once_a_batch():
        return samples[torch.randint(len(samples), (n,), device=samples.device)]


def from_all_processes(vectors: Tensor) -> Tensor:
    """Gather the rows (N, d) of every process, whose numbers may differ."""
    if not distributed():
        return vectors
    lengths = [torch.zeros(1, dtype=torch.long, device=vectors.device) for _ in range(_world())]
    dist.all_gather(lengths, torch.tensor([len(vectors)], device=vectors.device))
    # all_gather wants equal shapes: shorter ones are padded, then cut again
    longest = max(int(length) for length in lengths)
    padded = functional.pad(vectors, (0, 0, 0, longest - len(vectors))).contiguous()
    parts = [torch.empty_like(padded) for _ in lengths]
    dist.all_gather(parts, padded)
    return torch.cat([part[: int(n)] for part, n in zip(parts, lengths, strict=True)])


def _world() -> int:
    return dist.get_world_size()


def distributed() -> bool:
    """Return true when there are other processes."""
    return dist.is_available() and dist.is_initialized() and _world() > 1


@dataclass(frozen=True)
class Quantised:
    """Codes of vectors (..., d), with the loss of replacing them.

    Attributes:
        codes: (..., d) float32 codes, through which gradients pass straight to the unit vectors.
        indices: (...) int64 rows of the codebook.
        loss: scalar, beta times the mean squared distance of unit vectors to their codes.
    """

    codes: Tensor
    indices: Tensor
    loss: Tensor


class Quantiser(nn.Module):
    """Nearest code in the place of each vector; in training the codebook follows its members.

    Everything is computed in float32 whatever autocast says. Statistics are summed over processes,
    so all have the same codebook. In evaluation nothing changes.

    Args:
        n_codes: K.
        width: d.
        decay: m, weight of the past.
        beta: weight of the commitment loss.
        kmeans: the first training batch starts the codebook, else random unit vectors stay.
        count_in_eval: evaluation too moves `counts`, as published.
        extras: also hold the two tensors of LaBraM's files that nothing uses, so that state dicts
            correspond one to one.
    """

    codebook: nn.Parameter
    counts: Tensor
    started: Tensor

    def __init__(
        self,
        n_codes: int,
        width: int,
        decay: float = 0.99,
        beta: float = 1.0,
        kmeans: bool = True,
        count_in_eval: bool = False,
        extras: bool = False,
    ) -> None:
        super().__init__()
        self.n_codes, self.decay, self.beta = n_codes, decay, beta
        self.count_in_eval = count_in_eval
        first = unit(torch.randn(n_codes, width))
        self.codebook = nn.Parameter(first, requires_grad=False)
        self.register_buffer("counts", torch.zeros(n_codes))  # moving average of members
        self.register_buffer("started", torch.tensor([0.0 if kmeans else 1.0]))
        self._starts = kmeans  # copy of `started` on the host: reading a GPU's would wait for it
        if extras:
            self.start_counts = nn.Parameter(torch.zeros(n_codes), requires_grad=False)
            self.start_codes = nn.Parameter(first.clone(), requires_grad=False)

    def _load_from_state_dict(self, state: dict, prefix: str, *args: object) -> None:
        super()._load_from_state_dict(state, prefix, *args)  # type: ignore[arg-type]
        self._starts = not bool(self.started)

    def forward(self, vectors: Tensor) -> Quantised:
        """Quantise vectors (..., d) of any length and floating type."""
        # under autocast the products with the codes and the sums of members would be in float16,
        # as they are in the original
        with without_autocast(vectors):
            z = unit(vectors.float())
            flat = z.detach().reshape(-1, z.shape[-1])
            if self.training and self._starts:
                self.start(flat)
            # codes and loss of the codebook before the update, as published
            indices = nearest(flat, self.codebook)
            codes = functional.embedding(indices, self.codebook).view_as(z)
            loss = self.beta * functional.mse_loss(z, codes)
            if self.training:
                self._follow(flat, indices)
            elif self.count_in_eval:
                self._count(members(flat, indices, self.n_codes)[0])
            return Quantised(z + (codes - z).detach(), indices.view(z.shape[:-1]), loss)

    @torch.no_grad()
    def start(self, vectors: Tensor, everywhere: bool = False) -> None:
        """Start the codebook by k-means on unit vectors (N, d), the same in every process.

        With fewer than K vectors some codes start equal: give several batches then.

        Args:
            vectors: of this process.
            everywhere: every process gives the same, which then count once.
        """
        samples = vectors if everywhere else from_all_processes(vectors)
        means, counts = spherical_kmeans(
            samples, random_rows(samples, self.n_codes), KMEANS_ITERATIONS
        )
        # each process drew other rows; the original leaves it at that, so that processes train
        # with codebooks of their own
        if distributed():
            dist.broadcast(means, 0)
            dist.broadcast(counts, 0)
        self.codebook.copy_(means)
        self.started.fill_(1.0)
        self._starts = False
        if hasattr(self, "start_counts"):
            self.start_counts.copy_(counts)

    @torch.no_grad()
    def _follow(self, vectors: Tensor, indices: Tensor) -> None:
        """Move each code towards the mean of its members."""
        counts, sums = members(vectors, indices, self.n_codes)
        self._count(counts, sums)
        target = unit(sums / counts.clamp(min=1)[:, None])
        target = torch.where(counts[:, None] > 0, target, self.codebook)
        self.codebook.copy_(unit(torch.lerp(target, self.codebook, self.decay)))

    def _count(self, counts: Tensor, sums: Tensor | None = None) -> None:
        """Sum over processes in place, then average the counts in."""
        if distributed():
            both = counts[:, None] if sums is None else torch.cat([counts[:, None], sums], 1)
            both = both.contiguous()
            dist.all_reduce(both)
            counts.copy_(both[:, 0])
            if sums is not None:
                sums.copy_(both[:, 1:])
        self.counts.lerp_(counts, 1 - self.decay)

    def reset_counts(self) -> None:
        """Zero the counts: after an epoch, codes with a count of 0 were never used."""
        self.counts.zero_()
