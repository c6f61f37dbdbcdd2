"""Tokenizer, masked model and fine-tuning as one chain, on simulated caps of three kinds."""

from __future__ import annotations

import itertools
import json
import os
import signal
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor

from bm.data.batch import Batch
from bm.engine.logger import Logger
from bm.engine.run import Run
from bm.errors import UserError
from bm.models import load
from bm.nn.electrodes import position_row
from bm.solvers import build, neighbour_reference
from bm.solvers.supervised.solver import SupervisedSolver
from grids.labram._explorer import LabramExplorer

from ..engine import toy
from ..experiments import history_of, opened, run
from ..processes import forked

pytestmark = pytest.mark.story


@pytest.fixture(scope="module")
def chain(tmp_path_factory) -> SimpleNamespace:
    folder = tmp_path_factory.mktemp("chain")
    tokenizer = run(folder, "solver=labram/debug_tokenizer")
    address = f"tokenizer=//sig/{tokenizer.xp.sig}"
    masked = run(folder, "solver=labram/debug_pretrain", address)
    tuned = run(folder, "solver=labram/debug", f"init_from=//sig/{masked.xp.sig}")
    return SimpleNamespace(
        folder=folder, address=address, tokenizer=tokenizer, masked=masked, tuned=tuned
    )


def test_every_stage_leaves_what_its_table_needs(chain) -> None:
    codes = {"loss", "usage", "perplexity"}
    columns = {
        chain.tokenizer: {"valid": codes, "test": {"amplitude_correlation"}},
        chain.masked: {"valid": {"loss", "accuracy"}, "test": {"accuracy"}},
        chain.tuned: {"valid": {"auroc", "kappa"}, "test": {"balanced_accuracy", "auroc", "kappa"}},
    }  # fmt: skip
    for solver, wanted in columns.items():
        last = history_of(solver)[-1]
        for stage, names in wanted.items():
            assert names <= set(last[stage]) & set(LabramExplorer.columns[stage])
        assert (solver.folder / "best/model.safetensors").exists()
        stored = json.loads((solver.folder / "evaluation.json").read_text())
        assert stored["simulated"] and stored["chance"]
    drawn = {p.name for p in (chain.tokenizer.folder / "figures").iterdir()}
    assert drawn == {"curves.svg", "codes.svg", "electrodes.svg", "reconstruction_0006.svg"}


def test_the_tokenizer_learns_spectra_through_its_codes(chain) -> None:
    history = history_of(chain.tokenizer)
    first, last = history[0]["valid"], history[-1]["valid"]
    assert last["amplitude"] < 0.75 * first["amplitude"]
    assert last["amplitude_correlation"] > first["amplitude_correlation"] + 0.1
    # the codebook has not collapsed, and no code was dead at the start
    assert last["perplexity"] > 8 and history[0]["train"]["unused_codes"] == 0
    total = last["quantiser"] + last["amplitude"] + last["phase"]
    assert last["loss"] == pytest.approx(total, rel=1e-5)


def test_validation_is_the_mean_over_all_windows_of_all_caps(chain) -> None:
    """Fault 16 of the original: only the last batch of each group was counted."""
    solver = chain.tokenizer
    solver.model.eval()
    sums, count, shapes = 0.0, 0, set()
    for row in solver.data.rows("train"):  # caps of three sizes
        batch = solver.data.gather([row])
        with torch.no_grad():
            output = solver.model(batch.signal, batch.channel_ids[0])
            sums += float(solver.model.losses(output, batch.signal)["loss"])
        count += 1
        shapes.add(tuple(batch.signal.shape[1:]))
    assert len(shapes) == 3 and all(c * t <= 64 * 200 for c, t in shapes)
    solver.run.loaders["valid"] = solver.data.loader("train", 8)
    reported = solver.run.stage_metrics("valid")["loss"]
    # group statistics of the patch embedding are of one window, so batches do not matter
    assert reported == pytest.approx(sums / count, rel=1e-4)


def test_caps_follow_one_another_within_an_epoch(chain) -> None:
    """Fault 12: groups of files were visited one after the other."""
    loader = chain.tokenizer.data.loader("train", 4, shuffle=True)
    loader.set_epoch(0)
    sizes = [batch.signal.shape[1] for batch in loader]
    changes = sum(a != b for a, b in itertools.pairwise(sizes))
    assert len(set(sizes)) == 3 and changes > 4


