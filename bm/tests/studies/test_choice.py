"""Which recordings of several studies are used, and in which order."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from bm.errors import UserError
from bm.studies import recordings_of
from bm.studies.choice import Choice
from bm.tests.studies import stories
from scripts.prepare import command

NAMES = ["a0", "a1", "a2", "a3", "a4"], ["b0", "b1"], ["c0", "c1", "c2"]


def chosen(**keys) -> str:
    lists = [[SimpleNamespace(name=name) for name in names] for names in NAMES]
    return " ".join(one.name for one in Choice.of(keys)(lists))


def test_one_of_each_study_in_turn() -> None:
    assert chosen() == "a0 a1 a2 a3 a4 b0 b1 c0 c1 c2"
    assert chosen(interleave=True) == "a0 b0 c0 a1 b1 c1 a2 c2 a3 a4"
    assert chosen(interleave=True, skip_recordings=1, n_recordings=4) == "b0 c0 a1 b1"
    assert chosen(n_recordings=0) == ""
    with pytest.raises(UserError, match="n_recordings=-1"):
        chosen(n_recordings=-1)


def test_each_study_is_mixed_by_itself_as_published() -> None:
    expected = []
    for names in NAMES:
        mixed = list(names)
        np.random.RandomState(7).shuffle(mixed)
        expected += mixed
    assert chosen(shuffle_recordings_seed=7) == " ".join(expected) != chosen()
    assert chosen(shuffle_recordings_seed=-1) == chosen(shuffle_recordings_seed=0) == chosen()


def test_preparation_takes_what_training_takes(tmp_path: Path, capsys) -> None:
    stories.brennan(tmp_path, ("S01", "S03", "S04"))
    stories.broderick(tmp_path, people=(1,), runs=2)
    other = "{study: broderick2019, min_matches: 3, sentences: punctuation}"
    studies = f"dset.studies=[{{study: brennan2019}}, {other}]"
    words = ("dset=brennan2019", studies, "dset.skip_recordings=1", "dset.n_recordings=2")
    places = (f"paths.studies={tmp_path}", f"paths.cache={tmp_path / 'cache'}")
    assert command(overrides=[*words, *places]) == 0
    assert "recordings  2 (2 built now" in capsys.readouterr().out
    names = sorted(path.name.split("-")[0] for path in (tmp_path / "cache/signals").rglob("*.h5"))
    assert names == ["brennan2019_S03_0_0", "broderick2019_Subject1_0_run1"]
    entries = [{"study": "brennan2019"}, {"study": "broderick2019"}]
    paths = {"studies": tmp_path, "cache": tmp_path}
    recordings = recordings_of(entries, paths, Choice(1, 2, interleave=True))[0]
    assert [one.id.subject for one in recordings] == ["Subject1", "S03"]
