"""One run on 1, 2 and 4 processes: the same windows, numbers and losses, also when it goes on."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from bm.data.loader import Loader, Plan
from bm.engine.common_draws import CommonDraws
from bm.nn.shared_draws import once_a_batch
from bm.tests.processes import launch, statuses

from . import toy

#: A batch that neither 4 nor 3 divides, with the steps of an epoch that end within a group.
OPTIONS = ("optim.batch_size=10", "optim.lr=0.01", "optim.accumulate=2", "ema.decay=0.9",
           "optim.epochs=2")  # fmt: skip
OFTEN = ("checkpoint.every_steps=1",)


class Shared(toy.Data):
    """Drawn points through the loader of the package."""

    def loader(self, split, batch_size, shuffle, seed, rank=0, world=1, common=None):
        data = self.splits[split]
        rows = torch.arange(len(data)).numpy()
        plan = Plan(rows, rows * 0, batch_size, shuffle, seed, rank, world, common)
        return Loader(plan, lambda rows: data[torch.tensor(rows)], pin=False)


class Noting(toy.Toy):
    """Draws noise and dropout, and notes the loss of every batch."""

    stop = -1

    def build_data(self):
        return Shared()

    def step(self, batch, stage):
        if stage == "train" and self.progress.step == self.stop:
            raise SystemExit(3)
        if stage == "train":  # families draw in evaluations for each item alone
            batch = replace(batch, signal=batch.signal + 0.1 * torch.randn_like(batch.signal))
        values = super().step(batch, stage)
        if stage == "train":
            with open(self.folder / f"losses-{os.environ.get('RANK', '0')}.txt", "a") as file:
                loss = values["loss"].item()
                file.write(f"{self.progress.step} {batch.weight} {loss!r}\n")
        return values


class Normalised(Noting):
    """Has running means, which each process gathers of its own windows."""

    def build_model(self, facts):
        return nn.Sequential(
            nn.Flatten(), nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Dropout(0.2), nn.Linear(8, 2)
        )


def run(folder: Path, count: int, *options: str, code: int = 0, **attributes) -> None:
    """Run the toy on so many processes, in a fork also where it is one."""
    attributes.setdefault("kind", Noting)
    pids = launch(count, lambda rank: toy.run(folder, *OPTIONS, *options, **attributes))
    assert statuses(pids) == [code] * count


def losses(folder: Path) -> list[float]:
    """Return the loss of each optimiser step over all processes."""
    sums: dict[int, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for path in (folder / "xps/toy").glob("losses-*.txt"):
        for line in path.read_text().splitlines():
            step, weight, loss = line.split()
            sums[int(step)][0] += int(weight) * float(loss)
            sums[int(step)][1] += int(weight)
    return [total / weight for _, (total, weight) in sorted(sums.items())]


@pytest.fixture(scope="module", autouse=True)
def alone(tmp_path_factory) -> Path:
    """Train in this process: what that imports, for seconds, the forks have then too."""
    folder, threads = tmp_path_factory.mktemp("alone"), torch.get_num_threads()
    toy.run(folder, *OPTIONS, kind=Noting)
    torch.set_num_threads(threads)
    return folder


def check(folder: Path, alone: Path) -> None:
    """Losses of all steps, and what is written in the end, are those of a single process."""
    assert losses(folder) == pytest.approx(losses(alone), rel=1e-6)
    one, other = (toy.outcome(f) for f in (alone, folder))
    assert len(one["history"]) == len(other["history"]) == 2
    for a, b in zip(one["history"], other["history"], strict=True):
        for stage, metrics in a.items():
            assert b[stage] == pytest.approx(metrics, rel=1e-5), stage
    for name, value in one["state"]["model"].items():
        assert torch.allclose(other["state"]["model"][name], value, rtol=1e-4, atol=1e-6), name


@pytest.mark.parametrize("count", [2, 4])
def test_the_number_of_processes_changes_no_loss(tmp_path, alone, count) -> None:
    run(tmp_path, count)
    check(tmp_path, alone)


@pytest.mark.parametrize(("first", "then"), [(2, 1), (2, 4)])
def test_a_run_goes_on_with_another_number_of_processes(tmp_path, alone, first, then) -> None:
    """A run is left within an epoch, so that the sums of its first part are handed over too."""
    run(tmp_path, first, *OFTEN, stop=3, code=3 << 8)
    run(tmp_path, then)
    check(tmp_path, alone)


def test_more_processes_than_windows_in_a_batch(tmp_path) -> None:
    for count in (1, 4):
        run(tmp_path / str(count), count, "optim.batch_size=2", "optim.epochs=1")
    one, four = (losses(tmp_path / str(count)) for count in (1, 4))
    assert four == pytest.approx(one, rel=1e-6) and len(one) == 11


def test_running_means_of_each_process_are_restored(tmp_path) -> None:
    """Symptom: validation differs after a resume, for only the first process's were saved."""
    run(tmp_path / "whole", 2, kind=Normalised)
    run(tmp_path / "cut", 2, *OFTEN, kind=Normalised, stop=3, code=3 << 8)
    run(tmp_path / "cut", 2, kind=Normalised)
    whole, cut = toy.outcome(tmp_path / "whole"), toy.outcome(tmp_path / "cut")
    states = whole["state"]["process_tensors"]["ranks"]
    assert set(states[1]) == {"2.running_mean", "2.running_var"} and not states[0]
    assert toy.same(whole, cut)