def test_channels_of_every_cap_find_their_rows(chain) -> None:
    data, model = chain.tokenizer.data, chain.tokenizer.model
    assert len(data.facts.vocabulary) > max(len(s.channels) for s in data.signals)
    for row in data.rows("train"):
        batch = data.gather([row])
        names = data.signals[int(batch.recording[0])].channels
        rows = model.encoder.rows[batch.channel_ids[0]]
        assert rows.tolist() == [position_row(name) for name in names]


def test_the_frozen_tokenizer_stays_as_it_was(chain) -> None:
    """Fault 15: counts of the frozen tokenizer changed in stage 2."""
    saved = chain.tokenizer.model.state_dict()
    used = chain.masked.tokenizer.state_dict()
    best = {k: v for k, v in used.items() if k not in ("encoder.rows", "decoder.rows")}
    from bm.models import load

    original = load(chain.tokenizer.folder / "best").state_dict()
    assert toy.same(dict(best), dict(original)) and set(best) == set(saved)
    assert not any(p.requires_grad for p in chain.masked.tokenizer.parameters())
    state = torch.load(chain.masked.folder / "checkpoint.pt", weights_only=True)["state"]
    assert not any("quantiser" in name for name in state["model"])


def test_masked_model_learns_and_knows_its_chance(chain) -> None:
    history = history_of(chain.masked)
    assert history[-1]["valid"]["loss"] < history[0]["valid"]["loss"]
    test = history[-1]["test"]
    # the best guess without a signal: frequencies of the codes
    assert 0 < test["chance_accuracy"] < 1
    assert test["chance_loss_masked"] == pytest.approx(np.log(test["target_perplexity"]), rel=1e-6)


def test_masked_codes_have_naive_bayes_over_neighbours_beside_them(chain) -> None:
    """Codes, masks and windows of the reference are those that the network is tested on."""
    stored = json.loads((chain.masked.folder / "evaluation.json").read_text())
    values = stored["extra"]["references"][neighbour_reference.NAME]
    hits: dict[str, list[float]] = {"accuracy_masked": [], "accuracy_complement": []}
    solver = chain.masked
    for row in solver.data.rows("test"):  # one window at a time: three caps
        batch = solver.data.gather([row])
        with torch.no_grad():
            codes = solver.tokenizer.tokens(batch.signal, batch.channel_ids[0])
        hidden = solver._mask(batch, codes.shape[1], "test").numpy()
        shape = (1, batch.signal.shape[1], -1)
        guess = solver.neighbours.guess(codes.numpy().reshape(shape), hidden.reshape(shape))
        right = guess.reshape(codes.shape) == codes.numpy()
        hits["accuracy_masked"].append(right[hidden].mean())
        hits["accuracy_complement"].append(right[~hidden].mean())
    means = {name: float(np.mean(values)) for name, values in hits.items()}
    assert values == pytest.approx({"accuracy": np.mean(list(means.values())), **means})
    counted = int(solver.neighbours.frequency.sum())  # of training windows alone
    samples = (len(solver.data.gather([r]).signal[0]) * solver.data.table["length"][r]
               for r in solver.data.rows("train"))  # fmt: skip
    assert counted == sum(samples) // 200


def test_finished_stages_are_evaluated_again_alike(chain) -> None:
    """Faults 6 and 7: evaluation apart from training did not work."""
    for solver in (chain.tokenizer, chain.masked, chain.tuned):
        stored = json.loads((solver.folder / "evaluation.json").read_text())
        with opened(chain.folder, *solver.xp.argv) as xp:
            again = Run(build(xp.cfg)).reevaluate("test")
        assert again.metrics == pytest.approx(stored["metrics"], rel=1e-6)
        assert again.chance == pytest.approx(stored["chance"], rel=1e-6)


def test_the_tokenizer_trains_without_validation(chain, tmp_path) -> None:
    """Fault 6: stage 1 could not do without its evaluation."""
    ratios = "dset.split.ratios={train: 0.8, valid: 0.0, test: 0.2}"
    few = ("optim.epochs=1", "optim.max_batches=2", "log.figures=false")
    solver = run(tmp_path, "solver=labram/debug_tokenizer", ratios, *few)
    (entry,) = history_of(solver)
    assert set(entry) == {"train", "perf", "test"} and entry["test"]["perplexity"] > 1
    assert entry["train"]["usage"] > 0 and (solver.folder / "best/model.safetensors").exists()


