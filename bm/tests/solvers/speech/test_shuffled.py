"""Windows of speech, and the control: the signal of one window with the features of another."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bm.data.dataset import Dataset
from bm.errors import UserError
from bm.solvers.speech.shuffled import Shuffled, speech_windows_of
from bm.train import main

WORDS = (
    "solver=clip/debug",
    "dset.studies=[{study: simulated, mode: listening, preset: tiny}]",
    "dset.split.fixed={valid: {run: ['1']}, test: {run: ['2']}}",
    "dset.rate_hz=31.25",
    "dset.features=[WordLength, WordIndex]",
)


@pytest.fixture(scope="module")
def windows() -> Dataset:
    return speech_windows_of(main.resolve(list(WORDS)).cfg)


@pytest.fixture(scope="module")
def control(windows: Dataset) -> Shuffled:
    return Shuffled.of(windows, 3)


def test_speech_needs_something_that_was_heard(windows: Dataset) -> None:
    assert windows.facts.features == {"WordLength": 1, "WordIndex": 1}
    with pytest.raises(UserError, match=r"dset\.features is empty: name what is decoded"):
        speech_windows_of(main.resolve([*WORDS, "dset.features=[]"]).cfg)


def test_signals_are_exchanged_within_split_channels_and_length(
    windows: Dataset, control: Shuffled
) -> None:
    table, other = windows.table, control.other
    assert sorted(other) == list(range(len(table)))  # each signal once
    assert (other != np.arange(len(table))).mean() > 0.5
    for column in ("split", "length"):
        values = table[column].to_numpy()
        assert (values[other] == values).all()
    layout = windows.layout[table["recording"].to_numpy()]
    assert (layout[other] == layout).all()


def test_all_but_the_signal_is_of_the_window_itself(windows: Dataset, control: Shuffled) -> None:
    rows = [row for row in windows.rows("train").tolist() if control.other[row] != row][:6]
    batch, itself = control.gather(rows), windows.gather(rows)
    source = windows.gather(control.other[rows].tolist())
    assert batch.segment.tolist() == rows == itself.segment.tolist()
    for name, values in itself.features.items():
        assert torch.equal(batch.features[name], values)
    assert torch.equal(batch.feature_mask, itself.feature_mask)
    assert torch.equal(batch.label, itself.label)
    for name in ("signal", "subject", "recording", "positions", "channel_mask"):
        assert torch.equal(getattr(batch, name), getattr(source, name)), name
    assert not torch.equal(batch.signal, itself.signal)


def test_the_control_follows_its_seed_and_is_no_other_data(
    windows: Dataset, control: Shuffled
) -> None:
    again, another = Shuffled.of(windows, 3), Shuffled.of(windows, 4)
    np.testing.assert_array_equal(again.other, control.other)
    assert (another.other != control.other).any()
    assert again.hash == control.hash != windows.hash
