"""Fast resolution: the same signature, arguments and configuration as Dora and Hydra."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import dora.hydra
import pytest
from dora.hydra import HydraMain
from dora.xp import XP
from omegaconf import OmegaConf

from bm.errors import UserError
from bm.train import main
from bm.xp.main import Main, bm_main

NASTY = [
    [],
    ["seed=1"],
    ["optim.lr=1e-3"],
    ["optim.lr=1e-2"],
    ["optim.lr=0.0100"],
    ["seed=1", "optim.epochs=3"],
    ["optim.epochs=3", "seed=1"],
    ["seed=1", "seed=2"],
    ["optim={lr: 0.1, epochs: 2}"],
    ["optim={epochs: 2}", "optim.lr=0.1"],
    ["optim.lr=0.1", "optim={epochs: 2, lr: 0.2}"],
    ["optim.betas.1=0.9"],
    ["optim.betas=[0.9,0.9]"],
    ["optim.betas=[0.8,0.9]", "optim.betas.1=0.7"],
    ["optim.betas=[0.9,0.999]"],
    ["optim.lr_batch=null"],
    ["optim.clip_norm=null"],
    ["optim.clip_norm=1"],
    ["optim.clip_norm=1.0"],
    ["optim.weight_decay=0"],
    ["optim.weight_decay=-0.0"],
    ["dummy=nan"],
    ["dummy=1"],
    ['dummy="1"'],
    ["dummy='a b'"],
    ["dummy=12345678"],
    ["dummy=12e45678"],
    ['dummy="12e45678"'],
    ["dummy="],
    ["dummy={a: 1}"],
    ["dummy={1: 2}"],
    ["dummy=[1,{a: 2}]"],
    ["dummy=str(1)"],
    ["+new=3"],
    ["++new.deep=3"],
    ["+optim.extra=[1,2]"],
    ["+a.b=1", "+a.c=2"],
    ["seed=1", "+zz=1", "zz=2"],
    ["++seed=4"],
    ["++seed=0"],
    ["+optim.x={a: {b: 1}}"],
    ["+model.cfg={a: [1, {b: 2}]}", "model.cfg.a=[2]"],
    ["+dset.split.fixed.valid={session: ['0']}"],
    ["dset.split.fixed={test: {session: ['2']}}"],
    ["dset.split.fixed.test.session.0='2'"],
    ["dset.studies=[{study: simulated, mode: motor, preset: full}]"],
    ["dset.studies.0.preset=full"],
    ["dset.studies=[]"],
    ["model=baselines/eegnet"],
    ["solver=supervised/motor"],
    ["dset=simulated_motor", "dset.name=x"],
    ["dset=simulated_background", "dset.segment.stride_s=5.0"],
    ["seed=3", "model=baselines/eegnet", "dset=simulated_background"],
    ["dset=simulated_background", "dset=simulated_motor"],
    ["+model@model2=baselines/eegnet"],
    ["optim.lr=${optim.eps}"],
    ["dummy=${seed}", "seed=4"],
    ["dummy='${seed}'"],
    ["dummy=[1,'${seed}']"],
    ["dummy=${oc.env:HOME}"],
    ["wandb.mode=offline", "log.every=2", "workers=0"],
    ["wandb={mode: online}", "eval={every: 3}"],
    ["init_from=//sig/12345678"],
    ['init_from="//sig/12e45678"'],
    ["hydra.verbose=true", "seed=2"],
    ["paths.cache=/x"],
]


@pytest.fixture(autouse=True)
def _anything_may_be_added(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compare with Hydra also for keys that nothing reads, which are refused otherwise."""
    monkeypatch.setattr(main.resolver, "added_keys", None)


def hydra_way(decorated: Main, argv: list[str]) -> XP:
    """Dora's own path; its comparison keeps parts of a path in a default argument on failure."""
    vars(dora.hydra)["_compare_config"].__defaults__[0].clear()
    return HydraMain.get_xp(decorated, argv)


