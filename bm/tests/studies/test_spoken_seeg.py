"""Public sets of speech in depth electrodes on miniatures of their published folders."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from bm.errors import RecordingError, UserError
from bm.studies.brain_treebank import BrainTreebank
from bm.studies.cerebrovoice import CerebroVoice
from bm.studies.dutch_words import DutchWords, sound_of
from bm.studies.vocalmind import VocalMind

from .datasets import dataset, dset
from .films import write_film

RNG = np.random.default_rng(0)


# SingleWordProductionDutch --------------------------------------------------------------------


def write_nwb(path: Path, words: list[str], channels: int = 3, rate: float = 128.0) -> None:
    """2 s a word and 1 s of rest, with a microphone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    second = round(rate)
    marks = [mark for word in words for mark in [word] * 2 * second + [""] * second]
    with h5py.File(path, "w") as file:
        for name, values, step in (
            ("iEEG", RNG.normal(0, 40, (len(marks), channels)), rate),
            ("Audio", RNG.normal(0, 1, 16 * len(marks)), 16 * rate),
        ):
            data = file.create_dataset(f"acquisition/{name}/data", data=values)
            data.attrs["unit"] = "V"  # whatever the numbers are
            start = file.create_dataset(f"acquisition/{name}/starting_time", data=0.0)
            start.attrs["rate"] = step
        text = file.create_dataset(
            "acquisition/Stimulus/data", data=np.array(marks, dtype=object),
            dtype=h5py.string_dtype(),
        )  # fmt: skip
        text.attrs["unit"] = ""
        start = file.create_dataset("acquisition/Stimulus/starting_time", data=0.0)
        start.attrs["rate"] = rate


def write_person(root: Path, name: str = "01", words: tuple[str, ...] = ("een", "boom")) -> Path:
    folder = root / f"dutch_words/SingleWordProductionDutch-iBIDS/sub-{name}/ieeg"
    stem = f"sub-{name}_task-wordProduction"
    write_nwb(folder / f"{stem}_ieeg.nwb", list(words))
    rows = ["name\ttype\tstatus", "A1\tSEEG\tgood", "A2\tSEEG\tbad", "ECG\tECG\tgood"]
    (folder / f"{stem}_channels.tsv").write_text("\n".join(rows) + "\n")
    places = ["name\tx\ty\tz", "A1\t0.03\t0.01\t0.02", "A2\t0.033\t0.01\t0.02"]
    (folder / f"{stem}_electrodes.tsv").write_text("\n".join(places) + "\n")
    return folder / f"{stem}_ieeg.nwb"


def test_dutch_words_are_read_from_nwb(tmp_path: Path) -> None:
    path = write_person(tmp_path, words=("een", "boom", "ja"))
    (recording,) = DutchWords(root=tmp_path).recordings()
    raw, events = recording.load_raw(), recording.events()
    assert raw.ch_names == ["A1", "A2"] and raw.info["bads"] == ["A2"]
    assert 20e-6 < raw.get_data().std() < 80e-6  # microvolts, though the file says volts
    assert raw.info["chs"][0]["loc"][0] == pytest.approx(0.03)
    assert events["label"].tolist() == ["een", "boom", "ja"]
    assert events["start_s"].tolist() == [0.0, 3.0, 6.0]
    assert events["duration_s"].tolist() == [2.0] * 3
    sound, rate = sound_of(path)
    assert rate == 2048 and len(sound) == 16 * 128 * 9


def test_dutch_words_as_windows(tmp_path: Path) -> None:
    write_person(tmp_path, words=tuple(f"w{n}" for n in range(12)))
    data = dataset("dutch_words", tmp_path, preprocess=[], rate_hz=None)
    assert len(data.table) == 12 and data.facts.window_samples == 256


def test_dutch_words_mistakes(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"osf\.io/nrgx6"):
        DutchWords(root=tmp_path).recordings()
    path = write_person(tmp_path)
    channels = path.with_name(path.name.replace("ieeg.nwb", "channels.tsv"))
    channels.write_text("name\ttype\nA1\tSEEG\n")
    with pytest.raises(RecordingError, match="1 rows for 3 channels"):
        DutchWords(root=tmp_path).recordings()[0].load_raw()
    with h5py.File(path, "a") as file:
        del file["acquisition/iEEG"]
    with pytest.raises(RecordingError, match=r"no series 'iEEG' acquired .*Audio"):
        DutchWords(root=tmp_path).recordings()[0].load_raw()
    path.write_bytes(b"not HDF5")
    with pytest.raises(RecordingError, match="no readable NWB file"):
        DutchWords(root=tmp_path).recordings()[0].load_raw()


