"""The codex of words: nearest codes, gradients of codes, padding, and its saved form."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.nn import functional

from bm.errors import UserError
from bm.facts import DataFacts
from bm.models import build_model, load, save
from bm.models.eegdiff.codex import CodexOptions, CodexStage, WordCodex, padded_words
from bm.nn.distance_quantiser import DistanceQuantiser, nearest_by_distance

SMALL = {"layers": 2, "n_heads": 2, "forward_width": 24, "dropout": 0.0}


def codex(**changes) -> WordCodex:
    torch.manual_seed(0)
    return WordCodex(16, 6, width=12, n_codes=10, blocks={**SMALL, **changes})


def test_the_nearest_code_is_that_of_all_distances() -> None:
    generator = torch.Generator().manual_seed(0)
    vectors, codes = torch.randn(5000, 7, generator=generator), torch.randn(31, 7)
    assert torch.equal(nearest_by_distance(vectors, codes), torch.cdist(vectors, codes).argmin(1))


def test_the_gradient_of_a_code_is_the_mean_over_its_members() -> None:
    torch.manual_seed(0)
    quantiser = DistanceQuantiser(3, 2)
    with torch.no_grad():
        quantiser.weight.copy_(torch.tensor([[0.0, 5.0, 90.0], [0.0, 5.0, 90.0]]))
    vectors = torch.tensor([[0.1, 0.0], [0.3, 0.0], [5.0, 5.5]])
    output = quantiser(vectors)
    assert output.indices.tolist() == [0, 0, 1] and quantiser.counts.tolist() == [2, 1, 0]
    output.codebook_loss.backward()
    each = 2 * (output.chosen - vectors).detach() / vectors.numel()  # of a mean squared error
    expected = torch.stack([each[:2].mean(0), each[2], torch.zeros(2)], 1)
    torch.testing.assert_close(quantiser.weight.grad, expected)


@pytest.mark.parametrize("positions", ["word", "batch"])
@pytest.mark.parametrize("norm_first", [False, True])
def test_padded_words_are_the_same_with_and_without_gradient(
    positions: str, norm_first: bool
) -> None:
    """Symptom: torch's fast path of evaluation may leave zeros in the place of padded words."""
    stage = CodexStage(16, 12, CodexOptions(2, 2, 24, "gelu", norm_first, 0.0, positions)).eval()
    x, padded = torch.randn(3, 6, 16), torch.arange(6)[None] >= torch.tensor([[6], [4], [1]])
    slow = stage(x, padded)
    with torch.no_grad():
        torch.testing.assert_close(stage(x, padded), slow, atol=1e-5, rtol=1e-4)


def test_words_behind_the_last_one_change_nothing() -> None:
    model = codex().eval()
    x = torch.randn(2, 16, 6)
    x[0, :, 4:] = 0
    assert padded_words(x)[0].tolist() == [False] * 4 + [True] * 2
    assert padded_words(torch.zeros(1, 16, 3))[0].tolist() == [False, True, True]
    outputs, short = model(x), model(x[..., :4])
    torch.testing.assert_close(outputs.rebuilt[0, :4], short.rebuilt[0], atol=1e-5, rtol=1e-4)
    loss = model.losses(outputs, x)["reconstruction"]
    words = torch.cat([x[0, :, :4], x[1]], 1).T
    rebuilt = torch.cat([outputs.rebuilt[0, :4], outputs.rebuilt[1]])
    torch.testing.assert_close(loss, functional.mse_loss(rebuilt, words))


def test_it_learns_saves_and_loads(tmp_path: Path) -> None:
    section = {"name": "eegdiff_codex", "width": 12, "n_codes": 8, "blocks": SMALL}
    facts = DataFacts(tuple(f"v{i}" for i in range(16)), 1.0, 6)
    torch.manual_seed(0)
    model = build_model(section, facts)
    kinds = torch.randn(4, 16)  # four different words
    x = kinds[torch.randint(4, (32, 6))].transpose(1, 2)
    model.quantiser.start(model.code_vectors(x)[0].flatten(0, 1))
    optimiser, losses = torch.optim.Adam(model.parameters(), 1e-2), []
    for _ in range(60):
        loss = model.losses(model(x), x)["loss"]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
    assert len(model.tokens(x).unique()) > 1
    save(model, tmp_path / "m", facts)
    assert torch.equal(load(tmp_path / "m").eval().tokens(x), model.eval().tokens(x))


def test_impossible_options_are_one_line() -> None:
    with pytest.raises(UserError, match="positions"):
        codex(positions="place")
    with pytest.raises(UserError, match="blocks"):
        codex(heads=3)
    with pytest.raises(ValueError, match="n_heads=5"):
        codex(n_heads=5)
