"""Study `zuco`: EEG and eye tracking of people who read sentences, 30 people in four tasks."""

from __future__ import annotations

import hashlib
import logging
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mne
import numpy as np
import pandas as pd

from ..data.recording import RecordingId
from ..errors import RecordingError, UserError
from ..readers.event_table import frame
from ..readers.file_recording import FileRecording
from ..readers.raw import Reading
from ..readers.zuco import BANDS_HZ, GAZE, ReadSentence, ReadWord, read_sentences
from ..registry import check_known
from . import STUDIES
from .base import Study, StudyOptions

if TYPE_CHECKING:
    from typing_extensions import Unpack

logger = logging.getLogger(__name__)
RATE_HZ = 500
# EGI's net, E1 to E128 and Cz. Brain-Diffusion plots on biosemi128, which is another one.
MONTAGE = "GSN-HydroCel-129"


@dataclass(frozen=True)
class Task:
    """Where the files of a task lie, and how the name of one says who read.

    Attributes:
        folder: below that of the study.
        pattern: of the file names; the group is the person.
    """

    folder: str
    pattern: re.Pattern[str]


TASKS = {
    "SR": Task("task1-SR", re.compile(r"results([A-Z]+)_SR\.mat")),
    "NR": Task("task2-NR", re.compile(r"results([A-Z]+)_NR\.mat")),
    "TSR": Task("task3-TSR", re.compile(r"results([A-Z]+)_TSR\.mat")),
    # Named as in 1.0: only the folder tells the two versions apart.
    "NR2.0": Task("task2-NR-2.0", re.compile(r"results([A-Z]+)_NR\.mat")),
}
#: Left out by the authors' own benchmark: dyslexia, incomplete.
EXCLUDED = ("YMH",)


def _sites(text: str) -> tuple[str, ...]:
    """Return electrodes of ranges such as `2-7 15`."""
    ends = [part.split("-") for part in text.split()]
    return tuple(
        f"E{n}" for first, *last in ends for n in range(int(first), int([first, *last][-1]) + 1)
    )


#: The 104 sites of the authors' benchmark code, and the vertex, most likely their reference; the
#: order is inferred. `zuco-105-alt` is the list of Brain-Diffusion's topographic maps.
KEPT = (
    "2-7 9-13 15-16 18-20 22-24 26-31 33-47 50-55 57-62 64-67 69-72 74-80 82-87 89-93 95-98 "
    "100-106 108-112 114-118 120-124"
)
LEFT_OUT = "8 14 17 21 25 43 48 49 56 63 68 73 81 88 94 99 107 113 119-120 126-128"
CHANNEL_SETS = {
    "zuco-105": (*_sites(KEPT), "Cz"),
    "zuco-105-alt": tuple(n for n in _sites("1-128") if n not in _sites(LEFT_OUT)),
}
SIGNALS = ("waves", "words")
#: Spellings of one sentence in different tasks: task 2 on the left, task 3 on the right.
SPELLINGS = {"ä": "ae", "ö": "oe", "ü": "ue", "marić": "maria"}


def text_key(text: str) -> str:
    """Return a name of a sentence that is the same in all tasks, whatever its blanks and quotes.

    ZuCo 2.0 shows sentences of 1.0 again, and task 3 some of task 2. Signs, accents and letters
    that one of the lists has lost do not count.
    """
    plain = text.lower()
    for one, other in SPELLINGS.items():
        plain = plain.replace(one, other)
    plain = unicodedata.normalize("NFD", plain)
    words = "".join(c for c in plain if c.isspace() or (c.isascii() and c.isalnum())).split()
    return "zuco-" + hashlib.sha256(" ".join(words).encode()).hexdigest()[:16]


