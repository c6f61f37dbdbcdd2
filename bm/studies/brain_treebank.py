"""Study `brain_treebank`: ten people with depth electrodes who watch films, word by word."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import mne
import numpy as np
import pandas as pd

from ..data.hdf5 import dataset_of
from ..data.recording import RecordingId
from ..errors import RecordingError, UserError
from ..readers.event_table import check_events, frame, read_table
from ..readers.file_recording import FileRecording
from ..readers.raw import UNITS, Reading
from ..registry import check_known
from . import STUDIES
from .base import Study, StudyOptions
from .shared.neuroprobe import MOST, TASKS, split_of, task_trials, without_overlaps

if TYPE_CHECKING:
    from typing_extensions import Unpack

RATE_HZ = 2048.0
FILE = re.compile(r"sub_(?P<person>\d+)_trial(?P<film>\d{3})\.h5$")
#: Channels that are no electrodes.
OTHERS = re.compile(r"^(DC|TRIG)", re.IGNORECASE)
SITE = "https://braintreebank.dev (CC BY 4.0)"
FETCH = "fetch it again, or leave the film out"
#: Film of each person and number, as its folder of transcripts is called.
FILMS = {
    "1_0": "fantastic-mr-fox", "1_1": "the-martian", "1_2": "thor-ragnarok", "2_0": "venom",
    "2_1": "spider-man-3-homecoming", "2_2": "guardians-of-the-galaxy",
    "2_3": "guardians-of-the-galaxy-2", "2_4": "avengers-infinity-war", "2_5": "black-panther",
    "2_6": "aquaman", "3_0": "cars-2", "3_1": "lotr-1", "3_2": "lotr-2", "4_0": "shrek-the-third",
    "4_1": "megamind", "4_2": "incredibles", "5_0": "fantastic-mr-fox", "6_0": "megamind",
    "6_1": "toy-story", "6_4": "coraline", "7_0": "cars-2", "7_1": "megamind",
    "8_0": "sesame-street-episode-3990", "9_0": "ant-man", "10_0": "cars-2",
    "10_1": "spider-man-far-from-home",
}  # fmt: skip


def clean(name: str) -> str:
    """Return the name of an electrode without the marks of its table."""
    return name.replace("*", "").replace("#", "").strip()


class FilmRecording(FileRecording):
    """One film of one person."""

    root: Path
    words: Path | None = None
    unit: str = "uV"
    task: str | None = None
    max_trials: int = MOST
    fold: int | None = None

    @property
    def person(self) -> str:
        """Return who was recorded."""
        return f"{self.id.study}/{self.id.subject}"

    def names(self) -> list[str]:
        """Return the electrodes in the order of the file.

        Raises:
            RecordingError: no list of them.
        """
        path = self.root / f"electrode_labels/sub_{self.id.subject}/electrode_labels.json"
        return [clean(str(name)) for name in _json(path, list)]

    def open(self) -> mne.io.BaseRaw:
        """Return all electrodes; corrupted ones are listed as bad.

        Raises:
            RecordingError: an electrode that the file lacks, or of another length.
        """
        # Numbers count the whole list, triggers included: these are dropped only afterwards.
        names = [(n, k) for k, n in enumerate(self.names()) if not OTHERS.match(n)]
        rows = []
        try:
            with h5py.File(self.path) as file:
                for name, number in names:
                    data = dataset_of(file, f"data/electrode_{number}")
                    if data is None:
                        reason = f"no data/electrode_{number} for {name}"
                        raise RecordingError(self.path, reason, FETCH)
                    rows.append(np.asarray(data[()], np.float32))
        except OSError as error:
            raise RecordingError(self.path, f"no readable HDF5 ({error})", FETCH) from None
        if len({len(row) for row in rows}) != 1:
            raise RecordingError(self.path, "electrodes of different lengths", FETCH)
        info = mne.create_info([name for name, _ in names], RATE_HZ, "seeg")
        # float64 of all at once would be 12 GB of a film of two hours: row by row
        raw = mne.io.RawArray(np.stack(rows) * np.float32(UNITS[self.unit]), info, verbose="error")
        raw.info["bads"] = [name for name, _ in names if name in self._corrupted()]
        return raw

    def _corrupted(self) -> set[str]:
        path = self.root / "corrupted_elec.json"
        if not path.is_file():
            return set()
        content: Mapping[str, Sequence[str]] = _json(path, dict)
        return {clean(str(name)) for name in content.get(f"sub_{self.id.subject}", ())}

    def adjust(self, raw: mne.io.BaseRaw) -> None:
        """Set the places of the localisation, millimetres to the left, behind and below."""
        path = self.root / f"localization/sub_{self.id.subject}/depth-wm.csv"
        if not path.is_file():
            return
        table = read_table(path)
        missing = [name for name in ("Electrode", "L", "P", "I") if name not in table]
        if missing:
            raise RecordingError(path, f"no column {missing[0]!r}", FETCH)
        places = {
            clean(str(row["Electrode"])): np.array([row["L"], row["P"], row["I"]], float)
            for row in table.to_dict("records")
        }
        for channel in raw.info["chs"]:
            # nan = nowhere; zeros would be a real place, the origin of the coordinates.
            place = places.get(channel["ch_name"], np.full(3, np.nan))
            # L, P and I grow to the left, behind and below; here to the right, front and up
            channel["loc"][:3] = -place * 1e-3

    def read_events(self, raw: mne.io.BaseRaw) -> pd.DataFrame:
        """Return words with their sentence; without a table of words one block alone.

        Raises:
            RecordingError: a table without the columns of Neuroprobe.
        """
        seconds = raw.n_times / RATE_HZ
        block = {"kind": "block", "start_s": 0.0, "duration_s": seconds}
        if self.words is None:
            return frame([block])
        return pd.concat([frame([block]), word_rows(self.words)], ignore_index=True)

    def events(self) -> pd.DataFrame:
        """Return the checked events; of the signal the length alone is read."""
        with h5py.File(self.path) as file:
            data = dataset_of(file, "data/electrode_0")
            samples = 0 if data is None else data.shape[0]
        block = {"kind": "block", "start_s": 0.0, "duration_s": samples / RATE_HZ}
        tables = [frame([block])]
        if self.words is not None:
            tables.append(word_rows(self.words))
        if self.task is not None:
            tables.append(self.trials())
        return check_events(pd.concat(tables, ignore_index=True), samples / RATE_HZ, self.path)

    def trials(self) -> pd.DataFrame:
        """Return the windows of the task of Neuroprobe.

        Raises:
            RecordingError: no table of words, or one without what the task is made of.
        """
        if self.words is None or self.task is None:
            path = self.root / f"subject{self.id.subject}_trial{self.id.run}_words_df.csv"
            raise RecordingError(path, "no such table", "take the tables of neuroprobe")
        words = with_features(self.words, self.film, self.root)
        path = self.words.with_name(self.words.name.replace("words_df", "nonverbal_df"))
        silences = read_table(path, quoted=True) if path.is_file() else None
        trials = task_trials(words, silences, self.task, self.words, self.max_trials)
        split = split_of(trials["quarter"], self.fold)
        return without_overlaps(trials.assign(published_split=split))

    @property
    def film(self) -> str:
        """Return the name of the film."""
        return FILMS.get(f"{self.id.subject}_{self.id.run}", "")

    def options(self) -> dict[str, Any]:
        """Return what is read beside the signal."""
        words = None if self.words is None else self.words.name
        task = {"task": self.task, "max_trials": self.max_trials, "fold": self.fold}
        more = task if self.task is not None else {}
        return {"words": words, "unit": self.unit, **more}


def with_features(path: Path, film: str, root: Path) -> pd.DataFrame:
    """Read a table of words with what Brain Treebank and Neuroprobe say of each besides.

    `transcripts/<film>/features.csv` has a row for each `original_index`;
    `pitch_volume_features/<film>_pitch_volume_features.json` one for each begin, to 5 decimals.

    Raises:
        RecordingError: a word without its row.
    """
    words = read_table(path, quoted=True)
    features = root / "transcripts" / film / "features.csv"
    if features.is_file() and "original_index" in words:
        table = pd.read_csv(features, index_col=0)
        lost = ~words["original_index"].isin(table.index)
        if lost.any():
            row = int(np.flatnonzero(lost)[0]) + 2
            raise RecordingError(features, f"no word of row {row} of {path.name}", FETCH)
        more = table[[name for name in table if name not in words]]
        words = words.join(more, on="original_index")
    sounds = path.parent.parent / "pitch_volume_features" / f"{film}_pitch_volume_features.json"
    if sounds.is_file() and "start" in words:
        by_start = {f"{float(k):.5f}": v for k, v in _json(sounds, dict).items()}
        keys = [f"{start:.5f}" for start in words["start"]]
        missing = [key for key in keys if key not in by_start]
        if missing:
            raise RecordingError(sounds, f"no word at {missing[0]} s", FETCH)
        for name in ("enhanced_pitch", "enhanced_volume"):
            words[name] = [by_start[key][name] for key in keys]
    return words


def word_rows(path: Path) -> pd.DataFrame:
    """Return the words of a film from a table that is aligned with the recording.

    The tables of the package `neuroprobe` (MIT) are such: `est_idx` and `est_end_idx` are samples
    at 2048 Hz, `text` the word, `sentence` and `idx_in_sentence` where it stands, `is_onset`
    whether a sentence begins. All other columns go with the word.

    Raises:
        RecordingError: a column is missing, or a word ends before it begins.
    """
    table = read_table(path, quoted=True)
    if "text" not in table and "full_word" in table:
        table = table.rename(columns={"full_word": "text"})  # tables of version 0.1.8
    missing = [name for name in ("est_idx", "text") if name not in table]
    if missing:
        raise RecordingError(path, f"no column {missing[0]!r}", "take the tables of neuroprobe")
    starts = table["est_idx"].to_numpy(float) / RATE_HZ
    ends = table["est_end_idx"].to_numpy(float) / RATE_HZ if "est_end_idx" in table else starts
    if (ends < starts).any():
        row = int(np.flatnonzero(ends < starts)[0])
        raise RecordingError(path, f"row {row + 2}: the word ends before it begins", FETCH)
    taken = ("est_idx", "est_end_idx", "text", "sentence", "idx_in_sentence")
    more = {str(n): table[n].to_numpy() for n in table if n not in taken and not str(n).startswith(
        "unnamed")}  # fmt: skip
    words = pd.DataFrame({**more, "kind": "word", "start_s": starts, "duration_s": ends - starts,
                          "word": table["text"].astype(str).to_numpy()})  # fmt: skip
    if "sentence" in table:
        words["word_sequence"] = table["sentence"].astype(str).to_numpy()
        # By text alone: people hear the same films, and a sentence that one of them trains on must
        # not be tested in another. Short ones that several films share go together.
        words["sequence_uid"] = words["word_sequence"]
    if "idx_in_sentence" in table:
        words["word_index"] = table["idx_in_sentence"].to_numpy(int)
    return words


def _json(path: Path, kind: type) -> Any:
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise RecordingError(path, f"no JSON ({error})", FETCH) from None
    if not isinstance(content, kind):
        raise RecordingError(path, f"a {type(content).__name__}, not a {kind.__name__}", FETCH)
    return content


@STUDIES.register("brain_treebank")
class BrainTreebank(Study):
    """Films heard and seen by ten people, 2048 Hz, 26 recordings (Wang et al., NeurIPS 2024).

    Files are `<root>/brain_treebank/sub_1_trial000.h5` with `electrode_labels`, `localization` and
    `corrupted_elec.json` beside them, as distributed at https://braintreebank.dev (CC BY 4.0):
    fetch and unpack the archives there. Words come from tables that are aligned with the
    recordings: those of the package `neuroprobe` (MIT), `subject1_trial0_words_df.csv`, in the
    folder that `words` names. Their columns (pitch, volume, part of speech, ...) can be labels and
    values.

    Args:
        words: folder of the tables, below `path` unless absolute; None = no words.
        films: names to be read, such as `[cars-2]`; None = all that are there.
        unit: of the numbers.
        task: of Neuroprobe, whose windows become events of kind `trial` with `label` 0 or 1, and
            the split that it was published with; None = words alone.
        max_trials: windows of a film at most.
        fold: 1 or 2: films are divided within themselves, see `shared.neuroprobe.FOLDS`.
        test_films: names of those whose first half validates and whose second half tests, while the
            others train.
        options: see `Study`; people are numbered from 1 to 10.
    """

    name = "brain_treebank"
    subject_type = int

    def __init__(
        self,
        *,
        words: str | None = "braintreebank_features_time_alignment",
        films: Sequence[str] | None = None,
        unit: str = "uV",
        task: str | None = None,
        max_trials: int = MOST,
        fold: int | None = None,
        test_films: Sequence[str] = (),
        **options: Unpack[StudyOptions],
    ) -> None:
        super().__init__(**options)
        if task is not None:
            check_known("task", task, TASKS)
        if fold not in (None, 1, 2) or (fold is not None and test_films):
            raise UserError(f"study brain_treebank: fold={fold}; use 1, 2, or test_films")
        for film in test_films:
            check_known("film of test_films", film, tuple(FILMS.values()))
        self.words, self.films, self.unit = words, films, unit
        self.task, self.max_trials = task, max_trials
        self.fold, self.test_films = fold, tuple(test_films)

    def recordings(self) -> Sequence[FilmRecording]:
        """Return people by number, films in order.

        Raises:
            UserError: none is there.
        """
        return self.present(
            self._find,
            f"no sub_1_trial000.h5 in {self.folder}; fetch the archives from {SITE} and set "
            "paths.studies (BM_DATA) or the study's `path`",
        )

    def _find(self) -> list[FilmRecording]:
        recordings = []
        for path in sorted(self.folder.glob("sub_*_trial*.h5")):
            match = FILE.match(path.name)
            if match is None or not self.includes(match["person"]):
                continue
            film = FILMS.get(f"{match['person']}_{int(match['film'])}", "")
            if self.films is None or film in self.films:
                recordings.append(self._recording(path, match["person"], int(match["film"])))
        return sorted(recordings, key=lambda r: (int(r.id.subject), int(r.id.run)))

    def _recording(self, path: Path, person: str, film: int) -> FilmRecording:
        identity = RecordingId(self.name, person, "0", str(film), "seeg")
        tables = [self.folder / f"electrode_labels/sub_{person}/electrode_labels.json"]
        words = None
        if self.words is not None:
            words = self.folder / self.words / f"subject{person}_trial{film}_words_df.csv"
            if not words.is_file():
                words = None
        recording = FilmRecording(
            identity, path, Reading(montage=None), (*tables, *((words,) if words else ()))
        )
        recording.root, recording.words, recording.unit = self.folder, words, self.unit
        recording.task, recording.max_trials = self.task, self.max_trials
        recording.fold = 0 if recording.film in self.test_films else self.fold
        return recording
