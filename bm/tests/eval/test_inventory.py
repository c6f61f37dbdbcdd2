"""What experiments there are, what tells two apart, and what may be removed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import bm
from bm.errors import UserError
from bm.eval.difference import difference
from bm.eval.inventory import experiments
from bm.eval.removal import plan_removal, remove


def experiment(root: Path, sig: str, value: float | None, **config: Any) -> Path:
    """Write the small files of an experiment."""
    folder = root / "xps" / sig
    folder.mkdir(parents=True)
    (folder / ".argv.json").write_text(json.dumps(["solver=supervised/debug", f"seed={sig[0]}"]))
    guard = {"config": {"dset.name": "toy", **config}, "data_hash": "d", "versions": {},
             "commit": "c"}  # fmt: skip
    (folder / "guard.json").write_text(json.dumps(guard))
    if value is not None:
        metrics = {"accuracy": value, "balanced_accuracy": value}
        evaluation = {"metrics": metrics, "chance": {"balanced_accuracy": 0.25}, "n_items": 8,
                      "simulated": True, "extra": {"table": ["balanced_accuracy"]}}  # fmt: skip
        (folder / "evaluation.json").write_text(json.dumps(evaluation))
        (folder / "history.json").write_text(json.dumps([{"train": {"loss": 1.0}}]))
        (folder / "finished.json").write_text(json.dumps({"epoch": 1}))
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Three experiments, the third from the first, and a folder without arguments."""
    experiment(tmp_path, "1" * 8, 0.9, **{"optim.lr": 0.001})
    experiment(tmp_path, "2" * 8, 0.4, **{"optim.lr": 0.002})
    experiment(tmp_path, "3" * 8, None, init_from="//sig/11111111")
    (tmp_path / "xps/44444444").mkdir()
    grid = tmp_path / "grids/demo.tiny"
    grid.mkdir(parents=True)
    for sig in ("1" * 8, "2" * 8):
        (grid / sig).symlink_to(tmp_path / "xps" / sig)
    return tmp_path


def test_a_table_of_experiments_and_its_filters(root: Path) -> None:
    table = bm.experiments(outputs=root).set_index("sig")
    assert table.loc["1" * 8, ["state", "recipe", "value", "grids", "chance"]].tolist() == [
        "done", "supervised/debug", 0.9, "demo.tiny", 0.25,
    ]  # fmt: skip
    assert table.loc["3" * 8, "state"] == "new" and table.loc["44444444", "state"] == "orphaned"
    for filters, expected in (
        ({"state": "done"}, {"1" * 8, "2" * 8}),
        ({"above": 0.5}, {"1" * 8}),
        ({"grid": "demo.tiny", "below": 0.5}, {"2" * 8}),
        ({"changes": "seed=3*"}, {"3" * 8}),
        ({"older_days": 1}, set()),
    ):
        assert set(experiments(outputs=root, **filters)["sig"]) == expected, filters
    with pytest.raises(UserError, match="did you mean 'state'"):
        experiments(outputs=root, stat="done")
    with pytest.raises(UserError, match="grid that has run"):
        experiments("demo.tinny", root)


def test_a_difference_names_what_differs_alone(root: Path) -> None:
    sections = difference(*(root / "xps" / (c * 8) for c in "12"))
    assert sections["configuration"] == [("optim.lr", "0.001", "0.002")]
    assert ("accuracy", "0.9", "0.4") in sections["test"]
    assert "last epoch" not in sections and "origin" not in sections


def test_what_another_begins_from_stays(root: Path) -> None:
    removal = plan_removal(["1" * 8, "2" * 8], root)
    assert removal.stays == {"1" * 8: "33333333 begins from it"}
    remove(removal, root)
    assert (
        not (root / "xps/22222222").exists()
        and not (root / "grids/demo.tiny/22222222").is_symlink()
    )
    both = plan_removal(["1" * 8, "3" * 8], root)
    assert both.stays == {} and both.bytes > 0
    with pytest.raises(UserError, match="did you mean '11111111'"):
        plan_removal(["11111112"], root)
