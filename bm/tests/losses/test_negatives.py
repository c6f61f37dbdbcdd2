from __future__ import annotations

from pathlib import Path

import torch
import torch.distributed as dist

from bm.losses.negatives import NegativePool, gather_candidates
from bm.tests.xp.forked import CONTEXT


def batch(first: int, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    segments = torch.arange(first, first + count)
    return segments[:, None, None].float().expand(-1, 2, 3).clone(), segments


def test_a_batch_is_filled_up_with_different_former_outputs() -> None:
    pool = NegativePool(n_candidates=6, size=8)
    outputs, segments = pool.extend(*batch(0, 4))
    assert segments.tolist() == [0, 1, 2, 3]
    outputs, segments = pool.extend(*batch(10, 4))
    assert segments[:4].tolist() == [10, 11, 12, 13]
    assert len(segments) == 6
    assert set(segments[4:].tolist()) <= {0, 1, 2, 3}
    assert segments[4] != segments[5]
    assert outputs[:, 0, 0].tolist() == segments.tolist()
    assert pool.extend(*batch(20, 7))[1].tolist() == list(range(20, 27))


def test_the_pool_holds_each_output_once_and_the_latest() -> None:
    """Symptom: filled batches go into the pool again, and copies of a few outputs take it over."""
    pool = NegativePool(n_candidates=10, size=7)
    for step in range(12):
        pool.extend(*batch(4 * step, 4))
        assert len(set(pool.segments.tolist())) == len(pool.segments)
    assert pool.segments.tolist() == [44, 45, 46, 47, 40, 41, 42]
    assert NegativePool(5).size == 10


def test_gradients_reach_the_own_outputs_of_a_filled_batch() -> None:
    """Symptom: with negatives the feature model does not learn."""
    pool = NegativePool(n_candidates=6)
    pool.extend(*batch(0, 4))
    outputs, segments = batch(10, 4)
    outputs.requires_grad_()
    candidates, _ = pool.extend(outputs, segments)
    candidates.sum().backward()
    assert outputs.grad is not None
    assert torch.equal(outputs.grad, torch.ones_like(outputs))
    assert not pool.outputs.requires_grad


def test_a_restored_pool_goes_on_as_the_saved_one() -> None:
    pool, other = NegativePool(6), NegativePool(6)
    assert pool.state_dict() == {}
    pool.extend(*batch(0, 4))
    other.load_state_dict(pool.state_dict())
    torch.manual_seed(1)
    expected = pool.extend(*batch(10, 3))[1]
    torch.manual_seed(1)
    assert torch.equal(other.extend(*batch(10, 3))[1], expected)


def test_one_process_gathers_nothing() -> None:
    outputs, segments = batch(0, 3)
    assert gather_candidates(outputs, segments)[0] is outputs


def _rank(rank: int, folder: str) -> None:
    dist.init_process_group("gloo", f"file://{folder}/rendezvous", rank=rank, world_size=2)
    outputs, segments = batch(10 * rank, 2 + rank)
    outputs.requires_grad_()
    candidates, which = gather_candidates(outputs, segments)
    candidates.sum().backward()
    seen = {"segments": which, "candidates": candidates.detach(), "grad": outputs.grad}
    torch.save(seen, Path(folder) / f"{rank}.pt")
    dist.destroy_process_group()


def test_ranks_share_candidates_of_different_numbers(tmp_path: Path) -> None:
    ranks = [CONTEXT.Process(target=_rank, args=(rank, str(tmp_path))) for rank in (0, 1)]
    for process in ranks:
        process.start()
    for process in ranks:
        process.join(60)
        assert process.exitcode == 0
    outcomes = [torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in (0, 1)]
    assert outcomes[0]["segments"].tolist() == [0, 1, 10, 11, 12]
    assert outcomes[1]["segments"].tolist() == [10, 11, 12, 0, 1]
    for one in outcomes:
        assert one["candidates"][:, 0, 0].tolist() == one["segments"].tolist()
        assert torch.equal(one["grad"], torch.ones_like(one["grad"]))
