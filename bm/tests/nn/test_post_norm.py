"""Du-IN's layers against plain formulas: blocks, heads, tokenizer, and every option of them."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from bm.models.duin.patches import PatchBlock, PatchOptions, PatchTokenizer
from bm.models.duin.published import our_names
from bm.nn.code_block import CodeBlock, CodeOptions
from bm.nn.heads import LinearHead
from bm.nn.per_subject import PerSubject
from bm.nn.post_norm import PostNormBlock, PostNormBlocks, PostNormOptions, WideAttention
from bm.nn.regression_head import RegressionHead, RegressionOptions
from bm.nn.relative_attention import RelativeAttention, by_distance
from bm.nn.roles import explicit_attention_in
from bm.nn.sinusoids import sinusoids


def randomised(module: nn.Module) -> nn.Module:
    """Every parameter away from the values that hide a branch (0, 1)."""
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter += 0.2 * torch.randn(parameter.shape, generator=generator)
    return module.eval()


def norm(layer: nn.LayerNorm, x: Tensor) -> Tensor:
    centred = x - x.mean(-1, keepdim=True)
    deviation = (centred.square().mean(-1, keepdim=True) + 1e-5).sqrt()
    return centred / deviation * layer.weight + layer.bias


def plain_scores(attention: WideAttention, x: Tensor) -> tuple[Tensor, Tensor]:
    """Scores (B, H, L, L) and values (B, H, L, Dh), head by head."""
    scores, values = [], []
    queries, keys, inner = (layer(x) for layer in (attention.query, attention.key, attention.value))
    width = attention.query_norm.normalized_shape[0]
    for head in range(attention.n_heads):
        part = slice(head * width, (head + 1) * width)
        q = norm(attention.query_norm, queries[..., part])
        k = norm(attention.key_norm, keys[..., part])
        scores.append(torch.einsum("bid,bjd->bij", q, k) / math.sqrt(width))
        values.append(inner[..., part])
    return torch.stack(scores, 1), torch.stack(values, 1)


def plain_blocks(blocks: PostNormBlocks, x: Tensor, o: PostNormOptions, hidden: Tensor) -> Tensor:
    """The published equations, one product after the other."""
    earlier = torch.zeros(())
    for block in blocks:
        assert isinstance(block, PostNormBlock)
        x = norm(block.attention_norm, x) if o.norm_first else x
        scores, values = plain_scores(block.attention, x)
        if o.residual_scores:
            scores = scores + earlier
            earlier = scores
        weights = scores.masked_fill(hidden, -math.inf).exp()
        weights = weights / weights.sum(-1, keepdim=True)
        joined = torch.cat((weights @ values).unbind(1), -1)
        x = x + block.attention.proj(joined)
        if o.norm_first:
            x = norm(block.feed_forward_norm, x)
        else:
            x = norm(block.attention_norm, x)
        layer = block.feed_forward
        x = x + layer.fc2(layer.fc1(x).clamp_min(0))
        x = x if o.norm_first else norm(block.feed_forward_norm, x)
    return x


@pytest.mark.parametrize("explicit", [False, True])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("norm_first", [False, True])
def test_blocks_are_the_published_equations(
    norm_first: bool, residual: bool, masked: bool, explicit: bool
) -> None:
    torch.manual_seed(0)
    o = PostNormOptions(3, 2, 6, 20, 0.3, norm_first, residual)
    blocks = randomised(PostNormBlocks(8, o))
    assert isinstance(blocks, PostNormBlocks)
    x = torch.randn(2, 5, 8)
    mask = torch.triu(torch.ones(5, 5), 1).bool() if masked else None
    padding = torch.tensor([[False] * 5, [False] * 3 + [True] * 2]) if masked else None
    hidden = torch.zeros(2, 1, 5, 5).bool()
    if mask is not None and padding is not None:
        hidden = mask | padding[:, None, None]
    expected = plain_blocks(blocks, x, o, hidden)
    if explicit:
        with explicit_attention_in(blocks):
            output = blocks(x, mask, padding)
    else:
        output = blocks(x, mask, padding)
    torch.testing.assert_close(output, expected, atol=1e-5, rtol=1e-4)


def test_scores_accumulate_through_a_stack_and_start_anew() -> None:
    torch.manual_seed(0)
    plain, residual = (
        PostNormBlocks(8, PostNormOptions(2, 2, 6, 20, 0.0, residual_scores=flag))
        for flag in (False, True)
    )
    residual.load_state_dict(plain.state_dict())
    x = torch.randn(1, 4, 8)
    randomised(plain), randomised(residual)
    torch.testing.assert_close(plain(x, layer=1), residual(x, layer=1))
    assert not torch.allclose(plain(x), residual(x), atol=1e-4)
    torch.testing.assert_close(residual(x), residual(x))


def test_dropout_acts_in_training_alone() -> None:
    blocks = PostNormBlocks(8, PostNormOptions(2, 2, 6, 20, 0.5))
    x = torch.randn(2, 4, 8)
    assert not torch.equal(blocks.train()(x), blocks(x))
    assert torch.equal(blocks.eval()(x), blocks(x))


def test_names_of_the_options_that_no_public_file_has() -> None:
    """Biases, projections, hidden layers, batch norms: names of section 3 of the paper's code."""
    names = {
        "subj_block.proj_layer.weight": "backbone.subject.projection.weight",
        "desubj_block.proj_layer.bias": "readout.projection.bias",
        "tokenizer.conv_blocks.2.0.1.weight": "backbone.tokenizer.blocks.2.conv.weight",
        "rgs_block.rgs_head.0.0.1.weight": "head.convolutions.0.weight",
        "rgs_block.rgs_head.1.0.1.weight": "head.convolutions.1.weight",
        "rgs_block.rgs_head.2.0.weight": "head.hidden.0.0.weight",
        "rgs_block.rgs_head.2.2.weight": "head.hidden.0.2.weight",
        "rgs_block.rgs_head.3.0.bias": "head.output.bias",
        "rgs_blocks.11.rgs_head.1.0.1.weight": "heads.11.convolutions.0.weight",
        "rgs_blocks.11.rgs_head.2.0.weight": "heads.11.hidden.0.0.weight",
        "rgs_blocks.11.rgs_head.2.2.bias": "heads.11.hidden.0.2.bias",
        "rgs_blocks.11.rgs_head.3.0.weight": "heads.11.output.weight",
    }
    assert our_names(names) == names
    masked = {  # one hidden layer, and a dropout that took the index 1
        "cls_block.cls_head.0.0.weight": "head.hidden.0.weight",
        "cls_block.cls_head.2.0.weight": "head.output.weight",
    }
    assert our_names(masked) == masked
    bare = {"cls_block.cls_head.1.0.weight": "head.output.weight"}  # a classifier without any
    assert our_names(bare) == bare


