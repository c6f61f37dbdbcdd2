"""Phonemes token by token: classes of tokens, what is refused, and a short training."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from bm.errors import UserError
from bm.solvers.phonemes import NONE, token_classes

from ..experiments import history_of, run
from .small_seeg import PHONEMES as SMALL
from .small_seeg import words


def windows(column: list, kind: str = "phoneme") -> SimpleNamespace:
    events = pd.DataFrame(
        {"kind": kind, "start_s": [0.2, 0.6], "duration_s": [0.3, 0.2], "initial": column}
    )
    table = pd.DataFrame({"recording": [0, 0], "start": [0, 40], "length": [80, 80]})
    return SimpleNamespace(signals=[SimpleNamespace(events=events, rate_hz=100.0)], table=table)


def test_a_token_is_what_is_spoken_in_its_middle() -> None:
    classes = token_classes(windows([3, 1]), "phoneme", "initial", 10, 4)
    assert classes.tolist() == [
        [NONE, NONE, 3, 3, 3, NONE, 1, 1],
        [3, NONE, 1, 1, NONE, NONE, NONE, NONE],
    ]
    texts = token_classes(windows(["zh", "b"]), "phoneme", "initial", 10, 2)
    assert texts[0].tolist() == [NONE, NONE, 1, 1, 1, NONE, 0, 0]


@pytest.mark.parametrize(
    ("column", "kind", "message"),
    [
        ([3, 4], "phoneme", "initial 4: the head has classes 0 to 3"),
        (list("ab"), "word", "needs to know when each phoneme is spoken"),
        ([3, None], "phoneme", "some phonemes have no 'initial'"),
    ],
)
def test_what_gives_no_classes_is_refused(column, kind, message) -> None:
    with pytest.raises(UserError, match=message):
        token_classes(windows(column, kind), "phoneme", "initial", 10, 4)


@pytest.mark.story
def test_phonemes_are_learned(tmp_path) -> None:
    solver = run(tmp_path, *SMALL, words("n_trials: 8, part: task, phonemes: true"))
    history = history_of(solver)
    assert history[-1]["train"]["loss"] < history[0]["train"]["loss"]
    assert {"loss_initial", "loss_final", "accuracy_initial"} <= set(history[-1]["valid"])
    stored = json.loads((solver.folder / "evaluation.json").read_text())
    assert 0 < stored["chance"]["accuracy"] < 0.5
    spoken = solver.classes["initial"] != NONE
    assert (spoken.sum(1) == 7).mean() > 0.5  # .72 s of a word in tokens of .1 s
    valid = solver.data.rows("valid")
    assert np.isin(solver.classes["final"][valid], np.arange(-1, 10)).all()


@pytest.mark.story
def test_mistakes_are_one_line(tmp_path) -> None:
    task = words("n_trials: 4, part: task")
    with pytest.raises(UserError, match="no event of kind 'phoneme'"):
        run(tmp_path, *SMALL, task)
    with pytest.raises(UserError, match="shifts in time"):
        run(tmp_path, *SMALL, task, "dset.augment=[{step: zero_shift, max_s: 0.3}]")
    with pytest.raises(UserError, match="gives no classes of tokens"):
        run(tmp_path, *SMALL[:1], task, "model=duin/cls_small", "dset.channels=null")