# Brain Treebank -------------------------------------------------------------------------------


def test_films_are_read_with_their_words(tmp_path: Path) -> None:
    write_film(tmp_path)
    write_film(tmp_path, film=1)
    first, second = BrainTreebank(root=tmp_path).recordings()
    assert [first.id.run, second.id.run] == ["0", "1"]
    raw, events = first.load_raw(), first.events()
    assert raw.ch_names == ["T1bIc1", "T1bIc2", "T1bIc3"] and raw.info["bads"] == ["T1bIc2"]
    assert np.allclose(raw.info["chs"][0]["loc"][:3], [-0.0605, -0.07, -0.08])
    assert np.isnan(raw.info["chs"][1]["loc"][0])
    words = events[events["kind"] == "word"]
    assert words["word"].tolist() == [f"w{n}" for n in range(8)]
    assert words["start_s"].tolist() == [1.0 + n for n in range(8)]
    assert words["duration_s"].iloc[0] == 0.25 and words["pos"].iloc[1] == "VERB"
    assert words["word_index"].astype(int).tolist() == [0, 1, 2, 3] * 2
    assert words["rms"].iloc[3] == pytest.approx(0.3)
    heard_again = second.events().query("kind == 'word'")  # one text is in one split
    assert set(heard_again["sequence_uid"]) == set(words["sequence_uid"])
    films = BrainTreebank(root=tmp_path, films=["the-martian"]).recordings()
    assert [one.id.run for one in films] == ["1"]


def test_words_of_films_as_windows(tmp_path: Path) -> None:
    for film in range(3):
        write_film(tmp_path, film=film)
    data = dataset("brain_treebank", tmp_path, preprocess=[], rate_hz=None)
    assert data.facts.classes == ("NOUN", "VERB") and len(data.table) == 24
    assert set(data.table["split"]) == {"train", "valid", "test"}


def test_films_mistakes(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"braintreebank\.dev"):
        BrainTreebank(root=tmp_path).recordings()
    path = write_film(tmp_path)
    with h5py.File(path, "a") as file:
        del file["data/electrode_3"]
    with pytest.raises(RecordingError, match="no data/electrode_3 for T1bIc3"):
        BrainTreebank(root=tmp_path).recordings()[0].load_raw()
    words = tmp_path / "brain_treebank/braintreebank_features_time_alignment"
    (words / "subject1_trial0_words_df.csv").write_text("start,text\n1.0,a\n")
    with pytest.raises(RecordingError, match="no column 'est_idx'"):
        BrainTreebank(root=tmp_path).recordings()[0].events()
    assert len(BrainTreebank(root=tmp_path, words=None).recordings()[0].events()) == 1


# VocalMind ------------------------------------------------------------------------------------


def write_trials(root: Path, task: str = "Vocalized", samples: int = 200) -> Path:
    folder = root / f"vocalmind/Processed_sEEG_{task}_Word"
    folder.mkdir(parents=True)
    for word in ("BuShi", "HaoDe"):
        for number in range(1, 12):
            np.save(folder / f"{task}_{word}_{number}.npy", RNG.normal(0, 40, (samples, 3)))
    return folder


def test_utterances_are_trials(tmp_path: Path) -> None:
    folder = write_trials(tmp_path)
    write_trials(tmp_path, "Imagined")
    study = VocalMind(root=tmp_path, rate_hz=100.0, tasks=["Vocalized", "Imagined"])
    first, second = study.recordings()
    assert (first.id.session, second.id.session) == ("Vocalized", "Imagined")
    events, raw = first.events(), first.load_raw()
    assert events["label"].tolist() == ["BuShi"] * 11 + ["HaoDe"] * 11
    assert events["repetition"].tolist() == [*range(1, 12)] * 2  # 2 before 10
    tenth = np.load(folder / "Vocalized_BuShi_10.npy").T * 1e-6
    assert np.allclose(raw.get_data()[:, 1800:2000], tenth)
    entry = {"study": "vocalmind", "rate_hz": 100.0}
    data = dataset("vocalmind", tmp_path, studies=[entry])
    assert len(data.table) == 22 and data.facts.classes == ("BuShi", "HaoDe")


def test_utterances_mistakes(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="rate_hz=None: the files do not say"):
        VocalMind(root=tmp_path)
    with pytest.raises(UserError, match="fetch the data set VocalMind"):
        VocalMind(root=tmp_path, rate_hz=100).recordings()
    folder = write_trials(tmp_path)
    np.save(folder / "Vocalized_BuShi_1.npy", np.zeros((150, 3)))
    with pytest.raises(RecordingError, match="cut all trials to one length"):
        VocalMind(root=tmp_path, rate_hz=100).recordings()[0].events()
    (folder / "Vocalized_BuShi_1.npy").write_bytes(b"x")
    with pytest.raises(RecordingError, match="no array"):
        VocalMind(root=tmp_path, rate_hz=100).recordings()[0].load_raw()