@pytest.mark.parametrize("hidden", [(), (7,), (7, 6)])
@pytest.mark.parametrize("split", [1, 2])
def test_a_regression_head_makes_every_sample_of_a_token(hidden: tuple, split: int) -> None:
    o = RegressionOptions((6, 5), (3, 9), (2, 5), hidden)
    head = RegressionHead(8, 4, o, split)
    x = torch.randn(2, 3, 8)
    samples = head(x)
    assert samples.shape == (2, 4, 3 * split * 10)
    values = x.reshape(2, 3 * split, 8 // split).transpose(1, 2)
    for layer, stride in zip(head.convolutions, o.strides, strict=True):
        values = layer(values)
        assert values.shape[-1] % stride == 0
    values = values.transpose(1, 2)
    for layer in head.hidden:
        assert isinstance(layer, nn.Sequential)
        linear, last = layer[0], layer[2]
        values = last(functional.gelu(linear(values), approximate="none"))
    torch.testing.assert_close(samples, head.output(values).transpose(1, 2), atol=1e-5, rtol=1e-4)
    assert len(head.hidden) == len(hidden)


@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (3, 2), (4, 4), (9, 1), (19, 10), (2, 5)])
def test_a_transposed_convolution_lengthens_by_its_stride(kernel: int, stride: int) -> None:
    head = RegressionHead(4, 2, RegressionOptions((3,), (kernel,), (stride,)))
    assert head(torch.randn(1, 6, 4)).shape[-1] == 6 * stride


