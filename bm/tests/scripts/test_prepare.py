"""scripts.prepare: which part of the configuration decides what is stored."""

from __future__ import annotations

from typing import Any

import pytest

from bm.data.store import recipe_of
from bm.train import main
from bm.xp.resolve import to_plain


def recipe(*words: str) -> dict[str, Any]:
    """What is stored of each recording, as `scripts.prepare` decides it."""
    return recipe_of(to_plain(main.resolve(words).cfg.dset))


def test_a_data_set_is_prepared_as_its_file_says_whatever_the_solver() -> None:
    alone = recipe("dset=eegmat")
    assert alone["rate_hz"] == 125.0 and alone["preprocess"][0]["low_hz"] == 1.0
    assert recipe("solver=supervised/motor", "dset=eegmat") == alone
    assert recipe("solver=labram/eegmat") != alone


@pytest.mark.parametrize("prefix", ["", "+", "++"])
def test_words_win_over_the_data_set(prefix: str) -> None:
    if prefix != "+":  # Hydra adds only what is not there
        assert recipe("dset=eegmat", f"{prefix}dset.rate_hz=100.0")["rate_hz"] == 100.0
    if prefix:
        assert recipe("dset=eegmat", f"{prefix}dset.positions=layout")["positions"] == "layout"
