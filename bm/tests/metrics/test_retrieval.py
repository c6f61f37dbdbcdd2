from __future__ import annotations

import pytest
import torch

from bm.losses.contrastive import ClipLoss
from bm.metrics.retrieval import Ranker, Ranking, rank_of_right
from bm.tests.reference.retrieval import topk_accuracy


def example(queries: int = 37, candidates: int = 23) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(0)
    return (
        torch.randn(queries, 3, 8, generator=generator),
        torch.randn(candidates, 3, 8, generator=generator),
        torch.randint(12, (queries,), generator=generator),
        torch.arange(candidates) % 12,
    )


@pytest.mark.parametrize("block", [5, 1000])
def test_blocks_give_what_the_whole_matrix_gives(block: int) -> None:
    queries, candidates, wanted, labels = example()
    ranking = Ranker(candidates, labels, n_best=4, block=block).rank(queries, wanted)
    probs = ClipLoss().probabilities(queries, candidates)
    assert torch.equal(ranking.best, probs.topk(4, 1).indices)
    right = wanted[:, None] == labels
    torch.testing.assert_close(ranking.log_probability.exp(), (probs * right).sum(1))
    for k in (1, 5, 10):
        expected = topk_accuracy(probs.numpy(), labels.numpy(), wanted.numpy(), k)
        assert ranking.accuracy(k) == pytest.approx(expected)


def test_the_scores_of_all_queries_never_exist_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    queries, candidates, wanted, labels = example()
    ranker, largest = Ranker(candidates, labels, block=5), [0]
    scores = ranker.scores

    def watched(some: torch.Tensor) -> torch.Tensor:
        values = scores(some)
        largest[0] = max(largest[0], len(values))
        return values

    monkeypatch.setattr(ranker, "scores", watched)
    assert len(ranker.rank(queries, wanted).rank) == 37
    assert largest == [5]


def test_queries_in_parts_give_the_same_ranking() -> None:
    queries, candidates, wanted, labels = example()
    ranker = Ranker(candidates, labels)
    whole = ranker.rank(queries, wanted)
    parts = Ranking.joined(
        ranker.rank(queries[i : i + 10], wanted[i : i + 10]) for i in range(0, 37, 10)
    )
    assert torch.equal(parts.rank, whole.rank)
    assert torch.equal(parts.best, whole.best)


def test_equal_scores_and_nan_count_against_the_query() -> None:
    """Symptom: a network that gives the same for every candidate is right every time."""
    right = torch.tensor([[False, True, False]])
    assert rank_of_right(torch.tensor([[1.0, 1.0, 0.0]]), right).item() == 1
    assert rank_of_right(torch.full((1, 3), torch.nan), right).item() == 2
    assert rank_of_right(torch.tensor([[3.0, 2.0, 1.0]]), ~right).item() == 0
    queries, candidates, wanted, labels = example()
    ranking = Ranker(candidates, labels).rank(0 * queries, wanted)
    assert ranking.accuracy(1) == 0.0


def test_a_query_without_candidate_is_never_right() -> None:
    queries, candidates, wanted, labels = example()
    ranking = Ranker(candidates, labels).rank(queries, wanted + 100)
    assert (ranking.rank == len(labels)).all()
    assert ranking.accuracy(1000) == 0.0


def test_labels_of_64_bits_stay_apart() -> None:
    """Symptom: segment hashes go through float32, and segments run into each other."""
    _, candidates, _, _ = example(candidates=4)
    labels = 2**62 + torch.arange(4)
    ranking = Ranker(candidates, labels).rank(candidates, labels.roll(1))
    assert ranking.accuracy(1) == 0.0
    with pytest.raises(TypeError, match="integers"):
        Ranker(candidates, labels.float())
    with pytest.raises(ValueError, match="4 candidates with 3"):
        Ranker(candidates, labels[:3])
