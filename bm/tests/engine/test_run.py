from __future__ import annotations

import json
import os
import random
import shutil
import signal
import time

import pytest
import torch

from bm.engine import checkpoint as checkpoint_module
from bm.engine.finite import NonFiniteError
from bm.engine.run import Run
from bm.errors import UserError
from bm.tests.processes import forked, launch_two, statuses

from . import toy

EXTRA = ("checkpoint.every_steps=2", "ema.decay=0.9", "optim.clip_norm=1.0", "precision=bf16")


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_a_run_learns_and_leaves_everything(tmp_path):
    solver = toy.run(tmp_path, "optim.lr=0.05", "optim.epochs=8")
    folder = tmp_path / "xps" / "toy"
    history = json.loads((folder / "history.json").read_text())
    assert len(history) == 8 and history[-1]["test"]["accuracy"] > 0.75
    assert history[-1]["train"]["loss"] < history[0]["train"]["loss"]
    assert {"items_per_s", "data_wait", "step_ms", "memory_gb"} <= history[0]["perf"].keys()
    # two linear layers: 2 * (6 * 8 + 8 * 2) FLOP an item
    assert solver.perf.flops_per_item == 2 * (6 * 8 + 8 * 2)
    assert json.loads((folder / "finished.json").read_text())["epoch"] == 8
    evaluation = json.loads((folder / "evaluation.json").read_text())
    assert evaluation["n_items"] == 13 and evaluation["simulated"] is True
    before = (folder / "checkpoint.pt").stat().st_mtime_ns
    toy.run(tmp_path, "optim.lr=0.05", "optim.epochs=8")
    assert (folder / "checkpoint.pt").stat().st_mtime_ns == before


class Slow(toy.Toy):
    def step(self, batch, stage):
        time.sleep(0.002)
        return super().step(batch, stage)


def test_killed_anywhere_gives_the_same_bits(tmp_path):
    toy.run(tmp_path / "whole", *EXTRA)
    whole = toy.outcome(tmp_path / "whole")
    rng = random.Random(0)
    kills = 0
    for trial in range(10):
        folder = tmp_path / f"killed{trial}"
        for attempt in range(40):
            pid = forked(lambda folder=folder: toy.run(folder, *EXTRA, kind=Slow))
            if attempt < 3:
                time.sleep(rng.uniform(0.01, 0.25))
                os.kill(pid, signal.SIGKILL)
            _, status = os.waitpid(pid, 0)
            kills += os.WIFSIGNALED(status)
            if os.WIFEXITED(status):
                assert os.WEXITSTATUS(status) == 0
                break
        assert toy.same(whole, toy.outcome(folder)), folder
    assert kills >= 20


@pytest.mark.parametrize("place", ["save", "_save_best", "write", "link", "push_metrics", "vouch"])
def test_killed_at_every_kind_of_write(tmp_path, monkeypatch, place):
    """Dies right after the third call of one of the functions that change the folder."""
    from dora.link import Link

    toy.run(tmp_path / "whole", *EXTRA)
    owner = {
        "save": Run, "_save_best": Run, "write": checkpoint_module,
        "link": checkpoint_module, "push_metrics": Link, "vouch": checkpoint_module.BestFolders,
    }[place]  # fmt: skip
    real, calls = getattr(owner, place), []

    def deadly(*arguments, **keywords):
        result = real(*arguments, **keywords)
        calls.append(1)
        if len(calls) == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    def run_deadly():
        monkeypatch.setattr(owner, place, deadly)
        toy.run(tmp_path / "killed", *EXTRA)

    _, status = os.waitpid(forked(run_deadly), 0)
    assert os.WIFSIGNALED(status)
    toy.run(tmp_path / "killed", *EXTRA)
    assert toy.same(toy.outcome(tmp_path / "whole"), toy.outcome(tmp_path / "killed"))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2])
def test_a_signal_saves_and_asks_for_requeue(tmp_path, number):
    toy.run(tmp_path / "whole")
    alive = tmp_path / "alive"

    class Announced(Slow):
        def step(self, batch, stage):
            alive.touch()
            return super().step(batch, stage)

    codes = []
    for again in (True, True, False):
        alive.unlink(missing_ok=True)
        pid = forked(lambda: toy.run(tmp_path / "left", kind=Announced))
        while again and not alive.exists():
            time.sleep(0.001)
        if again:
            os.kill(pid, number)
        _, status = os.waitpid(pid, 0)
        codes.append(os.waitstatus_to_exitcode(status))
    assert codes == [85, 85, 0]
    assert toy.same(toy.outcome(tmp_path / "whole"), toy.outcome(tmp_path / "left"))


def test_interrupt_exits_130(tmp_path, capsys):
    class Interrupted(toy.Toy):
        def step(self, batch, stage):
            if self.progress.step == 8:
                raise KeyboardInterrupt
            return super().step(batch, stage)

    with pytest.raises(SystemExit) as caught:
        toy.run(tmp_path, kind=Interrupted)
    assert caught.value.code == 130 and "checkpoint.pt" in capsys.readouterr().out


def test_a_removed_folder_ends_the_run_and_is_not_made_again(tmp_path):
    class Removing(toy.Toy):
        def step(self, batch, stage):
            if self.progress.step == 8:
                shutil.rmtree(tmp_path / "xps")
            return super().step(batch, stage)

    with pytest.raises(UserError, match="xps/toy: the folder is gone"):
        toy.run(tmp_path, kind=Removing)
    assert not (tmp_path / "xps").exists()