@pytest.mark.parametrize("argv", NASTY, ids=" ".join)
def test_equals_hydra(argv: list[str]) -> None:
    expected, ours = hydra_way(main, argv), main.resolve(argv)
    assert ours.sig == expected.sig
    assert repr(ours.delta) == repr(expected.delta)
    assert ours.argv == expected.argv
    ours_text, expected_text = (OmegaConf.to_yaml(x.cfg) for x in (ours, expected))
    assert ours_text == expected_text
    assert OmegaConf.is_struct(ours.cfg) == OmegaConf.is_struct(expected.cfg)


@pytest.fixture(scope="module")
def interpolated(tmp_path_factory: pytest.TempPathFactory) -> Main:
    """A decorated main over a base with interpolations and a NaN."""
    conf = tmp_path_factory.mktemp("conf")
    conf.joinpath("config.yaml").write_text(
        "a: 1\nb: {c: '${a}', d: .nan, e: [1, .nan]}\nf: ${b.c}\ng: {h: x, i: '${oc.env:HOME}'}\n"
        "dora: {dir: ./outputs, exclude: []}\n"
    )

    def run(cfg: Any) -> None:
        return None

    run.__module__ = "bm.train"
    return bm_main("config", str(conf))(run)


@pytest.mark.parametrize("argv", [[], ["a=2"], ["b.c=4"], ["b.d=1.0"], ["g.h=y"], ["g.h=${a}"]])
def test_interpolations_and_nan_equal_hydra(interpolated: Main, argv: list[str]) -> None:
    expected, ours = hydra_way(interpolated, argv), interpolated.resolve(argv)
    assert (ours.sig, repr(ours.delta)) == (expected.sig, repr(expected.delta))
    assert OmegaConf.to_yaml(ours.cfg) == OmegaConf.to_yaml(expected.cfg)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (["seed=1", "optim.epochs=3"], ["optim.epochs=3", "seed=1"]),
        (["optim.lr=1e-2"], ["optim.lr=0.01"]),
        (["optim={lr: 0.1, epochs: 2}"], ["optim.epochs=2", "optim.lr=0.1"]),
        (["optim.betas.1=0.5"], ["optim.betas=[0.9,0.5]"]),
        (["seed=0"], []),
        (["+new=1"], ["++new=1"]),
        (["workers=7", "wandb.mode=online", "device=cpu"], []),
    ],
)
def test_same_experiment_same_signature(one: list[str], other: list[str]) -> None:
    assert main.resolve(one).sig == main.resolve(other).sig


def test_default_choice_of_group_counts() -> None:
    assert main.resolve(["solver=supervised/motor"]).sig != main.resolve([]).sig


def test_experiments_share_nothing() -> None:
    first = main.resolve(["optim.betas=[0.1,0.2]"]).cfg
    first.optim.betas[0] = 7.0
    first.dset.split.ratios.train = 7.0
    second = main.resolve([]).cfg
    assert second.optim.betas[0] == 0.9
    assert second.dset.split.ratios.train == 0.8


def test_threads_agree() -> None:
    fresh = Main.__new__(Main)
    fresh.__dict__.update(main.__dict__)
    fresh.resolver = type(main.resolver)(main._compose, main._config_groups, main.resolver.folder)
    argvs = [["dset=simulated_background", f"seed={seed}"] for seed in range(32)]
    with ThreadPoolExecutor(8) as pool:
        sigs = [xp.sig for xp in pool.map(fresh.resolve, argvs)]
    assert sigs == [main.resolve(argv).sig for argv in argvs]
    assert len(fresh.resolver._bases) == 1


def test_a_thousand_experiments_in_seconds() -> None:
    main.resolve(["solver=supervised/motor"])
    start = time.process_time()  # of this process: others may use the machine
    for seed in range(1000):
        argv = main.value_to_argv(
            {"solver": "supervised/motor", "seed": seed + 10**6, "optim.lr": seed * 1e-6}
        )
        main.resolve(argv)
    # About 1.5 s on one core; Hydra's own path needs over 120 s.
    assert time.process_time() - start < 8.0


