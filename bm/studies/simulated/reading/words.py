"""Band powers of the words that a simulated reader looked at, as the files of ZuCo hold them."""

from __future__ import annotations

import functools
from typing import Any

import mne
import numpy as np

from ....readers.zuco import BANDS_HZ
from ..recording import UV, Drawn, SimulatedRecording
from .gaze import windows_of
from .recording import RATE_HZ, ReadingRecording, Sentence
from .vocabulary import WORDS, text_of


def squared_band(signal: np.ndarray, low_hz: float, high_hz: float) -> np.ndarray:
    """Return the square of a signal (C, T) at 500 Hz within a band of sharp edges."""
    from scipy.fft import irfft, next_fast_len, rfft, rfftfreq  # see noise.py

    length = next_fast_len(signal.shape[1], real=True)
    spectrum = rfft(signal, length)
    frequencies = rfftfreq(length, 1 / RATE_HZ)
    spectrum[:, (frequencies < low_hz) | (frequencies > high_hz)] = 0
    return np.square(irfft(spectrum, length)[:, : signal.shape[1]])


class ReadWordsRecording(SimulatedRecording):
    """One subject's words: a second is a word, channels are `t1 Fp1` to `g2 O2`.

    Values are root mean squares in uV over the fixations of the first visit (gaze duration), from
    the waves alone. Words without fixation are left out.
    """

    rate_hz = 1.0

    @functools.cached_property
    def waves(self) -> ReadingRecording:
        """Return the recording that the values are measured in."""
        options = {name: value for name, value in self.options.items() if name != "signal"}
        return ReadingRecording(self.id, self.place, options)

    @property
    def channels(self) -> tuple[str, ...]:  # type: ignore[override]
        """Return the names of the values, band after band."""
        return tuple(f"{band} {name}" for band in BANDS_HZ for name in self.waves.channels)

    def draw(self) -> Drawn:
        """Draw the waves, and measure the bands of every fixated word."""
        drawn = self.waves.draw()
        gazes: list[Any] = []
        events: list[Any] = []
        for sentence in self.waves.sentences:
            visits = gazes_of(sentence)
            events += sentence_events(self.waves, sentence, len(gazes), list(visits))
            gazes += list(visits.values())
        values = np.zeros((len(BANDS_HZ), len(self.waves.channels), len(gazes)))
        for row, edges in zip(values, BANDS_HZ.values(), strict=True):
            power = squared_band(drawn.signal, *edges)
            for place, samples in enumerate(gazes):
                row[:, place] = np.sqrt(power[:, samples].mean(1))
        block = {"kind": "block", "start_s": 0.0, "duration_s": float(len(gazes))}
        signal = values.reshape(-1, len(gazes)).astype(np.float32)
        return Drawn(signal, [block, *events], drawn.truth)

    def load_raw(self) -> mne.io.BaseRaw:
        """Return the values; they are no electrodes and have no places."""
        info = mne.create_info(list(self.channels), self.rate_hz, "eeg")
        info["description"] = "simulated"
        return mne.io.RawArray(self.signal_uv().astype(np.float64) * UV, info, verbose="error")


def gazes_of(sentence: Sentence) -> dict[int, np.ndarray]:
    """Return the samples of the first visit of each fixated word, by the word's place."""
    gazes = {}
    for index in range(len(sentence.words)):
        visit = windows_of(sentence.fixations, index)["GD"]
        if visit:
            gazes[index] = np.concatenate([np.arange(f.start, f.stop) for f in visit])
    return gazes


def sentence_events(
    waves: ReadingRecording, sentence: Sentence, first: int, visited: list[int]
) -> list[dict[str, Any]]:
    """Return the events of a sentence and its fixated words, in seconds that are words."""
    rows = [r for r in waves.sentence_events(sentence) if r["kind"] in ("sentence", "word")]
    whole = {**rows[0], "start_s": float(first), "duration_s": float(len(visited))}
    whole["n_words"] = len(visited)
    events = [whole]
    for place, index in enumerate(visited):
        times = {"start_s": float(first + place), "duration_s": 1.0}
        word = {"word": WORDS[sentence.words[index]], "word_sequence": text_of(sentence.words)}
        events.append({**rows[1 + index], **times, **word})
    return events
