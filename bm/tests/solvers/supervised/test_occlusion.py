"""Maps of what a decoder loses and of what a tokenizer gives back, electrode by electrode."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from bm.data.batch import Batch
from bm.metrics.units import Units
from bm.models.reconstruction import Reconstruction
from bm.solvers.supervised.occlusion import maps_of, occlusion
from bm.solvers.supervised.tasks import Classes, Values
from bm.solvers.tokenizer import by_electrode


def batch_of(signal: Tensor, label: Tensor) -> Batch:
    count, channels = signal.shape[:2]
    whole = torch.zeros(count, dtype=torch.long)
    return Batch(
        signal=signal,
        positions=torch.zeros(count, channels, 3),
        channel_mask=torch.ones(count, channels, dtype=torch.bool),
        channel_ids=torch.arange(channels).expand(count, channels),
        subject=whole,
        recording=whole,
        segment=torch.arange(count),
        label=label,
    )


def test_only_the_electrode_that_is_read_is_missed() -> None:
    torch.manual_seed(0)
    signal = torch.randn(6, 4, 10)
    batch = batch_of(signal.clone(), torch.tensor([0, 1] * 3))

    def outputs(windows: Batch) -> Tensor:
        level = windows.signal[:, 2].mean(1)
        return torch.stack([level, -level], 1)

    lost = occlusion(outputs, Classes.scores, batch)
    level = signal[:, 2].mean(1).double()
    sign = torch.tensor([1.0, -1.0] * 3).double()
    expected = torch.nn.functional.logsigmoid(2 * sign * level) - np.log(0.5)
    torch.testing.assert_close(lost[:, 2].double(), expected, atol=1e-6, rtol=1e-5)
    assert (lost[:, [0, 1, 3]] == 0).all()
    assert torch.equal(batch.signal, signal)  # the batch is as before


def test_scores_of_one_logit_two_classes_and_values() -> None:
    logits, labels = torch.tensor([[0.7], [-1.2]]), torch.tensor([1, 1])
    scores = Classes.scores
    both = torch.cat([torch.zeros_like(logits), logits], 1)
    torch.testing.assert_close(scores(logits, labels), scores(both, labels))
    errors = Values.scores(torch.tensor([[1.0, 3.0]]), torch.tensor([[0.0, 1.0]]))
    assert errors.tolist() == [-2.5]


def test_maps_are_the_mean_and_the_mean_in_standard_errors() -> None:
    lost = np.tile([[1.0, 0.0, 2.0], [3.0, 0.0, 2.0]], (9, 1))
    people = Units("person", np.arange(18) // 3)
    mean, ratio = maps_of(lost, "log probability lost", people).values()
    assert mean.tolist() == [2.0, 0.0, 2.0]
    means = lost[:, 0].reshape(6, 3).mean(1)  # of people, who count and not their windows
    assert ratio == pytest.approx([2 / (means.std(ddof=1) / np.sqrt(6)), 0.0, 0.0])  # no spread: 0
    assert len(maps_of(lost[:15], "log probability lost", people.take(np.arange(15)))) == 1


def test_electrodes_are_judged_by_their_own_patches() -> None:
    torch.manual_seed(0)
    target = torch.randn(2, 6, 5)  # 3 channels of 2 patches
    predicted = target.clone()
    predicted[:, 2:4] *= -1
    predicted[:, 4:] = 0
    one = Reconstruction("amplitude", target, predicted, "bin", 5, by_channel=True)
    torch.testing.assert_close(by_electrode(one, 3), torch.tensor([[1.0, -1.0, 0.0]] * 2))