def test_nan_stops_with_the_batch(tmp_path):
    with pytest.raises(NonFiniteError, match=r"epoch 1, step 7, segment rows \[") as caught:
        toy.run(tmp_path, poison=7)
    assert caught.value.exit_code == 1
    saved = torch.load(tmp_path / "xps/toy/nonfinite_batch.pt", weights_only=True)
    assert saved["signal"].shape[1:] == (2, 3)


def test_accumulation_is_one_big_batch(tmp_path):
    options = ("optim.name=sgd", "optim.lr=0.1")
    toy.run(tmp_path / "a", *options, "optim.batch_size=16", dropout=0.0)
    toy.run(tmp_path / "b", *options, "optim.batch_size=8", "optim.accumulate=2", dropout=0.0)
    a, b = toy.outcome(tmp_path / "a"), toy.outcome(tmp_path / "b")
    for name, value in a["state"]["model"].items():
        torch.testing.assert_close(value, b["state"]["model"][name], rtol=1e-5, atol=1e-6)


def test_damaged_checkpoints(tmp_path, caplog):
    toy.run(tmp_path / "whole")
    toy.run(tmp_path / "hurt")
    folder = tmp_path / "hurt" / "xps" / "toy"
    (folder / "finished.json").unlink()
    data = (folder / "checkpoint.pt").read_bytes()
    (folder / "checkpoint.pt").unlink()
    (folder / "checkpoint.pt").write_bytes(data[: len(data) // 2])
    toy.run(tmp_path / "hurt")
    assert "continuing from checkpoint.previous.pt" in caplog.text
    assert toy.same(toy.outcome(tmp_path / "whole"), toy.outcome(tmp_path / "hurt"))
    (folder / "finished.json").unlink()
    for name in ("checkpoint.pt", "checkpoint.previous.pt"):
        (folder / name).write_bytes(b"half")
    with pytest.raises(UserError, match="damaged checkpoint"):
        toy.run(tmp_path / "hurt")


def test_kept_epochs_and_early_stop(tmp_path):
    toy.run(
        tmp_path, "checkpoint.keep=[2]", "early_stop.patience=0", "optim.lr=0", "optim.epochs=6"
    )
    names = {p.name for p in (tmp_path / "xps/toy").iterdir()}
    assert "checkpoint-epoch-00002.pt" in names
    assert len(toy.outcome(tmp_path)["history"]) == 2  # one without improvement is too many
    toy.run(tmp_path / "two", "early_stop.patience=2", "optim.lr=0", "optim.epochs=6")
    assert len(toy.outcome(tmp_path / "two")["history"]) == 3  # the best one, and two more


def two_processes(folder, *options, kill=False, **attributes):
    """Run a toy in two processes; `kill`: both die once a second checkpoint is there."""
    pids = launch_two(lambda rank: toy.run(folder, *options, **attributes))
    if kill:
        limit = time.time() + 60
        while not (folder / "xps/toy/checkpoint.previous.pt").exists():
            assert time.time() < limit
            time.sleep(0.005)
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
    assert statuses(pids) == ([signal.SIGKILL] * 2 if kill else [0, 0])


def test_two_processes_give_the_metrics_of_one(tmp_path):
    options = ("optim.name=sgd", "optim.lr=0.1")
    toy.run(tmp_path / "one", *options, dropout=0.0)
    two_processes(tmp_path / "two", *options, dropout=0.0)
    one, two = toy.outcome(tmp_path / "one"), toy.outcome(tmp_path / "two")
    for a, b in zip(one["history"], two["history"], strict=True):
        for stage, metrics in a.items():
            assert b[stage] == pytest.approx(metrics, rel=1e-4)


class Evaluated(toy.Toy):
    """Notes what every validation draws first, and before them the step that counts FLOP."""

    begun = False

    def begin_stage(self, stage):
        super().begin_stage(stage)
        self.begun = stage == "valid"

    def step(self, batch, stage):
        if self.begun and stage == "valid":
            self.draws.append(torch.rand(()).item())
            self.begun = False
        return super().step(batch, stage)


def test_evaluations_draw_by_experiment_and_epoch(tmp_path):
    def draws_of(name, *options):
        draws: list[float] = []
        toy.run(tmp_path / name, *options, kind=Evaluated, draws=draws)
        assert len(draws) == 1 + 4
        return draws[1:]

    first, other = draws_of("first"), draws_of("other", "seed=1")
    assert len({*first, *other}) == 8  # each epoch of each experiment has draws of its own
    assert draws_of("again", "optim.lr=0.5") == first  # whatever training does


@pytest.mark.parametrize("compiler", ["/usr/bin/c++", None])
def test_networks_are_compiled_where_there_is_a_compiler(tmp_path, monkeypatch, caplog, compiler):
    compiled = []
    monkeypatch.setattr(torch.nn.Module, "compile", lambda self: compiled.append(self))
    monkeypatch.setattr("shutil.which", lambda name: compiler)
    caplog.set_level("INFO")
    solver = toy.run(tmp_path, "compile=true", "optim.epochs=1")
    assert compiled == ([solver.model] if compiler else [])
    assert ("no C++ compiler" in caplog.text) == (compiler is None)