class SentenceRecording(FileRecording):
    """Sentences that one person read in a task, joined to one signal.

    They do not follow each other in time: an `EDGE boundary` annotation stands between them. Where
    in a sentence a word was read is not in the files: word events are instants at its start.
    """

    channel_set = "zuco-105"
    # Gaze duration, all fixations of the first pass: the window that Brain-Diffusion uses.
    gaze = "GD"
    rows: list[dict[str, Any]]

    def options(self) -> dict[str, Any]:
        """Return channel set and reading window."""
        return {"channel_set": self.channel_set, "gaze": self.gaze, "signal": "waves"}

    def sentences(self) -> list[ReadSentence]:
        """Read the file.

        Raises:
            RecordingError: a bad file, or channels in another order than those of the set.
        """
        sentences, names = read_sentences(self.path)
        expected = CHANNEL_SETS[self.channel_set]
        if names is not None and tuple(names) != expected:
            place = next(
                (
                    i
                    for i, pair in enumerate(zip(names, expected, strict=False))
                    if len(set(pair)) > 1
                ),
                0,
            )
            reason = (
                f"chanlocs has {len(names)} channels, number {place + 1} is {names[place]}; "
                f"{self.channel_set} has {expected[place]} there"
            )
            raise RecordingError(self.path, reason, "choose another channel_set of study zuco")
        return sentences

    def open(self) -> mne.io.BaseRaw:
        """Join the waves of all sentences that are there, in V.

        Raises:
            RecordingError: none is.
        """
        whole = self.sentences()
        usable = [one for one in whole if one.wave is not None and one.words]
        self._report(whole, usable)
        starts = np.cumsum([0, *(one.wave.shape[1] for one in usable)])  # type: ignore[union-attr]
        self.rows = []
        for one, start, stop in zip(usable, starts, starts[1:], strict=False):
            self.rows += self._events(one, start / RATE_HZ, (stop - start) / RATE_HZ, 0.0)
        info = mne.create_info(list(CHANNEL_SETS[self.channel_set]), RATE_HZ, "eeg")
        # The files hold microvolts, MNE calculates in volts.
        data = np.concatenate([one.wave for one in usable], 1).astype(float) * 1e-6
        raw = mne.io.RawArray(data, info, verbose="error")
        joins = mne.Annotations(starts[1:-1] / RATE_HZ, 0.0, "EDGE boundary")
        return raw.set_annotations(joins)

    def _report(self, whole: Sequence[ReadSentence], usable: Sequence[ReadSentence]) -> None:
        """Say how many sentences are left out; none that is left is an error."""
        if not usable:
            reason = f"none of its {len(whole)} sentences has both words and EEG without gaps"
            raise RecordingError(self.path, reason, "fetch it again, or leave it out")
        if len(usable) < len(whole):
            count = len(whole) - len(usable)
            text = "%s: %d of %d sentences have no words, no EEG or gaps and are left out"
            logger.warning(text, self.path, count, len(whole))

    def _events(
        self, one: ReadSentence, start_s: float, duration_s: float, word_s: float
    ) -> list[dict[str, Any]]:
        """Return the events of a sentence and its words, which last `word_s` each."""
        words = self._words(one)
        ids = {"sequence_id": one.number, "sequence_uid": text_key(one.text)}
        times = {"start_s": start_s, "duration_s": duration_s}
        of_sentence = {"text": one.text, "n_words": len(words), "task": self.id.session}
        rows: list[dict[str, Any]] = [{"kind": "sentence", **times, **of_sentence, **ids}]
        shared = {"word_sequence": one.text, "language": "en", "modality": "visual", **ids}
        for index, word in enumerate(words):
            columns = {"word": word.text, "word_index": index, "n_fixations": word.n_fixations}
            times = {"start_s": start_s + index * word_s, "duration_s": word_s}
            rows.append({"kind": "word", **times, **columns, **shared})
        return rows

    def _words(self, one: ReadSentence) -> list[ReadWord]:
        """Return the words that the eyes rested on."""
        return [word for word in one.words or () if word.n_fixations]

    def read_events(self, raw: mne.io.BaseRaw) -> pd.DataFrame:
        """Return sentences with text, n_words and task, and their words."""
        return frame(self.rows)


