"""Mode `listening`: people who listen to stories in synthetic speech, by EEG or MEG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mne
import numpy as np

from .. import electrode_positions
from ..head import Head, add_alpha, add_background, draw_head
from ..lead_field import normalise, patch, rotation
from ..noise import integral
from ..nuisance import Nuisance, add_nuisance
from ..random_streams import Place
from ..recording import Drawn, SimulatedRecording
from .response import draw_weights, sources
from .stories import Stimuli, Story, tell, write_wav
from .words import AUDIO_HZ, PHONEMES, vocabulary

CHANNELS = (
    *("Fp1", "Fp2", "F7", "F3", "Fz", "F4", "F8", "FC5", "FC6", "T7"),
    *("C3", "Cz", "C4", "T8", "CP5", "CP6", "P3", "Pz", "P4", "Oz"),
)
#: Places of the six acoustic sources, then of the six lexical ones.
SITES = (
    *("FC5", "FC6", "C5", "C6", "T7", "T8"),
    *("F5", "P5", "Fz", "CP5", "FC3", "P6"),
)
# Power of the response against the background in 1-12 Hz, at snr 1: about 2 uV in 14. A ridge
# regression then finds .76 of 85 windows, the ideal observer all.
RHO = 0.06
WIDTH = 0.4  # of the patch of a source, in radii of the head
FT_PER_UV = 20.0  # of channels that are called magnetometers, to take the paths of MEG
WINDOW_S = 3.0  # as in Defossez et al. 2023


@dataclass(frozen=True)
class Listener:
    """One subject.

    Attributes:
        head: background.
        electrodes: (C, 3) unit vectors, as the cap sits.
        mixing: (C, 12) uV per unit of each source, at snr 1.
    """

    head: Head
    electrodes: np.ndarray
    mixing: np.ndarray


def draw_listener(place: Place, channels: Sequence[str], directions: np.ndarray) -> Listener:
    """Draw the subject of a place; `directions` are the study's tangents (12, 3)."""
    person = Place(place.seed, "listening", place.subject)
    reported = electrode_positions.unit(channels)
    head = draw_head(person, reported, 8.0, 0.15, 0.0)
    turn = person.stream("session").standard_normal(3)
    electrodes = reported @ rotation(0.05 * turn).T
    rng = person.stream("subject", 1)
    centres = electrode_positions.unit(SITES)
    sites = normalise(centres + 0.06 * rng.standard_normal(centres.shape))
    gains = np.exp(0.25 * rng.standard_normal(len(sites)))
    columns = []
    for site, direction, gain in zip(sites, directions, gains, strict=True):
        bump = patch(electrodes, site, WIDTH)
        columns.append(gain * bump * (0.5 + (electrodes - site) @ direction / WIDTH))
    pattern = np.stack(columns, 1)
    variance = integral(head.spectrum(), 1, 12)
    scale = np.sqrt(RHO * variance / (np.square(pattern).sum() / len(electrodes)))
    return Listener(head, electrodes, scale * pattern)


