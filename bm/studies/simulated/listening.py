"""Mode `listening`: responses to synthetic speech (simulated.md section 5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mne
import numpy as np
from numpy.random import Generator

from . import positions
from .forward import normalise, patch, rotation
from .noise import gaussian, integral, unit_variance
from .nuisance import WHITE_UV, Nuisance
from .response import draw_weights, sources
from .simulation import (
    Drawn,
    Head,
    SimulatedRecording,
    add_alpha,
    add_background,
    add_nuisance,
    alpha_patterns,
    draw_head,
)
from .speech import AUDIO_HZ, PHONEMES, vocabulary
from .story import Stimuli, Story, tell, write_wav
from .streams import Place

CHANNELS = (
    "Fp1",
    "Fp2",
    "F7",
    "F3",
    "Fz",
    "F4",
    "F8",
    "FC5",
    "FC6",
    "T7",
    "C3",
    "Cz",
    "C4",
    "T8",
    "CP5",
    "CP6",
    "P3",
    "Pz",
    "P4",
    "Oz",
)
#: six acoustic, six lexical
SITES = (
    "FC5",
    "FC6",
    "C5",
    "C6",
    "T7",
    "T8",
    "F5",
    "P5",
    "Fz",
    "CP5",
    "FC3",
    "P6",
)
RHO = 0.06  # power of the response against the background in 1-12 Hz, at snr 1
WIDTH = 0.4
FT_PER_UV = 20.0  # of the relabelling as magnetometers
WINDOW_S = 3.0
BAND_HZ = (1.0, 15.0)  # of the observer


@dataclass(frozen=True)
class Listener:
    """One subject: background, electrodes (C, 3) as worn, mixing (C, 12) in uV at snr 1."""

    head: Head
    electrodes: np.ndarray
    mixing: np.ndarray


def draw_listener(place: Place, channels: Sequence[str], directions: np.ndarray) -> Listener:
    """The subject of a place; `directions` are the study's tangents (12, 3)."""
    own = Place(place.seed, "listening", place.subject)
    reported = positions.unit(channels)
    head = draw_head(own, reported, 8.0, 0.15, 0.0)
    turn = own.stream("session").standard_normal(3)
    electrodes = reported @ rotation(0.05 * turn).T
    rng = own.stream("subject", 1)
    base = positions.unit(SITES)
    sites = normalise(base + 0.06 * rng.standard_normal(base.shape))
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
    """One subject and story; `options` holds snr, stimuli, channels, rate_hz, cache, nuisance."""

    @property
    def channels(self) -> tuple[str, ...]:  # type: ignore[override]
        """Names of the electrodes."""
        return tuple(self.options["channels"])

    @property
    def rate_hz(self) -> float:  # type: ignore[override]
        """Rate of the recording."""
        return float(self.options["rate_hz"])

    #: Where the WAV files go; None writes none and leaves `filepath` empty.
    cache: Path | None = None

    @property
    def stimuli(self) -> Stimuli:
        """Settings of the audio."""
        return Stimuli(self.place.seed, self.options["n_words"], self.options["n_sentences"])

    @property
    def story(self) -> Story:
        """What is heard."""
        return tell(self.stimuli, self.place.run)

    @property
    def samples(self) -> int:
        """Length of the recording: that of the story."""
        return int(len(self.story.audio) / AUDIO_HZ * self.rate_hz)

    def listener(self) -> Listener:
        """The subject."""
        weights = draw_weights(self.place.seed, 1, positions.unit(SITES))
        return draw_listener(self.place, self.channels, weights.directions)

    def response(self) -> np.ndarray:
        """The part that carries the speech: (C, T) float32 uV, proportional to sqrt(snr)."""
        found = sources(
            self.stimuli, self.place.run, positions.unit(SITES), self.rate_hz, self.samples
        )
        mixing = np.sqrt(self.options["snr"]) * self.listener().mixing
        return mixing.astype(np.float32) @ found

    def draw(self) -> Drawn:
        """Background, alpha, response, nuisance; speech as events."""
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
        """Sound, and the block, sentence, words and phonemes of each sentence."""
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
        """Seconds from and to of every sentence of the story."""
        first = [w.start / AUDIO_HZ for w in self.story.words if w.index == 0]
        last = {w.sentence: w.stop / AUDIO_HZ for w in self.story.words}
        return [(start, last[number]) for number, start in enumerate(first)]

    def sentence_events(self, number: int, start: float, stop: float) -> list[dict[str, Any]]:
        """Events of one sentence; its block lasts until the next begins."""
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
            own = {"word": word.text, "word_index": item.index, "word_sequence": text}
            duration = (item.stop - item.start) / AUDIO_HZ
            events.append(event("word", begin, duration, **own, **ids, **shared))
            for symbol, a, b in zip(word.text, word.edges[:-1], word.edges[1:], strict=True):
                own = {"phoneme": symbol, "phoneme_id": PHONEMES[symbol].id}
                place = {"word_index": item.index, "sequence_id": number}
                first, length = begin + a / AUDIO_HZ, (b - a) / AUDIO_HZ
                events.append(event("phoneme", first, length, **own, **place))
        return events

    def load_raw(self) -> mne.io.BaseRaw:
        """In volts, or in tesla with the channels as magnetometers (`kind: meg`)."""
        if self.id.kind != "meg":
            return super().load_raw()
        info = mne.create_info(list(self.channels), self.rate_hz, "mag")
        info["description"] = "simulated"
        for channel in info["chs"]:  # a montage would place electrodes only
            name = positions.standard(channel["ch_name"])
            channel["loc"][:3] = positions.table()["metres"][name]
        tesla = self.signal_uv().astype(np.float64) * FT_PER_UV * 1e-15
        return mne.io.RawArray(tesla, info, verbose="error")

    def word_windows(self) -> np.ndarray:
        """First samples of the windows of 3 s at words that lie in the recording: (K,)."""
        starts = [round(w.start / AUDIO_HZ * self.rate_hz) for w in self.story.words]
        length = round(WINDOW_S * self.rate_hz)
        return np.array([s for s in starts if s + length <= self.samples], dtype=int)


