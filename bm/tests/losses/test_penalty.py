from __future__ import annotations

import pytest
import torch
from torch import nn

from bm.losses.penalty import svd_penalty, training_penalty
from bm.nn.channel_merger import ChannelMerger


def test_the_estimate_is_near_the_value_and_small_layers_do_not_count() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv1d(40, 64, 5), nn.Linear(64, 30), nn.Linear(5, 5))
    exact = svd_penalty(model, exact=True)
    weights = [p for name, p in model.named_parameters() if name in ("0.weight", "1.weight")]
    expected = sum(torch.linalg.svdvals(w.detach().flatten(1))[0].item() ** 2 for w in weights)
    assert exact.item() == pytest.approx(expected, rel=1e-4)
    assert svd_penalty(model).item() == pytest.approx(expected, rel=0.05)
    assert svd_penalty(model, min_size=100.0) == 0.0
    assert svd_penalty(model, min_size=0.05, exact=True) > exact


def test_the_penalty_shrinks_the_largest_direction() -> None:
    torch.manual_seed(0)
    layer = nn.Linear(32, 32)
    optimiser = torch.optim.SGD(layer.parameters(), 0.05)
    before = svd_penalty(layer, exact=True).item()
    for _ in range(20):
        optimiser.zero_grad()
        svd_penalty(layer).backward()
        optimiser.step()
    assert svd_penalty(layer, exact=True).item() < 0.5 * before


def test_penalties_of_modules_add_up() -> None:
    positions = torch.rand(5, 2).expand(3, -1, -1)
    mergers = [ChannelMerger(4, 8, 0.0, usage_penalty=p) for p in (1.0, 2.0, 0.0)]
    model = nn.ModuleList(mergers)
    assert training_penalty(model) is None
    for merger in mergers:
        merger(torch.randn(3, 5, 7), positions)
    penalty = training_penalty(model)
    assert penalty is not None
    expected = sum(merger.training_penalty.item() for merger in mergers[:2])
    assert penalty.item() == pytest.approx(expected)
