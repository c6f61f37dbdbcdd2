"""What recognises words in sounds, and how far generated sounds are from what was said."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from ...data.dataset import Dataset
from ...errors import UserError
from ...metrics.recognition import error_rates
from ...nn.sinc import resample_sinc

CHUNK = 16  # sounds at a time
TRUE_SOUND = "true sound"  # the row that says what the recogniser itself gets wrong
VOCABULARY = "vocab.json"
SPACE, PAD = "|", "<pad>"  # of wav2vec 2.0's vocabularies; the pad is the blank of CTC


class Recogniser(Protocol):
    """Turns sounds into text.

    Attributes:
        name: in tables.
    """

    name: str

    def texts(self, waves: Tensor, rate_hz: int) -> list[str]:
        """Return the text of each sound (N, n)."""


class CtcRecogniser:
    """A wav2vec 2.0 with a CTC head from a folder, the likeliest letter at each step.

    Args:
        folder: as transformers saves it: `config.json`, weights and `vocab.json`.

    Raises:
        UserError: the folder lacks one of them.
    """

    rate_hz = 16_000

    def __init__(self, folder: Path) -> None:
        from transformers import Wav2Vec2ForCTC

        if not (folder / VOCABULARY).is_file():
            raise UserError(
                f"solver.recogniser={folder}: no {VOCABULARY}; give the folder of a wav2vec 2.0 "
                "with a CTC head, as transformers saves it"
            )
        numbers = json.loads((folder / VOCABULARY).read_text(encoding="utf-8"))
        self.letters = {int(number): str(letter) for letter, number in numbers.items()}
        try:
            model = Wav2Vec2ForCTC.from_pretrained(folder, local_files_only=True)
        except (OSError, ValueError) as error:
            raise UserError(f"solver.recogniser={folder}: not loaded ({error})") from None
        self.model = model.eval().requires_grad_(False)
        self.name = f"CTC: {folder.name}"

    @torch.no_grad()
    def texts(self, waves: Tensor, rate_hz: int) -> list[str]:
        """Return the text of each sound (N, n)."""
        texts = []
        for some in waves.float().cpu().split(CHUNK):
            sounds = resample_sinc(some, rate_hz, self.rate_hz)
            centred = sounds - sounds.mean(1, keepdim=True)
            sounds = centred / (centred.square().mean(1, keepdim=True) + 1e-7).sqrt()
            best = self.model(sounds).logits.argmax(-1)
            texts += [self._text(row) for row in best.tolist()]
        return texts

    def _text(self, numbers: list[int]) -> str:
        """Join letters: equal neighbours are one, and the blank between two keeps them apart."""
        steps = zip([-1, *numbers], numbers, strict=False)
        letters = [self.letters.get(n, "") for before, n in steps if n != before]
        text = "".join(" " if c == SPACE else c for c in letters if not c.startswith("<"))
        return " ".join(text.split())


def spoken_texts(dataset: Dataset, rows: np.ndarray) -> list[str]:
    """Return the words of each window: those whose middle lies in it, in their order.

    Raises:
        UserError: no window has a word: recordings without events of kind `word`.
    """
    texts = []
    for _, window in dataset.table.iloc[rows].iterrows():
        signal = dataset.signals[int(window["recording"])]
        words = signal.events[signal.events["kind"] == "word"]
        middles = words["start_s"] + words["duration_s"] / 2
        begin = window["start"] / signal.rate_hz
        inside = (middles >= begin) & (middles < begin + window["length"] / signal.rate_hz)
        texts.append(" ".join(str(word) for word in words.get("word", words["kind"])[inside]))
    if not any(texts):
        raise UserError("solver.recogniser: no window has an event of kind `word` to compare with")
    return texts


def recognition_of(
    recogniser: Recogniser,
    sounds: Mapping[str, Tensor],
    true: Tensor,
    texts: list[str],
    rate_hz: int,
) -> dict[str, dict[str, float]]:
    """Return `cer` and `wer` of sounds by the name of their row, and of the true sounds.

    What is recognised wrongly in the true sounds is an error of the recogniser: no generated sound
    need be above it.
    """
    rows = {**sounds, TRUE_SOUND: true}
    return {n: error_rates(recogniser.texts(w, rate_hz), texts) for n, w in rows.items()}


def build_recogniser(options: Mapping[str, Any]) -> Recogniser | None:
    """Build what `solver.recogniser` names, a folder; None where nothing is named."""
    folder = options.get("recogniser")
    return None if not folder else CtcRecogniser(Path(str(folder)).expanduser())
