"""Du-IN's data set on miniatures of its folders: what is read, and what is refused and how."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from bm.data.scale import Scaler
from bm.errors import RecordingError, UserError
from bm.studies import recordings_of
from bm.studies.duin import Duin
from bm.studies.duin.contacts import SELECTED
from bm.studies.duin.words import WORDS, word_of

from .datasets import dataset
from .duin_files import KIND, NAMES, DotDict, trial, write_clips, write_run

TEN = [word for word in WORDS][:10]


def study(root: Path, **options) -> Duin:
    return Duin(root=root, **options)


def first_error(root: Path, **options) -> str:
    """The line that reading of the first recording stops with."""
    with pytest.raises(UserError) as error:
        recording = study(root, **options).recordings()[0]
        recording.events()
        recording.load_raw()
    text = str(error.value)
    assert "\n" not in text and str(root) in text
    return text


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("duin")
    write_run(root, "run10", TEN, 1)
    write_run(root, "run2", [WORDS[w] for w in reversed(TEN)], 2, protocol=2, samples=3200)
    return root


def test_the_words_and_contacts_are_those_of_the_paper() -> None:
    assert len(WORDS) == len(set(WORDS.values())) == 61
    assert all(word_of(english) == mandarin for mandarin, english in WORDS.items())
    assert len(SELECTED) == 12 and all(len(set(names)) == 10 for names in SELECTED.values())


def test_runs_are_read_at_the_published_contacts(root: Path) -> None:
    recordings = study(root).recordings()
    assert [r.id.run for r in recordings] == ["run2", "run10"]
    raw, events = recordings[1].load_raw(), recordings[1].events()
    assert raw.ch_names == list(SELECTED["001"]) and raw.get_channel_types() == ["seeg"] * 10
    content = pickle.loads(recordings[1].path.read_bytes())
    row = NAMES.index("SM8")
    assert np.allclose(raw.get_data()[0, 3000:6000], content[1].data_s[row] * 1e-6)
    assert events["label"].tolist() == TEN and events["word"][0] == "mouth"
    # the same words in English, in trials of 3.2 s of which 3 s are used
    assert recordings[0].events()["label"].tolist() == TEN[::-1]
    assert recordings[0].load_raw().n_times == 30_000


def test_splits_do_not_depend_on_the_listing(root: Path, monkeypatch) -> None:
    one = dataset("duin", root).table
    listing = os.scandir

    class Backwards:
        def __init__(self, *path):
            with listing(*path) as entries:
                self.entries = sorted(entries, key=lambda entry: entry.name)[::-1]

        def __enter__(self):
            return iter(self.entries)

        def __exit__(self, *error):
            return None

        def __iter__(self):
            return iter(self.entries)

    monkeypatch.setattr(os, "scandir", Backwards)
    other = dataset("duin", root).table
    assert one.equals(other) and set(one["split"]) == {"train", "valid", "test"}


def test_scaling_sees_the_training_trials_unless_as_published(root: Path) -> None:
    clean, published = (dataset(name, root) for name in ("duin", "duin/published"))
    assert clean.facts.classes == tuple(sorted(TEN)) and clean.augmentation.shifts_time
    for data, rows in (
        (clean, clean.rows("train")),
        (published, np.arange(len(published.table))),
    ):
        block = data.gather(rows.tolist()).signal.double()
        assert block.mean((0, 2)).abs().max() < 1e-5
        assert (block.std((0, 2), correction=0) - 1).abs().max() < 1e-5
    assert isinstance(clean.scaler, Scaler) and clean.scaler.clamp is None
    assert clean.hash != published.hash


def test_other_networks_get_whole_trials_at_their_rate(root: Path) -> None:
    data = dataset("duin", root, rate_hz=30.0)
    assert data.facts.window_samples == 90 and len(data.table) == 20


def test_clips_that_overlap_are_one_recording_again(tmp_path: Path) -> None:
    folder = write_clips(tmp_path)
    (recording,) = study(tmp_path, part="clips").recordings()
    raw = recording.load_raw()
    assert raw.n_times == 24_000 and not len(raw.annotations)
    first = np.load(folder / "run1/0.npy")[0, NAMES.index("SM8")]
    assert np.allclose(raw.get_data()[0, :8000], first * 1e-6)
    half = np.load(folder / "run1/3.npy")[:, NAMES.index("SM8")].mean(0)
    contacts = study(tmp_path, part="clips", signal="contacts").recordings()[0].load_raw()
    assert np.allclose(contacts.get_data()[0, 12_000:20_000], half * 1e-6)
    windows = dataset("duin/clips", tmp_path, split={"key": "recording", "seed": 0, "fixed": {},
                      "ratios": {"train": 1.0, "valid": 0, "test": 0}}).table  # fmt: skip
    assert len(windows) == 21 and windows["length"].eq(4000).all()


def test_clips_that_do_not_meet_are_joined(tmp_path: Path) -> None:
    write_clips(tmp_path, samples=24_000, step=8000)
    raw = study(tmp_path, part="clips").recordings()[0].load_raw()
    assert raw.n_times == 24_000
    assert raw.annotations.onset.tolist() == [8.0, 16.0]


# bad input ------------------------------------------------------------------------------------


class Foreign:
    """Would write a file when it is unpickled by a trusting program."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (os.system, (f"touch {self.path}",))


def test_a_pickle_of_another_type_is_refused_and_runs_nothing(tmp_path: Path) -> None:
    folder, mark = write_run(tmp_path, "run1", TEN), tmp_path / "ran"
    (folder / "data").write_bytes(pickle.dumps([Foreign(mark)]))
    text = first_error(tmp_path)
    assert "names the type" in text and "system" in text and "convert" in text
    assert not mark.exists()


