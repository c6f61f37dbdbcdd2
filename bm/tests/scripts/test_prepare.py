"""scripts.prepare: which part of the configuration decides what is stored."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.prepare import _dset_recipe

CONF = Path(__file__).resolve().parents[3] / "conf"


@pytest.mark.parametrize("prefix", ["", "+", "++"])
def test_words_win_over_the_recipe_of_the_data_set(prefix: str) -> None:
    own = _dset_recipe(["dset=eegmat"], CONF)
    assert own["positions"] == "head" and own["rate_hz"] is not None and own["preprocess"]
    for key in own:
        word = f"{prefix}dset.{key}=x"
        assert set(_dset_recipe(["dset=eegmat", word], CONF)) == set(own) - {key}


def test_a_solver_brings_its_recipe() -> None:
    assert _dset_recipe(["solver=supervised/motor", "dset=eegmat"], CONF) == {}
    assert _dset_recipe(["dset.rate_hz=100"], CONF) == {}
