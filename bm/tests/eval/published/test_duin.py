"""Published figures of Du-IN agree with each other, and with what they are repeated by."""

from __future__ import annotations

import numpy as np
import pytest
from omegaconf import OmegaConf

from bm.eval.published.duin import ACCURACY, GRIDS, PEOPLE
from bm.eval.published.matching import match


@pytest.mark.parametrize("name", PEOPLE)
def test_means_are_those_of_the_people(name: str) -> None:
    people = np.array(PEOPLE[name])
    mean, error = ACCURACY[name]
    assert len(people) == 12
    assert people.mean() == pytest.approx(mean, abs=0.03)
    assert people.std() / np.sqrt(12) == pytest.approx(error, abs=0.03)


def test_starts_are_told_apart_by_their_upstream() -> None:
    def config(init_from: str | None, solver: str):
        values = {"init_from": init_from, "model": {"name": "duin_cls"}, "solver": {"name": solver}}
        return OmegaConf.create({**values, "dset": {"name": "duin"}})

    upstream = {"aaaaaaaa": config(None, "tokenizer"), "bbbbbbbb": config(None, "masked")}
    for start, name in (
        (None, "Du-IN from scratch"),
        ("//sig/aaaaaaaa", "Du-IN (vqvae)"),
        ("//sig/bbbbbbbb", "Du-IN (mae)"),
    ):
        row = match(GRIDS["duin.main"], config(start, "supervised"), upstream)
        assert row is not None and row.name == name