def test_a_record_of_another_name_is_read_when_it_is_named(tmp_path: Path) -> None:
    folder = write_run(tmp_path, "run1", TEN)
    for name in ("data", "info"):
        content = (folder / name).read_bytes().replace(b"DotDict", b"Trialbx")
        (folder / name).write_bytes(content)
    assert "Trialbx" in first_error(tmp_path)
    assert len(study(tmp_path, records=["Trialbx"]).recordings()[0].events()) == 10


def test_a_short_trial_is_named(tmp_path: Path) -> None:
    write_run(tmp_path, "run1", TEN, samples=2500)
    text = first_error(tmp_path)
    assert "trial 1 has 2500 samples, fewer than 3000 (10 of 10 trials)" in text
    assert "trial_s" in text


def test_a_label_outside_the_words_is_refused_with_the_nearest(tmp_path: Path) -> None:
    write_run(tmp_path, "run1", [*TEN, "pinapple"])
    text = first_error(tmp_path)
    assert "trial 11: 'pinapple' is none of the 61 words" in text and "'pineapple'" in text
    mine = study(tmp_path, words=[*TEN, "pinapple"]).recordings()[0].events()
    anything = study(tmp_path, words=None).recordings()[0].events()
    assert mine["label"].tolist() == anything["label"].tolist() == [*TEN, "pinapple"]


def test_a_missing_channel_is_refused_with_the_nearest(tmp_path: Path) -> None:
    folder = write_run(tmp_path, "run1", TEN)
    names = ["SM80" if name == "SM8" else name for name in NAMES]
    (folder / "info").write_bytes(pickle.dumps(DotDict(ch_names=names)))
    text = first_error(tmp_path)
    assert "no channel SM8 (1 of 10): did you mean 'SM80'" in text
    assert study(tmp_path, channels=["A1", "SM80"]).recordings()[0].load_raw().ch_names[1] == "SM80"


def test_runs_of_one_name_are_refused(tmp_path: Path) -> None:
    write_run(tmp_path, "monday/run1", TEN, 1)
    write_run(tmp_path, "tuesday/run1", TEN, 2)
    with pytest.raises(UserError, match="two runs of one name; rename one"):
        study(tmp_path).recordings()


def test_sums_that_are_absent_are_refused(tmp_path: Path) -> None:
    write_run(tmp_path, "run1", TEN)
    text = first_error(tmp_path, signal="contacts")
    assert "trial 1 has no sums X_n" in text and "signal: differences" in text
    write_clips(tmp_path, both=False)
    assert "holds no sums X_n" in first_error(tmp_path, signal="sums", part="clips")


def test_a_person_without_clips_is_named(tmp_path: Path) -> None:
    write_run(tmp_path, "run1", TEN)
    text = first_error(tmp_path, part="clips")
    assert "person 001 has no pre-training clips" in text and "scripts.cut_clips" in text
    write_clips(tmp_path)
    assert "there is dataset.default.1000hz" in first_error(tmp_path, part="clips", rate_hz=200)


def test_runs_of_another_reference_are_not_mixed_in(tmp_path: Path) -> None:
    write_run(tmp_path, "run1", TEN, 1)
    other = write_run(tmp_path, "run2", TEN, 2)
    other.rename(other.with_name("dataset.mono.default.unaligned"))
    one, two = study(tmp_path).recordings()
    assert one.load_raw().n_times
    with pytest.raises(RecordingError, match="another reference") as error:
        two.load_raw()
    assert "`reference`" in str(error.value) and "dataset.mono" in str(error.value)


def test_a_run_without_a_file_is_left_out_and_named(tmp_path: Path) -> None:
    write_run(tmp_path, "run1", TEN * 4, 1)
    (write_run(tmp_path, "run2", TEN, 2) / "info").unlink()
    data = dataset("duin", tmp_path)
    assert len(data.signals) == 1
    skipped = (tmp_path / "cache").rglob("skipped*")
    assert any("no file `info`" in path.read_text() for path in skipped)


def test_nothing_is_half_converted(tmp_path: Path) -> None:
    write_run(tmp_path, "run1", TEN * 3, 1)
    folder = write_run(tmp_path, "run2", TEN, 2)
    whole = (folder / "data").read_bytes()
    (folder / "data").write_bytes(whole[: len(whole) // 2])
    dataset("duin", tmp_path)
    stored = [path.name for path in (tmp_path / "cache").rglob("*.h5")]
    assert len(stored) == 1 and "run1" in stored[0]


def test_trials_of_another_size_than_the_names_are_refused(tmp_path: Path) -> None:
    folder = write_run(tmp_path, "run1", TEN)
    broken = trial(TEN[0], np.random.default_rng(0))
    broken["data_s"] = broken["data_s"][:-1]
    (folder / "data").write_bytes(pickle.dumps([broken]))
    assert "has 11 rows for 12 channel names" in first_error(tmp_path)


def test_nobody_is_told_with_the_place(tmp_path: Path) -> None:
    assert "no person's folder" in first_error(tmp_path)
    write_run(tmp_path, "run1", TEN)
    paths = {"studies": tmp_path, "cache": tmp_path / "cache"}
    with pytest.raises(UserError, match="'013' has no recording"):
        recordings_of([{"study": "duin", "subjects": ["001", "013"]}], paths)
    write_run(tmp_path, "run1", TEN, person="099")
    with pytest.raises(UserError, match="none for person 099"):
        study(tmp_path).recordings()


def test_the_layout_has_the_folder_of_the_paper(root: Path) -> None:
    assert next(root.rglob("data")).parent.name == KIND
