"""Study `brennan2019`: EEG of people who hear the first chapter of Alice in Wonderland."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mne
import numpy as np
import pandas as pd

from ..data.recording import RecordingId
from ..errors import RecordingError
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

RATE_HZ = 500
#: Electrodes: 1 to 61 without 29, the reference.
CHANNELS = tuple(str(n) for n in range(1, 62) if n != 29)
#: People whose files are not used in Defossez et al. 2023, from their code.
EXCLUDED = ("S02", "S24", "S26", "S27", "S30", "S32", "S34", "S35", "S36")
TABLE = "AliceChapterOne-EEG.csv"
SOUND = "DownTheRabbitHoleFinal_SoundFile{}.wav"
SITE = "https://deepblue.lib.umich.edu/data"
RECORD = f"{SITE}/concern/data_sets/bg257f92t"
#: First columns of `trl` where `varnames` does not name them.
FIRST = ("start_sample", "stop_sample", "offset")
ONSETS = ("published", "trigger")
#: Files of the data set by their ids; only the server's answer says their names.
# fmt: off
IDS = (
    "vm40xs661", "t435gf09p", "0v8381376", "6h440t36j", "qv33rx36x", "7w62f925w", "5425kb76p",
    "g445cf216", "df65v8733", "41687j32q", "r207tq17h", "pn89d748r", "41687j330", "xg94hq37z",
    "fj2362955", "1r66j195h", "j098zc06b", "3n203z903", "gx41mj79g", "mp48sd64h", "p2676w56p",
    "dn39x2566", "pv63g1045", "r207tq18s", "qr46r1659", "wd375x18w", "td96k336b", "6q182m27b",
    "ms35t936k", "02870w66d", "cj82k821x", "9k41zf376", "bk128b81j", "q524jp737", "37720d60h",
    "ks65hd14w", "b5644s476", "3t945r72w", "bn999773b", "4t64gp10r", "qr46r166k", "h415pb60j",
    "sq87bv504", "ht24wk29w", "p2676w57z", "2514nm49h", "41687j348", "tq57ns04w", "4t64gp111",
    "5712m736z", "f1881m88g", "2b88qd012", "2b88qd00s", "bn999775w", "h415pb59s", "q524jp72z",
)
# fmt: on


def read_words(path: Path) -> pd.DataFrame:
    """Read the table of words: Word, Segment, onset, offset, Order, Sentence and more.

    Raises:
        RecordingError: no such table.
    """
    if not path.is_file():
        raise RecordingError(path, "no such table", FETCH)
    # "null" and "NA" are words of a story as any other.
    table = pd.read_csv(path, keep_default_na=False, na_values={"onset": [""], "offset": [""]})
    missing = [c for c in ("Word", "Segment", "onset", "offset", "Sentence") if c not in table]
    if missing:
        raise RecordingError(path, f"no column {missing[0]!r}", FETCH)
    if "Order" not in table:
        table["Order"] = np.arange(1, len(table) + 1)
    return table


def read_trials(path: Path) -> pd.DataFrame:
    """Read the trials of a person: start_sample, stop_sample, offset, segment, tmin, Order.

    Raises:
        RecordingError: another content, or not 61 channels.
    """
    proc = read_matlab(path, "proc")["proc"]
    trials = np.atleast_2d(proc.trl)
    names = [str(name) for name in np.atleast_1d(getattr(proc, "varnames", ()))]
    if len(names) < trials.shape[1]:
        names = [*FIRST, *names]
    if len(names) != trials.shape[1]:
        reason = f"{trials.shape[1]} columns of trials but {len(names)} names"
        raise RecordingError(path, reason, FETCH)
    channels = int(proc.tot_chans)
    if channels != 61:
        raise RecordingError(path, f"{channels} channels, not 61", FETCH)
    return pd.DataFrame(trials, columns=names)


def join_words(trials: pd.DataFrame, words: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Join each trial with its word, by its number in the chapter.

    Raises:
        RecordingError: a trial without a word, or of another segment than its word.
    """
    if "Order" in trials:
        rows = words.set_index("Order").reindex(trials["Order"].astype(int))
        rows = rows.reset_index(drop=True)
    elif len(trials) == len(words):
        rows = words.reset_index(drop=True)
    else:
        reason = f"{len(trials)} trials without numbers for {len(words)} words"
        raise RecordingError(path, reason, FETCH)
    lost = rows["Word"].isna().to_numpy()
    if lost.any():
        raise RecordingError(path, f"trial {int(lost.argmax())} has no word in {TABLE}", FETCH)
    joined = pd.concat([trials.drop(columns="Order", errors="ignore"), rows], axis=1)
    if "segment" in joined:
        other = (joined["segment"] != joined["Segment"]).to_numpy()
        if other.any():
            reason = f"trial {int(other.argmax())} is of another segment than its word"
            raise RecordingError(path, reason, FETCH)
    return joined


