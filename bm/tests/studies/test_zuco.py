"""Study `zuco` on miniature files of both MATLAB layouts."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.io import savemat

from bm.data.dataset import build_dataset
from bm.data.store import Store
from bm.errors import RecordingError, UserError
from bm.readers.zuco import read_sentences
from bm.studies import recordings_of
from bm.studies.zuco import CHANNEL_SETS, RATE_HZ, TASKS, text_key, word_channels

from ..shared_data import DATA, needs
from ..shipped import section
from .zuco_files import TEXTS, drawn, write_corpus, write_v5, write_v73

TEXT = DATA / "zuco_text"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("studies")
    write_corpus(folder)
    return folder


def dataset(root: Path, entry: dict | None = None, **changes):
    dset = {**section("dset", "zuco"), **changes}
    dset["studies"] = [{"study": "zuco", **(entry or {})}]
    recordings, _ = recordings_of(dset["studies"], {"studies": root, "cache": root / "cache"})
    return build_dataset(recordings, dset, store=Store(root / "cache"))


@pytest.mark.parametrize("write", [write_v5, write_v73])
def test_both_layouts_give_the_same_sentences(write, tmp_path: Path) -> None:
    plain = drawn(TEXTS, 3, missing=[2])
    plain[3]["content"], plain[3]["word"] = "Force.", plain[3]["word"][:1]  # a sentence of a word
    sentences, names = read_sentences(write(tmp_path / "resultsZAB_SR.mat", plain))
    assert names is None and [one.text for one in sentences] == [p["content"] for p in plain]
    assert sentences[2].wave is None and sentences[2].words is None
    for one, source in zip(sentences, plain, strict=True):
        if source["rawData"] is None:
            continue
        np.testing.assert_allclose(one.wave, source["rawData"], rtol=1e-6)
        means = np.stack([v for k, v in source.items() if k.startswith("mean_")])
        np.testing.assert_allclose(one.means, means, rtol=1e-6)
        assert [word.text for word in one.words] == [word["content"] for word in source["word"]]
        for word, fields in zip(one.words, source["word"], strict=True):
            assert word.n_fixations == (fields["nFixations"] or 0)
            for gaze, power in word.powers.items():
                rows = [v for k, v in fields.items() if k.startswith(f"{gaze}_")]
                assert (power is None) == (rows[0] is None)
                if power is not None:
                    np.testing.assert_allclose(power, np.stack(rows), rtol=1e-6)


def test_waves_are_split_by_text_over_all_tasks_and_padded(root: Path) -> None:
    data = dataset(root)
    assert data.facts.channels == CHANNEL_SETS["zuco-105"] and len(data.facts.positions) == 105
    assert data.facts.subjects == ("zuco/YAC", "zuco/ZAB", "zuco/ZPH")  # YMH is left out
    table = data.table
    splits = table.groupby("sequence_uid")["split"].nunique()
    assert len(table) == 20 and (splits == 1).all()
    assert table.groupby("sequence_uid").size().max() == 4  # read by all, in both versions
    batch = data.gather([0, 1])
    assert batch.signal.shape == (2, 105, 5500) and table["held"].tolist()[:2] == [150, 160]
    for window, held in zip(batch.signal, (150, 160), strict=True):
        assert not window[:, held:].any() and bool(window[:, :held].std() > 5)
    plain = drawn(TEXTS, 0)
    np.testing.assert_allclose(batch.signal[0, :, :150], plain[0]["rawData"], rtol=1e-4, atol=1e-4)
    assert data.windows()["length_s"].tolist()[0] == pytest.approx(150 / RATE_HZ)


def test_one_person_is_left_out(root: Path) -> None:
    split = {**section("dset", "zuco")["split"], "key": "subject"}
    split |= {"ratios": {"train": 1.0, "valid": 0.0, "test": 0.0}}
    split |= {"fixed": {"test": {"subject": ["ZPH"]}}}
    table = dataset(root, split=split).table
    assert set(table.loc[table["split"] == "test", "subject"]) == {"ZPH"}
    assert set(table.loc[table["split"] == "train", "subject"]) == {"ZAB", "YAC"}


@pytest.mark.parametrize("gaze", ["FFD", "TRT", "GD"])
def test_words_are_band_powers_of_fixated_words(root: Path, gaze: str) -> None:
    data = dataset(root, {"signal": "words", "gaze": gaze, "tasks": ["SR", "NR2.0"]},
                   segment=section("dset", "zuco_words")["segment"])  # fmt: skip
    assert data.facts.channels == tuple(word_channels(CHANNEL_SETS["zuco-105"]))
    window = data.gather([0]).signal[0]
    fixated = [word for word in drawn(TEXTS, 0)[0]["word"] if word["nFixations"]]
    assert window.shape == (840, 56) and int((window != 0).any(0).sum()) == len(fixated)
    first = np.concatenate([fixated[0][f"{gaze}_{band}"] for band in ("t1", "t2")])
    np.testing.assert_allclose(window[:210, 0], first, rtol=1e-5)
    events = data.signals[0].events
    assert events.loc[events["kind"] == "sentence", "n_words"].iloc[0] == len(fixated)
    assert not torch.isnan(window).any()


def test_a_sentence_with_a_broken_word_has_no_map(tmp_path: Path) -> None:
    plain = drawn(TEXTS, 0)
    plain[1]["word"][0]["GD_b1"] = np.full(105, np.nan)
    write_v5(tmp_path / "zuco/task1-SR/Matlab_files/resultsZAB_SR.mat", plain)
    entry = {"study": "zuco", "path": str(tmp_path / "zuco"), "signal": "words"}
    (recording,), _ = recordings_of([entry], {"studies": tmp_path, "cache": tmp_path})
    assert TEXTS[1] not in recording.events()["text"].tolist()


def bad(tmp_path: Path, kind: str) -> Path:
    path = tmp_path / "zuco/task1-SR/Matlab_files/resultsZAB_SR.mat"
    plain = drawn(TEXTS, 0)
    if kind == "another format":
        path.parent.mkdir(parents=True)
        path.write_bytes(b"no MATLAB file at all" * 20)
    elif kind == "other variables":
        write_v5(path, plain)
        savemat(path, {"data": np.zeros(3)})
    elif kind == "truncated":
        write_v73(path, plain)
        path.write_bytes(path.read_bytes()[:20000])
    elif kind == "without words":
        write_v5(path, [{**one, "word": None} for one in plain])
    elif kind == "128 channels":
        write_v5(path, [{**one, "rawData": np.zeros((128, 50))} for one in plain])
    elif kind == "other order":
        names = CHANNEL_SETS["zuco-105-alt"]
        write_v5(path, plain, names)
    return path


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("another format", "no MATLAB file"),
        ("other variables", "no variable `sentenceData`"),
        ("truncated", "damaged"),
        ("without words", "none of its 5 sentences has both words and EEG"),
        ("128 channels", "128 channels in a sentence, not 105"),
        ("other order", "number 1 is E1; zuco-105 has E2 there"),
    ],
)
def test_bad_files_are_named_in_one_line(tmp_path: Path, kind: str, message: str) -> None:
    path = bad(tmp_path, kind)
    entry = {"study": "zuco", "path": str(tmp_path / "zuco")}
    (recording,), _ = recordings_of([entry], {"studies": tmp_path, "cache": tmp_path})
    with pytest.raises(RecordingError) as caught:
        recording.load_raw()
    text = str(caught.value)
    assert message in text and str(path) in text and "\n" not in text


def test_mistakes_in_options_are_one_line(tmp_path: Path) -> None:
    places = {"studies": tmp_path, "cache": tmp_path}
    mistakes: list[tuple[dict[str, Any], str]] = [
        ({"tasks": ["SRR"]}, "did you mean 'SR'"),
        ({"tasks": "SR"}, "use a list"),
        ({"gaze": "GPT"}, "GD"),
        ({"signal": "word"}, "words"),
        ({}, "OSF projects q3zws"),
    ]
    for options, message in mistakes:
        with pytest.raises(UserError, match=message):
            recordings_of([{"study": "zuco", **options}], places)


@needs("zuco_text")
def test_sentences_of_two_tasks_have_one_key() -> None:
    lines = (TEXT / "duplicate_sentences.csv").read_text(encoding="utf-8-sig").splitlines()
    pairs = [row["sentence"] for row in csv.DictReader(lines)]
    with open(TEXT / "relations_labels_task2.csv", encoding="utf-8") as file:
        task2 = {text_key(row["sentence"]) for row in csv.DictReader(file)}
    task3 = (TEXT / "relations_labels_task3.csv").read_text(encoding="utf-8").splitlines()[1:]
    keys3 = {
        text_key(";".join(line.split(";")[2:-1]).strip('"').replace('""', '"')) for line in task3
    }
    both = {text_key(text) for text in pairs}
    assert both <= task2 and both <= keys3
    assert len(TASKS) == 4
