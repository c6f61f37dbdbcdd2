"""Windows, splits and scaling: nothing dropped in silence, nothing leaks."""

from __future__ import annotations

import json
import random

import numpy as np
import pandas as pd
import pytest
import torch

from bm.data import scale, segments, split
from bm.data.dataset import build_dataset
from bm.data.recording import EVENT_KINDS, RecordingId, register_event_kind
from bm.data.signal import bare
from bm.data.window_rule import WindowRule
from bm.errors import UserError

SEGMENT = {"kind": "trial", "offset_s": 1.0, "duration_s": 2.0, "stride_s": None, "label": "label"}
SPLIT = {
    "key": "trial",
    "seed": 0,
    "ratios": {"train": 0.8, "valid": 0.2, "test": 0.0},
    "fixed": {},
}


def trials(*starts: float) -> pd.DataFrame:
    rows = [
        {"kind": "trial", "start_s": s, "duration_s": 5.0, "label": i % 2, "class": "ab"[i % 2]}
        for i, s in enumerate(starts)
    ]
    return pd.DataFrame([{"kind": "block", "start_s": 0.0, "duration_s": 60.0}, *rows])


def table_of(n: int, recordings: int = 4) -> pd.DataFrame:
    frame = pd.DataFrame({"recording": np.arange(n) % recordings, "event_row": np.arange(n)})
    frame["start"], frame["length"] = 100 * np.arange(n), 50
    ids = [RecordingId("st", f"s{r}", "0", str(r), group=f"g{r // 2}") for r in range(recordings)]
    return segments.add_ids(frame, ids)


def test_event_locked_windows(caplog: pytest.LogCaptureFixture) -> None:
    table = segments.segments_of(3, trials(0.0, 10.0, 28.5), 3000, 100.0, SEGMENT)
    assert table["start"].tolist() == [100, 1100]  # the third would end after 30 s
    assert set(table["length"]) == {200} and set(table["recording"]) == {3}
    assert "1 windows reach outside" in caplog.text and table.attrs["left_out"] == 1


@pytest.mark.parametrize("rounding", ["window", "up"])
def test_a_window_may_end_with_the_last_sample(rounding: str) -> None:
    segment = {**SEGMENT, "rounding": rounding}
    for samples, starts in ((3000, [2800]), (2999, [])):
        table = segments.segments_of(0, trials(27.0), samples, 100.0, segment)
        assert table["start"].tolist() == starts and table.attrs["left_out"] == 1 - len(starts)
    (row,) = segments.segments_of(0, trials(-1.0), 200, 100.0, segment).to_dict("records")
    assert (row["start"], row["length"]) == (0, 200)  # the whole recording