def story_events(joined: pd.DataFrame, audio: Path, onsets: str) -> pd.DataFrame:
    """Return words, and one sound per segment of the chapter.

    Args:
        joined: see `join_words`.
        audio: folder of the sounds.
        onsets: `published` = a word begins at the first sample of its trial; `trigger` = at the
            trial's time 0, 0.3 s later, where the BIDS version of the data set has it. Published
            results rest on the former.
    """
    first = joined["start_sample"].astype(float)
    if onsets == "trigger":
        first = first - joined["offset_sample"].astype(float)
    starts = first / RATE_HZ
    shared = {"language": "en", "modality": "audio", "condition": "sentence"}
    words = pd.DataFrame(
        {
            "kind": "word",
            "start_s": starts,
            "duration_s": (joined["offset"] - joined["onset"]).astype(float),
            "word": joined["Word"].astype(str),
            "sequence_id": joined["Sentence"].astype(int),
            "segment": joined["Segment"].astype(int),
            **shared,
        }
    )
    # The sound of a segment began before its first word by the word's onset in it.
    begins = (starts - joined["onset"].astype(float)).groupby(joined["Segment"], sort=False).first()
    sounds = pd.DataFrame(
        {
            "kind": "sound",
            "start_s": begins.to_numpy(),
            "duration_s": np.nan,
            "filepath": [str(audio / SOUND.format(int(segment))) for segment in begins.index],
            **shared,
        }
    )
    return pd.concat([sounds, words], ignore_index=True)


class AliceRecording(StoryRecording):
    """One person: the chapter in one go, 60 electrodes at 500 Hz."""

    trials: Path = Path()
    words: Path = Path()
    audio: Path = Path()
    onsets = "published"

    def open(self) -> mne.io.BaseRaw:
        """Open the signal in V: electrodes, VEOG and the channel with the sound.

        Raises:
            RecordingError: another content, another rate, or a missing electrode.
        """
        raw = read_matlab(self.path, "raw")["raw"]
        names = [str(name) for name in np.atleast_1d(raw.hdr.label)]
        rate, data = float(raw.hdr.Fs), np.atleast_2d(np.asarray(raw.trial, float))
        missing = [name for name in CHANNELS if name not in names]
        if rate != RATE_HZ or missing or len(data) != len(names):
            what = f"no channel {missing[0]}" if missing else f"{data.shape} samples at {rate:g} Hz"
            raise RecordingError(self.path, f"{what} (it has {len(names)} channels)", FETCH)
        types = ["eeg" if n in CHANNELS else "eog" if n == "VEOG" else "misc" for n in names]
        info = mne.create_info(names, rate, types)
        return mne.io.RawArray(data * 1e-6, info, verbose="error")

    def options(self) -> dict[str, Any]:
        """Return how events are made."""
        return {**super().options(), "onsets": self.onsets}

    def read_events(self, raw: mne.io.BaseRaw) -> pd.DataFrame:
        """Return words and sounds, with word, sequence_id, segment, filepath."""
        trials = read_trials(self.trials).rename(columns={"offset": "offset_sample"})
        joined = join_words(trials, read_words(self.words), self.trials)
        return story_events(joined, self.audio, self.onsets)


@STUDIES.register("brennan2019")
class Brennan2019(Study):
    """Alice in Wonderland, chapter one (Brennan and Hale, PLoS ONE 14(1):e0207741, 2019).

    Files are `<root>/brennan2019/download/`: SNN.mat, proc/SNN.mat, audio/*.wav and the table of
    words, of Deep Blue Data bg257f92t (CC BY 4.0); `download` fetches them.

    Args:
        min_block_s: see `story.BlockRule`.
        onsets: see `story_events`.
        options: see `Study`; people are named S01 to S49, None = all but the excluded ones.
    """

    name = "brennan2019"
    subfolder = "download"

    def __init__(
        self,
        *,
        min_block_s: float | None = 6.0,
        onsets: str = "published",
        **options: Unpack[StudyOptions],
    ) -> None:
        super().__init__(**options)
        check_known("onsets", onsets, ONSETS)
        self.onsets = onsets
        self.rule = BlockRule("sentence", min_block_s)

    def recordings(self) -> Sequence[AliceRecording]:
        """Return people in order.

        Raises:
            UserError: none is there and none can be fetched.
        """
        names = "S01.mat, ..." if self.subjects is None else ", ".join(map(str, self.subjects))
        where = f"no {names} in {self.folder}"
        return self.present(self._find, f"{where}; fetch the files of {RECORD}")

    def _find(self) -> list[AliceRecording]:
        paths = sorted(self.folder.glob("S[0-9][0-9].mat"))
        if self.subjects is None:
            paths = [path for path in paths if path.stem not in EXCLUDED]
        else:
            paths = [path for path in paths if self.includes(path.stem)]
        return [self._recording(path) for path in paths]

    def _recording(self, path: Path) -> AliceRecording:
        identity = RecordingId(self.name, path.stem, "0", "0")
        trials, words = self.folder / "proc" / path.name, self.folder / TABLE
        reading = Reading(channels=CHANNELS, montage="easycap-M10")
        beside = tuple(p for p in (trials, words) if p.is_file())
        recording = AliceRecording(identity, path, reading, beside)
        recording.trials, recording.words, recording.audio = trials, words, self.folder / "audio"
        recording.rule, recording.onsets = self.rule, self.onsets
        return recording

    def download(self) -> None:
        """Fetch all files, each once, and unpack sounds and trials.

        Raises:
            UserError: the server does not answer.
        """
        with one_at_a_time(self.folder):
            for name in IDS:
                path = fetch(f"{SITE}/downloads/{name}", self.folder)
                if path.name in ("audio.zip", "proc.zip"):
                    # The archives hold a folder of their own name, or its files alone.
                    unpack_into(path, self.folder / path.stem)