def test_a_regression_head_refuses_what_cannot_be() -> None:
    with pytest.raises(ValueError, match="cannot be cut into 3"):
        RegressionHead(8, 2, RegressionOptions(), 3)
    with pytest.raises(ValueError, match="one entry per convolution"):
        RegressionOptions((3, 3), (3,), (1,))


@pytest.mark.parametrize("dilation", [1, 3])
@pytest.mark.parametrize("kernel", [3, 4])
def test_a_tokenizer_keeps_lengths_and_pads_on_the_right(kernel: int, dilation: int) -> None:
    no = (False, False)
    o = PatchOptions(20, (6, 4), (7, kernel), (5, 1), (1, dilation), no, no, (1, 1))
    tokenizer = PatchTokenizer(3, o)
    names = [name for name, _ in tokenizer.named_parameters()]
    assert not any("norm" in name for name in names)
    x = torch.randn(2, 3, 60)
    tokens = tokenizer(x)
    assert tokens.shape == (2, 3, 16)
    first, second = (block.conv for block in tokenizer.blocks)
    expected = []
    for patch in x.split(20, -1):
        frames = functional.conv1d(functional.pad(patch, (3, 3)), first.weight, first.bias, 5)
        total = dilation * (kernel - 1)
        padded = functional.pad(frames, (total // 2, total - total // 2))
        frames = functional.conv1d(padded, second.weight, second.bias, dilation=dilation)
        expected.append(frames.transpose(1, 2).flatten(1))
    torch.testing.assert_close(tokens, torch.stack(expected, 1), atol=1e-5, rtol=1e-4)


def test_residuals_and_pools_of_a_tokenizer() -> None:
    """Fault 10: a residual crashed, and pools were left out of the width."""
    o = PatchOptions(20, (4, 4), (5, 3), (5, 1), (1, 1), (True, False), (False, True), (1, 2))
    assert (o.frames, o.width) == (2, 8)
    tokenizer = PatchTokenizer(3, o).eval()
    x = torch.randn(2, 3, 40)
    frames = tokenizer.blocks[0](x.reshape(2, 3, 2, 20).transpose(1, 2).flatten(0, 1))
    second = tokenizer.blocks[1]
    assert isinstance(second, PatchBlock)
    expected = frames + second.conv(frames)
    expected = (expected[..., ::2] + expected[..., 1::2]) / 2
    tokens = tokenizer(x)
    assert tokens.shape == (2, 2, 8)
    torch.testing.assert_close(tokens.flatten(0, 1), expected.transpose(1, 2).flatten(1))
    with pytest.raises(ValueError, match="shorten by 25"):
        PatchOptions(20, (4,), (5,), (5,), (1,), (True,), (False,), (5,))


def test_a_head_may_have_no_hidden_layer() -> None:
    bare, activated = LinearHead(5, 3), LinearHead(5, 3, (4,))
    linear = LinearHead(5, 3, (4,), rectified=False)
    linear.load_state_dict(activated.state_dict())
    x = torch.randn(7, 5)
    torch.testing.assert_close(bare(x), bare.output(x))
    torch.testing.assert_close(activated(x), activated.output(activated.hidden[0](x).relu()))
    torch.testing.assert_close(linear(x), linear.output(linear.hidden[0](x)))
    loud = LinearHead(5, 3, dropout=0.5).train()
    assert not torch.equal(loud(x), loud(x))


@pytest.mark.parametrize(("beta", "decay"), [(1.0, 0.99), (0.25, 0.5)])
def test_a_codebook_follows_by_its_decay_and_pulls_by_beta(beta: float, decay: float) -> None:
    torch.manual_seed(0)
    block = CodeBlock(6, CodeOptions(5, 3, decay, beta, kmeans=False)).train()
    tokens = torch.randn(2, 4, 6, requires_grad=True)
    before = block.quantiser.codebook.clone()
    vectors = functional.normalize(block.vectors(tokens), dim=-1)
    coded = block(tokens)
    products = vectors.flatten(0, 1) @ before.T
    assert torch.equal(coded.indices.flatten(), products.argmax(1))
    codes = before[coded.indices]
    torch.testing.assert_close(coded.loss, beta * (vectors - codes).square().mean())
    index = coded.indices[0, 0]
    members = vectors.flatten(0, 1)[coded.indices.flatten() == index]
    mean = functional.normalize(members.mean(0), dim=0)
    moved = functional.normalize(decay * before[index] + (1 - decay) * mean, dim=0)
    torch.testing.assert_close(block.quantiser.codebook[index], moved.detach())
    coded.tokens.sum().backward()
    assert tokens.grad is not None  # straight through the choice of the code
    assert tokens.grad.abs().sum() > 0


def test_networks_per_subject_return_items_in_their_order() -> None:
    networks = PerSubject(lambda: nn.Linear(3, 2), 3)
    x, subject = torch.randn(5, 3), torch.tensor([2, 0, 2, 0, 2])
    expected = torch.stack([networks[int(s)](row) for s, row in zip(subject, x, strict=True)])
    torch.testing.assert_close(networks(x, subject), expected)
    networks(x, subject).sum().backward()
    assert networks[1].weight.grad is None
    torch.testing.assert_close(PerSubject(lambda: networks[0], 1)(x, None), networks[0](x))


def test_sines_and_cosines() -> None:
    table = sinusoids(torch.tensor([0.0, 3.0, -2.5]), 4)
    for position, row in zip((0.0, 3.0, -2.5), table, strict=True):
        expected = [math.sin(position), math.cos(position),
                    math.sin(position / 100), math.cos(position / 100)]  # fmt: skip
        torch.testing.assert_close(row, torch.tensor(expected))
    with pytest.raises(ValueError, match="even"):
        sinusoids(torch.zeros(1), 3)


@pytest.mark.parametrize("length", [1, 2, 7])
def test_scores_by_distance_reach_their_keys(length: int) -> None:
    scores = torch.randn(2, 3, length, 2 * length - 1)
    shifted = by_distance(scores)
    for i in range(length):
        for j in range(length):
            distance = i - j
            torch.testing.assert_close(shifted[..., i, j], scores[..., i, length - 1 - distance])


def test_relative_attention_is_its_formula() -> None:
    torch.manual_seed(0)
    attention = RelativeAttention(8, 2, 0.0)
    x = torch.randn(1, 5, 8)
    q, k, v = (attention.heads(f(x)) for f in (attention.query, attention.key, attention.value))
    scores = torch.empty(1, 2, 5, 5)
    for i in range(5):
        for j in range(5):
            place = attention.distance(sinusoids(torch.tensor(float(i - j)), 8)).view(2, 4)
            content = ((q[:, :, i] + attention.u) * k[:, :, j]).sum(-1)
            scores[:, :, i, j] = content + ((q[:, :, i] + attention.v) * place).sum(-1)
    mixed = (scores / 2).softmax(-1) @ v
    expected = attention.output(mixed.transpose(1, 2).flatten(2))
    torch.testing.assert_close(attention(x), expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("width", [16, 64])
def test_first_weights_fit_the_width_when_asked_to(width: int) -> None:
    torch.manual_seed(0)
    published, fitting = (
        PostNormBlocks(width, PostNormOptions(2, 2, 32, 256, 0.0, start_gain=gain))
        for gain in (None, 1.0)
    )

    def spread(blocks: PostNormBlocks, number: int) -> float:
        weight = blocks.get_parameter(f"{number - 1}.feed_forward.fc1.weight")
        return float(weight.detach().std())

    for number in (1, 2):
        shrink = (2 * number) ** 0.5
        first = spread(published, number) * shrink
        assert first == pytest.approx(0.02, rel=0.1)
        first = spread(fitting, number) * shrink
        assert first == pytest.approx(width**-0.5, rel=0.1)
