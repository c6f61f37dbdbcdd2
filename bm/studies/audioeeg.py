"""Study `audioeeg`: the original's lists of sounds with embeddings that were computed elsewhere."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import mne
import numpy as np
import pandas as pd
import soundfile

from ..data.recording import Recording, RecordingId
from ..errors import RecordingError, UserError
from ..features.stored import read_embedding
from ..readers.audioldm_metadata import ROOT, Clip, read_clips
from ..readers.event_table import frame
from . import STUDIES
from .base import Study, StudyOptions

if TYPE_CHECKING:
    from typing_extensions import Unpack


class EmbeddedClip(Recording):
    """A sound with the embedding of the brain that heard it, in place of a signal.

    Args:
        clip: the entry.
        study: name of the data set.
        clip_s: how long the clip is; the steps of the embedding are spread evenly over it.
    """

    def __init__(self, clip: Clip, study: str, clip_s: float) -> None:
        self.clip, self.clip_s = clip, clip_s
        run, name = clip.split, f"{clip.number:06d}"
        self.id = RecordingId(study, "somebody", name, run)
        self.source = (str(clip.brain),)

    @property
    def part(self) -> str:
        """Return which entry of which list it is."""
        return f"{self.id.run}/{self.id.session}"

    def load_raw(self) -> mne.io.BaseRaw:
        """Return the embedding: a channel for each number, in units that have no name.

        Raises:
            RecordingError: see `read_embedding`.
        """
        values = read_embedding(self.clip.brain)
        names = [f"e{n}" for n in range(len(values))]
        info = mne.create_info(names, values.shape[1] / self.clip_s, "eeg")
        # stored as µV, so that one of the embedding is one of the store
        return mne.io.RawArray(values.astype(np.float64) * 1e-6, info, verbose="error")

    def events(self) -> pd.DataFrame:
        """Return the clip as a trial, with its captions and labels, and its sound.

        A sound that is longer is used from its beginning: the original draws a crop at random, in
        its test too, and lets the embedding stay where it is.

        Raises:
            RecordingError: no such sound; the original trains on silence then.
        """
        path = self.clip.wave
        try:
            info = soundfile.info(str(path))
        except (OSError, soundfile.SoundFileError) as error:
            raise RecordingError(path, f"no sound ({error})", "fetch it") from None
        length = min(self.clip_s, info.frames / info.samplerate)
        trial = {"kind": "trial", "start_s": 0.0, "duration_s": self.clip_s}
        trial |= {"label": ",".join(self.clip.labels), "caption": " ".join(self.clip.captions)}
        beside = str(self.clip.sound) if self.clip.sound is not None else ""
        sound = {"kind": "sound", "start_s": 0.0, "duration_s": length, "offset": 0.0}
        return frame([{**trial, "audio_embedding": beside}, {**sound, "filepath": str(path)}])

    def fingerprint(self) -> str:
        """Return which entry it is and how long a clip lasts."""
        return json.dumps([vars(self.id), str(self.clip.brain), self.clip_s])


@STUDIES.register("audioeeg")
class AudioEeg(Study):
    """Sounds and embeddings in the layout of eeg2speech (and of AudioLDM's training code).

    `<root>/audioeeg/data/dataset/metadata/dataset_root.json` names the lists and the folder of the
    sounds; an entry of a list has `wav`, `embedding` and, optionally, `audio_embedding`, `labels`
    and captions. The brain's embeddings take the place of signals, so that encoders, denoisers and
    tables treat them as any recording; lists are runs train, val and test.

    Args:
        dataset: name in `dataset_root.json`.
        clip_s: seconds of a clip.
        options: see `Study`; `path` is the folder that holds `data/`.
    """

    name = "audioeeg"

    def __init__(
        self,
        *,
        dataset: str = "audioeeg",
        clip_s: float = 10.24,
        **options: Unpack[StudyOptions],
    ) -> None:
        super().__init__(**options)
        if not clip_s > 0:
            raise UserError(f"study audioeeg: clip_s={clip_s}; use seconds above 0")
        self.dataset, self.clip_s = dataset, clip_s

    def recordings(self) -> Sequence[EmbeddedClip]:
        """Return the clips of all lists in order.

        Raises:
            UserError: no such file, or no such data set in it.
            RecordingError: a list that cannot be read, see `read_clips`.
        """
        path = self.folder / "data" / "dataset" / "metadata" / ROOT
        if not path.is_file():
            path = Path(self.folder) / ROOT
        if not path.is_file():
            raise UserError(
                f"study audioeeg: no {ROOT} in {self.folder}/data/dataset/metadata; unpack the "
                "archive there, or set `path` of the study"
            )
        clips = read_clips(path, self.dataset, self.folder)
        return [EmbeddedClip(clip, self.name, self.clip_s) for clip in clips]
