from __future__ import annotations

import pytest
import torch
from torch import nn

from bm.nn.conv_stack import ConvStack, LayerScale, StackOptions
from bm.nn.distance_attention import DistanceAttention
from bm.nn.dual_path import DualPath


def test_dilations_grow_and_start_again() -> None:
    options = StackOptions(3, dilation_growth=2, dilation_period=5)
    assert [options.dilation(k) for k in range(7)] == [1, 2, 4, 8, 16, 1, 2]
    assert StackOptions(3, dilation_growth=3).dilation(2) == 9
    stack = ConvStack([4, 6, 6, 6], options)
    assert [layer.conv.dilation for layer in stack.layers] == [(1,), (2,), (4,)]


def test_residuals_are_added_where_shapes_agree() -> None:
    stack = ConvStack([4, 6, 6], StackOptions(3, skip=True, leak=0.1))
    nn.init.zeros_(stack.layers[1].conv.weight)
    nn.init.zeros_(stack.layers[1].conv.bias)
    x = torch.randn(2, 4, 9)
    torch.testing.assert_close(stack(x), stack.layers[0](x))


def test_every_length_is_kept_without_stride() -> None:
    options = StackOptions(
        5, batch_norm=True, skip=True, glu=2, glu_context=1, rewrite=True, layer_scale=0.1
    )
    stack = ConvStack([4, 6, 6, 6, 7], options, bare_last=True)
    assert list(stack.gates) == ["1", "3"]
    assert not any(isinstance(part, nn.BatchNorm1d) for part in stack.layers[-1])
    for length in (1, 2, 33):
        assert stack.eval()(torch.randn(2, 4, length)).shape == (2, 7, length)
    scale = LayerScale(3, 0.5)
    torch.testing.assert_close(scale(torch.ones(1, 3, 2)), torch.full((1, 3, 2), 0.5))


def test_the_published_dual_path_ignores_chunks_and_ours_does_not() -> None:
    """Symptom: chunks of the dual path have no effect."""
    torch.manual_seed(0)
    published, ours = DualPath(4, 1, as_published=True), DualPath(4, 1)
    ours.load_state_dict(published.state_dict())
    x = torch.randn(3, 4, 37)
    changed = x.clone()
    changed[..., 3] += 1.0
    for index, within in ((0, True), (1, False)):
        moved = []
        for model in (published, ours):
            steps = [
                torch.nn.functional.pad(v, (0, 3)).permute(2, 0, 1).unflatten(0, (-1, 10))
                for v in (x, changed)
            ]
            outputs = [model._run(index, step) for step in steps]
            moved.append((outputs[0] - outputs[1]).abs().amax((2, 3)) > 0)  # (chunks, samples)
        # ours: the first sees its own chunk only, the second the same place of the chunks after
        if within:
            assert moved[1][0, 3:].all() and not moved[1][1:].any()
            assert moved[0][1:].any()
        else:
            assert moved[1][:, 3].all() and moved[1].sum() == 4
            assert moved[0].sum() > 4
    for model in (published, ours):
        assert model(x).shape == x.shape


def test_attention_stays_within_its_radius_unless_as_published() -> None:
    """Symptom: the radius of the attention masks nothing."""
    torch.manual_seed(0)
    x = torch.randn(2, 8, 40)
    changed = x.clone()
    changed[..., 0] += 3.0
    for as_published in (False, True):
        torch.manual_seed(0)
        layer = DistanceAttention(8, 2, radius=5, as_published=as_published).eval()
        moved = (layer(x) - layer(changed)).abs().amax((0, 1)) > 1e-7
        assert moved[:6].any()
        assert bool(moved[6:].any()) == as_published
    with pytest.raises(ValueError, match="8 channels do not split into 3"):
        DistanceAttention(8, 3)