def test_a_study_registers_its_own_kind_of_event(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(EVENT_KINDS, "_items", dict(EVENT_KINDS._items))
    events = trials(0.0, 10.0).replace("trial", "saccade")
    segment = {**SEGMENT, "kind": "saccade"}
    with pytest.raises(UserError, match="unknown event kind 'saccade'; known: block, phoneme"):
        segments.segments_of(0, events, 3000, 100.0, segment)
    register_event_kind("saccade", "jump of the eyes")
    register_event_kind("saccade", "jump of the eyes")  # the module may be imported again
    assert len(segments.segments_of(0, events, 3000, 100.0, segment)) == 2
    with pytest.raises(ValueError, match="registered as 'jump of the eyes'"):
        register_event_kind("saccade", "another thing")
    with pytest.raises(ValueError, match="whole recordings"):
        register_event_kind("recording", "a record")


def test_a_misspelt_kind_is_refused_before_anything_is_read() -> None:
    with pytest.raises(UserError, match="unknown event kind 'trail'; did you mean 'trial'"):
        build_dataset([], {"segment": {**SEGMENT, "kind": "trail"}})


def test_strided_windows_fill_the_event_and_no_more() -> None:
    event = {"start_s": 2.0, "duration_s": 10.0}
    rule = WindowRule("trial", duration_s=2.0, stride_s=2.0)
    assert rule.anchors(event) == [2.0, 4.0, 6.0, 8.0, 10.0]
    assert len(rule.anchors({"start_s": 0.0, "duration_s": 1.9})) == 0
    strict = WindowRule("trial", duration_s=2.0, stride_s=2.0, strict=True)
    assert strict.anchors(event) == [2.0, 4.0, 6.0, 8.0]


def test_class_names_follow_their_numbers() -> None:
    events = trials(0.0, 10.0)
    table = segments.segments_of(0, events, 6000, 100.0, SEGMENT)
    assert segments.number_labels(table, [events], "label") == ("a", "b")
    table["label"] = ["yes", "no"]
    events["other"] = ""
    assert segments.number_labels(table, [events], "other") == ("no", "yes")
    assert table["label"].tolist() == [1, 0]
    table["label"] = [None, "no"]
    with pytest.raises(UserError, match="have no 'other'"):
        segments.number_labels(table, [events], "other")
    with pytest.raises(UserError, match="label=othr: no event has such a column; did you mean"):
        segments.number_labels(table, [events], "othr")


def test_an_unknown_event_kind_names_the_nearest() -> None:
    with pytest.raises(UserError, match="did you mean 'trial'"):
        segments.segments_of(0, trials(0.0), 100, 100.0, {**SEGMENT, "kind": "trail"})


def test_split_is_stable_close_to_its_ratios_and_moves_with_the_seed() -> None:
    table = table_of(2000)
    first = split.assign(table, SPLIT)
    assert 0.75 < (first == "train").mean() < 0.85 and set(first) == {"train", "valid"}
    shuffled = table.sample(frac=1, random_state=1)
    assert split.assign(shuffled, SPLIT).loc[first.index].equals(first)
    assert not split.assign(table, {**SPLIT, "seed": 1}).equals(first)
    assert split.uniform_hash("x") == split.uniform_hash("x") != split.uniform_hash("y")


@pytest.mark.parametrize("key", ["recording", "subject", "group"])
def test_what_stays_together_is_in_one_split(key: str) -> None:
    table = table_of(400, recordings=40)
    ratios = {"train": 0.5, "valid": 0.2, "test": 0.3}
    result = split.assign(table, {**SPLIT, "key": key, "ratios": ratios})
    assert (result.groupby(table[key]).nunique() == 1).all()


def test_fixed_splits_win() -> None:
    table = table_of(40)
    result = split.assign(table, {**SPLIT, "fixed": {"test": {"subject": ["s1"]}}})
    assert ((result == "test") == (table["subject"] == "s1")).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"key": "grup"}, "did you mean 'group'"),
        ({"ratios": {"train": 0.5, "valid": 0.2}}, "sum to 1"),
        ({"fixed": {"tset": {}}}, "did you mean 'test'"),
        ({"fixed": {"test": {"subjet": ["a"]}}}, "no column 'subjet'"),
        ({"ratios": {"test": 1.0}}, "no window to train on"),
        ({"key": "sentence"}, "no 'sequence_uid'"),
        (
            {"fixed": {"test": {"subject": ["s1"]}, "valid": {"subject": ["s1", "s2"]}}},
            "windows into both test and valid",
        ),
        ({"key": "recording", "fixed": {"test": {"event_row": ["3"]}}}, "tears recording"),
    ],
)
def test_mistakes_in_a_split(change: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        split.assign(table_of(10), {**SPLIT, **change})


def test_every_recording_has_enough_keys_in_each_of_its_splits() -> None:
    table = table_of(40, recordings=2)
    keys = pd.Series([f"k{i // 2}" for i in range(40)])
    splits = pd.Series((["train"] * 12 + ["test"] * 4 + [split.REMOVED] * 4) * 2)
    recordings = pd.Series([0] * 20 + [1] * 20)
    split.check_counts(recordings, keys, splits, 2)  # "valid" is absent, "removed" is in no split
    splits[34:36] = "train"
    with pytest.raises(UserError, match=r"recording 1 has 1 keys in split test, fewer than .*=2"):
        split.check_counts(recordings, keys, splits, 2)
    assert (split.assign(table, {**SPLIT, "min_keys": 1}) == split.assign(table, SPLIT)).all()
    with pytest.raises(UserError, match="min_keys=30"):
        split.assign(table, {**SPLIT, "min_keys": 30})


def test_windows_of_two_splits_must_not_share_time() -> None:
    table = pd.DataFrame(
        {"recording": [0, 0], "start": [0, 40], "length": [50, 50], "split": ["train", "test"]}
    )
    with pytest.raises(UserError, match="overlap in time"):
        split.check_no_overlap(table)
    table["start"] = [0, 50]
    split.check_no_overlap(table)


@pytest.mark.parametrize("pair", split.PAIRS)
def test_no_two_splits_may_share_time(pair: tuple[str, str]) -> None:
    table = pd.DataFrame({"recording": 0, "start": [0, 49], "length": 50, "split": list(pair)})
    with pytest.raises(UserError, match=f"1 of {pair[1]} with {pair[0]}"):
        split.check_no_overlap(table)
    split.check_no_overlap(table, tolerance=1)


def test_a_long_window_hidden_behind_short_ones_is_seen() -> None:
    table = pd.DataFrame(
        {"recording": 0, "start": [0, 10, 90], "length": [100, 5, 5],
         "split": ["train", "train", "test"]}
    )  # fmt: skip
    assert len(split.overlapping_windows(table, ("train", "test"))) == 1


def test_saved_splits_hold_every_window_and_what_was_left_out(tmp_path) -> None:
    table = table_of(20)
    table["split"] = split.assign(table, SPLIT)
    table.attrs["left_out"] = 3
    stored = pd.read_csv(split.write_splits(table, tmp_path / "xp"), dtype={"subject": str})
    assert stored["split"].tolist() == table["split"].tolist()
    assert stored["start"].tolist() == table["start"].tolist()
    summary = json.loads((tmp_path / "xp/splits.json").read_text())
    assert summary["left_out"] == 3 and sum(summary["windows"].values()) == 20
    assert len(list((tmp_path / "xp").iterdir())) == 2  # nothing aside stays


def test_published_splits_follow_the_uid_alone() -> None:
    table = table_of(30)
    table["block_uid"] = [f"sentence {i % 15}" for i in range(30)]
    ratios = {"train": 0.7, "valid": 0.1, "test": 0.2}
    options = {**SPLIT, "key": "block_uid", "seed": 12, "ratios": ratios, "method": "published"}
    result = split.assign(table, options)
    assert result[:15].tolist() == result[15:].tolist()
    for uid, name in zip(table["block_uid"], result, strict=True):
        score = split.block_score(uid)
        assert name == ("test" if score < 0.2 else "valid" if score < 0.3 else "train")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"strid_s": 1.0}, "did you mean 'stride_s'"),
        ({"rounding": "down"}, "unknown segment.rounding"),
        ({"within": "sentence"}, "use block or null"),
        ({"query": "labl == 1"}, "segment.query"),
        ({"within": "block"}, "no blocks with a uid"),
    ],
)
def test_mistakes_in_a_segment(change: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        segments.segments_of(0, trials(0.0), 6000, 100.0, {**SEGMENT, **change})


def test_published_robust_scaling_sees_training_windows_after_baseline() -> None:
    signal = torch.randn(1000, 2) + 50
    signal[500:] *= 100  # the test half must not be seen
    table = pd.DataFrame(
        {"recording": 0, "start": [0, 250, 500], "length": 250, "split": ["train", "train", "test"]}
    )
    scaler = scale.Scaler("robust_windows", 20.0)
    scaler.baselines = [50]
    scaler.fit([bare(signal)], table, [0])
    assert scaler.centres[0].abs().max() < 0.5 and scaler.scales[0].max() < 2
    window = scaler.finish(signal[:250].clone(), 0)
    expected = (signal[:250] - signal[:50].mean(0) - scaler.centres[0]) / scaler.scales[0]
    assert torch.allclose(window, expected, atol=1e-4)


def test_published_scaling_asks_no_global_generator() -> None:
    """Symptom: windows of the fit are shuffled without a seed, and a cache keeps one outcome."""
    signals = [bare(torch.randn(20_000, 2).cumsum(0)) for _ in range(2)]
    table = pd.DataFrame({"start": np.arange(0, 19_000, 25), "length": 250, "split": "train"})
    table = pd.concat([table.assign(recording=r) for r in (0, 1)], ignore_index=True)
    statistics = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        np.random.seed(seed)
        random.seed(seed)
        scaler = scale.Scaler("robust_windows", 20.0)
        scaler.fit(signals, table, [0, 0])
        statistics.append(torch.stack([*scaler.centres, *scaler.scales]))
    assert torch.equal(*statistics)
    assert len(table) / 2 > scale.ROBUST_WINDOWS  # a choice was made


def test_zscore_uses_training_windows_only() -> None:
    generator = torch.Generator().manual_seed(0)
    signal = torch.randn(1000, 3, generator=generator) * torch.tensor([1.0, 10.0, 0.0]) + 5
    signal[500:] += 1000  # the test half must not be seen
    table = pd.DataFrame(
        {"recording": 0, "start": [0, 250, 500], "length": 250, "split": ["train", "train", "test"]}
    )
    scaler = scale.Scaler("zscore", 20.0)
    scaler.fit([bare(signal)], table, [0])
    block = scaler.apply(signal[None, :500].clone(), torch.tensor([0]))
    assert block.mean((0, 1)).abs().max() < 1e-4
    assert block.std((0, 1))[:2] == pytest.approx(torch.ones(2), abs=0.01)
    assert torch.isfinite(block).all()  # the flat channel is not divided by zero
    assert scaler.apply(signal[None, 500:].clone(), torch.tensor([0])).max() == 20.0
    assert scaler.apply(-signal[None, 500:].clone(), torch.tensor([0])).min() == -20.0


def test_robust_scaling_is_per_recording() -> None:
    signals = [torch.randn(500, 2), 100 * torch.randn(500, 2) + 7]
    scaler = scale.Scaler("robust", None)
    table = pd.DataFrame(columns=["recording", "start", "length", "split"])
    scaler.fit([bare(s) for s in signals], table, [0, 0])
    block = scaler.apply(torch.stack(signals), torch.tensor([0, 1]))
    spread = torch.quantile(block, 0.75, dim=1) - torch.quantile(block, 0.25, dim=1)
    assert spread == pytest.approx(torch.ones(2, 2), abs=0.01)


def test_windows_are_shortened_until_the_tokens_fit() -> None:
    rule = {**SEGMENT, "duration_s": 16.0, "max_tokens": 256}
    for channels, seconds in ((64, 4.0), (32, 8.0), (20, 12.0), (10, 16.0)):  # labram.md 2.3
        assert WindowRule.of(rule).for_channels(channels).duration_s == seconds
    assert WindowRule.of(SEGMENT).for_channels(64) == WindowRule.of(SEGMENT)
    with pytest.raises(UserError, match="300 channels; allow more tokens"):
        WindowRule.of(rule).for_channels(300)


def test_values_come_from_their_events() -> None:
    events = [trials(2.0, 7.0).assign(knee=[np.nan, 1.5, -2.0]), trials(3.0).assign(knee=[0, 4])]
    table = pd.DataFrame({"recording": [0, 0, 1], "event_row": [1, 2, 1]})
    segments.add_values(table, events, ["knee"])
    assert segments.value_names(table) == ("knee",)
    assert segments.values_of(table).tolist() == [[1.5], [-2.0], [4.0]]
    assert segments.values_of(table[["recording"]]) is None
    with pytest.raises(UserError, match="no column 'hip'"):
        segments.add_values(table, events, ["hip"])
    table["event_row"] = 0
    with pytest.raises(UserError, match="'knee' is nan"):
        segments.add_values(table, events, ["knee"])