@pytest.mark.parametrize("blocks", [0, 1])
def test_only_the_last_blocks_or_the_head_move(chain, blocks, monkeypatch) -> None:
    """Fault 11: a partial or empty load was silent. All that is not tuned is the masked model's."""
    address = f"init_from=//sig/{chain.masked.xp.sig}"
    options = [f"solver.tune_blocks={blocks}", "optim.layer_decay=1", "optim.epochs=1"]
    modes = []  # of training steps: whether parts are in training mode
    outputs = SupervisedSolver.outputs

    def spy(solver: SupervisedSolver, batch: Batch) -> Tensor:
        parts = dict(solver.model.named_children()) | {"last": solver.model.blocks[1]}
        if torch.is_grad_enabled():
            modes.append({name: parts[name].training for name in ("patch_embed", "last", "head")})
        return outputs(solver, batch)

    monkeypatch.setattr(SupervisedSolver, "outputs", spy)
    solver = run(chain.folder, "solver=labram/debug", address, *options)
    assert modes
    for mode in modes:  # what is frozen draws no dropout
        assert mode == {"patch_embed": False, "last": bool(blocks), "head": True}
    start = chain.masked
    student = load(start.folder / "best").student.state_dict()
    moved = {
        name.split(".")[0] + ("." + name.split(".")[1] if name.startswith("blocks") else "")
        for name, tensor in solver.model.state_dict().items()
        if name in student and not torch.equal(tensor, student[name])
    }
    assert moved == ({"blocks.1"} if blocks else set())


@pytest.mark.endurance
def test_killed_and_continued_is_the_same(chain, tmp_path, monkeypatch) -> None:
    """Fault 1: after a resume the original always continues at epoch 1."""
    argv = ("solver=labram/debug_tokenizer", "optim.epochs=2", "checkpoint.every_steps=2",
            "log.figures=false")  # fmt: skip
    whole = run(tmp_path / "whole", *argv)
    n_steps = whole.progress.step
    for at in (1, n_steps - 3):
        folder = tmp_path / f"killed{at}"

        def die(folder=folder, at=at):
            with opened(folder, *argv) as xp:
                solver = build(xp.cfg)
                step = solver.step

                def deadly(batch, stage):
                    if stage == "train" and solver.progress.step == at:
                        os.kill(os.getpid(), signal.SIGKILL)
                    return step(batch, stage)

                monkeypatch.setattr(solver, "step", deadly)
                Run(solver).train()

        _, status = os.waitpid(forked(die), 0)
        assert os.WIFSIGNALED(status)
        again = run(folder, *argv)
        states = [
            torch.load(s.folder / "checkpoint.pt", weights_only=True)["state"]
            for s in (whole, again)
        ]
        assert toy.same(*states)
        for one, other in zip(history_of(whole), history_of(again), strict=True):
            assert {k: v for k, v in one.items() if k != "perf"} == {
                k: v for k, v in other.items() if k != "perf"
            }


def test_codebook_starts_from_as_many_windows_as_it_has_codes(chain, tmp_path) -> None:
    solver = run(tmp_path, "solver=labram/debug_tokenizer", "model.n_codes=700", "optim.epochs=1",
                 "optim.batch_size=2", "optim.max_batches=1", "log.figures=false")  # fmt: skip
    codes = solver.model.quantiser.codebook
    assert len(torch.unique(codes.round(decimals=6), dim=0)) > 650


def values_of(solver, batch) -> list[Tensor]:
    return [solver._mask(batch, 32, stage) for stage in ("valid", "valid", "train", "train")]


def test_masks_of_evaluation_depend_on_the_item_alone(chain) -> None:
    solver = chain.masked
    rows = solver.data.rows("valid")[:3].tolist()
    one, again, train, other = values_of(solver, solver.data.gather(rows))
    assert torch.equal(one, again) and not torch.equal(train, other)
    assert len(torch.unique(one, dim=0)) == len(rows)  # each item has one of its own
    assert torch.equal(solver._mask(solver.data.gather(rows[1:]), 32, "test"), one[1:])
    assert (one.sum(1) == 16).all()


