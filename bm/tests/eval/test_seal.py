"""Seals: what was changed after an evaluation is found, always; crates name every file."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

import pandas as pd
import pytest

from bm.errors import UserError
from bm.eval.crate import METADATA, write_crate
from bm.eval.evaluate import evaluate_one
from bm.eval.experiments import Experiment
from bm.eval.seal import check_cell, check_table, differences, hash_of, seal_table
from bm.tests.eval.evaluations import experiment
from bm.train import main

SIG = "aaaaaaa1"


@pytest.fixture
def sealed(tmp_path: Path) -> Experiment:
    """A finished experiment that was evaluated, and a table of it."""
    one = experiment(SIG, "seed=1")
    one.folder = tmp_path / "xps" / SIG
    (one.folder / "best").mkdir(parents=True)
    (one.folder / "best" / "model.safetensors").write_bytes(bytes(range(200)))
    stored = {"split": "test", "metrics": {"accuracy": 0.5}, "chance": {}, "n_items": 2}
    (one.folder / "evaluation.json").write_text(json.dumps({**stored, "extra": {}}))
    (one.folder / "guard.json").write_text(json.dumps({"commit": "abc", "data_hash": "def"}))
    (one.folder / "splits.csv").write_text("segment,split\n0,train\n1,test\n")
    pd.DataFrame({"label": [0, 1], "prediction": [0, 0]}).to_parquet(one.folder / "items.parquet")
    evaluate_one(one, tmp_path / "eval", main)
    table = tmp_path / "tables" / "some.grid"
    table.mkdir(parents=True)
    (table / "table.csv").write_text("variant,accuracy\nbase,0.500\n")
    (table / "table.md").write_text("| base | 0.500 |\n")
    seal_table(table, tmp_path / "eval", [SIG])
    return one


def faults(folder: Path, one: Experiment) -> list[str]:
    lines = check_cell(one.folder, folder / "eval" / SIG, SIG)
    return lines + check_table(folder / "tables" / "some.grid", folder / "eval")


def test_a_thousand_mutations_are_found_a_thousand_times(tmp_path, sealed) -> None:
    assert faults(tmp_path, sealed) == []
    paths = [p for p in sorted(tmp_path.rglob("*")) if p.is_file()]
    assert {p.name for p in paths} >= {"metrics.json", "items.parquet", "model.safetensors",
                                       "table.csv", "splits.csv", "seal.json"}  # fmt: skip
    generator = random.Random(0)
    for _ in range(1000):
        path = generator.choice(paths)
        content = path.read_bytes()
        place, value = generator.randrange(len(content)), generator.randrange(1, 256)
        path.write_bytes(content[:place] + bytes([content[place] ^ value]) + content[place + 1 :])
        assert faults(tmp_path, sealed), (path, place, value)
        path.write_bytes(content)
    assert faults(tmp_path, sealed) == []


def test_what_is_gone_added_or_of_another_experiment_is_named(tmp_path, sealed) -> None:
    (sealed.folder / "items.parquet").unlink()
    (sealed.folder / "best" / "more.safetensors").write_bytes(b"1")
    text = "\n".join(faults(tmp_path, sealed))
    assert "items.parquet is gone" in text and "more.safetensors was added" in text
    lines = check_cell(sealed.folder, tmp_path / "eval" / SIG, "bbbbbbb2")
    assert any("sealed as aaaaaaa1, its arguments are bbbbbbb2" in line for line in lines)
    (tmp_path / "eval" / SIG / "seal.json").unlink()
    assert any("is missing: run scripts.run_eval" in line for line in faults(tmp_path, sealed))


def test_a_table_of_another_evaluation_is_found(tmp_path, sealed) -> None:
    """The cheat: an edited evaluation that was sealed anew; its table no longer fits."""
    stored = json.loads((sealed.folder / "evaluation.json").read_text())
    stored["metrics"]["accuracy"] = 0.9
    (sealed.folder / "evaluation.json").write_text(json.dumps(stored))
    evaluate_one(sealed, tmp_path / "eval", main, again=False)
    (tmp_path / "eval" / SIG / "seal.json").unlink()
    evaluate_one(sealed, tmp_path / "eval", main)
    assert check_cell(sealed.folder, tmp_path / "eval" / SIG, SIG) == []
    (line,) = check_table(tmp_path / "tables" / "some.grid", tmp_path / "eval")
    assert "the table was made of another evaluation" in line


def test_two_runs_are_compared_bit_by_bit(tmp_path, sealed) -> None:

    again = tmp_path / "again"
    shutil.copytree(sealed.folder, again)
    assert differences(sealed.folder, again) == []
    (again / "best" / "model.safetensors").write_bytes(bytes(200))
    (again / "splits.csv").write_text("")
    pd.DataFrame({"label": [0, 1], "prediction": [0, 1]}).to_parquet(again / "items.parquet")
    text = "\n".join(differences(sealed.folder, again))
    assert all(word in text for word in ("weights", "items", "splits.csv"))


def test_a_crate_names_every_file_with_its_hash(tmp_path, sealed) -> None:
    table = tmp_path / "tables" / "some.grid"
    path = write_crate(tmp_path / "crate", "some.grid", [sealed], tmp_path, table)
    graph = {entity["@id"]: entity for entity in json.loads(path.read_text())["@graph"]}
    assert graph[METADATA]["conformsTo"] == {"@id": "https://w3id.org/ro/crate/1.1"}
    files = {p.relative_to(path.parent).as_posix(): p for p in path.parent.rglob("*")
             if p.is_file() and p.name != METADATA}  # fmt: skip
    assert {part["@id"] for part in graph["./"]["hasPart"]} == set(files)
    assert all(graph[name]["sha256"] == hash_of(p) for name, p in files.items())
    assert "commit abc, data def" in graph[f"#{SIG}"]["description"]
    assert set(graph["./"]) >= {"name", "description", "datePublished", "license"}
    with pytest.raises(UserError, match="not empty"):
        write_crate(tmp_path / "crate", "some.grid", [sealed], tmp_path, table)
