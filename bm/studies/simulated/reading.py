"""Mode `reading`: fixated words modulate the power of 16 sources (simulated.md section 6)."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from . import positions
from .background import SETS
from .forward import fibonacci_sphere, normalise, patch
from .gaze import TAIL_S as PAUSE_S
from .gaze import Fixation, fixed_schedule, schedule, windows_of
from .noise import Spectrum, integral, long_shaped
from .nuisance import Nuisance
from .simulation import (
    Drawn,
    Head,
    SimulatedRecording,
    add_alpha,
    add_background,
    add_nuisance,
    draw_head,
)
from .streams import Place
from .vocabulary import DIMENSIONS, WORDS, semantics, sentences, text_of

RATE_HZ = 500.0
BANDS_HZ: dict[str, tuple[float, float]] = {
    "t1": (4.0, 6.0),
    "t2": (6.5, 8.0),
    "a1": (8.5, 10.0),
    "a2": (10.5, 13.0),
    "b1": (13.5, 18.0),
    "b2": (18.5, 30.0),
    "g1": (30.5, 40.0),
    "g2": (40.0, 49.5),
}
PER_BAND = DIMENSIONS // len(BANDS_HZ)  # sources
LAYOUTS = {"cap32": "positions", "hydrocel105": "hydrocel"}  # and the net that names them
TIMINGS = ("natural", "fixed")
RHO = 1.0  # power of a source against the background in its band, at snr 1
BETA = 0.7  # log power per unit of modulation
WIDTH, SPHERE, JITTER = 0.35, 200, 0.05
ALPHA_GAIN = 4.0 / 7.0  # eyes open: 4 uV where the other modes have 7
EDGE_S = 1.0  # before the first sentence, after the last


@dataclass(frozen=True)
class Reader:
    """One subject: background, electrodes (C, 3), patterns (16, C), variances (16,) at snr 1."""

    head: Head
    electrodes: np.ndarray
    patterns: np.ndarray
    variances: np.ndarray


@functools.lru_cache(maxsize=8)
def source_sites(seed: int) -> np.ndarray:
    """Sites of the 16 sources, of the study: (16, 3)."""
    sphere = fibonacci_sphere(SPHERE)
    upper = sphere[sphere[:, 2] > 0]
    return Place(seed, "reading").stream("study", 1).permutation(upper)[:DIMENSIONS]


def draw_reader(place: Place, electrodes: np.ndarray) -> Reader:
    """The subject of a place."""
    own = Place(place.seed, "reading", place.subject)
    head = draw_head(own, electrodes, 8.0, 0.15, 0.0)
    head = replace(head, alpha_uv=ALPHA_GAIN * head.alpha_uv)
    rng = own.stream("subject", 1)
    base = source_sites(place.seed)
    sites = normalise(base + JITTER * rng.standard_normal(base.shape))
    raw = np.stack([patch(electrodes, site, WIDTH) for site in sites])
    best = np.diag(head.covariance)[raw.argmax(1)]
    band = np.repeat([integral(head.spectrum(), *edges) for edges in BANDS_HZ.values()], PER_BAND)
    gains = np.exp(0.2 * rng.standard_normal(DIMENSIONS))
    return Reader(head, electrodes, raw / raw.max(1, keepdims=True), RHO * gains * band * best)


def flat(low_hz: float, high_hz: float) -> Spectrum:
    """Unit variance, spread evenly over a band."""
    return lambda f: ((f >= low_hz) & (f <= high_hz)) / (high_hz - low_hz)


@dataclass(frozen=True)
class Sentence:
    """A sentence on the screen: its number in the run, word numbers, samples, fixations."""

    number: int
    words: tuple[int, ...]
    start: int
    stop: int
    fixations: tuple[Fixation, ...]


class ReadingRecording(SimulatedRecording):
    """One subject; `options` holds snr, n_sentences, layout, timing and the nuisance."""

    rate_hz = RATE_HZ

    @property
    def net(self) -> str:  # type: ignore[override]
        """Net that names the electrodes."""
        return LAYOUTS[self.options["layout"]]

    @property
    def channels(self) -> tuple[str, ...]:  # type: ignore[override]
        """Names of the cap."""
        return (
            SETS["cap32"][1]
            if self.net == "positions"
            else tuple(positions.table(self.net)["unit"])
        )

    @functools.cached_property
    def sentences(self) -> tuple[Sentence, ...]:
        """What was read, and when."""
        rng = self.place.stream("events")
        texts = sentences(self.place.seed, self.options["n_sentences"], self.place.run)
        start, found = round(EDGE_S * RATE_HZ), []
        for number, words in enumerate(texts):
            if self.options["timing"] == "fixed":
                fixations = fixed_schedule(len(words), start, RATE_HZ)
            else:
                fixations = schedule(rng, len(words), start, RATE_HZ)
            stop = fixations[-1].stop + round(PAUSE_S * RATE_HZ)
            found.append(Sentence(number, words, start, stop, tuple(fixations)))
            start = stop
        return tuple(found)

    @property
    def samples(self) -> int:
        """Length of the recording."""
        return self.sentences[-1].stop + round(EDGE_S * RATE_HZ)

    @functools.cached_property
    def reader(self) -> Reader:
        """The subject."""
        return draw_reader(self.place, positions.unit(self.channels, self.net))

    def response(self) -> np.ndarray:
        """The part that carries the words: (C, T) float32 uV, proportional to sqrt(snr)."""
        gains = np.sqrt(self.options["snr"] * self.reader.variances)
        found = np.concatenate([self._carriers(number) for number in range(len(BANDS_HZ))])
        modulation = np.exp(0.5 * BETA * semantics(self.place.seed).modulation)
        for sentence in self.sentences:
            for fixation in sentence.fixations:
                factor = modulation[sentence.words[fixation.word]].astype(np.float32)
                found[:, fixation.start : fixation.stop] *= factor[:, None]
        return (self.reader.patterns.T * gains).astype(np.float32) @ found

    def _carriers(self, band: int) -> np.ndarray:
        """Sources of one band with unit variance: (2, T)."""
        spectrum = flat(*list(BANDS_HZ.values())[band])
        return long_shaped(
            lambda block: self.place.stream("rhythms", 1000 * (band + 1) + block),
            spectrum,
            PER_BAND,
            self.samples,
            RATE_HZ,
        )

    def draw(self) -> Drawn:
        """Background, alpha, response, nuisance; sentences, words and fixations as events."""
        reader = self.reader
        signal = np.zeros((len(self.channels), self.samples), dtype=np.float32)
        add_background(self.place, reader.head, signal, RATE_HZ)
        add_alpha(self.place, reader.head, signal, reader.electrodes, RATE_HZ)
        signal += self.response()
        settings = Nuisance(**self.options["nuisance"])
        electrodes = reader.electrodes
        artefacts, bads = add_nuisance(self.place, settings, signal, electrodes, RATE_HZ)
        block = event("block", 0, self.samples)
        rows = [row for sentence in self.sentences for row in self.sentence_events(sentence)]
        truth = {
            "reader": reader,
            "semantics": semantics(self.place.seed),
            "sentences": self.sentences,
            "bads": bads,
            "artefacts": artefacts,
        }
        return Drawn(signal, [block, *rows, *artefacts], truth)

    def sentence_events(self, sentence: Sentence) -> list[dict[str, Any]]:
        """The sentence, its words and the fixations on them."""
        serial = self.place.run * self.options["n_sentences"] + sentence.number
        ids = {
            "sequence_id": sentence.number,
            "sequence_uid": f"sim-read-{self.place.seed}-{serial}",
        }
        text = text_of(sentence.words)
        rows = [event("sentence", sentence.start, sentence.stop, text=text, **ids)]
        for index, word in enumerate(sentence.words):
            start, stop, count = word_extent(sentence, index)
            own = {"word": WORDS[word], "word_index": index, "n_fixations": count}
            shared = {"word_sequence": text, "language": "en", "modality": "visual", **ids}
            rows.append(event("word", start, stop, **own, **shared))
        for rest in sentence.fixations:
            own = {"name": "fixation", "word_index": rest.word, "pass": rest.visit, **ids}
            rows.append(event("special", rest.start, rest.stop, **own))
        return rows


def word_extent(sentence: Sentence, index: int) -> tuple[int, int, int]:
    """Samples from and to of a word's first visit, and its number of fixations.

    A word that was skipped has no length and stands where the eyes passed it.
    """
    own = windows_of(sentence.fixations, index)
    if own["GD"]:
        return own["GD"][0].start, own["GD"][-1].stop, len(own["TRT"])
    later = [f.start for f in sentence.fixations if f.word > index]
    at = min(later) if later else sentence.fixations[-1].stop
    return at, at, 0


def event(kind: str, start: int, stop: int, **own: Any) -> dict[str, Any]:
    """One row of the event table, from samples."""
    times = {"start_s": start / RATE_HZ, "duration_s": (stop - start) / RATE_HZ}
    return {"kind": kind, **times, **own}


def fixed_windows(words: int) -> Sequence[Fixation]:
    """Fixations of a wave that holds one sentence in `timing: fixed`."""
    return fixed_schedule(words, 0, RATE_HZ)
