"""Lists of sounds and embeddings in the original's layout: a miniature, and what is wrong in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from bm.errors import RecordingError, UserError
from bm.features.builder import features_of
from bm.features.stored import read_embedding
from bm.solvers.build_data import batches_of
from bm.studies import build_study

from .datasets import dataset, dset

WIDTH, STEPS, RATE = 6, 32, 16000
COUNTS = {"train": 4, "val": 1, "test": 2}


def write_dataset(root: Path, changes: dict[str, Any] | None = None) -> Path:
    """Write lists, sounds of 10.24 s and embeddings; `changes` are of the first training entry."""
    base = root / "data" / "dataset"
    (base / "metadata").mkdir(parents=True)
    lists: dict[str, str | None] = {}
    for split, count in COUNTS.items():
        entries: list[dict[str, Any]] = []
        for number in range(count):
            rng = np.random.default_rng(len(entries) + 100 * len(lists))
            name = f"{split}_{number}"
            (base / "audio").mkdir(exist_ok=True)
            soundfile.write(base / "audio" / f"{name}.wav", rng.normal(size=163840) * 0.1, RATE)
            files = {
                key: f"data/dataset/{key}/{name}.pt" for key in ("embedding", "audio_embedding")
            }
            for path in files.values():
                (root / path).parent.mkdir(exist_ok=True)
                values = torch.from_numpy(rng.normal(size=(1, WIDTH, STEPS))).float()
                torch.save(values, root / path)
            entries.append({"wav": f"{name}.wav", "caption": name, "labels": "a,b", **files})
        if split == "train":
            entries[0] |= changes or {}
        path = base / "metadata" / f"{split}.json"
        path.write_text(json.dumps({"data": entries}))
        lists[split] = str(path.relative_to(root))
    lists["class_label_indices"] = None
    content = {"audioeeg": "data/dataset/audio", "metadata": {"path": {"audioeeg": lists}}}
    (base / "metadata" / "dataset_root.json").write_text(json.dumps(content))
    return root


def recordings(root: Path, **options: Any):
    paths = {"studies": root.parent, "cache": root.parent / "cache"}
    return build_study({"study": "audioeeg", "path": str(root), **options}, paths).recordings()


def test_an_entry_is_a_recording_of_its_embedding_with_its_sound(tmp_path: Path) -> None:
    root = write_dataset(tmp_path / "set")
    clips = recordings(root)
    assert [clip.id.run for clip in clips] == ["train"] * 4 + ["val"] + ["test"] * 2
    assert len({clip.part for clip in clips}) == 7
    raw = clips[5].load_raw()
    stored = torch.load(root / "data/dataset/embedding/test_0.pt", weights_only=True)[0]
    np.testing.assert_allclose(raw.get_data() * 1e6, stored, rtol=1e-6)
    assert raw.times[-1] + 1 / raw.info["sfreq"] == pytest.approx(10.24)
    events = clips[5].events().set_index("kind")
    assert events.loc["trial", "caption"] == "test_0" and events.loc["trial", "label"] == "a,b"
    assert events.loc["sound", "duration_s"] == 10.24


def test_windows_hold_embedding_sound_and_the_sounds_embedding(tmp_path: Path) -> None:
    root = write_dataset(tmp_path / "set")
    features = [{"name": "SoundWave"}, {"name": "StoredEmbedding", "width": WIDTH}]
    changes = {"studies": [{"study": "audioeeg", "path": str(root)}], "features": features}
    data = dataset(
        "eeg2speech/audioeeg", tmp_path, **{**changes, "scale": {"kind": "none", "clamp": None}}
    )
    paths = {name: tmp_path / name for name in ("studies", "cache", "models")}
    data.attach_features(features_of(dset("eeg2speech/audioeeg", **changes), data.signals, paths))
    assert {s: len(data.rows(n)) for s, n in zip(COUNTS, ("train", "valid", "test"), strict=True)} \
        == COUNTS  # fmt: skip
    batch = next(iter(batches_of(data, data.rows("test"), 2)))
    assert batch.signal.shape == (2, WIDTH, STEPS)
    assert batch.features["SoundWave"].shape == (2, 1, 163840)
    for kind, values in (("embedding", batch.signal),
                         ("audio_embedding", batch.features["StoredEmbedding"])):  # fmt: skip
        for number in range(2):
            stored = read_embedding(root / f"data/dataset/{kind}/test_{number}.pt")
            np.testing.assert_allclose(values[number], stored, atol=1e-6)


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"wav": "/etc/sound.wav"}, "not below the folder of the sounds"),
        ({"wav": "../other.wav"}, "not below the folder of the sounds"),
        ({"embedding": ""}, "entry 0 has no 'embedding'"),
        ({"wav": "train_1.wav"}, "entries 0 and 1 are both called train_1.wav"),
    ],
)
def test_entries_that_would_pair_wrongly_are_refused(tmp_path: Path, changes, what) -> None:
    root = write_dataset(tmp_path / "set", changes)
    with pytest.raises(RecordingError, match=what):
        recordings(root)


def test_a_missing_sound_is_named_and_no_silence(tmp_path: Path) -> None:
    root = write_dataset(tmp_path / "set", {"wav": "lost.wav"})
    with pytest.raises(RecordingError, match=r"lost\.wav.*no sound"):
        recordings(root)[0].events()
    with pytest.raises(UserError, match=r"no data set 'audiocap'.*audioeeg"):
        recordings(root, dataset="audiocap")


def test_a_file_that_is_no_embedding_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "e.pt"
    for content, what in (
        ({"a": torch.zeros(2)}, "holds dict"),
        (torch.zeros(2, 3, 4), r"shape \(2, 3, 4\)"),
        (torch.full((2, 3), torch.nan), "NaN"),
        (Path("x"), "no tensor alone"),
    ):
        torch.save(content, path)
        with pytest.raises(RecordingError, match=what):
            read_embedding(path)
