"""Gates of generated word maps over three seeds: of their own sentence, and as long as it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from bm.engine.run import Run
from bm.models.eegdiff.conditioning import Condition
from bm.models.eegdiff.generation import Sampling
from bm.solvers import build
from bm.solvers.diffusion_maps import MapDiffusionSolver

from .evaluated import evaluated, experiment

SEEDS = (0, 1, 2)
ENDS = "solver=eegdiff/reading_ends"
N = 80  # sentences


@pytest.mark.endurance
@pytest.mark.parametrize("seed", SEEDS)
def test_sentences_are_found_among_fifty(outputs: Path, seed: int) -> None:
    metrics = evaluated(ENDS, f"seed={seed}")
    assert metrics["sentence_p_real"] < 0.01  # else the encoder could not say
    assert metrics["sentence_p_generated"] < 0.01 < metrics["sentence_p_shuffled"]
    assert metrics["sentence_rank_generated"] > metrics["sentence_rank_shuffled"] + 0.1


@pytest.mark.endurance
@pytest.mark.parametrize("seed", SEEDS)
def test_a_cut_text_fails_the_same_gates(outputs: Path, seed: int) -> None:
    metrics = evaluated(ENDS, f"seed={seed}", "solver.drop_condition=1")
    assert metrics["sentence_p_real"] < 0.01 < metrics["sentence_p_generated"]
    assert metrics["length_spearman"] < 0.3 and metrics["length_p"] > 0.01


@pytest.mark.endurance
@pytest.mark.parametrize("seed", SEEDS)
def test_maps_end_where_their_sentence_ends(outputs: Path, seed: int) -> None:
    metrics = evaluated(ENDS, f"seed={seed}")
    assert metrics["length_spearman"] > 0.9 and metrics["length_p"] < 0.01
    assert metrics["length_error_words"] < 0.5


@pytest.mark.endurance
@pytest.mark.parametrize("seed", SEEDS)
def test_maps_of_another_sentence_end_where_that_ends(outputs: Path, seed: int) -> None:
    words = (ENDS, f"seed={seed}")
    evaluated(*words)
    xp = experiment(words)
    with xp.enter():
        solver = build(xp.cfg)
        Run(solver).open_best()
        assert isinstance(solver, MapDiffusionSolver) and solver.texts is not None
        rows = solver.data.rows("test")[:N]
        order = np.random.default_rng(seed).permutation(len(rows))
        text, mask = solver.texts.of(torch.from_numpy(rows[order]))
        sampling = Sampling("midpoint", 20, guidance=2.0)
        images = solver.sampled(
            list(range(len(rows))), sampling, Condition(text=text, text_mask=mask)
        )
        lengths = solver.maps.lengths(images).numpy()
        real = solver.real_images(rows)[1].sum(1)
    assert spearmanr(lengths, real[order]).statistic > 0.9
    assert abs(spearmanr(lengths, real).statistic) < 0.3
