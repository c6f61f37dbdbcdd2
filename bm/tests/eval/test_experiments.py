"""Experiments as they lie on the disk: states, histories, evaluations, stages before."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bm.errors import UserError
from bm.eval.experiments import of_grid, of_sigs
from bm.tests.eval.evaluations import experiment, write_evaluation
from bm.train import main
from bm.xp import marker

GRID = "demo.staged"


@pytest.fixture
def outputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(main.dora, "dir", tmp_path)
    return tmp_path / main.dora.xps


def test_states_of_a_grid(outputs: Path) -> None:
    first, second, third = of_grid(GRID, main)
    assert {e.state for e in (first, second, third)} == {"missing"}
    (outputs / first.sig).mkdir(parents=True)
    history = [{"valid": {"loss": 1.0}}, {"valid": {"loss": 0.5}}]
    (outputs / first.sig / "history.json").write_text(json.dumps(history))
    (outputs / second.sig).mkdir()
    marker.write(outputs / second.sig, {"epoch": 2})
    first, second, third = of_grid(GRID, main)
    assert [e.state for e in (first, second, third)] == ["unfinished", "done", "missing"]
    assert first.history == history and second.history == third.history == []
    assert first.solver == "supervised" and first.simulated


def test_the_downstream_names_its_upstream() -> None:
    first, second, third = of_grid(GRID, main)
    assert first.upstream == set()
    assert second.upstream == third.upstream == {first.sig}
    nested = experiment("cccccccc", tokenizer="//sig/aaaaaaaa", model={"encoder": "//sig/bbbbbbbb"})
    assert nested.upstream == {"aaaaaaaa", "bbbbbbbb"}
    assert experiment("cccccccc", init_from="//file/models/aaaaaaaa").upstream == set()


def test_a_signature_that_is_not_here_is_one_line(outputs: Path) -> None:
    with pytest.raises(UserError, match="no experiment 'ab12cd34'"):
        of_sigs(["ab12cd34"], main)
    (outputs / "ab12cd34").mkdir(parents=True)  # a folder alone is none either
    with pytest.raises(UserError, match="no experiment 'ab12cd34'"):
        of_sigs(["ab12cd34"], main)


def test_experiments_by_signature_are_those_of_the_grid(outputs: Path) -> None:
    first, second, _ = of_grid(GRID, main)
    for one in (second, first):
        main.init_xp(main.get_xp(["solver=supervised/debug", *arguments(one.sig)]))
    again = of_sigs([second.sig, first.sig], main)
    assert [e.sig for e in again] == [second.sig, first.sig]
    assert again[1].config == first.config and again[1].state == "unfinished"


def arguments(sig: str) -> list[str]:
    """Overrides of an experiment of the grid."""
    first, second, _ = of_grid(GRID, main)
    return {
        first.sig: ["seed=7"],
        second.sig: [f"init_from=//sig/{first.sig}", "seed=0"],
    }[sig]


def test_the_evaluation_of_run_eval_wins(tmp_path: Path) -> None:
    one = experiment("cccccccc")
    one.folder = tmp_path / "xps" / one.sig
    assert one.evaluation(tmp_path / "eval") is None
    write_evaluation(tmp_path / "xps", one.sig, {"accuracy": 0.5})
    (one.folder / "metrics.json").rename(one.folder / "evaluation.json")
    stored = one.evaluation(tmp_path / "eval")
    assert stored is not None and stored["metrics"] == {"accuracy": 0.5}
    write_evaluation(tmp_path / "eval", one.sig, {"accuracy": 0.75})
    stored = one.evaluation(tmp_path / "eval")
    assert stored is not None and stored["metrics"] == {"accuracy": 0.75}


def test_one_simulated_study_is_enough() -> None:
    one = experiment("cccccccc")
    assert not one.simulated and one.dataset == "d"
    one.config.dset.studies.append({"study": "simulated"})
    assert one.simulated
