"""Character and word errors of generated sounds, with those of the true sounds beside them."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from bm.errors import UserError
from bm.metrics.recognition import edit_distance, error_rates
from bm.solvers.sound.recogniser import (
    TRUE_SOUND,
    CtcRecogniser,
    recognition_of,
    spoken_texts,
)
from bm.studies.simulated.listening.stories import Stimuli
from bm.studies.simulated.presets import preset

from ..studies.datasets import dataset
from .sound_chain import chain_of
from .sound_recogniser import train_recogniser

RATE_HZ, LETTER_S = 16000, 0.05
TONES = {letter: 400.0 + 200.0 * number for number, letter in enumerate("abcdefgh")}


def spoken(text: str, samples: int) -> torch.Tensor:
    """Say a text in tones, one of 50 ms for each letter, silence for a space and at the end."""
    time = np.arange(int(LETTER_S * RATE_HZ)) / RATE_HZ
    parts = [np.sin(2 * np.pi * TONES.get(letter, 0.0) * time) for letter in text]
    wave = np.concatenate([*parts, np.zeros(samples)])[:samples]
    return torch.from_numpy(wave).float()


class ToneRecogniser:
    """Hears the tones of `spoken`, and is hard of hearing for `h`."""

    name = "tones"

    def texts(self, waves: torch.Tensor, rate_hz: int) -> list[str]:
        """Return the letter of the loudest frequency of each 50 ms."""
        size = int(LETTER_S * rate_hz)
        pieces = waves[:, : waves.shape[1] // size * size].unflatten(1, (-1, size))
        spectra = torch.fft.rfft(pieces).abs()
        tops, levels = spectra.argmax(-1) * rate_hz / size, spectra.amax(-1)
        rows = zip(tops.tolist(), levels.tolist(), strict=True)
        return ["".join(self.letter(*step) for step in zip(*row, strict=True)) for row in rows]

    def letter(self, hz: float, level: float) -> str:
        """Return the letter of a tone."""
        names = {round(tone): letter for letter, tone in TONES.items() if letter != "h"}
        return names.get(round(hz), "x") if level > 1 else " "


@pytest.mark.parametrize(
    ("first", "second", "distance"),
    [("kitten", "sitting", 3), ("", "abc", 3), ("abc", "", 3), ("flaw", "lawn", 2), ("a", "a", 0)],
)
def test_edit_distances_of_known_pairs(first: str, second: str, distance: int) -> None:
    assert edit_distance(first, second) == edit_distance(second, first) == distance


def test_rates_are_of_all_texts_together_and_may_exceed_one() -> None:
    assert error_rates(["The cat, sat."], ["the cat sat"]) == {"cer": 0.0, "wer": 0.0}
    rates = error_rates(["a cab", "", "noise"], ["a bad", "bee", ""])
    assert rates == {"cer": (2 + 3) / 8, "wer": 2 / 3}
    assert error_rates(["a a a"], ["b"])["wer"] == 3
    with pytest.raises(ValueError, match="no reference"):
        error_rates(["x"], [" ?"])


def test_every_row_has_its_rate_beside_that_of_the_true_sound() -> None:
    texts = ["abc de", "bad cage", "ha"]
    true = torch.stack([spoken(text, RATE_HZ) for text in texts])
    worse = torch.stack([spoken(text, RATE_HZ) for text in ("abc dd", "bad c", "ga")])
    sounds = {"eeg": worse, "shuffled EEG": true.roll(1, 0)}
    rates = recognition_of(ToneRecogniser(), sounds, true, texts, RATE_HZ)
    assert rates[TRUE_SOUND] == {"cer": 1 / 16, "wer": 1 / 5}, "one `h` is not heard"
    assert rates["eeg"] == {"cer": 5 / 16, "wer": 3 / 5}
    assert rates["shuffled EEG"]["cer"] > rates["eeg"]["cer"]


def test_words_of_a_window_are_those_whose_middle_lies_in_it(tmp_path) -> None:
    studies = [{"study": "simulated", "mode": "listening", "preset": "tiny"}]
    data = dataset("eeg2speech/simulated_listening", tmp_path, studies=studies,
                   split={"key": "recording", "seed": 0, "fixed": {},
                          "ratios": {"train": 1.0, "valid": 0.0, "test": 0.0}})  # fmt: skip
    rows = data.rows("train")
    rows = rows[data.table["recording"].to_numpy()[rows] == 0][
        ::4
    ]  # windows that follow each other
    words = [word for text in spoken_texts(data, rows) for word in text.split()]
    events = data.signals[0].events
    entries = events[events["kind"] == "word"]
    end = len(rows) * 1.28
    middles = entries["start_s"] + entries["duration_s"] / 2
    assert len(words) > 10 and words == entries["word"][middles < end].tolist()
    mute = dataclasses.replace(data.signals[0], events=events[events["kind"] != "word"])
    data.signals[0] = mute
    with pytest.raises(UserError, match="no window has an event of kind `word`"):
        spoken_texts(data, rows)


def test_a_saved_ctc_model_is_read_greedily(tmp_path: Path) -> None:
    from transformers import Wav2Vec2Config, Wav2Vec2ForCTC

    letters = ["<pad>", "<s>", "</s>", "<unk>", "|", "A", "B", "C"]
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
             "intermediate_size": 16, "conv_dim": (8, 8), "conv_stride": (5, 4),
             "conv_kernel": (10, 8), "num_conv_pos_embeddings": 4,
             "num_conv_pos_embedding_groups": 2, "vocab_size": len(letters)}  # fmt: skip
    torch.manual_seed(0)
    Wav2Vec2ForCTC(Wav2Vec2Config(**sizes)).save_pretrained(tmp_path)
    with pytest.raises(UserError, match=r"no vocab\.json"):
        CtcRecogniser(tmp_path)
    (tmp_path / "vocab.json").write_text(json.dumps({c: n for n, c in enumerate(letters)}))
    recogniser = CtcRecogniser(tmp_path)
    texts = recogniser.texts(torch.randn(3, 4000), 16000)
    assert len(texts) == 3 and all(set(text) <= set("ABC ") for text in texts)
    assert recogniser._text([5, 5, 0, 5, 4, 4, 6, 1, 7, 0]) == "AA BC"


@pytest.mark.endurance  # trains a recogniser: half a minute of a processor
@pytest.mark.story
def test_a_trained_recogniser_stands_in_every_row_of_the_chain(tmp_path: Path) -> None:
    """It understands the true sounds, and little of those of a denoiser of two steps."""
    sizes = preset("listening", "tiny")
    stimuli = Stimuli(0, sizes["n_words"], sizes["n_sentences"])
    folder = train_recogniser(tmp_path / "letters", stimuli, steps=150)
    chain = chain_of(tmp_path, f"+solver.recogniser={folder}")
    stored = json.loads((chain.denoiser.folder / "evaluation.json").read_text())
    rows = {"eeg": stored["metrics"], **stored["extra"]["references"]}
    errors = {name: row["cer"] for name, row in rows.items()}
    print(errors)
    assert {"cer", "wer"} <= set(stored["extra"]["table"])
    assert errors[TRUE_SOUND] < 0.3
    assert min(errors["eeg"], errors["zero vector"]) > errors[TRUE_SOUND] + 0.3
    # 32 bands and guessed phases: it was trained on true sounds alone, .27 and .63 measured
    assert errors[TRUE_SOUND] < errors["Griffin-Lim copy"] < errors["eeg"]
