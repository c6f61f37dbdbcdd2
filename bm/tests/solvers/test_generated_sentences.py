"""Gate of generated word maps over three seeds: each is nearest to its own sentence, of fifty."""

from __future__ import annotations

from pathlib import Path

import pytest

from .evaluated import evaluated

SEEDS = (0, 1, 2)


@pytest.mark.endurance
@pytest.mark.parametrize("seed", SEEDS)
def test_sentences_are_found_among_fifty(outputs: Path, seed: int) -> None:
    metrics = evaluated("solver=eegdiff/reading_series", f"seed={seed}")
    assert metrics["sentence_p_real"] < 0.01  # else the encoder could not say
    assert metrics["sentence_p_generated"] < 0.01 < metrics["sentence_p_shuffled"]
    assert metrics["sentence_rank_generated"] > metrics["sentence_rank_shuffled"] + 0.1


@pytest.mark.endurance
@pytest.mark.parametrize("seed", SEEDS)
def test_a_cut_text_fails_the_same_gate(outputs: Path, seed: int) -> None:
    metrics = evaluated("solver=eegdiff/reading_series", f"seed={seed}", "solver.drop_condition=1")
    assert metrics["sentence_p_real"] < 0.01 < metrics["sentence_p_generated"]