def test_grid_resolves_in_this_process() -> None:
    assert main._slow is False


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("optim.lrr=1", ["unknown key 'optim.lrr'", "'optim.lr'"]),
        ("sed=1", ["unknown key 'sed'", "'seed'"]),
        ("optim={lrr: 1}", ["unknown key 'optim.lrr'", "'optim.lr'"]),
        ("optim.lr.x=1", ["unknown key 'optim.lr.x'"]),
        ("optim.betas.7=0.1", ["unknown key 'optim.betas.7'"]),
        ("optim.lr=abc", ["optim.lr=abc", "a number is expected"]),
        ("optim.epochs=1.5", ["optim.epochs=1.5", "a whole number is expected"]),
        ("optim.betas=[a,b]", ["optim.betas.0=a", "a number is expected"]),
        ("optim.betas=0.9", ["a list is expected"]),
        ("seed=true", ["a whole number is expected"]),
        ("ema.warmup=3", ["true or false"]),
        ("schedule.name=3", ["text is expected", "quote it"]),
        ("optim=null", ["group of keys"]),
        ("optim=3", ["a group of keys; use optim.name"]),
        ("solver=supervised/motr", ["unknown solver", "'supervised/motor'"]),
        ("model=baselines/eegnot", ["unknown model", "'baselines/eegnet'"]),
        ("dset=simulated_moto", ["unknown dset", "'simulated_motor'"]),
        ("slurm.gpus=2", ["launcher.slurm_(", "launcher.slurm_", "-g, -p, -c"]),
        ("slurm={gpus: 2}", ["launcher.slurm_("]),
        ("dora.dir=/x", ["conf/config.yaml"]),
        ("~dummy=null", ["set it to null"]),
        ("seed", ["has no '='"]),
        ("seed=1,2", ["grid"]),
        ("dummy=???", ["dummy"]),
        ("dummy=a=b", ["cannot read the argument"]),
        ("dummy='${nowhere}'", ["nowhere"]),
    ],
)
def test_mistake_is_one_line(argument: str, words: list[str]) -> None:
    with pytest.raises(UserError) as caught:
        main.resolve([argument])
    message = str(caught.value)
    assert "\n" not in message
    assert [word for word in words if word not in message] == []


def test_null_default_accepts_anything() -> None:
    for value in ("3", "1.5", "text", "[1]", "true"):
        assert main.resolve([f"dummy={value}"]).delta


@pytest.mark.parametrize(
    "choice",
    [
        f"{group}={name}"
        for group in ("solver", "model", "dset")
        for name in main.resolver.options(group)
    ],
)
def test_every_recipe_composes(choice: str) -> None:
    xp = main.resolve([choice])
    assert xp.delta == [choice.split("=")]
    assert OmegaConf.to_container(xp.cfg, resolve=True, throw_on_missing=True)
    assert xp.cfg.solver.name and xp.cfg.model.name and xp.cfg.dset.name


def recipes() -> list[Any]:
    """Every recipe; all but the first of a family are compared by `make endurance`."""
    names = main.resolver.options("solver")
    first = {name.partition("/")[0]: name for name in reversed(names)}.values()
    return [
        name if name in first else pytest.param(name, marks=pytest.mark.endurance) for name in names
    ]


@pytest.mark.parametrize("recipe", recipes())
def test_every_recipe_resolves_as_hydra_does(recipe: str) -> None:
    argv = [f"solver={recipe}", "optim.lr=0.123", "seed=5", "+extra=1"]
    expected, ours = hydra_way(main, argv), main.resolve(argv)
    assert (ours.sig, repr(ours.delta)) == (expected.sig, repr(expected.delta))
    assert OmegaConf.to_yaml(ours.cfg) == OmegaConf.to_yaml(expected.cfg)
