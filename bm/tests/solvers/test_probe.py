"""The probe of a pre-training: held out, in the history, chooses weights, disturbs nothing."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from bm.data.preprocess import standard_name
from bm.errors import UserError
from bm.models.labram.masked import LaBraMMasked
from bm.solvers import build
from bm.solvers.probe import LEAST, METRIC, Probe

from ..experiments import history_of, opened, run

pytestmark = pytest.mark.story
BACKGROUND = "study: simulated, mode: background, preset: tiny"
CORPUS = f"[{{{BACKGROUND}, n_subjects: 8, duration_s: 16.0}}]"
OTHERS = f"{{{BACKGROUND}, n_subjects: 24, duration_s: 8.0, seed: 9}}"
#: Patches themselves are predicted: no tokenizer has to be trained first.
PRETRAIN = (
    "solver=labram/debug_pretrain", "solver.target=spectrum", "model.n_codes=200",
    "optim.epochs=2", "log.figures=false", "schedule.warmup_epochs=0",
    f"dset.studies={CORPUS}",
    "dset.split.ratios={train: 0.5, valid: 0.25, test: 0.25}",
)  # fmt: skip


@pytest.fixture(scope="module")
def probed(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    folder = tmp_path_factory.mktemp("probed")
    plain = run(folder, *PRETRAIN)
    words = (f"probe.studies=[{OTHERS}]", "best.metric=probe")
    return SimpleNamespace(folder=folder, plain=plain, solver=run(folder, *PRETRAIN, *words))


def test_it_is_in_the_history_and_chooses_the_weights(probed: SimpleNamespace) -> None:
    history = history_of(probed.solver)
    values = [epoch["valid"][METRIC] for epoch in history]
    assert all(0 <= value <= 1 for value in values)
    assert all(0 <= epoch["valid"]["probe_auroc"] <= 1 for epoch in history)
    best = probed.solver.run.best
    assert (best.metric, best.mode, best.value) == (METRIC, "max", max(values))
    assert 0 < history[-1]["perf"]["probe_share"] < 1
    assert len(probed.solver.probe.rows[0]) == LEAST // 2  # the corpus is tiny


def test_training_is_that_without_it(probed: SimpleNamespace) -> None:
    pairs = zip(history_of(probed.plain), history_of(probed.solver), strict=True)
    for plain, other in pairs:
        assert plain["train"] == other["train"]
        assert plain["valid"] == {k: other["valid"][k] for k in plain["valid"]}
    assert probed.plain.data.hash != probed.solver.data.hash


def test_it_reads_electrodes_by_name_whatever_their_order(probed: SimpleNamespace) -> None:
    probe, rows = probed.solver.probe, probed.solver.probe.rows[0][:4]
    batch = probe.data.gather(rows.tolist())
    signal, ids = probe._known(batch)
    corpus = [standard_name(name) for name in probed.solver.data.facts.vocabulary]
    names = [probe.data.facts.vocabulary[i] for i in batch.channel_ids[0].tolist()]
    names = [standard_name(name) for name in names]
    shared = [name for name in names if name in corpus]
    assert [corpus[i] for i in ids.tolist()] == shared and signal.shape[1] == len(shared)
    place = names.index(shared[0])
    assert torch.equal(signal[:, 0], batch.signal[:, place])


def test_a_network_that_knows_the_class_is_told_from_one_that_does_not(
    probed: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    probe, model = probed.solver.probe, probed.solver.model
    labels = {}
    for rows in probe.rows:
        for row in rows:
            batch = probe.data.gather([int(row)])
            labels[float(batch.signal.double().square().sum())] = int(batch.label[0])  # type: ignore[index]

    def oracle(self: Any, x: torch.Tensor, channel_ids: Any = None, **others: Any) -> torch.Tensor:
        return torch.tensor([[labels[float(w.double().square().sum())], 0.5] for w in x])

    monkeypatch.setattr(probe, "_known", lambda batch: (batch.signal, torch.zeros(1)))
    monkeypatch.setattr(LaBraMMasked, "tokens", oracle)
    assert probe.metrics(model, torch.device("cpu"))[METRIC] == 1.0


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("best.metric=probe",), "best.metric=probe is of probe.studies: set them"),
        (
            (f"probe.studies=[{OTHERS}]", "probe.every=2", "best.metric=probe"),
            "probe.every=2 leaves out validations; set valid_every=2",
        ),
        (
            (f"probe.studies={CORPUS}",),
            "is in the corpus too",
        ),
        ((f"probe.studies=[{OTHERS}]", "probe.segment.label=null"), "fewer than two classes"),
        ((f"probe.studies=[{OTHERS}]", "probe.every=0"), "use 1 epoch or more"),
    ],
)
def test_what_cannot_be_probed_is_one_line(tmp_path: Path, words: Any, text: str) -> None:
    with opened(tmp_path, *PRETRAIN, *words) as xp, pytest.raises(UserError, match=text):
        build(xp.cfg).build_data()


def test_epochs_that_are_due() -> None:
    probe = Probe.__new__(Probe)
    probe.every = 3
    assert [epoch for epoch in range(8) if probe.due(epoch, 8)] == [2, 5, 7]
