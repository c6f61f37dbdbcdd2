"""Classes and values: losses, metrics, what is refused; freezing; what a model is given."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn import metrics as reference
from torch import nn

from bm.engine.optim import peak_rate
from bm.engine.schedule import Schedule
from bm.errors import UserError
from bm.facts import DataFacts
from bm.metrics.codebook import code_guess
from bm.metrics.reconstruction import correlation
from bm.metrics.values import value_metrics
from bm.models.baselines.conformer import EEGConformer
from bm.models.labram.classifier import LaBraM
from bm.solvers.model_inputs import input_names
from bm.solvers.supervised.solver import SupervisedSolver
from bm.solvers.supervised.tasks import TASKS, Classes, Values
from bm.solvers.supervised.tuning import freeze
from bm.tests.processes import in_two_processes

FACTS = DataFacts(("CZ", "PZ"), 200.0, 400, classes=("normal", "abnormal"), simulated=True)
THREE = DataFacts(("CZ", "PZ"), 200.0, 400, classes=("u", "v", "w"), simulated=True)
SMALL = {"width": 100, "depth": 3, "n_heads": 5, "n_filters": 4, "drop_path": 0.5}


def windows(labels, splits, facts=FACTS, **columns):
    table = pd.DataFrame({"label": labels, "split": splits, **columns})
    for name in ("recording", "study", "subject", "session", "run", "start_s"):
        table[name] = 0
    return SimpleNamespace(table=table, facts=facts)


def classes(labels=(0, 1, 0, 1), splits=("train", "train", "valid", "valid"), smoothing=0.1):
    return Classes(windows(labels, splits), {"label_smoothing": smoothing})


def test_one_logit_is_two_classes() -> None:
    logits, labels = torch.tensor([[2.0], [-1.0], [0.5]]), torch.tensor([1, 0, 0])
    losses = classes().losses(logits, labels, training=True)
    p = torch.sigmoid(logits[:, 0])
    expected = -torch.log(torch.stack([p[0], 1 - p[1], 1 - p[2]])).mean()
    assert losses["loss"].item() == pytest.approx(expected.item())
    assert losses["accuracy"].item() == pytest.approx(2 / 3)
    probs = classes().probabilities(logits.numpy())
    np.testing.assert_allclose(probs[:, 1], p, rtol=1e-6)
    np.testing.assert_allclose(probs.sum(1), 1)


def test_sigmoids_may_be_taken_for_logits() -> None:
    """The published loss of Du-IN, with the probabilities that its cross entropies are of."""
    data = windows((0, 1, 2, 1), ("train", "train", "valid", "valid"), THREE)
    options = {"label_smoothing": 0.0, "cls_loss": "sigmoid_ce"}
    task = TASKS.get("classes")(data, options)
    logits, labels = torch.tensor([[2.0, -1.0, 0.0], [0.0, 3.0, 1.0]]), torch.tensor([0, 1])
    expected = nn.functional.cross_entropy(logits.sigmoid(), labels)
    assert task.losses(logits, labels, True)["loss"] == expected
    scores = logits.sigmoid()
    np.testing.assert_allclose(task.probabilities(logits.numpy()), scores / scores.sum(1)[:, None])
    torch.testing.assert_close(
        task.scores(logits, labels), (scores / scores.sum(1)[:, None]).log()[[0, 1], labels]
    )
    plain = TASKS.get("classes")(data, {"label_smoothing": 0.0})
    assert plain.losses(logits, labels, True)["loss"] == nn.functional.cross_entropy(logits, labels)
    with pytest.raises(UserError, match="one output"):
        task.probabilities(np.zeros((2, 1)))
    with pytest.raises(UserError, match=r"cls_loss 'sigmoid'"):
        TASKS.get("classes")(data, {**options, "cls_loss": "sigmoid"})


def test_labels_are_smoothed_in_training_only() -> None:
    logits, labels = torch.tensor([[3.0, 0.0], [0.0, 2.0]]), torch.tensor([0, 1])
    task = classes()
    plain = nn.functional.cross_entropy(logits, labels)
    assert task.losses(logits, labels, training=False)["loss"] == plain
    log = torch.log_softmax(logits, 1)
    smoothed = 0.9 * plain - 0.1 * log.mean()
    assert task.losses(logits, labels, True)["loss"].item() == pytest.approx(smoothed.item())


def test_metrics_of_a_split_of_one_class_are_defined() -> None:
    """Fault 21: kappa of a batch of one class was NaN; ranking needs both classes."""
    metrics = classes().metrics(np.array([[2.0, 0.0], [1.0, 0.0]]), np.array([0, 0]))
    assert metrics["accuracy"] == 1 and metrics["kappa"] == 0 and "auroc" not in metrics


@pytest.mark.parametrize("metric", ["auroc", "auc_pr"])
def test_a_ranking_needs_both_classes_in_the_valid_split(metric) -> None:
    classes().check(metric)
    one = classes(labels=(0, 1, 1, 1))
    one.check("kappa")
    with pytest.raises(UserError, match="split valid, which has 1"):
        one.check(metric)


def test_two_processes_judge_the_whole_split(tmp_path) -> None:
    """Fault 3: each process judged its own part, and the first one's was reported."""
    rng = np.random.default_rng(0)
    logits, labels = torch.tensor(rng.normal(size=(31, 2))), torch.tensor(rng.integers(0, 2, 31))

    def worker(rank):
        solver = object.__new__(SupervisedSolver)
        solver.task = classes()
        solver.valid_outputs = [(logits[rank::2], labels[rank::2])]
        return solver.epoch_metrics("valid")

    metrics = in_two_processes(tmp_path, worker)
    assert metrics[0] == metrics[1]
    probs = torch.softmax(logits, 1).numpy()
    assert metrics[0]["auroc"] == pytest.approx(reference.roc_auc_score(labels, probs[:, 1]))
    assert metrics[0]["kappa"] == pytest.approx(
        reference.cohen_kappa_score(labels, probs.argmax(1))
    )


