"""Use of a codebook by hand: no code, one, some, all."""

from __future__ import annotations

import math

import pytest
import torch
from scipy import stats

from bm.metrics.codebook import code_guess, codebook_usage


def test_use_by_hand() -> None:
    usage = codebook_usage(torch.tensor([2, 0, 1, 1]))
    entropy = 0.5 * math.log(2) + 2 * 0.25 * math.log(4)
    assert usage == {
        "unused_codes": 1.0, "usage": 0.75, "perplexity": pytest.approx(math.exp(entropy))
    }  # fmt: skip


def test_the_ends() -> None:
    assert codebook_usage(torch.full((8,), 3))["perplexity"] == pytest.approx(8)
    assert codebook_usage(torch.tensor([0, 9, 0]))["perplexity"] == pytest.approx(1)
    nothing = codebook_usage(torch.zeros(5))
    assert nothing == {"unused_codes": 5.0, "usage": 0.0, "perplexity": 0.0}


def test_averages_of_counts_are_no_integers() -> None:
    counts = torch.tensor([1e-4, 2.5, 0.0, 7.5])
    expected = math.exp(stats.entropy(counts.double().numpy()))
    assert codebook_usage(counts)["perplexity"] == pytest.approx(expected)


def test_a_guess_names_the_most_frequent_code() -> None:
    guess = code_guess(torch.tensor([6, 3, 0, 1]))
    assert guess["accuracy"] == pytest.approx(0.6)
    assert guess["loss"] == pytest.approx(stats.entropy([0.6, 0.3, 0.1]))
    assert code_guess(torch.zeros(4)) == {"accuracy": 0.0, "loss": 0.0}


def test_no_guess_without_signal_beats_it() -> None:
    counts = torch.tensor([5, 3, 2])
    codes = torch.repeat_interleave(torch.arange(3), counts)
    guess = code_guess(counts)
    for constant in range(3):
        assert (codes == constant).double().mean() <= guess["accuracy"]
    logits = (counts / counts.sum()).log().expand(10, -1)
    loss = torch.nn.functional.cross_entropy(logits, codes)
    assert float(loss) == pytest.approx(guess["loss"], rel=1e-6)
