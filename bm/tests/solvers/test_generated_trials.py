"""Gates of generated trials over three seeds: they obey, a cut condition does not.

A training is shared by the tests that ask for the same words.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from bm.engine.run import Run
from bm.metrics import generation
from bm.metrics.trial_classifier import TrialClassifier, adherence
from bm.models.eegdiff.conditioning import Condition
from bm.models.eegdiff.generation import Sampling, generate_waves, item_seeds
from bm.solvers import build
from bm.solvers.build_data import evenly_spaced
from bm.solvers.diffusion import DiffusionSolver

from .evaluated import evaluated, experiment

SEEDS = (0, 1, 2)
FLOW = "solver=eegdiff/motor_strong_flow"
N = 120  # trials, of four classes


class Trained:
    """A trained model of trials with the windows that it is compared with."""

    def __init__(self, *words: str) -> None:
        evaluated(*words)
        xp = experiment(words)
        with xp.enter():
            solver = build(xp.cfg)
            Run(solver).open_best()
            assert isinstance(solver, DiffusionSolver)
            rows = {split: solver.data.rows(split) for split in ("train", "test")}
            labels = solver.data.table["label"].to_numpy(int)
            self.train, self.test = (solver.real(chosen) for chosen in rows.values())
            self.train_labels, self.test_labels = (labels[chosen] for chosen in rows.values())
        self.model, self.rate_hz = solver.model, solver.data.facts.rate_hz

    def waves(self, labels: np.ndarray | None, sampling: Sampling, n: int = N) -> np.ndarray:
        """Generate trials of classes; None = of none that was asked for."""
        condition = Condition(None if labels is None else torch.from_numpy(labels))
        waves = generate_waves(self.model, item_seeds(5, n), sampling, condition)
        return waves.double().numpy()

    def some(self, windows: np.ndarray, n: int) -> generation.Described:
        """Describe n windows, evenly spaced: the first ones are of one person."""
        chosen = windows[evenly_spaced(np.arange(len(windows)), n)]
        return generation.describe(chosen, self.rate_hz)

    def obeys(self, labels: np.ndarray, waves: np.ndarray) -> dict[str, float]:
        """Return the metrics of adherence of generated trials."""
        classifier = TrialClassifier(self.train, self.train_labels, self.rate_hz)
        real = (self.test_labels, classifier.predict(self.test))
        return adherence(real, (labels, classifier.predict(waves)), 0)


@pytest.fixture(scope="module")
def flows(outputs: Path) -> dict[int, Trained]:
    return {seed: Trained(FLOW, f"seed={seed}") for seed in SEEDS}


def keeps_the_gate(metrics: dict[str, float]) -> bool:
    return metrics["class_adherence"] >= 0.8 and metrics["class_p"] < 0.01


@pytest.mark.endurance
@pytest.mark.parametrize("seed", SEEDS)
def test_trials_are_of_the_class_that_was_asked_for(outputs: Path, seed: int) -> None:
    metrics = evaluated(FLOW, f"seed={seed}")
    assert metrics["class_accuracy_real"] > 0.8  # else the classifier could not say
    assert keeps_the_gate(metrics), metrics
    assert metrics["max_train_correlation_max"] < 0.95


@pytest.mark.endurance
@pytest.mark.parametrize("seed", SEEDS)
def test_a_cut_condition_fails_the_same_gate(outputs: Path, seed: int) -> None:
    """The class was withheld in training: nothing but the noise can tell classes apart."""
    metrics = evaluated(FLOW, f"seed={seed}", "solver.drop_condition=1")
    assert metrics["class_adherence"] < 0.8 and metrics["class_p"] > 0.01


@pytest.mark.endurance
@pytest.mark.parametrize("seed", SEEDS)
def test_a_trained_model_that_is_not_told_or_told_wrongly_fails_it(
    flows: dict[int, Trained], seed: int
) -> None:
    trained, labels = flows[seed], np.arange(N) % 4
    sampling = Sampling("heun", 20, guidance=2.0)
    cut = trained.obeys(labels, trained.waves(None, Sampling("heun", 20)))
    wrong = np.random.default_rng(seed).permutation(labels)
    shuffled = trained.obeys(labels, trained.waves(wrong, sampling))
    told = trained.obeys(labels, trained.waves(labels, sampling))
    assert keeps_the_gate(told)
    assert cut["class_adherence"] < 0.8 and shuffled["class_adherence"] < 0.8


@pytest.mark.endurance
@pytest.mark.parametrize("seed", SEEDS)
def test_a_copy_among_generated_trials_is_caught(flows: dict[int, Trained], seed: int) -> None:
    trained = flows[seed]
    waves = trained.waves(np.arange(N) % 4, Sampling("heun", 20))
    train, test = (trained.some(x, N) for x in (trained.train, trained.test))

    def copies(generated: np.ndarray) -> dict[str, float]:
        return generation.copy_metrics(train, test, generation.describe(generated, trained.rate_hz))

    rng = np.random.default_rng(seed)
    honest = copies(waves)
    assert honest["max_train_correlation_max"] < 0.95 and honest["data_copying_z"] > -3
    planted = waves.copy()
    # shifted by 5 samples, and noise of a fifth of its sd: no test of equality would see it
    planted[7, :, :-5] = train.waves[11, :, 5:]
    planted[7] += 0.2 * planted[7].std() * rng.standard_normal(planted[7].shape)
    assert copies(planted)["max_train_correlation_max"] > 0.95
    # a model that has learned its training trials by heart
    noise = 0.2 * train.waves.std() * rng.standard_normal(train.waves.shape)
    by_heart = copies(train.waves + noise)
    assert by_heart["copies"] > 0.95 and by_heart["data_copying_z"] < -3


def test_a_planted_copy_is_caught() -> None:
    rng = np.random.default_rng(0)
    train, test, generated = (rng.normal(0, 10, (20, 3, 250)) for _ in range(3))
    honest = [generation.describe(x, 125.0) for x in (train, test)]
    clean = generation.copy_metrics(honest[0], honest[1], generation.describe(generated, 125.0))
    assert clean["max_train_correlation_max"] < 0.6
    generated[4, :, :-7] = train[11, :, 7:]  # shifted, and with a little noise
    generated[4] += rng.normal(0, 1, (3, 250))
    copied = generation.copy_metrics(honest[0], honest[1], generation.describe(generated, 125.0))
    assert copied["max_train_correlation_max"] > 0.95


@pytest.mark.endurance
@pytest.mark.parametrize("seed", SEEDS)
def test_straight_paths_need_a_fiftieth_of_the_evaluations(outputs: Path, seed: int) -> None:
    """20 of them are no worse than 1000 steps of DDPM, beyond what 24 windows of noise allow."""
    few = (f"seed={seed}", "solver.n_evaluation=24", "generate.n=1")
    flow = evaluated("solver=eegdiff/motor_flow", *few)
    chain = evaluated("solver=eegdiff/motor", "generate.steps=1000", *few)
    for name in ("log_spectral_distance_db", "riemann_distance_of_logeuclidean_means"):
        assert flow[name] < 1.15 * chain[name], name