def event(kind: str, start_s: float, duration_s: float, **own: Any) -> dict[str, Any]:
    """One row of the event table."""
    return {"kind": kind, "start_s": start_s, "duration_s": duration_s, **own}


def whitened(listener: Listener, windows: np.ndarray, rate_hz: float) -> np.ndarray:
    """Bins of 1-15 Hz in units of the noise (section 8): windows (n, C, N) uV -> (n, D) real."""
    samples = windows.shape[-1]
    f = np.fft.rfftfreq(samples, 1 / rate_hz)
    kept = (f >= BAND_HZ[0]) & (f <= BAND_HZ[1])
    head, f = listener.head, f[kept]
    alpha = head.alpha_uv**2 * unit_variance(gaussian(head.alpha_hz, 0.8), rate_hz)(f)
    patterns = alpha_patterns(listener.electrodes)
    density = head.spectrum()(f)[:, None, None] * head.covariance
    density = density + alpha[:, None, None] * (patterns.T @ patterns)
    density = density + 2 * WHITE_UV**2 / rate_hz * np.eye(len(listener.electrodes))
    values, vectors = np.linalg.eigh(density)
    root = (vectors / np.sqrt(values)[:, None]) @ vectors.swapaxes(1, 2)
    bins = np.fft.rfft(windows, axis=-1)[..., kept].transpose(2, 1, 0)  # (F, C, n)
    found = (root @ bins * (2 / np.sqrt(samples * rate_hz))).transpose(2, 0, 1)
    flat = found.reshape(len(windows), -1)
    return np.concatenate([flat.real, flat.imag], 1)


def cut(signal: np.ndarray, starts: np.ndarray, rate_hz: float) -> np.ndarray:
    """Windows of 3 s: (n, C, N)."""
    length = round(WINDOW_S * rate_hz)
    return np.stack([signal[:, s : s + length] for s in starts])


def observe(
    groups: Sequence[Sequence[ListeningRecording]], draws: int, rng: Generator
) -> tuple[float, int]:
    """Share of windows that the ideal observer finds among all of a subject's; and draws made.

    Args:
        groups: recordings with the candidate windows, one sequence per subject.
    """
    right, total = 0.0, 0
    for recordings in groups:
        listener, rate = recordings[0].listener(), recordings[0].rate_hz
        parts = [cut(r.response(), r.word_windows(), rate) for r in recordings]
        z = whitened(listener, np.concatenate(parts), rate)
        gram = z @ z.T
        values, vectors = np.linalg.eigh(gram)
        root = vectors * np.sqrt(np.maximum(values, 0))
        each = max(1, draws // len(groups))
        true = np.arange(each) % len(z)
        scores = gram[true] + rng.standard_normal((each, len(z))) @ root.T - gram.diagonal() / 2
        best = np.isclose(scores, scores.max(1, keepdims=True), rtol=1e-12, atol=1e-9)
        right += float((best[np.arange(each), true] / best.sum(1)).sum())
        total += each
    return right / total, total
