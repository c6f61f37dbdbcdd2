"""Features on a grid of time: places, masks, own rates, the cache, and batches that carry them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch
from omegaconf import OmegaConf

from bm.errors import UserError
from bm.features import FEATURES, build_feature
from bm.features.builder import FeatureBuilder, within_blocks
from bm.features.cache import FeatureCache
from bm.solvers.build_data import windows_of

from ..shipped import section
from .events import one, sound_events, words


def test_later_events_cover_earlier_and_nothing_is_the_default() -> None:
    events = words((0.5, 1.0, "abc"), (1.0, 0.3, "abcdef"))
    values = one("WordLength", events, 0, 20)
    assert values[0].tolist() == [0] * 5 + [3] * 5 + [6] * 3 + [3] * 2 + [0] * 5


def test_windows_beyond_the_recording_hold_the_default() -> None:
    events = words((0.0, 0.4, "abc"), (0.5, 0.2, "ab"))
    assert one("WordLength", events, -3, 6)[0].tolist() == [0, 0, 0, 3, 3, 3]
    assert one("WordLength", events, 100, 4)[0].tolist() == [0] * 4


def test_events_before_the_recording_leave_no_trace() -> None:
    events = words((-2.0, 1.0, "abcd"), (-0.3, 0.6, "abc"), (0.5, 0.3, "ab"))
    assert one("WordLength", events, 0, 10)[0].tolist() == [3] * 3 + [0] * 2 + [2] * 3 + [0] * 2


def test_ends_are_rounded_as_absolute_times() -> None:
    # 0.26 to 0.64 s at 10 Hz: samples 3 to 6, though the duration rounds to 4 samples.
    assert one("WordSegment", words((0.26, 0.38, "a")), 0, 8)[0].tolist() == [0] * 3 + [1] * 3 + [
        0,
        0,
    ]


def test_pulses_of_words_and_phonemes() -> None:
    rate = 250.0  # a phoneme's pulse has int(16 ms * 250) = 4 samples
    events = pd.DataFrame(
        [
            {"kind": "phoneme", "start_s": 0.04, "duration_s": 0.04, "phoneme_id": 3},
            {"kind": "phoneme", "start_s": 0.08, "duration_s": 0.04, "phoneme_id": 3},
            {"kind": "phoneme", "start_s": 0.12, "duration_s": 0.04, "phoneme_id": 5},
        ]
    )
    pulses = one("PhonemePulse", events, 0, 60, rate)[0].numpy()
    assert np.flatnonzero(pulses).tolist() == [10, 11, 12, 13, 30, 31, 32, 33]
    assert np.flatnonzero(one("PhonemePulse", events, 12, 40, rate)[0]).tolist() == [
        *(0, 1, 2, 3),
        *(18, 19, 20, 21),
    ]
    pulse = one({"name": "WordPulse", "duration_ms": 200}, words((0.5, 1.0, "a")), 0, 20)
    assert np.flatnonzero(pulse[0]).tolist() == [5, 6]


def test_the_end_of_a_window_lengthens_no_phoneme_pulse() -> None:
    event = {"kind": "phoneme", "start_s": 0.04, "duration_s": 0.2, "phoneme_id": 3}
    pulses = one("PhonemePulse", pd.DataFrame([event]), 0, 13, 250.0)[0]
    assert np.flatnonzero(pulses).tolist() == [10]


def test_hashes_are_whole_numbers_that_every_process_finds() -> None:
    code = "from bm.features.hashes import stable_hash; print(stable_hash('rabbit'))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    numbers = {int(run.stdout)}
    hashes = one("WordHash", words((0.0, 0.5, "Rabbit."), (0.5, 0.5, "rabbit")), 0, 10)
    assert hashes.dtype is torch.int64
    assert set(hashes[0].tolist()) == numbers and max(numbers) > 2**33


def test_hashes_of_many_words_do_not_collide_without_buckets() -> None:
    from bm.features.hashes import stable_hash

    names = [f"word{i}" for i in range(20_000)]
    assert len({stable_hash(name) for name in names}) == len(names)
    feature = build_feature({"name": "WordHash", "buckets": 100})
    assert feature.cardinality == 101
    assert all(1 <= feature.value({"word": name}) <= 100 for name in names[:500])


def test_segment_hash_names_the_place_and_the_sentence() -> None:
    events = pd.concat([words((0.0, 0.5, "a"), (0.5, 0.5, "b")), words((1.0, 0.5, "a"))])
    hashes = one("SegmentHash", events, 0, 15)[0].tolist()
    assert len(set(hashes)) == 3


def test_mel_begins_with_its_sound_and_is_silent_elsewhere(tmp_path: Path) -> None:
    mel = one({"name": "MelSpectrum", "n_mels": 12}, sound_events(tmp_path), 0, 30)
    assert mel.shape == (12, 30)
    silent = (mel == np.float32(np.log10(1e-5))).all(0)
    assert np.flatnonzero(~silent).tolist() == list(range(5, 25))


def test_rows_are_made_once_and_shared_by_equal_recordings(tmp_path: Path, monkeypatch) -> None:
    events, calls = sound_events(tmp_path), []
    kind = FEATURES.get("MelSpectrum")
    original = kind.represent
    monkeypatch.setattr(kind, "represent", lambda *a: calls.append(1) or original(*a))
    values = []
    for _ in range(2):
        cache = FeatureCache(tmp_path)
        builder = FeatureBuilder([build_feature({"name": "MelSpectrum", "n_mels": 5})], cache=cache)
        builder.add(events, 10.0)
        builder.add(events.assign(start_s=0.7), 10.0)
        values.append(builder.gather(np.array([1, 0]), np.array([3, 1]), 20)[0]["MelSpectrum"])
    assert len(calls) == 1 and torch.equal(*values)
    assert torch.equal(values[0][0], values[0][1])  # 0.7 - 0.3 = 0.5 - 0.1
    assert not list((tmp_path / "features").rglob("*.tmp"))


def test_a_changed_sound_or_a_damaged_file_is_made_again(tmp_path: Path) -> None:
    events = sound_events(tmp_path)

    def built() -> tuple[str, torch.Tensor]:
        feature = build_feature({"name": "MelSpectrum", "n_mels": 5})
        builder = FeatureBuilder([feature], cache=FeatureCache(tmp_path))
        builder.add(events, 10.0)
        values = builder.gather(np.array([0]), np.array([0]), 20)[0]
        return builder.identity, values["MelSpectrum"]

    first = built()
    file = next((tmp_path / "features").rglob("*.h5"))
    file.write_bytes(file.read_bytes()[:3000])
    assert torch.equal(built()[1], first[1])
    soundfile.write(tmp_path / "a.wav", np.linspace(-1, 1, 16000), 8000)
    again = built()
    assert again[0] != first[0] and not torch.equal(again[1], first[1])


def test_sounds_are_cut_at_blocks_so_that_no_context_crosses() -> None:
    events = pd.DataFrame(
        [
            {"kind": "block", "start_s": 0.0, "duration_s": 4.0, "uid": "a"},
            {"kind": "block", "start_s": 4.0, "duration_s": np.inf, "uid": "b"},
            {"kind": "sound", "start_s": 1.0, "duration_s": 6.0, "filepath": "x.wav"},
        ]
    )
    pieces = within_blocks(events).query("kind == 'sound'")
    assert pieces[["start_s", "duration_s", "offset"]].to_numpy().tolist() == [
        [1.0, 3.0, 0.0],
        [4.0, 3.0, 3.0],
    ]


def test_batches_that_are_held_do_not_share_memory() -> None:
    builder = FeatureBuilder([build_feature("WordLength")])
    builder.add(words((0.0, 1.0, "abc"), (1.0, 1.0, "ab")), 10.0)
    held = [builder.gather(np.array([0]), np.array([s]), 5)[0]["WordLength"] for s in (0, 12)]
    assert held[0].unique().tolist() == [3.0] and held[1].unique().tolist() == [2.0]


def test_mistakes_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="unknown feature 'MelSpectrun'; did you mean"):
        build_feature("MelSpectrun")
    with pytest.raises(UserError, match="unknown option 'n_mel'; did you mean 'n_mels'"):
        build_feature({"name": "MelSpectrum", "n_mel": 3})
    with pytest.raises(UserError, match="occurs twice"):
        FeatureBuilder([build_feature("WordLength")] * 2)
    missing = sound_events(tmp_path).assign(filepath=str(tmp_path / "b.wav"))
    with pytest.raises(UserError, match=r"b\.wav: no such sound file"):
        one("MelSpectrum", missing, 0, 5)


def test_batches_of_the_simulated_study_carry_features(tmp_path: Path) -> None:
    dset = section("dset", "simulated_listening")
    dset["studies"] = [{"study": "simulated", "mode": "listening", "preset": "tiny"}]
    dset["features"] = [{"name": "MelSpectrum", "n_mels": 8}, "SegmentHash"]
    dset["split"]["fixed"] = {"test": {"run": ["2"]}}
    paths = dict.fromkeys(("studies", "cache", "models"), str(tmp_path))
    cfg = OmegaConf.create({"dset": dset, "paths": paths})
    dataset = windows_of(cfg)
    assert dataset.facts.features == {"MelSpectrum": 8, "SegmentHash": 1}
    batch = next(iter(dataset.loader("train", 4, shuffle=True)))
    samples = batch.signal.shape[2]
    assert batch.features["MelSpectrum"].shape == (4, 8, samples)
    assert batch.feature_mask.shape == (4, samples) and batch.feature_mask.all()
    loud = batch.features["MelSpectrum"].mean(1)
    assert (loud.std(1) > 0.1).all()  # speech and pauses
    row = dataset.table.iloc[int(batch.segment[0])]
    alone, _ = dataset.window_features.gather(
        np.array([row["recording"]]), np.array([row["start"]]), samples
    )
    assert torch.equal(alone["MelSpectrum"][0], batch.features["MelSpectrum"][0])
