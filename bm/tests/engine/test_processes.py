"""The three stages of LaBraM in two processes: the metrics of one, one codebook."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from bm.engine.run import Run
from bm.solvers import build
from bm.solvers.masked import MaskedSolver
from bm.tests.processes import launch_two, statuses

from ..experiments import history_of, opened, run

pytestmark = pytest.mark.story
FEW = ("optim.epochs=2", "optim.max_batches=3", "log.figures=false", "dset.studies.0.n_subjects=9")
#: Drop path draws in each process what it likes.
STILL = "model.backbone.drop_path=0"


def in_one_and_two(folder: Path, *argv: str) -> SimpleNamespace:
    """Histories of an experiment in one process and in two, and the end states of both ranks."""
    one = run(folder / "one", *argv)

    def worker(rank: int) -> None:
        with opened(folder / "two", *argv) as xp:
            solver = build(xp.cfg)
            Run(solver).train()
            torch.save(solver.model.state_dict(), folder / f"{rank}.pt")

    pids = launch_two(worker)
    assert statuses(pids) == [0, 0]
    two = SimpleNamespace(folder=folder / "two/xps" / one.xp.sig)
    ends = [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(2)]
    return SimpleNamespace(one=one, history=history_of(one), other=history_of(two), ends=ends)


def check_alike(runs: SimpleNamespace, more: float = 0.0) -> None:
    """Check every metric of every stage and epoch, to a thousandth (or `more`, absolute)."""
    assert len(runs.history) == len(runs.other) == 2
    for one, two in zip(runs.history, runs.other, strict=True):
        assert set(one) == set(two) >= {"train", "valid"}
        for stage in set(one) - {"perf"}:
            assert two[stage] == pytest.approx(one[stage], rel=1e-3, abs=more), stage
    for name, tensor in runs.ends[0].items():
        assert torch.equal(tensor, runs.ends[1][name]), name


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    folder = tmp_path_factory.mktemp("processes")
    return in_one_and_two(folder, "solver=labram/debug_tokenizer", *FEW)


def test_two_processes_train_the_tokenizer_of_one(tokenizer) -> None:
    check_alike(tokenizer)
    books = [end["quantiser.codebook"] for end in tokenizer.ends]
    assert torch.equal(*books)
    codebook = tokenizer.one.model.quantiser.codebook
    # a start from other vectors would leave codes at random angles
    assert (books[0] * codebook).sum(1).min() > 0.999
    assert tokenizer.history[0]["train"]["unused_codes"] < 64


def test_two_processes_train_the_masked_model_of_one(tokenizer, tmp_path, monkeypatch) -> None:
    """Masks of training are drawn by each process: here they are those of evaluation."""
    plain = MaskedSolver._mask
    monkeypatch.setattr(MaskedSolver, "_mask", lambda self, b, n, stage: plain(self, b, n, "valid"))
    folder = tokenizer.one.folder / "best"
    address = f"tokenizer=//file/{folder}"
    check_alike(in_one_and_two(tmp_path, "solver=labram/debug_pretrain", address, *FEW))


def test_two_processes_decode_the_values_of_one(tokenizer, tmp_path) -> None:
    values = ("solver.task=values", "+dset.segment.values=[label]", "dset.segment.label=null")
    argv = ("solver=labram/debug", *values, "best.metric=r2", STILL, *FEW)
    runs = in_one_and_two(tmp_path, *argv)
    check_alike(runs, more=1e-4)  # R2 and Pearson near zero
    assert {"r2", "pearson", "rmse"} <= set(runs.other[-1]["valid"])