# CerebroVoice ---------------------------------------------------------------------------------


def write_read_aloud(root: Path, person: int = 1, samples: int = 300) -> Path:
    """Words of 300 samples and more, three channels, and features of two trials."""
    folder = root / f"cerebrovoice/CerebroVoice/Subject{person}/SEEG"
    folder.mkdir(parents=True)
    names = [f"{word}_{part}" for word in ("apple", "nose") for part in ("cn", "EN")]
    for number, name in enumerate([*names, "7_digit"] * 2, 1):
        values = RNG.normal(0, 40, (3, samples + number))
        lines = [",".join(["", *map(str, range(values.shape[1]))])]
        lines += [",".join([f"A{n}", *map(str, row)]) for n, row in enumerate(values, 1)]
        (folder / f"Sample_{number}_{name}.csv").write_text("\n".join(lines) + "\n")
    (folder / "._Sample_1_apple_cn.csv").write_bytes(b"x")
    features = folder.parent / "HGA"
    features.mkdir()
    for name in ("sample_1_apple_cn_seeg", "sample_2_nose_cn_seeg"):
        np.save(features / f"{name}.npy", RNG.normal(size=(60, 3)))
    return folder


def test_words_read_aloud_are_trials(tmp_path: Path) -> None:
    folder = write_read_aloud(tmp_path)
    write_read_aloud(tmp_path, 2)
    first, second = CerebroVoice(root=tmp_path).recordings()
    assert (first.id.subject, second.id.subject) == ("1", "2")
    raw, events = first.load_raw(), first.events()
    assert raw.ch_names == ["A1", "A2", "A3"] and raw.info["sfreq"] == 1000
    labels = ["7"] * 2 + ["apple"] * 4 + ["nose"] * 4
    assert events["label"].tolist() == labels
    assert events["set"].tolist()[:4] == ["digit", "digit", "cn", "en"]
    assert events["repetition"].tolist()[:4] == [5, 10, 1, 2]
    assert events["duration_s"].tolist()[:3] == [0.305, 0.31, 0.301]
    last = np.loadtxt(
        folder / "Sample_9_nose_EN.csv", delimiter=",", skiprows=1, usecols=range(1, 310)
    )
    assert np.allclose(raw.get_data()[:, -309:], last * 1e-6)


def test_words_read_aloud_as_windows(tmp_path: Path) -> None:
    write_read_aloud(tmp_path)
    changes: dict[str, object] = {
        "studies": [{"study": "cerebrovoice", "sets": ["cn", "en"]}],
        "preprocess": [],
    }
    changes["segment"] = {**dset("cerebrovoice")["segment"], "duration_s": 0.3}
    words = dataset("cerebrovoice", tmp_path, **changes)
    assert words.facts.classes == ("apple", "nose") and len(words.table) == 8
    (features,) = CerebroVoice(root=tmp_path, part="HGA").recordings()
    assert features.events()["label"].tolist() == ["apple", "nose"]
    assert features.load_raw().info["sfreq"] == 200


def test_words_read_aloud_mistakes(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"zenodo\.org/records/13332808"):
        CerebroVoice(root=tmp_path).recordings()
    with pytest.raises(UserError, match="no group"):
        CerebroVoice(root=tmp_path, pattern=".*")
    with pytest.raises(UserError, match=r"pattern=\(:"):
        CerebroVoice(root=tmp_path, pattern="(")
    folder = write_read_aloud(tmp_path)
    (folder / "wrong.csv").write_text("a,b\n1,2\n")
    with pytest.raises(UserError, match=r"tells no word.*give `pattern`"):
        CerebroVoice(root=tmp_path).recordings()
    (folder / "wrong.csv").rename(folder / "sample_1_wrong_cn.csv")
    with pytest.raises(RecordingError, match="1 lines of 1 numbers"):
        CerebroVoice(root=tmp_path).recordings()[0].events()
    (folder / "sample_1_wrong_cn.csv").write_text(",0,1,2\nA1,1,2,3\n")
    with pytest.raises(RecordingError, match=r"1 channels, but .* has 3"):
        CerebroVoice(root=tmp_path).recordings()[0].events()
    (folder / "sample_1_wrong_cn.csv").write_text(",0,1,2\n" + "A1,x,2,3\n" * 3)
    with pytest.raises(RecordingError, match="no table of numbers"):
        CerebroVoice(root=tmp_path).recordings()[0].load_raw()