class ListeningRecording(SimulatedRecording):
    """One subject and story; `options` holds snr, stimuli, channels, rate_hz, clip, nuisance.

    Attributes:
        cache: folder of the WAV files; None writes none and leaves `filepath` empty.
    """

    cache: Path | None = None

    @property
    def channels(self) -> tuple[str, ...]:  # type: ignore[override]
        """Return the names of the electrodes."""
        return tuple(self.options["channels"])

    @property
    def rate_hz(self) -> float:  # type: ignore[override]
        """Return the rate of the recording."""
        return float(self.options["rate_hz"])

    @property
    def stimuli(self) -> Stimuli:
        """Return the settings of the audio."""
        return Stimuli(self.place.seed, self.options["n_words"], self.options["n_sentences"])

    @property
    def story(self) -> Story:
        """Return what is heard."""
        return tell(self.stimuli, self.place.run)

    @property
    def samples(self) -> int:
        """Return the length of the recording: that of the story."""
        return int(len(self.story.audio) / AUDIO_HZ * self.rate_hz)

    def listener(self) -> Listener:
        """Draw the subject."""
        # Directions do not depend on the number of words, which is therefore 1.
        weights = draw_weights(self.place.seed, 1, electrode_positions.unit(SITES))
        return draw_listener(self.place, self.channels, weights.directions)

    def response(self) -> np.ndarray:
        """Draw the part that carries the speech: (C, T) float32 uV, proportional to sqrt(snr)."""
        sites = electrode_positions.unit(SITES)
        rows = sources(self.stimuli, self.place.run, sites, self.rate_hz, self.samples)
        mixing = np.sqrt(self.options["snr"]) * self.listener().mixing
        return mixing.astype(np.float32) @ rows

    def draw(self) -> Drawn:
        """Draw background, alpha, response and nuisance; speech is events."""
        listener = self.listener()
        signal = np.zeros((len(self.channels), self.samples), dtype=np.float32)
        add_background(self.place, listener.head, signal, self.rate_hz)
        add_alpha(self.place, listener.head, signal, listener.electrodes, self.rate_hz)
        signal += self.response()
        settings = Nuisance(**self.options["nuisance"])
        electrodes = listener.electrodes
        artefacts, bads = add_nuisance(self.place, settings, signal, electrodes, self.rate_hz)
        truth = {"listener": listener, "bads": bads, "artefacts": artefacts}
        return Drawn(signal, [*self.speech_events(), *artefacts], truth)

    def speech_events(self) -> list[dict[str, Any]]:
        """Return sounds, and the block, sentence, words and phonemes of each sentence."""
        story, number = self.story, self.place.run
        path = write_wav(self.stimuli, number, self.cache) if self.cache else ""
        length = self.samples / self.rate_hz
        starts = [w.start / AUDIO_HZ for w in story.words if w.index == 0]
        spans = list(zip(starts, [*starts[1:], length], strict=True))
        clips = self.sentence_clips() if self.options["clip"] == "sentence" else [(0.0, length)]
        events = [
            event("sound", start, stop - start, filepath=str(path), offset=start)
            for start, stop in clips
        ]
        for number, (start, stop) in enumerate(spans):
            events += self.sentence_events(number, start, stop)
        return events

    def sentence_clips(self) -> list[tuple[float, float]]:
        """Return begin and end in seconds of every sentence of the story."""
        first = [w.start / AUDIO_HZ for w in self.story.words if w.index == 0]
        last = {w.sentence: w.stop / AUDIO_HZ for w in self.story.words}
        return [(start, last[number]) for number, start in enumerate(first)]

    def sentence_events(self, number: int, start: float, stop: float) -> list[dict[str, Any]]:
        """Return the events of one sentence; its block lasts until the next begins."""
        story, words = self.story, vocabulary(self.place.seed, self.options["n_words"])
        spoken = [w for w in story.words if w.sentence == number]
        serial = self.place.run * self.options["n_sentences"] + number
        ids = {"sequence_id": number, "sequence_uid": f"sim-{self.place.seed}-{serial}"}
        text = " ".join(words[w.word].text for w in spoken)
        end = spoken[-1].stop / AUDIO_HZ
        events = [
            event("block", start, stop - start, uid=ids["sequence_uid"]),
            event("sentence", start, end - start, text=text, **ids),
        ]
        shared = {"language": "sim", "modality": "audio", "condition": "sentence"}
        for item in spoken:
            word, begin = words[item.word], item.start / AUDIO_HZ
            text_of_word = {"word": word.text, "word_index": item.index, "word_sequence": text}
            duration = (item.stop - item.start) / AUDIO_HZ
            events.append(event("word", begin, duration, **text_of_word, **ids, **shared))
            for symbol, a, b in zip(word.text, word.edges[:-1], word.edges[1:], strict=True):
                phoneme = {"phoneme": symbol, "phoneme_id": PHONEMES[symbol].id}
                place = {"word_index": item.index, "sequence_id": number}
                first, length = begin + a / AUDIO_HZ, (b - a) / AUDIO_HZ
                events.append(event("phoneme", first, length, **phoneme, **place))
        return events

    def load_raw(self) -> mne.io.BaseRaw:
        """Return the signal in volts, or in tesla with channels as magnetometers (`kind: meg`)."""
        if self.id.kind != "meg":
            return super().load_raw()
        info = mne.create_info(list(self.channels), self.rate_hz, "mag")
        info["description"] = "simulated"
        for channel in info["chs"]:  # a montage would place electrodes only
            name = electrode_positions.standard(channel["ch_name"])
            channel["loc"][:3] = electrode_positions.table()["metres"][name]
        tesla = self.signal_uv().astype(np.float64) * FT_PER_UV * 1e-15
        return mne.io.RawArray(tesla, info, verbose="error")

    def word_windows(self) -> np.ndarray:
        """Return first samples of the windows of 3 s at words, within the recording: (K,)."""
        starts = [round(w.start / AUDIO_HZ * self.rate_hz) for w in self.story.words]
        length = round(WINDOW_S * self.rate_hz)
        return np.array([s for s in starts if s + length <= self.samples], dtype=int)


def event(kind: str, start_s: float, duration_s: float, **columns: Any) -> dict[str, Any]:
    """Return one row of the event table."""
    return {"kind": kind, "start_s": start_s, "duration_s": duration_s, **columns}
