"""Values of features at the events of windows: where they are read, and what is read there."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from bm.errors import UserError
from bm.features import build_feature
from bm.features.builder import FeatureBuilder
from bm.solvers.speech.item_features import CHUNK, item_features_of, values_at_events
from bm.tests.features.events import words
from bm.train import main

RATE = 10.0


def windows(starts: list[int], length: int = 20) -> SimpleNamespace:
    table = pd.DataFrame({"recording": 0, "start": starts, "length": length})
    return SimpleNamespace(table=table, facts=SimpleNamespace(rate_hz=RATE))


def lengths_at(events: pd.DataFrame, starts: list[int], offset_s: float) -> list[float]:
    """Word lengths that are read in windows of two seconds."""
    builder = FeatureBuilder([build_feature("WordLength")])
    builder.add(events, RATE)
    rows = np.arange(len(starts))
    return values_at_events(builder, windows(starts), rows, offset_s)["WordLength"]


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ((1.0, 0.5, "abc"), 3),  # two samples after the onset, as published
        ((1.0, 0.2, "abcd"), 4),  # over by then: one sample earlier
        ((1.3, 0.1, "ab"), 2),  # not yet there: one later
        ((1.0, 0.1, "abcde"), 5),  # two earlier
        ((1.4, 0.1, "a"), 1),  # two later
        ((1.5, 0.5, "abc"), 0),  # three later is another word's
    ],
)
def test_the_word_at_the_event_is_read_or_its_neighbour(
    word: tuple[float, float, str], value: int
) -> None:
    assert lengths_at(words(word), [5], -0.5) == [value]  # the window starts 0.5 s before


def test_what_is_there_wins_over_neighbours() -> None:
    events = words((1.0, 0.2, "aaaa"), (1.2, 0.1, "bb"), (1.3, 0.5, "c"))
    assert lengths_at(events, [5], -0.5) == [2]


def test_many_windows_are_read_in_chunks_and_in_order() -> None:
    n = 2 * CHUNK + 3
    events = words(*((float(i), 0.5, "a" * (1 + i % 7)) for i in range(n)))
    starts = [10 * i - 5 for i in range(n)]
    assert lengths_at(events, starts, -0.5) == [1 + i % 7 for i in range(n)]
    assert lengths_at(events, starts[::-1], -0.5) == [1 + i % 7 for i in range(n)][::-1]


def test_places_outside_the_window_are_those_of_its_ends() -> None:
    events = words((1.0, 2.0, "abc"))
    assert lengths_at(events, [9], -5.0) == [3]  # the event lies behind the window: its last
    assert lengths_at(events, [0], 3.0) == [0]  # before it: its first, which is silent
    assert lengths_at(events, [12], 3.0) == [3]


def test_features_of_a_rate_of_their_own_and_of_several_dimensions() -> None:
    """Sample t of the track holds (t, t + 100) at 25 Hz; the event is sample 5 of 10 Hz."""

    def gather(owners: np.ndarray, starts: np.ndarray, length: int):
        times = torch.arange(50.0)
        track = torch.stack([times, times + 100]).repeat(len(owners), 1, 1)
        return {"two": track}, None

    feature = SimpleNamespace(rate_hz=25.0, default=0.0)
    builder = SimpleNamespace(features={"two": feature}, gather=gather)
    values = values_at_events(builder, windows([0, 0]), np.arange(2), -0.5)
    assert values == {"two": [[18.0, 118.0]] * 2}  # (5 + 2) * 2.5, rounded to even


def test_nothing_is_read_unless_asked_for() -> None:
    words_of = ("solver=clip/debug", "+dset.extra_test_features=[]")
    assert item_features_of(main.resolve(list(words_of)).cfg, windows([0])) is None
    assert item_features_of(main.resolve(["solver=clip/debug"]).cfg, windows([0])) is None
    wrong = main.resolve(["solver=clip/debug", "+dset.extra_test_features=[WordLenght]"]).cfg
    with pytest.raises(UserError, match="did you mean 'WordLength'"):
        item_features_of(wrong, SimpleNamespace(signals=[]))