@pytest.mark.endurance
@pytest.mark.parametrize(
    ("options", "outputs"),
    [
        (("solver.target=embeddings", "model.n_codes=16"), 16),
        (("solver.target=patches", "model.n_codes=200"), 200),
        (("solver.target=spectrum", "model.n_codes=200", "solver.symmetric=false"), 200),
        (("solver.halves=mean", "solver.mask_ratio=0.4"), 64),
    ],
)
def test_other_targets_are_learnt_too(chain, options, outputs) -> None:
    few = ("optim.epochs=2", "log.figures=false")
    solver = run(chain.folder, "solver=labram/debug_pretrain", chain.address, *options, *few)
    losses = [entry["train"]["loss"] for entry in history_of(solver)]
    assert losses[1] < losses[0] and solver.model.lm_head.out_features == outputs


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("solver=labram/debug_pretrain",), "no tokenizer; set tokenizer="),
        (("solver=labram/debug_pretrain", "ADDRESS", "model.n_codes=32"), "set model.n_codes=64"),
        (("solver=labram/debug_pretrain", "ADDRESS", "solver.target=code"), "did you mean 'codes'"),
        (("solver=labram/debug_tokenizer", "dset.scale.kind=zscore"), "dset.scale.kind=none"),
        (("solver=labram/debug_tokenizer", "dset.segment.max_tokens=20"), "has 21 channels|has 32"),
        (("solver=labram/debug", "model=baselines/eegnet"), "needs one channel set"),
        (("solver=labram/debug", "solver.tune_blocks=3"), "has 2 blocks"),
        (("solver=labram/debug", "solver.task=values"), "dset.segment.values"),
    ],
)
def test_mistakes_are_one_line(chain, argv, message) -> None:
    argv = [chain.address if a == "ADDRESS" else a for a in argv]
    with pytest.raises(UserError, match=message):
        run(chain.folder, *argv)


def test_values_are_decoded_from_windows(chain) -> None:
    solver = run(
        chain.folder, "solver=labram/debug", "solver.task=values", "+dset.segment.values=[label]",
        "dset.segment.label=null", "best.metric=r2", "optim.epochs=1",
    )  # fmt: skip
    last = history_of(solver)[-1]
    assert {"r2", "pearson", "rmse"} <= set(last["valid"]) & set(last["test"])
    assert last["test"]["chance_pearson"] == 0 and last["test"]["chance_rmse"] > 0.4
    assert (solver.folder / "figures/values.svg").exists()
    import pandas as pd

    items = pd.read_parquet(solver.folder / "items.parquet")
    error = items["predicted_label"] - items["true_label"]
    assert np.sqrt((error**2).mean()) == pytest.approx(last["test"]["rmse"])


@pytest.mark.parametrize("key", ["init_from", "tokenizer"])
def test_stages_of_other_rates_do_not_follow_one_another(chain, key) -> None:
    """A patch of 200 samples at 100 Hz is not the second that was learnt."""
    recipe = {"init_from": "debug", "tokenizer": "debug_pretrain"}[key]
    before = {"init_from": chain.masked, "tokenizer": chain.tokenizer}[key]
    with pytest.raises(UserError, match=f"{key}: .* at 200 Hz, these data have 100 Hz"):
        address = f"{key}=//sig/{before.xp.sig}"
        run(chain.folder, f"solver=labram/{recipe}", address, "dset.rate_hz=100")


def test_other_preprocessing_is_told(chain, monkeypatch) -> None:
    lines = []
    monkeypatch.setattr(Logger, "line", lambda self, text, *values: lines.append(text % values))
    steps = "dset.preprocess=[{step: bandpass, low_hz: 1.0, high_hz: 40.0}]"
    few = ("optim.epochs=1", "optim.max_batches=1", "log.figures=false")
    run(chain.folder, "solver=labram/debug", f"init_from=//sig/{chain.masked.xp.sig}", steps, *few)
    (line,) = [line for line in lines if line.startswith("warning")]
    assert "preprocessed otherwise: nothing; here: bandpass low_hz=1.0" in line


@pytest.mark.endurance
def test_the_classifier_finds_the_abnormal_among_people_not_seen(tmp_path, chain) -> None:
    """Measured once on one thread: .67 balanced accuracy, .74 AUROC; LDA on band powers .74."""
    study = "{study: simulated, mode: background, preset: tiny, n_subjects: 240, duration_s: 24.0}"
    solver = run(tmp_path, "solver=labram/debug", "optim.epochs=12", "dset.segment.stride_s=4.0",
                 f"dset.studies=[{study}]", "log.figures=false")  # fmt: skip
    evaluation = json.loads((solver.folder / "evaluation.json").read_text())
    low, high = evaluation["extra"]["intervals"]["balanced_accuracy"]
    assert 0.55 < low < evaluation["metrics"]["balanced_accuracy"] < high < 0.9
    assert 0.65 < evaluation["metrics"]["auroc"] < 0.9
