"""Evaluation of many experiments: what is written, what is left alone, what failed."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pandas as pd
import pytest

from bm.errors import UserError
from bm.eval import evaluate
from bm.eval.evaluate import Outcome, evaluate_all, evaluate_one
from bm.eval.experiments import Experiment
from bm.metrics.evaluation import Evaluation
from bm.tests.eval.evaluations import experiment
from bm.train import main


def finished(folder: Path, sig: str, items: bool = True) -> Experiment:
    """An experiment whose folder holds what a run leaves."""
    one = experiment(sig, f"seed={sig[-1]}")
    one.folder = folder / "xps" / sig
    one.folder.mkdir(parents=True)
    stored = {"split": "test", "metrics": {"accuracy": 0.5}, "chance": {}, "n_items": 2}
    (one.folder / "evaluation.json").write_text(json.dumps({**stored, "extra": {}}))
    (one.folder / "guard.json").write_text(json.dumps({"commit": "abc", "data_hash": "def"}))
    if items:
        pd.DataFrame({"label": [0, 1]}).to_parquet(one.folder / "items.parquet")
    return one


def metrics_of(folder: Path, sig: str) -> dict:
    return json.loads((folder / "eval" / sig / "metrics.json").read_text())


def test_what_is_written_names_commit_and_data(tmp_path: Path) -> None:
    one = finished(tmp_path, "aaaaaaa1")
    outcome = evaluate_one(one, tmp_path / "eval", main)
    assert outcome == Outcome("aaaaaaa1", "seed=1", "evaluated")
    stored = metrics_of(tmp_path, one.sig)
    assert stored["metrics"] == {"accuracy": 0.5}
    assert (stored["sig"], stored["commit"], stored["data_hash"]) == ("aaaaaaa1", "abc", "def")
    items = pd.read_parquet(tmp_path / "eval" / one.sig / "items.parquet")
    assert items["label"].tolist() == [0, 1]
    assert {p.name for p in (tmp_path / "eval" / one.sig).iterdir()} == {
        "metrics.json", "items.parquet", "seal.json"
    }  # fmt: skip


def test_what_is_there_stays_and_what_did_not_finish_says_so(tmp_path: Path) -> None:
    one = finished(tmp_path, "aaaaaaa1", items=False)
    evaluate_one(one, tmp_path / "eval", main)
    path = tmp_path / "eval" / one.sig / "metrics.json"
    path.write_text('{"metrics": {"accuracy": 0.75}, "chance": {}}')
    assert evaluate_one(one, tmp_path / "eval", main).state == "kept"
    assert json.loads(path.read_text())["metrics"]["accuracy"] == 0.75
    one.state = "unfinished"
    assert evaluate_one(one, tmp_path / "eval", main).state == "unfinished"


def test_a_lost_evaluation_is_one_line(tmp_path: Path) -> None:
    one = finished(tmp_path, "aaaaaaa1")
    (one.folder / "evaluation.json").unlink()
    with pytest.raises(UserError, match="is finished but has no evaluation; run it again"):
        evaluate_one(one, tmp_path / "eval", main)
    assert not (tmp_path / "eval").exists()


def test_again_replaces_metrics_and_items(tmp_path: Path, monkeypatch) -> None:
    one = finished(tmp_path, "aaaaaaa1")
    evaluate_one(one, tmp_path / "eval", main)
    computed = Evaluation("test", {"accuracy": 0.9}, items=pd.DataFrame({"label": [7]}), n_items=1)
    monkeypatch.setattr(evaluate, "_recompute", lambda experiment, main: computed)
    assert evaluate_one(one, tmp_path / "eval", main, again=True).state == "evaluated"
    assert metrics_of(tmp_path, one.sig)["metrics"] == {"accuracy": 0.9}
    items = pd.read_parquet(tmp_path / "eval" / one.sig / "items.parquet")
    assert items["label"].tolist() == [7]
    assert pd.read_parquet(one.folder / "items.parquet")["label"].tolist() == [0, 1]


def test_all_are_printed_in_their_order(tmp_path: Path, capsys) -> None:
    members = [finished(tmp_path, "aaaaaaa1"), experiment("aaaaaaa2", "lost")]
    members[1].state = "missing"
    outcomes = evaluate_all(members, tmp_path / "eval", main)
    assert [o.state for o in outcomes] == ["evaluated", "missing"]
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["1/2", "aaaaaaa1", "evaluated", "seed=1"]
    assert lines[1].split() == ["2/2", "aaaaaaa2", "missing", "lost"]


def test_only_what_has_to_be_computed_is_spread(tmp_path: Path, capsys) -> None:
    """The function and its arguments are pickled, as for a job; results come in any order."""
    members = [finished(tmp_path, f"aaaaaaa{i}") for i in range(4)]
    evaluate_one(members[0], tmp_path / "eval", main)
    members[2].state = "unfinished"
    sent: list[str] = []

    def spread(
        function: Callable[[Experiment], Outcome], items: Sequence[Experiment]
    ) -> Iterator[tuple[int, Outcome | Exception]]:
        sent.extend(item.sig for item in items)
        function = pickle.loads(pickle.dumps(function))
        assert function.keywords["main"] is main
        yield 1, RuntimeError("Traceback of a job\nUserError: no disk")
        yield 0, function(items[0])

    outcomes = evaluate_all(members, tmp_path / "eval", main, spread=spread)
    assert sent == ["aaaaaaa1", "aaaaaaa3"]
    assert [o.state for o in outcomes] == ["kept", "evaluated", "unfinished", "failed"]
    assert "aaaaaaa3: UserError: no disk" in capsys.readouterr().err
    assert metrics_of(tmp_path, "aaaaaaa1")["metrics"] == {"accuracy": 0.5}


def test_an_experiment_without_test_windows_is_listed(tmp_path: Path) -> None:
    (tmp_path / "splits.json").write_text('{"windows": {"train": 3, "valid": 1, "test": 0}}')
    assert evaluate.has_no_test(tmp_path)
    (tmp_path / "splits.json").write_text('{"windows": {"train": 3, "valid": 1, "test": 2}}')
    assert not evaluate.has_no_test(tmp_path)
    assert not evaluate.has_no_test(tmp_path / "absent")
