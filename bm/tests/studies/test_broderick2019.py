"""The Broderick study on a miniature of its published layout; matching of words."""

from __future__ import annotations

import sys
import types
import zipfile
from pathlib import Path

import numpy as np
import pytest

from bm.errors import RecordingError, UserError
from bm.readers.alignment import match
from bm.studies import STUDIES
from bm.studies import broderick2019 as study

from . import stories


def recordings(root: Path, **options):
    options = {"sentences": "punctuation", "min_matches": 10, **options}
    return STUDIES.get("broderick2019")(root=root, **options).recordings()


def test_runs_of_people_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    stories.broderick(tmp_path, (2, 10))
    runs = recordings(tmp_path)
    assert [(r.id.subject, r.id.run) for r in runs] == [
        *(("Subject2", "run1"), ("Subject2", "run2")),
        *(("Subject10", "run1"), ("Subject10", "run2")),
    ]
    assert len(recordings(tmp_path, subjects=[10])) == 2


def test_words_phonemes_and_sentences(tmp_path: Path) -> None:
    told = stories.broderick(tmp_path, (1,))
    first = recordings(tmp_path)[0]
    raw = first.load_raw()
    assert raw.ch_names == list(study.CHANNELS) and raw.info["sfreq"] == 128
    assert 5e-6 < raw.get_data().std() < 2e-5
    events = first.events()
    words = events[events["kind"] == "word"].reset_index(drop=True)
    assert "lost" not in set(words["word"])
    hm = words[words["word"] == "hm"].iloc[0]
    assert hm["sequence_uid"].startswith("Alice was")  # of the word before
    plain = words[words["word"] != "hm"]
    assert list(plain["word"]) == list(told[0]["word"])
    assert np.allclose(plain["start_s"], told[0]["onset"])
    assert list(plain["sequence_id"]) == list(told[0]["sentence"] - 1)
    assert list(words[words["word_index"] == 0]["word"]) == ["Alice", "She", "The"]
    phonemes = events[events["kind"] == "phoneme"]
    assert np.allclose(phonemes["start_s"][:2].diff().iloc[1], 0.1)
    assert (phonemes["phoneme_id"] == 0).all() and (
        events.query("kind!='block'")["language"] == "en"
    ).all()
    sound = events[events["kind"] == "sound"].iloc[0]
    assert sound["start_s"] == 0 and sound["duration_s"] == 11.0


def test_a_text_of_another_run_is_refused(tmp_path: Path) -> None:
    stories.broderick(tmp_path, (1,))
    private = tmp_path / "broderick2019/download/private"
    (private / "oldman_run1.txt").write_text("It is quite another text. Truly.")
    with pytest.raises(RecordingError, match="words are in the text"):
        recordings(tmp_path)[0].events()
    (private / "align2.json").unlink()
    with pytest.raises(RecordingError, match=r"no alignment.*put audioN\.wav"):
        recordings(tmp_path)[1].events()


def test_spacy_cuts_sentences_as_published(tmp_path: Path, monkeypatch) -> None:
    from bm.features.lexicon import pipeline

    stories.broderick(tmp_path, (1,))

    class Sentence(list):
        def __str__(self) -> str:
            return " ".join(self)

    def load(name):
        parts = [Sentence([*s.split(), "."]) for s in stories.SENTENCES[:3]]
        return lambda text: types.SimpleNamespace(sents=parts)

    monkeypatch.setitem(sys.modules, "spacy", types.SimpleNamespace(load=load))
    pipeline.cache_clear()
    events = recordings(tmp_path, sentences="spacy")[0].events()
    uids = events.query("kind == 'word'")["sequence_uid"].unique()
    assert list(uids) == [f"{s} ." for s in stories.SENTENCES[:3]]
    pipeline.cache_clear()
    monkeypatch.setitem(sys.modules, "spacy", None)
    with pytest.raises(UserError, match=r"needs the package spacy.*\.\[words\]"):
        recordings(tmp_path, sentences="spacy")[0].events()
    pipeline.cache_clear()


def test_archives_in_an_archive_are_unpacked(tmp_path: Path) -> None:
    stories.broderick(tmp_path / "made", (1,), 1)
    source = tmp_path / "made/broderick2019/download"
    folder = tmp_path / "broderick2019/download"
    folder.mkdir(parents=True)
    with zipfile.ZipFile(tmp_path / "inner.zip", "w") as file:
        for path in source.rglob("*.mat"):
            file.write(path, path.relative_to(source))
    with zipfile.ZipFile(folder / study.ARCHIVE, "w") as file:
        file.write(tmp_path / "inner.zip", "Natural Speech.zip")
    assert [r.id.name for r in recordings(tmp_path)] == ["broderick2019_Subject1_0_run1"]


def test_matching_drops_what_was_inserted_deleted_or_replaced() -> None:
    longer = ["an", "old", "man", "and", "the", "sea"]
    one, other = match(["the", "old", "man", "and", "sea"], longer)
    assert one.tolist() == [1, 2, 3, 4] and other.tolist() == [1, 2, 3, 5]
    one, other = match([], ["a"])
    assert len(one) == len(other) == 0


def test_matching_is_optimal() -> None:
    def distance(a, b):
        table = np.zeros((len(a) + 1, len(b) + 1), int)
        table[0], table[:, 0] = range(len(b) + 1), range(len(a) + 1)
        for i in range(len(a)):
            for j in range(len(b)):
                costs = (table[i, j + 1] + 1, table[i + 1, j] + 1, table[i, j] + (a[i] != b[j]))
                table[i + 1, j + 1] = min(costs)
        return table[-1, -1]

    rng = np.random.default_rng(0)
    for _ in range(30):
        a, b = (rng.integers(0, 3, rng.integers(1, 12)).tolist() for _ in range(2))
        one, other = match(a, b)
        assert [a[i] for i in one] == [b[j] for j in other]
        assert (np.diff(one) > 0).all() and (np.diff(other) > 0).all()
        edges = zip(np.diff([-1, *one, len(a)]) - 1, np.diff([-1, *other, len(b)]) - 1, strict=True)
        assert sum(max(x, y) for x, y in edges) == distance(a, b)
