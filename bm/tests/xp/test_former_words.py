"""Words of other systems get the line for here; every argument of a model can be changed."""

from __future__ import annotations

import pytest

from bm.errors import UserError
from bm.train import main
from bm.xp.former_words import WORDS
from scripts import run_eval, run_eval_probs
from scripts._arguments import parse


@pytest.mark.parametrize("word", ["dset.selections", "distributed", "grid_name", "continue_sig"])
def test_a_former_word_is_answered_by_the_word_here(word: str) -> None:
    with pytest.raises(UserError) as error:
        main.resolve([f"{word}=x"])
    assert str(error.value).endswith(WORDS[word]) and "\n" not in str(error.value)


def test_any_argument_of_a_model_can_be_changed() -> None:
    plain = main.resolve(["solver=supervised/debug", "model.f1=16"])
    assert plain.cfg.model.f1 == 16
    assert plain.sig == main.resolve(["solver=supervised/debug", "+model.f1=16"]).sig
    assert plain.sig != main.resolve(["solver=supervised/debug"]).sig
    with pytest.raises(UserError, match=r"unknown key 'model.pol_s'; did you mean 'model.pool_s'"):
        main.resolve(["solver=supervised/motor", "model.pol_s=3"])


def test_scripts_take_the_same_words() -> None:
    assert parse(run_eval.command, ["demo.main"]) == {"grid": "demo.main"}
    assert parse(run_eval.command, ["12e45678"]) == {"sigs": "12e45678"}
    assert parse(run_eval.command, ["sig=ab12cd34"]) == {"sigs": "ab12cd34"}
    with pytest.raises(UserError, match=r"grid_name=x.*use grid="):
        parse(run_eval.command, ["grid_name=x"])
    with pytest.raises(UserError, match=r"scripts.run_eval grid="):
        run_eval_probs.command()
