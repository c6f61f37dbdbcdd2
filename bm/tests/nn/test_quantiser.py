from __future__ import annotations

import copy

import pytest
import torch

from bm.metrics.codebook import codebook_usage
from bm.nn.quantiser import Quantiser, from_all_processes, nearest, spherical_kmeans, unit
from bm.tests.processes import in_two_processes


def vectors(n=96, d=6, seed=0):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed))


def test_evaluation_changes_no_state_even_before_the_start():
    quantiser = Quantiser(12, 6).eval()
    before = copy.deepcopy(quantiser.state_dict())
    quantiser(vectors())
    for name, tensor in quantiser.state_dict().items():
        assert torch.equal(tensor, before[name]), name


def test_as_published_evaluation_counts_and_nothing_else():
    quantiser = Quantiser(12, 6, kmeans=False, count_in_eval=True).eval()
    codebook = quantiser.codebook.clone()
    quantiser(vectors())
    assert torch.equal(quantiser.codebook, codebook)
    assert quantiser.counts.sum() == pytest.approx(96 * 0.01)


def test_first_training_batch_starts_the_codebook_with_its_own_clusters():
    torch.manual_seed(0)
    centres = unit(torch.eye(6)[:4])
    data = centres[torch.arange(80) % 4] + 0.01 * vectors(80)
    quantiser = Quantiser(4, 6)
    output = quantiser(data)
    assert quantiser.started.item() == 1
    assert output.loss < 1e-3  # unlike any random start, whose codes are far off
    codebook = quantiser.codebook.clone()
    quantiser(vectors(80, seed=5))
    moved = (quantiser.codebook - codebook).abs().max()
    assert 0 < moved < 0.05  # it follows, and is not started again


def test_a_loaded_codebook_is_not_started_again():
    trained = Quantiser(8, 6)
    trained(vectors())
    fresh = Quantiser(8, 6)
    fresh.load_state_dict(trained.state_dict())
    before = fresh.codebook.clone()
    fresh(vectors(seed=1))
    assert (fresh.codebook - before).abs().max() < 0.05
    unstarted = Quantiser(8, 6)
    fresh.load_state_dict(unstarted.state_dict())
    fresh(vectors(seed=1))
    assert fresh.started.item() == 1


def test_start_with_fewer_vectors_than_codes_uses_them_again():
    quantiser = Quantiser(40, 6)
    quantiser.start(unit(vectors(8)))
    means = unit(vectors(8))
    assert (quantiser.codebook @ means.T).max(1).values.min() > 0.9999
    torch.testing.assert_close(quantiser.codebook.norm(dim=1), torch.ones(40))


def test_gradient_passes_straight_through_the_codes():
    quantiser = Quantiser(8, 6, kmeans=False)
    x = vectors(10).requires_grad_()
    z = unit(x)
    weight = vectors(10, seed=3)
    (quantiser(x).codes * weight).sum().backward()
    wanted = torch.autograd.grad((z * weight).sum(), x)[0]
    torch.testing.assert_close(x.grad, wanted)


def test_everything_is_float32_under_autocast():
    quantiser = Quantiser(16, 6, kmeans=False)
    twin = copy.deepcopy(quantiser)
    x = vectors(200)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = quantiser(x)
    full = twin(x)
    assert mixed.codes.dtype == torch.float32
    assert torch.equal(mixed.indices, full.indices)
    assert torch.equal(quantiser.codebook, twin.codebook)


def test_nearest_takes_the_first_of_equals_in_any_block():
    # whole numbers: the products of equal codes are equal, in whatever order they are added
    codes = (3 * vectors(5)).round().repeat(2, 1)
    z = (3 * vectors(9000, seed=2)).round()
    indices = nearest(z, codes)
    assert indices.max() < 5
    assert torch.equal(indices, (z.double() @ codes[:5].double().T).argmax(1))
    unit_z, unit_codes = unit(vectors(9000, seed=2)), unit(vectors(5))
    assert torch.equal(nearest(unit_z, unit_codes), torch.cdist(unit_z, unit_codes).argmin(1))


def test_kmeans_keeps_the_mean_of_an_empty_cluster():
    samples = unit(torch.tensor([[1.0, 0.0], [0.99, 0.1]]))
    start = torch.tensor([[1.0, 0.0], [-1.0, 0.0]])
    means, counts = spherical_kmeans(samples, start, 3)
    assert counts.tolist() == [2, 0]
    assert means[1].tolist() == [-1.0, 0.0]


def test_usage_and_unused_codes():
    usage = codebook_usage(torch.tensor([5.0, 5.0, 0.0, 0.0]))
    assert usage == {"unused_codes": 2, "usage": 0.5, "perplexity": pytest.approx(2.0)}
    assert codebook_usage(torch.zeros(3))["perplexity"] == 0
    quantiser = Quantiser(64, 6, kmeans=False)
    output = quantiser(vectors(20))
    assert codebook_usage(quantiser.counts)["unused_codes"] == 64 - len(output.indices.unique())
    quantiser.reset_counts()
    assert codebook_usage(quantiser.counts)["usage"] == 0


def test_processes_start_alike_and_follow_as_one(tmp_path):
    """Fault 2: each process ran k-means on its own batch, and nothing made them equal."""
    x = vectors(128)
    parts = (x[:40], x[40:])  # unequal shares
    single = Quantiser(10, 6, kmeans=False)

    def worker(rank):
        torch.manual_seed(rank)  # as the engine does: other draws in each process
        started = Quantiser(10, 6)
        started(parts[rank])
        same = copy.deepcopy(single)
        same(parts[rank])
        return [
            started.codebook.data,
            same.codebook.data,
            same.counts,
            from_all_processes(parts[rank]),
        ]

    one, two = in_two_processes(tmp_path, worker)
    for a, b in zip(one, two, strict=True):
        assert torch.equal(a, b)
    single(x)
    torch.testing.assert_close(one[1], single.codebook.data, rtol=0, atol=1e-6)
    torch.testing.assert_close(one[2], single.counts)
    assert torch.equal(one[3], x)
