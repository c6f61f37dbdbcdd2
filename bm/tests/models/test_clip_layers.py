"""Layers and branches of the speech decoders against plain forms."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from bm.errors import UserError
from bm.models.clip.branches import Widths, branches_of, build_encoders, inputs_of, joined_width
from bm.models.clip.convrnn import ConvRNN, Recurrent, build_attention, valid_length
from bm.models.clip.deep_mel import DeepMel
from bm.models.clip.options import (
    EncoderOptions,
    InitialOptions,
    MergerOptions,
    RecurrentOptions,
    SubjectOptions,
    build_embedding,
    build_initial,
    build_merger,
    build_subject_layers,
)
from bm.models.clip.simpleconv import SimpleConv
from bm.models.clip.spectrum import Spectrum

ENCODER = {"depth": 2, "kernel_size": 3}


@pytest.mark.parametrize("complex_values", [True, False])
@pytest.mark.parametrize("length", [64, 71])
def test_spectra_are_discrete_fourier_transforms_of_hann_windows(
    complex_values: bool, length: int
) -> None:
    torch.manual_seed(0)
    n_fft, x = 16, torch.randn(2, 3, length)
    layer = Spectrum(n_fft, complex_values)
    padded = functional.pad(x, (8, 8), mode="reflect")
    frames = padded.unfold(-1, n_fft, n_fft // 2)
    n = torch.arange(n_fft)
    window = 0.5 - 0.5 * torch.cos(2 * math.pi * n / n_fft)
    bins = torch.fft.fft(frames * window)[..., :9] / window.square().sum().sqrt()
    bins = bins.transpose(2, 3)  # (B, C, bins, frames)
    if complex_values:  # re and im of a bin are neighbours
        expected = torch.stack([bins.real, bins.imag], 3).flatten(1, 3)
    else:
        expected = bins.abs().flatten(1, 2)
    assert expected.shape[1] == layer.width(3)
    assert expected.shape[2] == length // 8 + 1
    torch.testing.assert_close(layer(x), expected, atol=1e-5, rtol=1e-4)


def test_branches_stand_in_the_order_of_the_original() -> None:
    signal, features = Widths(6, 8), Widths(4, 2)
    assert list(branches_of(signal, features, False)) == ["features", "signal"]
    assert list(branches_of(signal, Widths(0, 2), False)) == ["signal"]
    assert branches_of(signal, features, True) == {"concat": Widths(10, 10)}
    assert branches_of(signal, Widths(0, 2), True) == {"concat": Widths(6, 8)}


def test_inputs_are_joined_in_the_same_order() -> None:
    signal, features = torch.ones(2, 6, 5), torch.zeros(2, 4, 5)
    apart = inputs_of(signal, features, 4, False)
    assert apart["signal"] is signal and apart["features"] is features
    joined = inputs_of(signal, features, 4, True)["concat"]
    assert joined.shape == (2, 10, 5) and not joined[:, :4].any() and joined[:, 4:].all()
    for tensor, count in ((None, 4), (features, 0)):
        with pytest.raises(ValueError, match="this network reads"):
            inputs_of(signal, tensor, count, False)


def test_widths_of_encoders_grow_and_end_in_the_outputs() -> None:
    options = EncoderOptions(depth=3, kernel_size=3, growth=2.0)
    branches = {"features": Widths(4, 2), "signal": Widths(6, 8)}
    assert options.widths(8) == [8, 16, 32] and joined_width(branches, options) == 8 + 32
    assert joined_width(branches, EncoderOptions(depth=0)) == 10
    encoders = build_encoders(branches, options)
    x = {"features": torch.zeros(1, 4, 9), "signal": torch.zeros(1, 6, 9)}
    assert [encoders[n](x[n]).shape[1] for n in branches] == [8, 32]
    last = build_encoders({"signal": Widths(6, 8)}, options, last=5)
    assert last["signal"](x["signal"]).shape[1] == 5
    with pytest.raises(UserError, match=r"model\.encoder\.groups=3"):
        build_encoders(branches, EncoderOptions(depth=2, kernel_size=3, groups=3))


@pytest.mark.parametrize("stride", [2, 3])
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_padded_lengths_are_the_least_that_come_back(depth: int, stride: int) -> None:
    def back(length: int) -> int:
        for _ in range(depth):
            length = -(-length // stride) + 1
        for _ in range(depth):
            length = (length - 1) * stride
        return length

    for length in range(1, 40):
        padded = valid_length(length, depth, stride)
        assert padded >= length and back(length) == padded


@pytest.mark.parametrize("flip", [False, True])
def test_a_flipped_lstm_reads_time_backwards(flip: bool) -> None:
    torch.manual_seed(0)
    layer = Recurrent(3, 4, RecurrentOptions(layers=1, flip=flip))
    x = torch.randn(2, 3, 7)
    changed = x.clone()
    changed[..., 3] += 1
    moved = (layer(x) != layer(changed)).any(1).any(0)
    expected = [t <= 3 if flip else t >= 3 for t in range(7)]
    assert moved.tolist() == expected


def test_a_bidirectional_lstm_reads_both_ways_and_keeps_its_width() -> None:
    torch.manual_seed(0)
    layer = Recurrent(3, 4, RecurrentOptions(layers=1, bidirectional=True))
    x = torch.randn(2, 3, 7)
    changed = x.clone()
    changed[..., 3] += 1
    assert layer(x).shape == (2, 4, 7)
    assert (layer(x) != layer(changed)).any(1).any(0).all()


def test_attention_heads_must_divide_the_width() -> None:
    assert len(build_attention(8, None)) == 0
    assert len(build_attention(8, {"layers": 2, "heads": 4})) == 2
    with pytest.raises(UserError, match=r"model\.attention\.heads=3: 8 channels"):
        build_attention(8, {"heads": 3})


def test_initial_convolutions_have_activations_between_them() -> None:
    encoder = EncoderOptions(activation="gelu")
    kinds = [type(m) for m in build_initial(4, InitialOptions(6, depth=3), encoder)]
    assert kinds == [nn.Conv1d, nn.GELU, nn.Conv1d, nn.GELU, nn.Conv1d]
    last = build_initial(4, InitialOptions(6, nonlinear=True), encoder)
    assert [type(m) for m in last] == [nn.Conv1d, nn.GELU]
    assert last(torch.zeros(2, 4, 5)).shape == (2, 6, 5)


def test_layers_of_subjects_have_the_width_that_is_asked_for() -> None:
    assert build_subject_layers(4, 9, 3, SubjectOptions()) is None
    assert build_embedding(3, SubjectOptions()) is None
    narrow = build_subject_layers(4, 9, 3, SubjectOptions(layers=True))
    wide = build_subject_layers(4, 9, 3, SubjectOptions(layers=True, layers_width="hidden"))
    assert narrow is not None and wide is not None
    assert narrow.weights.shape == (3, 4, 4) and wide.weights.shape == (3, 4, 9)
    identity = SubjectOptions(layers=True, layers_identity=True)
    start = build_subject_layers(4, 9, 3, identity)
    assert start is not None
    x = torch.randn(2, 4, 5)
    torch.testing.assert_close(start(x, torch.tensor([0, 2])), x / 2)  # root of the width
    vectors = build_embedding(3, SubjectOptions(embedding=6))
    assert vectors is not None and vectors(torch.tensor([0, 2])).shape == (2, 6)


def test_heads_per_subject_are_told_to_the_merger() -> None:
    assert build_merger(MergerOptions(5, 8, per_subject=True), 3).heads.shape == (3, 5, 8)
    assert build_merger(MergerOptions(5, 8), 3).heads.shape == (5, 8)
    with pytest.raises(UserError, match=r"model\.merger\.dimension=256"):
        build_merger(MergerOptions(5, 256), 3)


def test_deep_mel_ends_without_norm_and_activation() -> None:
    torch.manual_seed(0)
    model = DeepMel(10, 7, hidden=8, encoder={**ENCODER, "batch_norm": True})
    assert model(torch.randn(4, 10, 30)).shape == (4, 7, 30)
    assert model(torch.randn(4, 10, 30)).min() < 0
    assert [type(m) for m in model.layers[-1]] == [nn.Conv1d]
    model(torch.randn(4, 10, 30)).square().sum().backward()
    # the norm after a convolution takes its bias away again
    silent = {n for n, p in model.named_parameters() if p.grad is None or not p.grad.abs().max()}
    assert silent <= {"layers.0.conv.bias"}


@pytest.mark.parametrize("head", ["linear", "complex"])
def test_heads_after_spectra_give_samples_back(head: str) -> None:
    model = SimpleConv(6, 5, spectrum={"n_fft": 16}, head=head, hidden=8, encoder=ENCODER).eval()
    for length in (48, 53):
        x = torch.randn(2, 6, length)
        subject = torch.zeros(2, dtype=torch.long)
        assert model.front(x, subject, None).shape == (2, 6 * 9 * 2, length // 8 + 1)
        assert model(x, subject).shape == (2, 5, length)


def test_the_front_acts_in_the_published_order() -> None:
    """Subset, merger, 1x1 convolutions, subject layer, then the vector of the subject."""
    torch.manual_seed(0)
    groups: dict[str, Any] = {
        "sensors": {"kept": 4}, "merger": {"channels": 5, "dimension": 8, "dropout": 0.0},
        "initial": {"channels": 7}, "subject": {"layers": True, "embedding": 2},
    }  # fmt: skip
    model = SimpleConv(6, 3, 2, hidden=8, encoder=ENCODER, **groups).eval()
    x, subject, positions = torch.randn(2, 6, 9), torch.tensor([1, 0]), torch.rand(2, 6, 2)
    assert model.subset is not None and model.merger is not None and model.initial is not None
    assert model.subject_layers is not None and model.subject_embedding is not None
    y = model.subject_layers(model.initial(model.merger(model.subset(x), positions)), subject)
    y = model.subject_embedding.append(y, subject)
    torch.testing.assert_close(model.front(x, subject, positions), y)
    assert y.shape == (2, 9, 9) and torch.equal(y[:, 7:, 0], y[:, 7:, 8])


def test_every_parameter_of_a_recurrent_network_gets_a_gradient() -> None:
    torch.manual_seed(0)
    model = ConvRNN(
        6, 5, 2, hidden=8, n_features=3, hidden_features=4, recurrent={"layers": 1},
        attention={"heads": 2}, subject={"layers": True, "embedding": 2}, head="complex",
        embedding_at=["input", "recurrent"],
    )  # fmt: skip
    x, features = torch.randn(2, 6, 21), torch.randn(2, 3, 21)
    model(x, torch.tensor([0, 1]), features=features).square().sum().backward()
    silent = {n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()}
    # an offset of all keys moves the scores of a query alike; the norm takes that of `project`
    assert silent <= {"attentions.0.key.bias", "attentions.0.project.bias"}