class WordRecording(SentenceRecording):
    """Band powers of the words that one person read, as a signal of one sample a word.

    Channels are `t1 E2` to `g2 Cz`, band after band; a second is a word. Words without fixation are
    left out. These are no electrodes: nothing is placed or judged as EEG.
    """

    def options(self) -> dict[str, Any]:
        """Return channel set and reading window."""
        return {**super().options(), "signal": "words"}

    def open(self) -> mne.io.BaseRaw:
        """Join the words of all sentences whose words all have the powers of every band."""
        whole = self.sentences()
        usable = [one for one in whole if self._is_whole(one)]
        self._report(whole, usable)
        self.rows, start, powers = [], 0, []
        for one in usable:
            words = [word.powers[self.gaze] for word in self._words(one)]
            self.rows += self._events(one, float(start), float(len(words)), 1.0)
            powers += [np.ravel(power) for power in words if power is not None]
            start += len(words)
        info = mne.create_info(word_channels(CHANNEL_SETS[self.channel_set]), 1.0, "eeg")
        return mne.io.RawArray(np.array(powers, float).T * 1e-6, info, verbose="error")

    def _is_whole(self, one: ReadSentence) -> bool:
        words = self._words(one)
        return bool(words) and all(word.powers[self.gaze] is not None for word in words)

    def load_raw(self) -> mne.io.BaseRaw:
        """Return the joined words."""
        return self.open()


def word_channels(electrodes: Sequence[str]) -> list[str]:
    """Return the names of the values of a word: band after band, in each all electrodes."""
    return [f"{band} {name}" for band in BANDS_HZ for name in electrodes]


@STUDIES.register("zuco")
class Zuco(Study):
    """Zurich Cognitive Language Processing Corpus, 105 electrodes at 500 Hz.

    Files are `<root>/zuco/task1-SR/Matlab_files/resultsZAB_SR.mat` and so on (OSF projects q3zws
    for 1.0, 2urht for 2.0); both versions of MATLAB's format are read. A recording is a person in a
    task; the session is the task. Events `sentence` carry the text, and a `sequence_uid` of the
    text, so that `dset.split.key=sentence` splits over all tasks together.

    Args:
        tasks: some of SR, NR, TSR, NR2.0; None = those whose files are there.
        signal: waves | words: band powers of words instead, see `WordRecording`.
        gaze: reading window of the powers: FFD, TRT or GD.
        channel_set: zuco-105 | zuco-105-alt, see `CHANNEL_SETS`.
        options: see `Study`; people are names such as ZAB.
    """

    name = "zuco"

    def __init__(
        self,
        *,
        tasks: Sequence[str] | None = None,
        signal: str = "waves",
        gaze: str = "GD",
        channel_set: str = "zuco-105",
        **options: Unpack[StudyOptions],
    ) -> None:
        super().__init__(**options)
        if isinstance(tasks, str):
            raise UserError(f"study zuco: tasks={tasks!r}; use a list, such as [SR, NR]")
        for task in tasks or ():
            check_known("study zuco: task", str(task), TASKS)
        check_known("study zuco: signal", signal, SIGNALS)
        check_known("study zuco: gaze", gaze, GAZE)
        check_known("study zuco: channel_set", channel_set, CHANNEL_SETS)
        self.tasks = tuple(map(str, tasks)) if tasks else tuple(TASKS)
        self.signal, self.gaze, self.channel_set = signal, gaze, channel_set

    def recordings(self) -> Sequence[SentenceRecording]:
        """Return people in the order of their names, task after task.

        Raises:
            UserError: none is there.
        """
        names = ", ".join(TASKS[task].folder for task in self.tasks)
        return self.present(
            self._find,
            f"no results*.mat in {self.folder}/<task>/Matlab_files ({names}); fetch the files of "
            "OSF projects q3zws (1.0) and 2urht (2.0) or set paths.studies (BM_DATA)",
        )

    def _find(self) -> list[SentenceRecording]:
        recordings: list[SentenceRecording] = []
        for task in self.tasks:
            for path in sorted((self.folder / TASKS[task].folder / "Matlab_files").glob("*.mat")):
                match = TASKS[task].pattern.fullmatch(path.name)
                if match and match[1] not in EXCLUDED and self.includes(match[1]):
                    recordings.append(self._recording(path, match[1], task))
        return recordings

    def _recording(self, path: Path, subject: str, task: str) -> SentenceRecording:
        kind = WordRecording if self.signal == "words" else SentenceRecording
        names = CHANNEL_SETS[self.channel_set]
        identity = RecordingId(self.name, subject, task, "0")
        recording = kind(identity, path, Reading(montage=MONTAGE, channels=names))
        recording.channel_set, recording.gaze = self.channel_set, self.gaze
        return recording
