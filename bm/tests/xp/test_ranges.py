"""Values outside their range are refused in one line, before anything starts."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from omegaconf import OmegaConf

from bm.engine.run import Run
from bm.errors import UserError
from bm.solvers import SOLVERS, build
from bm.tests.experiments import opened
from bm.train import main
from bm.xp import executor, ranges

from . import project

#: Arguments that started a run before, or ended it with a traceback, and a part of the line.
REFUSED = {
    "optim.epochs=-3": "whole number of at least 0",
    "optim.epochs=1.5": "a whole number is expected",
    "optim.epochs=null": "optim.epochs=null",
    "optim.batch_size=0": "optim.batch_size=0",
    "optim.lr=nan": "optim.lr=nan",
    "optim.lr=inf": "optim.lr=inf",
    "optim={lr: -0.1}": "optim.lr=-0.1",
    "optim.betas=[0.9,1.0]": "below 1",
    "optim.betas=[0.9]": "two numbers are expected",
    "optim.betas=[0.9,0.9,0.9]": "two numbers are expected",
    "seed=9223372036854775808": "of at least 0 and at most 4.61169e+18",
    "optim.betas.0=-0.1": "optim.betas=-0.1",
    "optim.weight_decay=1.5": "optim.weight_decay=1.5",
    "optim.momentum=1": "optim.momentum=1",
    "optim.max_batches=2.5": "optim.max_batches=2.5",
    "optim.name=adammw": "did you mean 'adamw'",
    "ema.decay=1.0": "ema.decay=1.0",
    "schedule.min_lr=-1": "schedule.min_lr=-1",
    "checkpoint.every=0": "checkpoint.every=0",
    "checkpoint.keep=[2,-1]": "checkpoint.keep=-1",
    "valid_every=0": "valid_every=0",
    "eval.every=0": "at least 1 or null",
    "early_stop.patience=-1": "early_stop.patience=-1",
    "workers=-1": "workers=-1",
    "threads=0": "threads=0",
    "dset.rate_hz=0": "dset.rate_hz=0",
    "dset.segment.duration_s=-1.0": "dset.segment.duration_s=-1.0",
    "dset.name=../../x": "names of files",
    "device=gpu": "unknown device 'gpu'; known: auto, cpu, cuda",
    "device=cuda:x": "as cuda:0",
    "precision=fp61": "did you mean 'fp16'",
    "device=cpu precision=fp16": "use precision=fp32",
    "wandb.mode=onlne": "did you mean 'online'",
    "solver=clip/debug tokenizer=//hub/a/b": "solver contrastive does not read 'tokenizer'",
    "solver=clip/debug generate.n=3": "does not read 'generate'",
    "solver=baseline/lda ema.decay=0.9": "does not read 'ema'",
    "++optim.epochs=-1": "optim.epochs=-1",
    "+model@model2=baselines/eegnet valid_every=-1": "valid_every=-1",
}
ACCEPTED = [
    "optim.lr=0",
    "optim.epochs=0",
    "optim.betas=[0.0,0.95]",
    "seed=4294967296",
    "optim.betas.1=0.5",
    "optim.max_batches=null",
    "optim.clip_norm=0.5",
    "ema.decay=0.9999",
    "checkpoint.keep=[]",
    "early_stop.patience=0",
    "workers=0",
    "device=cuda:1 precision=fp16",
    "solver=clip/debug tokenizer=null",
    "solver=clip/debug generate.n=16",
    "optim.lr=${optim.eps}",
]


@pytest.mark.parametrize(("words", "part"), REFUSED.items(), ids=list(REFUSED))
def test_a_bad_value_is_refused_in_one_line(words: str, part: str) -> None:
    # Splitting at blanks would take a mapping apart.
    argv = [words] if "{" in words else words.split()
    with pytest.raises(UserError) as error:
        main.resolve(argv)
    assert part in str(error.value) and "\n" not in str(error.value)


def test_a_run_of_no_epochs_is_refused_when_it_starts(tmp_path: Path) -> None:
    """Experiments of earlier versions that have none are still read."""
    with opened(tmp_path, "solver=supervised/debug", "optim.epochs=0") as xp:
        with pytest.raises(UserError, match=r"optim.epochs=0: .* untrained=true"):
            Run(build(xp.cfg)).train()
        assert not (xp.folder / "guard.json").exists()


@pytest.mark.parametrize("words", ACCEPTED)
def test_values_at_the_ends_of_a_range_are_taken(words: str) -> None:
    assert main.resolve(words.split()).cfg


def test_every_row_names_a_key_of_the_configuration_whose_default_lies_in_it() -> None:
    base: Any = OmegaConf.to_container(main.resolve([]).cfg, resolve=False)
    for key in [*ranges.RANGES, *ranges.NAMES, *ranges.READERS]:
        value = base
        for part in key.split(".") if not key.startswith(("model.", "dset.", "solver.")) else ():
            value = value[part]
        assert "." in key or key in base
    ranges.check_config(base)
    assert set(ranges.SOLVERS) == set(SOLVERS.modules)
    assert {name for names in ranges.READERS.values() for name in names} <= set(ranges.SOLVERS)


def test_a_mistake_ends_the_command_before_it_writes(tmp_path) -> None:
    result = project.command(tmp_path, "-m", "dora", "-P", "bm", "run", "optim.epochs=-3")
    assert result.returncode == 2 and result.stderr.strip().count("\n") == 0, result.stderr
    assert "error: optim.epochs=-3: a whole number of at least 0 is expected" in result.stderr
    assert not list(tmp_path.glob("outputs/xps/*"))


def test_a_grid_is_looked_at_whole_before_its_first_experiment(monkeypatch) -> None:
    monkeypatch.setattr(executor.runner, "count_gpus", lambda: 0)
    herd: Any = [SimpleNamespace(xp=main.resolve(argv)) for argv in (["seed=1"], ["device=cuda"])]
    executor.check_machine(herd[:1])
    with pytest.raises(UserError, match="this machine has no GPU"):
        executor.check_machine(herd)
    recipe: Any = SimpleNamespace(xp=main.resolve(["solver=labram/tuab"]))
    with pytest.raises(UserError, match="precision=fp16 device=auto"):
        executor.check_machine([recipe])
    monkeypatch.setattr(executor.runner, "count_gpus", lambda: 1)
    executor.check_machine([*herd, recipe])
    none: Any = SimpleNamespace(xp=main.resolve(["solver=supervised/debug", "optim.epochs=0"]))
    executor.check_epochs(herd)
    with pytest.raises(UserError, match=r"supervised/debug.*optim\.epochs=0: .*untrained=true"):
        executor.check_epochs([*herd, none])


def test_the_documented_table_is_the_one_that_is_checked() -> None:
    text = (project.ROOT / "docs" / "ranges.md").read_text()
    assert "\n".join(ranges.lines()) in text
