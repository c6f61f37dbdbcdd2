"""Miniatures of the published layouts of story-listening studies, with generated signals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import soundfile

SENTENCES = (
    *("Alice was beginning to get very tired", "She had nothing to do", "The rabbit ran close by"),
    *("Down went Alice after it", "It was too dark to see", "Do cats eat bats"),
)
WORD_S, PAUSE_S = 0.4, 0.6  # a word every 0.4 s, 0.6 s more between sentences


def spoken(sentences: tuple[str, ...] = SENTENCES) -> pd.DataFrame:
    """Words with onset and offset (s), sentence (from 1 on) and position (from 1 on)."""
    rows, time = [], 0.2
    for number, sentence in enumerate(sentences):
        for place, word in enumerate(sentence.split()):
            rows.append((word, time, time + 0.3, number + 1, place + 1))
            time += WORD_S
        time += PAUSE_S
    return pd.DataFrame(rows, columns=["word", "onset", "offset", "sentence", "position"])


def write_sound(path: Path, seconds: float, rate: int = 8000) -> None:
    """Noise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    wave = np.random.default_rng(1).normal(size=round(seconds * rate)) * 0.1
    soundfile.write(path, wave, rate)


def noise(channels: int, samples: int, seed: int = 0) -> np.ndarray:
    """(channels, samples) of about 10 (uV), different channels."""
    return np.random.default_rng(seed).normal(size=(channels, samples)) * 10


def brennan(root: Path, people: tuple[str, ...] = ("S01", "S03")) -> pd.DataFrame:
    """Two segments of three sentences each; returns the table of words."""
    from scipy.io import savemat

    folder = root / "brennan2019" / "download"
    (folder / "proc").mkdir(parents=True)
    parts = [spoken(SENTENCES[:3]), spoken(SENTENCES[3:])]
    parts[1]["sentence"] += 3
    words = pd.concat([p.assign(segment=i + 1) for i, p in enumerate(parts)], ignore_index=True)
    table = pd.DataFrame(
        {
            "Word": words["word"],
            "Segment": words["segment"],
            "onset": words["onset"],
            "offset": words["offset"],
            "Order": np.arange(1, len(words) + 1),
            "Position": words["position"],
            "Sentence": words["sentence"],
        }
    )
    table.to_csv(folder / "AliceChapterOne-EEG.csv", index=False)
    for segment in (1, 2):
        name = f"DownTheRabbitHoleFinal_SoundFile{segment}.wav"
        write_sound(folder / "audio" / name, 9.0)
    begin = np.where(words["segment"] == 1, 2.0, 12.0) + words["onset"]
    names = [str(n) for n in range(1, 62) if n != 29] + ["VEOG", "AUD"]
    for person, name in enumerate(people):
        first = np.round(begin * 500) - 150
        columns = (first, first + 650, np.full(len(words), -150), words["segment"])
        trials = np.stack([*columns, words["onset"], table["Order"]], 1)
        proc = {"trl": trials, "tot_chans": 61.0, "subject": name}
        varnames = np.array(["segment", "tmin", "Order"], dtype=object)
        savemat(folder / "proc" / f"{name}.mat", {"proc": {**proc, "varnames": varnames}})
        header = {"Fs": 500.0, "label": np.array(names, dtype=object)}
        data = noise(len(names), 500 * 24, person)
        savemat(folder / f"{name}.mat", {"raw": {"hdr": header, "trial": data}})
    return table
