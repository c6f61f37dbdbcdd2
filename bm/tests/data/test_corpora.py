"""What is pre-trained on must not be tested on: splits of recipes that belong together."""

from __future__ import annotations

import pandas as pd
import pytest

from bm.data.split import KEYS, assign
from bm.train import main
from bm.xp.resolve import to_plain


def split_of(recipe: str) -> dict:
    """`dset.split` of a recipe."""
    return to_plain(main.resolve([f"solver={recipe}"]).cfg.dset.split)


@pytest.mark.parametrize("stage", ["tokenizer", "pretrain"])
def test_people_of_the_task_are_in_the_same_split_before(stage) -> None:
    people = [("eegmat", f"Subject{i:02d}") for i in range(36)]
    people += [("eegmmidb", f"S{i:03d}") for i in range(1, 110)]
    table = pd.DataFrame(people, columns=["study", "subject"])
    before = assign(table, split_of(f"labram/eegmat_{stage}"))
    task = assign(table, split_of("labram/eegmat"))
    eegmat = table["study"] == "eegmat"
    assert before[eegmat].equals(task[eegmat]) and (task[eegmat] == "test").any()
    assert set(before[~eegmat]) == {"train"}


@pytest.mark.parametrize("stage", ["debug_tokenizer", "debug_pretrain"])
def test_simulated_people_are_too(stage) -> None:
    pairs = [("simulated-background", f"pair{i:03d}") for i in range(12)]
    table = pd.DataFrame(pairs, columns=["study", "group"])
    before, task = (assign(table, split_of(f"labram/{name}")) for name in (stage, "debug"))
    assert before.equals(task) and set(task[:6]) == {"train", "valid", "test"}


@pytest.mark.parametrize("stage", ["few_vqvae", "few_mae"])
def test_trials_of_few_labels_are_in_the_same_split_before(stage) -> None:
    table = pd.DataFrame(dict.fromkeys(KEYS["trial"], "0"), index=range(200))
    table["event_row"] = [str(number) for number in range(200)]
    before, task = (assign(table, split_of(f"duin/{name}")) for name in (stage, "few"))
    assert before.equals(task) and set(task) == {"train", "valid", "test"}
    assert main.resolve([f"solver=duin/{stage}"]).cfg.dset.segment.label is None
