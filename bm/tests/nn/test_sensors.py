from __future__ import annotations

import math

import pytest
import torch

from bm.data.layout import INVALID as LAYOUT_INVALID
from bm.nn.channel_dropout import ChannelDropout, ChannelSubset
from bm.nn.channel_merger import ChannelMerger
from bm.nn.positions import INVALID, flat_places, fourier_features, fourier_side, is_invalid
from bm.nn.subjects import SubjectEmbedding, SubjectLayers


def test_unknown_places_are_marked_as_in_the_layout() -> None:
    assert INVALID == LAYOUT_INVALID
    positions = torch.tensor([[0.1, 0.2, 0.0], [INVALID, INVALID, 0.0], [INVALID, 0.0, 0.0],
                              [0.2, math.nan, 0.0]])  # fmt: skip
    places = flat_places(positions)
    assert is_invalid(places).tolist() == [False, True, False, True]
    assert torch.equal(places[[0, 2]], positions[[0, 2], :2])


def test_numbers_of_fourier_features_are_twice_squares() -> None:
    assert [fourier_side(d) for d in (2, 8, 32, 288, 2048)] == [1, 2, 4, 12, 32]
    for wrong in (0, 256, 7, -8):
        with pytest.raises(ValueError, match=f"{wrong} Fourier features"):
            fourier_side(wrong)


def test_fourier_features_are_those_of_the_formula() -> None:
    x, y = 0.3, 0.8
    features = fourier_features(torch.tensor([[x, y]]), 18)[0]
    for i in range(3):
        for j in range(3):
            phase = 2 * math.pi * ((x + 0.2) * i + (y + 0.2) * j) / 1.4
            assert features[3 * i + j].item() == pytest.approx(math.cos(phase), abs=1e-5)
            assert features[9 + 3 * i + j].item() == pytest.approx(math.sin(phase), abs=1e-5)


def _merger_and_input(**options: object) -> tuple[ChannelMerger, torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    merger = ChannelMerger(4, 32, **options)
    return merger, torch.randn(6, 9, 11), torch.rand(6, 9, 2)


def test_a_batch_is_merged_as_its_items_are_one_by_one() -> None:
    for subjects in (None, 3):
        merger, signal, positions = _merger_and_input(dropout=0.0, subjects=subjects)
        positions[3:5] = positions[0]
        subject = torch.tensor([0, 1, 2, 0, 1, 0])
        merged = merger(signal, positions, subject)
        for i in range(6):
            one = merger(signal[i, None], positions[i, None], subject[i, None])
            torch.testing.assert_close(merged[i], one[0])


def test_weights_are_computed_once_per_set_of_places(monkeypatch: pytest.MonkeyPatch) -> None:
    merger, signal, positions = _merger_and_input()
    seen: list[int] = []
    weights = merger.weights

    def counting(positions: torch.Tensor, subject: torch.Tensor | None) -> torch.Tensor:
        seen.append(len(positions))
        return weights(positions, subject)

    monkeypatch.setattr(merger, "weights", counting)
    merger(signal, positions[:1].expand(6, -1, -1))
    merger(signal, positions)
    assert seen == [1, 6]


def test_sensors_near_the_centre_and_without_place_take_no_part(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    merger, _, positions = _merger_and_input(dropout=0.2)
    positions[:, 2] = INVALID
    positions[:, 5] = torch.tensor([0.5, 0.5])
    monkeypatch.setattr(merger, "draw_centre", lambda like: torch.tensor([0.5, 0.6]))
    weights = merger.weights(positions)
    torch.testing.assert_close(weights.sum(-1), torch.ones(6, 4))
    assert (weights[..., [2, 5]] == 0).all()
    assert (merger.eval().weights(positions)[..., 5] > 0).all()


def test_an_item_without_any_sensor_is_zero_and_not_nan() -> None:
    merger, signal, positions = _merger_and_input(dropout=2.0)
    signal.requires_grad_()
    merged = merger(signal, positions)
    assert (merged == 0).all()
    merged.sum().backward()
    assert merger.heads.grad.isfinite().all()
    positions[2], positions[3, 4] = math.nan, math.nan
    assert (merger.eval()(signal, positions)[2] == 0).all()


def test_a_sensor_without_known_place_leaves_the_gradient_finite() -> None:
    merger, signal, positions = _merger_and_input(dropout=0.2)
    positions[:, 3] = math.nan
    merger(signal, positions).sum().backward()
    assert merger.heads.grad.isfinite().all()
    assert merger.heads.grad.abs().sum() > 0


def test_the_penalty_of_usage_depends_on_the_weights() -> None:
    """Symptom: merger_penalty adds a constant to the loss and trains nothing."""
    merger, signal, positions = _merger_and_input(dropout=0.0, usage_penalty=1.0)
    merger(signal, positions[:1].expand(6, -1, -1))
    merger.training_penalty.backward()
    assert merger.heads.grad.abs().sum() > 0
    with torch.no_grad():
        merger.heads.zero_()
    merger(signal, positions[:1].expand(6, -1, -1))
    assert merger.training_penalty.item() == pytest.approx(1 / 9)  # the least: all used alike


def test_dropout_of_sensors_keeps_the_mean_and_what_is_far() -> None:
    torch.manual_seed(0)
    layer, signal, positions = ChannelDropout(0.3), torch.ones(2, 9, 5), torch.rand(2, 9, 2)
    positions[1, 4] = INVALID
    assert (layer.eval()(signal, positions)[1, 4] == 0).all()
    layer.train()
    mean = torch.stack([layer(signal, positions) for _ in range(600)]).mean(0)
    assert (mean[1, 4] == 0).all()
    usual = torch.ones(2, 9, dtype=torch.bool)
    usual[1, 4] = False
    torch.testing.assert_close(mean[usual], torch.ones_like(mean[usual]), atol=0.15, rtol=0)
    assert ChannelDropout(0.0)(signal, positions) is signal


def test_a_fixed_subset_of_channels_is_kept() -> None:
    subset = ChannelSubset(10, 4)(torch.ones(2, 10, 3))
    assert subset.sum() == 2 * 4 * 3
    assert torch.equal(subset, ChannelSubset(10, 4)(torch.ones(2, 10, 3)))


def test_each_subject_has_a_matrix() -> None:
    torch.manual_seed(0)
    layers, x = SubjectLayers(3, 5, 4), torch.randn(6, 3, 7)
    subject = torch.tensor([3, 1, 1, 0, 2, 3])
    outputs = layers(x, subject)
    for i in range(6):
        torch.testing.assert_close(outputs[i], layers.weights[subject[i]].T @ x[i])
    same = SubjectLayers(4, 4, 2, identity=True)
    y = torch.randn(2, 4, 7)
    torch.testing.assert_close(same(y, torch.tensor([0, 1])), y / 2)
    with pytest.raises(ValueError, match="no identity from 3 to 5"):
        SubjectLayers(3, 5, 4, identity=True)


def test_the_scale_of_the_subject_vector_speeds_up_its_learning_only() -> None:
    torch.manual_seed(0)
    plain = SubjectEmbedding(3, 4)
    torch.manual_seed(0)
    scaled = SubjectEmbedding(3, 4, scale=10.0)
    subject = torch.tensor([2, 0])
    torch.testing.assert_close(plain(subject), scaled(subject))
    x = torch.randn(2, 5, 6)
    outputs = scaled.append(x, subject)
    assert torch.equal(outputs[:, :5], x)
    torch.testing.assert_close(outputs[:, 5:], scaled(subject)[..., None].expand(-1, -1, 6))
