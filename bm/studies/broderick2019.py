"""Study `broderick2019`: EEG of people who hear The Old Man and the Sea."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import mne
import numpy as np
import pandas as pd

from ..data.recording import RecordingId
from ..errors import RecordingError
from ..features.lexicon import pipeline
from ..readers.alignment import match
from ..readers.download import fetch, one_at_a_time, unpack_into
from ..readers.edf import FETCH
from ..readers.matlab import read_matlab
from ..readers.raw import Reading
from ..registry import check_known
from . import STUDIES
from .base import Study, StudyOptions
from .shared.story import BlockRule, StoryRecording

if TYPE_CHECKING:
    from typing_extensions import Unpack

RATE_HZ = 128
RUNS = 20  # of the story, about three minutes each
ARCHIVE = "doi_10.5061_dryad.070jc__v3.zip"
SITE = "https://datadryad.org/api/v2/datasets/doi%3A10.5061%2Fdryad.070jc/download"
RECORD = "https://doi.org/10.5061/dryad.070jc"
TOKENISERS = ("spacy", "punctuation")
MIN_MATCHES = 450  # words of a run that its text must have, in the code of Defossez et al. 2023
# The rule of the tokeniser `punctuation`, quotation marks included in the sentence they end.
SENTENCE_END = re.compile(r"(?<=[.!?])[\"'”’]*\s+")
#: Electrodes of MNE's montage biosemi128, in the order of the files.
CHANNELS = tuple(f"{letter}{n}" for letter in "ABCD" for n in range(1, 33))


class Token(NamedTuple):
    """A word of the text, the number of its sentence, and the sentence."""

    word: str
    sentence: int
    text: str


def read_text(path: Path, tokeniser: str) -> list[Token]:
    """Read the words of a text, without what is no word character.

    Args:
        tokeniser: `spacy` (published) needs the extra `words`; `punctuation` ends sentences at
            full stops, question and exclamation marks.

    Raises:
        RecordingError: no text.
        UserError: no spaCy.
    """
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RecordingError(path, f"no text ({error})", private_recipe(path.parent)) from None
    if tokeniser == "spacy":
        document = pipeline("study broderick2019", "en", "md", None)(text)
        sentences = [([str(t) for t in s], str(s).strip()) for s in document.sents]
    else:
        parts = [" ".join(part.split()) for part in SENTENCE_END.split(text)]
        sentences = [(part.split(), part) for part in parts if part]
    words = []
    for number, (tokens, sentence) in enumerate(sentences):
        bare = (re.sub(r"\W", "", token) for token in tokens)
        words += [Token(token, number, sentence) for token in bare if token]
    return words


def read_alignment(path: Path) -> list[dict[str, Any]]:
    """Read the words that a forced alignment (gentle) places: word, start, end, phones.

    Raises:
        RecordingError: no such alignment.
    """
    try:
        words = json.loads(path.read_text("utf-8"))["words"]
        return [word for word in words if word["case"] == "success"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = f"no alignment ({type(error).__name__}: {error})"
        raise RecordingError(path, reason, private_recipe(path.parent)) from None


def private_recipe(folder: Path) -> str:
    """Return what to do about missing sounds, texts and alignments."""
    return (
        f"put audioN.wav, oldman_runN.txt (their text) and alignN.json (of the aligner gentle) "
        f"for N = 1..{RUNS} into {folder}; the sounds are the authors' to give"
    )


def story_events(
    aligned: Sequence[dict[str, Any]], tokens: Sequence[Token], path: Path, min_matches: int
) -> pd.DataFrame:
    """Return words and phonemes with the sentence they are of.

    Words that the text does not have, and all phonemes, take the sentence of the word before. The
    phonemes of a word follow each other from its start on, by the lengths of the aligner.

    Raises:
        RecordingError: fewer matches than `min_matches`.
    """
    # Aligner and text differ in single words: edit distance finds which belong together.
    heard, read = match(
        [word["word"].lower() for word in aligned], [token.word.lower() for token in tokens]
    )
    if len(heard) < min_matches or not len(heard):
        reason = f"only {len(heard)} of {len(aligned)} words are in the text"
        raise RecordingError(path, f"{reason} ({min_matches} are needed)", "check the text")
    place_of = dict(zip(heard.tolist(), read.tolist(), strict=True))
    token, rows = tokens[read[0]], []
    shared = {"language": "en", "modality": "audio", "condition": "sentence"}
    for number, word in enumerate(aligned):
        token = tokens[place_of[number]] if number in place_of else token
        place = {"sequence_id": token.sentence, "sequence_uid": token.text, **shared}
        start = float(word["start"])
        times = {"start_s": start, "duration_s": float(word["end"]) - start}
        rows.append({"kind": "word", **times, "word": word["word"], **place})
        for phone in word.get("phones", ()):
            times = {"start_s": start, "duration_s": float(phone["duration"])}
            # As published: ids are those of Dutch phonemes, which these are not.
            phoneme = {"phoneme": phone["phone"], "phoneme_id": 0}
            rows.append({"kind": "phoneme", **times, **phoneme, **place})
            start += times["duration_s"]
    return pd.DataFrame(rows)


class OldManRecording(StoryRecording):
    """One run of one person: 128 electrodes at 128 Hz."""

    run = 1
    private: Path = Path()
    tokeniser = "spacy"
    min_matches = MIN_MATCHES

    def open(self) -> mne.io.BaseRaw:
        """Open the signal in V: electrodes, then the mastoids as misc.

        The files are in uV. The code of Defossez et al. multiplies by 1e6 and not by 1e-6; it
        scales every channel by its quartiles, which undoes either.

        Raises:
            RecordingError: another content or rate.
        """
        content = read_matlab(self.path, "eegData", "fs")
        data = np.atleast_2d(np.asarray(content["eegData"], float))
        if data.shape[1] != len(CHANNELS) or float(content["fs"]) != RATE_HZ:
            reason = f"eegData {data.shape} at {content['fs']} Hz, not (N, 128) at {RATE_HZ}"
            raise RecordingError(self.path, reason, FETCH)
        names, types = list(CHANNELS), ["eeg"] * len(CHANNELS)
        if "mastoids" in content:
            data = np.hstack([data, np.asarray(content["mastoids"], float)])
            names, types = [*names, "mastoid1", "mastoid2"], [*types, "misc", "misc"]
        info = mne.create_info(names, RATE_HZ, types)
        return mne.io.RawArray(data.T * 1e-6, info, verbose="error")

    def options(self) -> dict[str, Any]:
        """Return how events are made."""
        return {**super().options(), "sentences": self.tokeniser}

    def read_events(self, raw: mne.io.BaseRaw) -> pd.DataFrame:
        """Return words, phonemes and the sound of the run."""
        aligned = read_alignment(self.private / f"align{self.run}.json")
        tokens = read_text(self.private / f"oldman_run{self.run}.txt", self.tokeniser)
        events = story_events(aligned, tokens, self.path, self.min_matches)
        sound = {
            "kind": "sound",
            "start_s": 0.0,
            "duration_s": np.nan,
            "filepath": str(self.private / f"audio{self.run}.wav"),
            "language": "en",
            "modality": "audio",
        }
        return pd.concat([pd.DataFrame([sound]), events], ignore_index=True)


@STUDIES.register("broderick2019")
class Broderick2019(Study):
    """Natural speech (Broderick et al., Current Biology 28:803, 2018; doi:10.5061/dryad.070jc).

    Files are `<root>/broderick2019/download/Natural Speech/EEG/SubjectK/SubjectK_RunR.mat`, which
    `download` fetches, and `private/` with sounds, texts and alignments, see `private_recipe`.

    Args:
        min_block_s: see `story.BlockRule`.
        sentences: how texts are cut into sentences, see `read_text`.
        min_matches: see `story_events`.
        options: see `Study`; people are numbered.
    """

    name = "broderick2019"
    subject_type = int
    subfolder = "download"

    def __init__(
        self,
        *,
        min_block_s: float | None = 6.0,
        sentences: str = "spacy",
        min_matches: int = MIN_MATCHES,
        **options: Unpack[StudyOptions],
    ) -> None:
        super().__init__(**options)
        check_known("sentences", sentences, TOKENISERS)
        self.rule = BlockRule("sentence", min_block_s)
        self.tokeniser, self.min_matches = sentences, min_matches

    def recordings(self) -> Sequence[OldManRecording]:
        """Return people in the order of their numbers, each with the runs 1 to 20 that are there.

        Raises:
            UserError: none is there and none can be fetched.
        """
        where = f"no 'Natural Speech/EEG/SubjectK' in {self.folder}"
        return self.present(self._find, f"{where}; fetch the files of {RECORD}")

    def _find(self) -> list[OldManRecording]:
        files = []
        for path in self.folder.glob("Natural Speech/EEG/Subject*/Subject*_Run*.mat"):
            name = re.fullmatch(r"Subject(\d+)_Run(\d+)", path.stem)
            if name is None:
                continue
            subject, run = int(name[1]), int(name[2])
            if run <= RUNS and self.includes(subject):
                files.append((subject, run, path))
        return [self._recording(*file) for file in sorted(files)]

    def _recording(self, subject: int, run: int, path: Path) -> OldManRecording:
        identity = RecordingId(self.name, f"Subject{subject}", "0", f"run{run}")
        private = self.folder / "private"
        texts = (private / f"align{run}.json", private / f"oldman_run{run}.txt")
        beside = tuple(p for p in texts if p.is_file())
        recording = OldManRecording(identity, path, Reading(montage="biosemi128"), beside)
        recording.run, recording.private, recording.rule = run, private, self.rule
        recording.tokeniser, recording.min_matches = self.tokeniser, self.min_matches
        return recording

    def download(self) -> None:
        """Fetch the public archive and unpack natural speech from it.

        Raises:
            UserError: the server does not answer.
        """
        with one_at_a_time(self.folder):
            archive = self.folder / ARCHIVE
            if not archive.is_file():
                archive = fetch(SITE, self.folder, ARCHIVE)
            unpack_into(archive, self.folder / archive.stem)
            for inner in self.folder.rglob("Natural Speech.zip"):
                unpack_into(inner, self.folder / "Natural Speech")
