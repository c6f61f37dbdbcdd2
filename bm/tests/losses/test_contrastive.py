from __future__ import annotations

import pytest
import torch

from bm.errors import UserError
from bm.losses.contrastive import ClipLoss, Trim


def pair(items: int = 6, candidates: int = 6) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return (
        torch.randn(items, 4, 20, generator=generator),
        torch.randn(candidates, 4, 20, generator=generator),
    )


def test_only_candidates_are_normalised() -> None:
    estimates, candidates = pair()
    loss = ClipLoss()
    torch.testing.assert_close(
        loss.scores(estimates, candidates), loss.scores(estimates, 7 * candidates)
    )
    torch.testing.assert_close(
        3 * loss.scores(estimates, candidates), loss.scores(3 * estimates, candidates)
    )


def test_the_own_speech_gives_no_loss_and_that_of_another_gives_much() -> None:
    _, candidates = pair()
    assert ClipLoss()(100 * candidates, candidates) < 1e-6
    assert ClipLoss()(100 * candidates, candidates.flip(0)) > 10


def test_the_same_speech_heard_by_two_subjects_is_no_wrong_answer() -> None:
    """Symptom: a sentence that two subjects of a batch hear counts against itself."""
    estimates, candidates = pair()
    candidates[4] = candidates[1]
    segments = torch.tensor([10, 11, 12, 13, 11, 15])
    published = ClipLoss()(100 * candidates, candidates)
    assert published == pytest.approx(2 / 6 * 0.6931, abs=1e-3)
    assert ClipLoss()(100 * candidates, candidates, segments) < 1e-6
    apart = torch.arange(6)
    loss = ClipLoss()(estimates, candidates, apart)
    torch.testing.assert_close(loss, ClipLoss()(estimates, candidates))
    twice = ClipLoss()(estimates[:2], candidates, torch.tensor([1, 2, 1, 1, 2, 2]))
    scores = ClipLoss().scores(estimates[:2], candidates)
    expected = torch.stack([scores[0, [0, 1, 4, 5]], scores[1, [1, 0, 2, 3]]]).log_softmax(1)
    torch.testing.assert_close(twice, -expected[:, 0].mean())


def test_a_mask_is_refused_only_when_something_is_left_out() -> None:
    estimates, candidates = pair()
    mask = torch.ones(6, 1, 20, dtype=torch.bool)
    without = ClipLoss()(estimates, candidates)
    assert ClipLoss()(estimates, candidates, mask=mask) == without
    mask[2, 0, 3] = False
    with pytest.raises(ValueError, match="whole windows"):
        ClipLoss()(estimates, candidates, mask=mask)
    with pytest.raises(ValueError, match="5 candidates for 6"):
        ClipLoss()(estimates, candidates[:5])


def test_a_projection_is_applied_shared_or_not() -> None:
    """Symptom: clip.linear and clip.twin change nothing."""
    estimates, candidates = pair()
    torch.manual_seed(0)
    shared = ClipLoss(linear=3, n_channels=4)
    apart = ClipLoss(linear=3, twin=False, n_channels=4)
    assert len(list(shared.parameters())) == 2
    assert len(list(apart.parameters())) == 4
    plain = ClipLoss().scores(estimates, candidates)
    for loss in (shared, apart):
        assert not torch.allclose(loss.scores(estimates, candidates), plain, atol=0.1)
        loss(estimates, candidates).backward()
        assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in loss.parameters())
    with torch.no_grad():
        projected = shared.estimate_projection(estimates), shared.estimate_projection(candidates)
    torch.testing.assert_close(shared.scores(estimates, candidates), ClipLoss().scores(*projected))
    with pytest.raises(ValueError, match="number of channels"):
        ClipLoss(linear=3)


def test_times_outside_the_windows_are_refused() -> None:
    with pytest.raises(UserError, match=r"tmin_s=-0.6: the windows begin at -0.5 s"):
        Trim(start_s=-0.5, tmin_s=-0.6)
    estimates, candidates = pair()
    with pytest.raises(UserError, match=r"no sample from 0.5 to 0.5"):
        ClipLoss(Trim(10, 0.0, 0.5, 0.5))(estimates, candidates)
    with pytest.raises(UserError, match="of 20 samples"):
        ClipLoss(Trim(10, 0.0, 2.0))(estimates, candidates)


def test_scores_stay_in_full_precision_under_autocast() -> None:
    estimates, candidates = pair()
    plain = ClipLoss().scores(estimates, candidates)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        scores = ClipLoss().scores(estimates, candidates)
    assert torch.equal(scores, plain)


def test_the_symmetric_loss_learns_a_temperature_and_looks_both_ways() -> None:
    loss = ClipLoss(pool=True, symmetric=True)
    torch.manual_seed(0)
    estimates, candidates = torch.randn(4, 6, 10), torch.randn(4, 6, 10)
    scores = loss.scores(estimates, candidates)
    # cosines times the learned factor
    vectors = [torch.nn.functional.normalize(x.mean(-1)) for x in (estimates, candidates)]
    assert torch.allclose(scores, vectors[0] @ vectors[1].T / 0.07, atol=1e-4)
    targets = torch.arange(4)
    both = [torch.nn.functional.cross_entropy(s, targets) for s in (scores, scores.T)]
    value = loss(estimates, candidates)
    assert torch.allclose(value, sum(both) / 2)
    value.backward()
    assert loss.log_scale is not None and loss.log_scale.grad is not None
    # further candidates have no estimate here, and do not look for one
    assert torch.isfinite(loss(estimates, torch.randn(9, 6, 10)))
    assert not any("log_scale" in name for name in ClipLoss().state_dict())
