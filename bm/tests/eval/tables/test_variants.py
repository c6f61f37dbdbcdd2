"""Names of rows: what tells an experiment from the others on its dataset."""

from __future__ import annotations

from bm.eval.tables.variants import shared_parts, variants
from bm.tests.eval.evaluations import experiment


def test_seeds_of_one_variant_have_one_name() -> None:
    names = ["optim.lr=0.1 seed=0", "optim.lr=0.1 seed=1", "seed=0", "optim.lr=0.2"]
    members = [experiment(f"cccccc0{i}", name) for i, name in enumerate(names)]
    assert variants(members) == ["optim.lr=0.1", "optim.lr=0.1", "base", "optim.lr=0.2"]


def test_what_all_rows_of_a_dataset_share_is_left_out() -> None:
    members = [
        experiment("cccccc01", "solver=a/b model=x", dataset="d"),
        experiment("cccccc02", "solver=a/b model=y", dataset="d"),
        experiment("cccccc03", "solver=c dset=e", dataset="e"),
    ]
    assert shared_parts(members) == {"d": ["solver=a/b"], "e": []}
    assert variants(members) == ["model=x", "model=y", "solver=c"]  # the dataset has a column


def test_blanks_inside_of_lists_and_dictionaries_part_nothing() -> None:
    name = "dset.features=[{name: Mel, n_mels: 120}] solver.loss=mse"
    members = [experiment("cccccc01", name), experiment("cccccc02", "solver.loss=mse")]
    assert variants(members) == ["dset.features=[{name: Mel, n_mels: 120}]", "base"]


def test_keys_that_are_switches_are_parts() -> None:
    members = [
        experiment("cccccc01", "solver.wer_random=true optim.epochs=1"),
        experiment("cccccc02", ""),
    ]
    assert variants(members) == ["solver.wer_random=true optim.epochs=1", "base"]