@pytest.mark.endurance
def test_a_group_of_processes_that_is_killed_goes_on_with_the_same_bits(tmp_path) -> None:
    draw = random.Random(0)
    options = ("optim.epochs=40", *OFTEN)
    began = time.monotonic()
    run(tmp_path / "whole", 2, *options, kind=Normalised)
    whole_s = time.monotonic() - began
    folder = tmp_path / "killed"
    kills = 0
    while kills < 10:
        pids = launch(2, lambda rank: toy.run(folder, *OPTIONS, *options, kind=Normalised))
        time.sleep(draw.uniform(0.2, 0.6) * whole_s)
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        ended = statuses(pids)
        kills += ended == [signal.SIGKILL] * 2
        if ended == [0, 0]:
            if kills:
                break
            shutil.rmtree(folder)  # faster than the undisturbed run: nothing was killed yet
    run(folder, 2, *options, kind=Normalised)
    assert toy.same(toy.outcome(tmp_path / "whole"), toy.outcome(folder)) and kills


SHAPES = {
    "noise like the items": lambda n: torch.randn_like(torch.empty(n, 3, 5)),
    "in another order of memory": lambda n: torch.randn_like(torch.empty(5, 3, n).permute(2, 1, 0)),
    "flattened with channels": lambda n: torch.rand(n * 3, 7),
    "time first": lambda n: torch.rand(7, n, 2),
    "levels": lambda n: torch.randint(1000, (n,)),
    "dropout": lambda n: nn.functional.dropout(torch.ones(n, 40), 0.5),
    "branches": lambda n: torch.empty(n, 1, 1).bernoulli_(0.5),
}


@pytest.mark.parametrize("kind", SHAPES)
@pytest.mark.parametrize("world", [2, 4])
def test_items_of_a_process_get_the_numbers_of_one_process(kind: str, world: int) -> None:
    draw, common = SHAPES[kind], 11
    torch.manual_seed(5)
    whole = draw(common)
    after = torch.rand(())
    dimension = list(whole.shape).index(common) if kind == "time first" else 0
    for rank in range(world):
        torch.manual_seed(5)
        items = torch.arange(rank, common, world)
        with CommonDraws(len(items), common, rank, world):
            numbers = draw(len(items))
        expected = whole.unflatten(dimension, (common, -1)).index_select(dimension, items)
        assert torch.equal(numbers, expected.flatten(dimension, dimension + 1))
        assert torch.equal(torch.rand(()), after)  # the generator stands where that of one would


def test_numbers_of_a_batch_as_a_whole_are_the_same_everywhere() -> None:
    draws = []
    for rank in range(2):
        torch.manual_seed(5)
        with CommonDraws(2, 4, rank, 2), once_a_batch():
            draws.append(torch.rand(2, 2))
    torch.manual_seed(5)
    assert torch.equal(draws[0], draws[1]) and torch.equal(draws[0], torch.rand(2, 2))