def test_value_metrics_are_the_reference() -> None:
    rng = np.random.default_rng(0)
    wanted = rng.normal(size=(50, 3)) * [1, 5, 0.2]
    predictions = wanted + rng.normal(size=wanted.shape) * 0.5
    ours = value_metrics(predictions, wanted)
    assert ours["r2"] == pytest.approx(reference.r2_score(wanted, predictions))
    pairs = [np.corrcoef(predictions[:, i], wanted[:, i])[0, 1] for i in range(3)]
    assert ours["pearson"] == pytest.approx(np.mean(pairs))
    roots = np.sqrt(np.mean((predictions - wanted) ** 2, axis=0))
    assert ours["rmse"] == pytest.approx(roots.mean())


def test_values_that_do_not_vary_are_left_out() -> None:
    wanted = np.stack([np.arange(5.0), np.ones(5)], 1)
    assert value_metrics(wanted, wanted)["r2"] == 1 and value_metrics(wanted, wanted)["rmse"] == 0
    assert np.isnan(value_metrics(wanted[:, 1:], wanted[:, 1:])["r2"])
    assert value_metrics(np.zeros((5, 1)), wanted[:, :1])["pearson"] == 0


def test_chance_of_values_is_the_mean_of_training() -> None:
    facts = DataFacts(("CZ",), 200.0, 400, values=("knee",))
    columns = {"value_knee": [1.0, 3.0, 2.0, 4.0]}
    task = Values(windows([-1] * 4, ["train"] * 2 + ["test"] * 2, facts, **columns), {})
    evaluation = task.evaluation("test", np.array([2, 3]), np.array([[2.5], [3.5]]))
    assert evaluation.metrics["rmse"] == 0.5 and evaluation.metrics["r2"] == pytest.approx(0.75)
    assert evaluation.chance["rmse"] == pytest.approx(np.sqrt(2))  # against 2, the mean of 1 and 3
    assert evaluation.items["predicted_knee"].tolist() == [2.5, 3.5]
    with pytest.raises(UserError, match="gives 2 outputs for 1 values"):
        task.losses(torch.zeros(3, 2), torch.zeros(3, 1), True)


@pytest.mark.parametrize(
    ("blocks", "trained"),
    [
        (0, {"head"}),
        (1, {"head", "fc_norm", "blocks.2"}),
        (3, {"head", "fc_norm", "blocks.0", "blocks.1", "blocks.2"}),
    ],
)
def test_what_is_tuned(blocks, trained) -> None:
    model = LaBraM(2, SMALL, ["CZ", "PZ"])
    freeze(model, blocks)
    names = {
        name.split(".")[0] + ("." + name.split(".")[1] if name.startswith("blocks") else "")
        for name, parameter in model.named_parameters()
        if parameter.requires_grad
    }
    assert names == trained


