"""Mode `reading`: words that the eyes rest on modulate the power of 16 sources.

Each of eight bands has two sources. While a word is fixated, the log power of the sources is moved
by its modulation, a rotation of its embedding: the embedding can be read back linearly.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ....readers.zuco import BANDS_HZ
from .. import electrode_positions
from ..background.caps import CAPS
from ..head import Head, add_alpha, add_background, draw_head
from ..lead_field import fibonacci_sphere, normalise, patch
from ..noise import flat, integral, long_shaped
from ..nuisance import Nuisance, add_nuisance
from ..random_streams import Place
from ..recording import Drawn, SimulatedRecording
from .gaze import TAIL_S as PAUSE_S
from .gaze import Fixation, fixed_schedule, schedule, windows_of
from .vocabulary import DIMENSIONS, WORDS, semantics, sentences, text_of

RATE_HZ = 500.0
PER_BAND = DIMENSIONS // len(BANDS_HZ)  # sources
LAYOUTS = {"cap32": "positions", "hydrocel105": "hydrocel"}  # layout -> table of its electrodes
# Power of a source against the background in its band at snr 1, and log power per unit of
# modulation: a ridge regression then finds half of the sentences among ten, known filters .99.
RHO, BETA = 1.0, 0.7
WIDTH, JITTER = 0.35, 0.05  # of the patch of a source; sd of its place over subjects
SPHERE = 200  # points, of whose upper half the sources take 16
ALPHA_GAIN = 4.0 / 7.0  # eyes open: 4 uV where the other modes have 7
EDGE_S = 1.0  # before the first sentence, after the last


@dataclass(frozen=True)
class Reader:
    """One subject.

    Attributes:
        head: background.
        electrodes: (C, 3) unit vectors.
        patterns: (16, C) of the sources, largest value 1.
        variances: (16,) of the sources in uV^2, at snr 1.
    """

    head: Head
    electrodes: np.ndarray
    patterns: np.ndarray
    variances: np.ndarray


@functools.lru_cache(maxsize=8)
def source_sites(seed: int) -> np.ndarray:
    """Draw the sites of the 16 sources, the same for all subjects: (16, 3)."""
    sphere = fibonacci_sphere(SPHERE)
    upper = sphere[sphere[:, 2] > 0]
    return Place(seed, "reading").stream("study", 1).permutation(upper)[:DIMENSIONS]


def draw_reader(place: Place, electrodes: np.ndarray) -> Reader:
    """Draw the subject of a place."""
    person = Place(place.seed, "reading", place.subject)
    head = draw_head(person, electrodes, 8.0, 0.15, 0.0)
    head = replace(head, alpha_uv=ALPHA_GAIN * head.alpha_uv)
    rng = person.stream("subject", 1)
    centres = source_sites(place.seed)
    sites = normalise(centres + JITTER * rng.standard_normal(centres.shape))
    patterns = np.stack([patch(electrodes, site, WIDTH) for site in sites])
    strongest = np.diag(head.covariance)[patterns.argmax(1)]
    band = np.repeat([integral(head.spectrum(), *edges) for edges in BANDS_HZ.values()], PER_BAND)
    gains = np.exp(0.2 * rng.standard_normal(DIMENSIONS))
    patterns = patterns / patterns.max(1, keepdims=True)
    return Reader(head, electrodes, patterns, RHO * gains * band * strongest)


@dataclass(frozen=True)
class Sentence:
    """A sentence on the screen.

    Attributes:
        number: in the run.
        words: numbers in the vocabulary.
        start, stop: samples of the recording.
        fixations: on its words, in order of time.
    """

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
        """Return the table that names the electrodes."""
        return LAYOUTS[self.options["layout"]]

    @property
    def channels(self) -> tuple[str, ...]:  # type: ignore[override]
        """Return the names of the electrodes."""
        return (
            CAPS["cap32"].channels
            if self.net == "positions"
            else tuple(electrode_positions.table(self.net)["unit"])
        )

    @functools.cached_property
    def sentences(self) -> tuple[Sentence, ...]:
        """Draw what was read, and when."""
        rng = self.place.stream("events")
        texts = sentences(self.place.seed, self.options["n_sentences"], self.place.run)
        start, shown = round(EDGE_S * RATE_HZ), []
        for number, words in enumerate(texts):
            if self.options["timing"] == "fixed":
                fixations = fixed_schedule(len(words), start, RATE_HZ)
            else:
                fixations = schedule(rng, len(words), start, RATE_HZ)
            stop = fixations[-1].stop + round(PAUSE_S * RATE_HZ)
            shown.append(Sentence(number, words, start, stop, tuple(fixations)))
            start = stop
        return tuple(shown)

    @property
    def samples(self) -> int:
        """Return the length of the recording."""
        return self.sentences[-1].stop + round(EDGE_S * RATE_HZ)

    @functools.cached_property
    def reader(self) -> Reader:
        """Draw the subject."""
        return draw_reader(self.place, electrode_positions.unit(self.channels, self.net))

    def response(self) -> np.ndarray:
        """Draw the part that carries the words: (C, T) float32 uV, proportional to sqrt(snr)."""
        gains = np.sqrt(self.options["snr"] * self.reader.variances)
        rows = np.concatenate([self._carriers(number) for number in range(len(BANDS_HZ))])
        modulation = np.exp(0.5 * BETA * semantics(self.place.seed).modulation)
        for sentence in self.sentences:
            for fixation in sentence.fixations:
                factor = modulation[sentence.words[fixation.word]].astype(np.float32)
                rows[:, fixation.start : fixation.stop] *= factor[:, None]
        return (self.reader.patterns.T * gains).astype(np.float32) @ rows

    def _carriers(self, band: int) -> np.ndarray:
        """Draw the sources of one band with unit variance: (2, T)."""
        spectrum = flat(*list(BANDS_HZ.values())[band])
        return long_shaped(
            lambda block: self.place.stream("rhythms", 1000 * (band + 1) + block),
            spectrum,
            PER_BAND,
            self.samples,
            RATE_HZ,
        )

    def draw(self) -> Drawn:
        """Draw background, alpha, response, nuisance; sentences, words, fixations are events."""
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
        """Return events of the sentence, of its words and of the fixations on them."""
        serial = self.place.run * self.options["n_sentences"] + sentence.number
        ids = {
            "sequence_id": sentence.number,
            "sequence_uid": f"sim-read-{self.place.seed}-{serial}",
        }
        text = text_of(sentence.words)
        rows = [event("sentence", sentence.start, sentence.stop, text=text, **ids)]
        for index, word in enumerate(sentence.words):
            start, stop, count = word_extent(sentence, index)
            columns = {"word": WORDS[word], "word_index": index, "n_fixations": count}
            shared = {"word_sequence": text, "language": "en", "modality": "visual", **ids}
            rows.append(event("word", start, stop, **columns, **shared))
        for rest in sentence.fixations:
            columns = {"name": "fixation", "word_index": rest.word, "pass": rest.visit, **ids}
            rows.append(event("special", rest.start, rest.stop, **columns))
        return rows


def word_extent(sentence: Sentence, index: int) -> tuple[int, int, int]:
    """Return the first and last sample of a word's first visit, and its number of fixations.

    A word that was skipped has no length and stands where the eyes passed it.
    """
    windows = windows_of(sentence.fixations, index)
    if windows["GD"]:
        return windows["GD"][0].start, windows["GD"][-1].stop, len(windows["TRT"])
    later = [f.start for f in sentence.fixations if f.word > index]
    at = min(later) if later else sentence.fixations[-1].stop
    return at, at, 0


def event(kind: str, start: int, stop: int, **columns: Any) -> dict[str, Any]:
    """Return one row of the event table, from samples."""
    times = {"start_s": start / RATE_HZ, "duration_s": (stop - start) / RATE_HZ}
    return {"kind": kind, **times, **columns}
