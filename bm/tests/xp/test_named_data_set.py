"""A data set that the user names wins over the recipe, for every key of `dset`.

Symptom: `dora run solver=supervised/debug dset=eegmat` trained on simulated recordings, and
`dora run dset=tuab` filtered 4 to 38 Hz instead of 0.1 to 75 Hz.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from dora.hydra import HydraMain

from bm.errors import UserError
from bm.tests.xp.grid_lists import listed
from bm.train import main
from bm.xp.listing import grid_names
from bm.xp.main import Main
from bm.xp.resolve import to_plain

CONF = Path(__file__).parents[3] / "conf"
#: Recipes of every family, with every kind of data set.
PAIRS = [
    (recipe, dset)
    for recipe in ("supervised/debug", "supervised/motor", "baseline/lda", "eegdiff/debug",
                   "eegdiff/raw", "labram/debug_tokenizer", "labram/eegmat", "clip/debug")
    for dset in ("eegmat", "tuab", "folder", "simulated_background", "brennan2019")
]  # fmt: skip


def data_set(*argv: str) -> dict[str, Any]:
    """The resolved `dset` section."""
    return to_plain(main.resolve(argv).cfg.dset)


def test_the_recordings_are_those_of_the_name() -> None:
    dset = data_set("solver=supervised/debug", "dset=eegmat")
    assert dset["studies"] == [{"study": "eegmat"}] and dset["name"] == "eegmat"


def test_the_default_solver_does_not_filter_a_named_data_set() -> None:
    dset = data_set("dset=tuab")
    assert dset["preprocess"][0] == {"step": "bandpass", "low_hz": 0.1, "high_hz": 75.0}
    assert dset["rate_hz"] == 200.0


@pytest.mark.parametrize(("recipe", "dset"), PAIRS)
def test_every_key_is_the_data_sets(recipe: str, dset: str) -> None:
    alone, together = data_set(f"dset={dset}"), data_set(f"solver={recipe}", f"dset={dset}")
    predicted = {"features"} if recipe.startswith("clip/") else set()
    assert {k: together[k] for k in alone if k not in predicted} == {
        k: v for k, v in alone.items() if k not in predicted
    }
    assert set(together) - set(alone) <= {"features", "positions"}


@pytest.mark.parametrize(
    "argv",
    [
        ["solver=supervised/debug", "dset=eegmat"],
        ["dset=tuab"],
        ["dset=eegmat", "solver=clip/mel", "dset.rate_hz=100.0"],
        ["solver=clip/main", "dset=brennan2019", "seed=3"],
    ],
    ids=" ".join,
)
def test_hydra_composes_the_same(argv: list[str]) -> None:
    """What `dora run` hands to the solver is composed by Hydra, not by the resolver."""
    assert to_plain(main._get_config(argv)) == to_plain(main.resolve(argv).cfg)
    assert HydraMain.get_xp(main, argv).sig == main.resolve(argv).sig


def test_a_key_of_the_command_line_wins_over_both() -> None:
    dset = data_set("solver=labram/debug", "dset=eegmat", "dset.rate_hz=200.0")
    assert (dset["rate_hz"], dset["scale"]["kind"]) == (200.0, "zscore")


def test_speech_recipes_keep_their_targets() -> None:
    """What is predicted is the recipe's, unless the data set has a file in conf/dset/_features."""
    for recipe, name in (("mel", "MelSpectrum"), ("main", "Wav2VecTransformer")):
        for dset in ("brennan2019", "folder"):
            (feature,) = data_set(f"solver=clip/{recipe}", f"dset={dset}")["features"]
            assert feature["name"] == name
    assert data_set("solver=clip/classes", "dset=brennan2019")["features"] == ["WordSegment"]


@pytest.mark.parametrize("dset", ["feis_sounds", "simulated_listening", "visual_mous"])
@pytest.mark.parametrize("recipe", ["main", "mel", "feis"])
def test_data_sets_with_targets_of_their_own_keep_them(recipe: str, dset: str) -> None:
    assert (
        data_set(f"solver=clip/{recipe}", f"dset={dset}")["features"]
        == (data_set(f"dset={dset}")["features"])
    )


@pytest.mark.xdist_group("grid_lists")
def test_grids_use_the_data_sets_that_they_name() -> None:
    pairs: dict[tuple[str, ...], Sequence[str]] = {}  # one experiment of each recipe and data set
    for grid in grid_names():
        for one in listed(grid):
            choice = [word for word in one.argv if word.startswith(("solver=", "dset="))]
            if not any(word.startswith("dset.studies") for word in one.argv):
                pairs[tuple(sorted(choice))] = one.argv
    names = set()
    for choice, argv in pairs.items():
        for word in choice:
            if word.startswith("dset="):
                names.add(word.removeprefix("dset="))
                assert data_set(*argv)["studies"] == data_set(word)["studies"]
    assert {"schoffelen2019", "eegmmidb_windows", "audio_mous_wl"} <= names


def test_a_recipe_without_a_named_data_set_has_its_own() -> None:
    assert data_set("solver=supervised/debug")["studies"][0]["preset"] == "tiny"
    assert data_set()["preprocess"] == [{"step": "bandpass", "low_hz": 4.0, "high_hz": 38.0}]
    assert data_set("solver=labram/eegmat")["scale"] == {"kind": "none", "clamp": None}


@pytest.mark.parametrize("recipe", main.resolver.options("solver"))
def test_no_recipe_changes_the_data_set_after_it(recipe: str) -> None:
    """A section of the recipe would be composed after the data set that the user names."""
    section = yaml.safe_load((CONF / "solver" / f"{recipe}.yaml").read_text()).get("dset", {})
    assert set(section) <= {"features", "positions"}


@pytest.fixture
def foreign(tmp_path: Path) -> Main:
    """A project whose recipe has a `dset:` section."""
    files = {
        "config": "defaults: [_self_, {dset: one}, {solver: plain}]\ndora: {dir: outputs}\n",
        "dset/one": "name: one\nrate_hz: 1.0\n",
        "dset/two": "name: two\nrate_hz: 2.0\n",
        "solver/plain": "# @package _global_\nsolver: {name: a}\n",
        "solver/fast": "# @package _global_\ndefaults: [{override /dset: one}]\n"
        "solver: {name: b}\ndset: {rate_hz: 7.0}\n",
    }
    for name, text in files.items():
        path = tmp_path / f"{name}.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)

    def run(cfg: Any) -> None:
        raise AssertionError("only configurations are read")

    run.__module__ = "bm.train"
    return Main(run, "config", str(tmp_path), version_base="1.3")


def test_keys_after_an_override_hold_while_nobody_names_a_data_set(foreign: Main) -> None:
    assert to_plain(foreign.resolve(["solver=fast"]).cfg.dset) == {"name": "one", "rate_hz": 7.0}
    assert foreign.resolve(["dset=two"]).cfg.dset.rate_hz == 2.0


def test_a_recipe_that_changes_a_named_data_set_is_refused(foreign: Main) -> None:
    with pytest.raises(UserError, match=r"dset=two.*changes dset\.rate_hz.*move its .dset:"):
        foreign.resolve(["solver=fast", "dset=two"])