def test_what_is_frozen_draws_no_dropout() -> None:
    torch.manual_seed(0)
    model, x = LaBraM(2, SMALL, ["CZ", "PZ"]), 50 * torch.randn(4, 2, 400)
    nn.init.normal_(model.head.weight)
    frozen = freeze(model.train(), 0)
    assert not torch.equal(model(x), model(x))  # drop path draws
    for part in frozen:
        part.eval()
    assert torch.equal(model(x), model(x)) and model.head.training


def test_freezing_nothing_and_too_much() -> None:
    model = LaBraM(2, SMALL, ["CZ", "PZ"])
    assert freeze(model, None) == [] and all(p.requires_grad for p in model.parameters())
    with pytest.raises(UserError, match="use 0 to 3"):
        freeze(model, 4)
    with pytest.raises(UserError, match="Linear has no numbered blocks"):
        freeze(nn.Linear(2, 2), 0)


def test_a_model_is_given_what_it_asks_for() -> None:
    assert input_names(LaBraM(2, SMALL, ["CZ"])) == ("channel_ids",)
    assert input_names(EEGConformer(2, 400, 2, 200.0)) == ()


def test_rate_grows_with_the_batch_when_asked() -> None:
    optim = {"lr": 5e-5, "batch_size": 512, "accumulate": 2, "lr_batch": None}
    assert peak_rate(optim) == 5e-5
    assert peak_rate({**optim, "lr_batch": 128}) == pytest.approx(4e-4)  # labram.md 7.3


def test_warm_up_by_steps_without_warm_up_epochs() -> None:
    """Fault 17: steps counted only where epochs were given too."""
    config = {"name": "cosine", "warmup_epochs": 0, "warmup_steps": 5, "warmup_form": "inclusive"}
    schedule = Schedule({**config, "min_lr": 0.0}, 1.0, 2, 10)
    assert [schedule.at(i) for i in range(6)] == pytest.approx([0, 0.25, 0.5, 0.75, 1, 1])


def test_correlation_of_items() -> None:
    rng = torch.Generator().manual_seed(0)
    one = torch.randn(4, 3, 5, generator=rng)
    other = torch.randn(4, 3, 5, generator=rng)
    correlations = correlation(one, other)
    for i in range(4):
        pair = np.corrcoef(one[i].flatten(), other[i].flatten())[0, 1]
        assert correlations[i].item() == pytest.approx(pair, abs=1e-6)
    assert correlation(one, 2 * one + 1).tolist() == pytest.approx([1.0] * 4)
    assert correlation(one, torch.ones_like(one)).tolist() == [0.0] * 4


def test_guess_of_codes() -> None:
    guess = code_guess(torch.tensor([3.0, 1.0, 0.0]))
    entropy = -(0.75 * np.log(0.75) + 0.25 * np.log(0.25))
    assert guess == {"accuracy": 0.75, "loss": pytest.approx(entropy)}
    assert code_guess(torch.zeros(3)) == {"accuracy": 0.0, "loss": 0.0}


def test_conformer_has_the_published_tokens_and_learns() -> None:
    torch.manual_seed(0)
    model = EEGConformer(22, 1000, 4, 250.0, depth=1)
    assert model(torch.zeros(2, 22, 1000)).shape == (2, 4)
    tokens = model.tokens(torch.zeros(2, 1, 22, 1000))
    assert tokens.shape == (2, 40, 1, 61)  # 61 tokens of 40: Song et al. 2023, Table I
    small = EEGConformer(2, 100, 2, 100.0, 20, depth=1, dropout=0.0, last_dropout=0.0)
    x = torch.randn(32, 2, 100)
    labels = (torch.arange(32) % 2).long()
    x[labels == 1] *= 3
    optimizer = torch.optim.Adam(small.parameters(), 3e-3)
    for _ in range(15):
        loss = nn.functional.cross_entropy(small(x), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 0.4
    with pytest.raises(UserError, match="shorter than its kernels"):
        EEGConformer(2, 30, 2, 100.0)
