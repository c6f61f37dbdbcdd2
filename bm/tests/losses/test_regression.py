from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn import functional

from bm.losses.regression import absolute_error, feature_loss, squared_error
from bm.nn.feature_parts import feature_parts


@dataclass(frozen=True)
class Feature:
    name: str
    dimension: int
    cardinality: int = 0


FEATURES = (Feature("phoneme", 1, 4), Feature("mel", 2), Feature("length", 1))


def test_a_categorical_feature_takes_one_channel_of_targets_and_one_per_class_of_estimates() -> (
    None
):
    parts = feature_parts(FEATURES)
    assert [part.target for part in parts] == [slice(0, 1), slice(1, 3), slice(3, 4)]
    assert [part.estimate for part in parts] == [slice(0, 4), slice(4, 6), slice(6, 7)]
    assert [part.categorical for part in parts] == [True, False, False]


def test_only_masked_positions_count() -> None:
    estimate, target = torch.zeros(2, 3, 5), torch.ones(2, 3, 5)
    mask = torch.ones(2, 1, 5, dtype=torch.bool)
    target[0, :, 2], mask[0, :, 2] = float("nan"), False
    assert absolute_error(estimate, target, mask) == 1.0
    assert squared_error(estimate, 3 * target, mask) == 9.0
    assert absolute_error(estimate, target, torch.zeros_like(mask)) == 0.0


def test_the_loss_of_features_is_the_sum_of_their_losses() -> None:
    torch.manual_seed(0)
    estimate = torch.randn(3, 7, 6, requires_grad=True)
    target = torch.cat([torch.randint(4, (3, 1, 6)).float(), torch.randn(3, 3, 6)], 1)
    mask = torch.rand(3, 1, 6) < 0.7
    weights = torch.tensor([0.1, 0.2, 0.3, 0.4])
    chosen = mask[:, 0]
    scores, labels = estimate[:, :4].movedim(1, 2)[chosen], target[:, 0][chosen].long()
    error = (estimate[:, 4:] - target[:, 1:]).square().movedim(1, 2)[chosen]
    values = error[:, :2].mean() + error[:, 2].mean()
    for class_weights in (None, weights):
        expected = values + functional.cross_entropy(scores, labels, class_weights)
        by_name = None if class_weights is None else {"phoneme": class_weights}
        loss = feature_loss(estimate, target, mask, feature_parts(FEATURES), by_name)
        torch.testing.assert_close(loss, expected)
    loss.backward()
    assert estimate.grad.isfinite().all()
    nothing = feature_loss(estimate, target, torch.zeros_like(mask), feature_parts(FEATURES))
    assert nothing.item() == 0.0
