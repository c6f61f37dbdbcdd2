"""A key that nobody knows is answered by the key that is meant."""

from __future__ import annotations

import pytest

from bm.xp.key_hints import nearest_key

WHOLE = ("optim.lr", "optim.epochs", "optim.batch_size", "eval.batch_size", "seed", "paths.cache",
         "dset.segment.duration_s", "dset.n_recordings")  # fmt: skip
SECTIONS = ("optim", "paths", "slurm", "seed", "dset", "eval", "model")
TOP: dict[str, dict] = {name: {} for name in SECTIONS}


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("lr", "'optim.lr'"),
        ("epochs", "'optim.epochs'"),
        ("epoch", "'optim.epochs'"),
        ("batch_size", "'optim.batch_size' or 'eval.batch_size'"),
        ("duration_s", "'dset.segment.duration_s'"),
        ("segment.duration_s", "'dset.segment.duration_s'"),
        ("sed", "'seed'"),
        ("n_recording", "'dset.n_recordings'"),
    ],
)
def test_short_and_mistyped_keys_find_the_whole_one(key: str, hint: str) -> None:
    assert nearest_key(key, key.split(".")[0], TOP, WHOLE) == f"; did you mean {hint}?"


def test_an_argument_of_a_network_is_added_by_a_plus() -> None:
    siblings = {"name": "eegnet", "kernel": 64}
    assert "+model.f1=..." in nearest_key("model.f1", "f1", siblings, WHOLE)
    assert "'model.kernel'" in nearest_key("model.kernl", "kernl", siblings, WHOLE)
