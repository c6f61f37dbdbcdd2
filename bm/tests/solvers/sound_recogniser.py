"""A small recogniser of the simulated speech: a wav2vec 2.0 with a CTC head, trained here."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from bm.solvers.sound.recogniser import SPACE
from bm.studies.simulated.listening.stories import AUDIO_HZ, Stimuli, tell
from bm.studies.simulated.listening.words import PHONEMES, vocabulary

HOP = 320  # samples of a step of the network
CLIP = 64 * HOP
STORIES = range(20, 32)  # of the same words in other sentences: no study tells them
LETTERS = ("<pad>", SPACE, *PHONEMES)
SIZES = {
    "conv_dim": (96, 96), "conv_kernel": (400, 4), "conv_stride": (160, 2), "hidden_size": 64,
    "num_feat_extract_layers": 2, "num_hidden_layers": 1, "num_attention_heads": 2,
    "intermediate_size": 128, "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 4,
    "vocab_size": len(LETTERS), "apply_spec_augment": False, "hidden_dropout": 0.0,
    "feat_proj_dropout": 0.0, "attention_dropout": 0.0, "layerdrop": 0.0, "final_dropout": 0.0,
}  # fmt: skip


def spelled(stimuli: Stimuli, number: int) -> tuple[Tensor, Tensor]:
    """Return a story's sound (n,) and the number of the letter of each sample (n,)."""
    story, words = tell(stimuli, number), vocabulary(stimuli.seed, stimuli.n_words)
    numbers = np.full(len(story.audio), LETTERS.index(SPACE))
    for item in story.words:
        word = words[item.word]
        for letter, start, stop in zip(word.text, word.edges, word.edges[1:], strict=False):
            numbers[item.start + start : item.start + stop] = LETTERS.index(letter)
    return torch.from_numpy(story.audio), torch.from_numpy(numbers)


def start_with_spectra(convolution: torch.nn.Module) -> None:
    """Let the first convolution begin as windowed waves of 100 Hz to 7.5 kHz, cosine and sine."""
    weight = convolution.get_parameter("weight")
    channels, _, size = weight.shape
    tones = torch.logspace(2, np.log10(7500), channels // 2)[:, None]
    phase = 2 * np.pi * tones * torch.arange(size) / AUDIO_HZ
    waves = torch.cat([phase.cos(), phase.sin()]) * torch.hann_window(size) / size**0.5
    weight.data.copy_(waves[:, None])


def train_recogniser(folder: Path, stimuli: Stimuli, steps: int, seed: int = 0) -> Path:
    """Train on the letter of each step, which simulated speech has, and save as transformers does.

    Args:
        folder: is made.
        stimuli: whose words are recognised.
        steps: of 16 clips of 1.28 s.
        seed: of weights and clips.
    """
    from transformers import Wav2Vec2Config, Wav2Vec2ForCTC

    torch.manual_seed(seed)
    model = Wav2Vec2ForCTC(Wav2Vec2Config(**SIZES)).train()
    start_with_spectra(model.wav2vec2.feature_extractor.conv_layers[0].conv)
    optimizer = torch.optim.Adam(model.parameters(), 2e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=steps)
    stories = [spelled(stimuli, number) for number in STORIES]
    for _ in range(steps):
        waves, letters = [], []
        for number in torch.randint(len(stories), (16,)).tolist():
            sound, spelling = stories[number]
            start = int(torch.randint(len(sound) - CLIP, ()))
            wave = sound[start : start + CLIP]
            waves.append((wave - wave.mean()) / (wave.var(correction=0) + 1e-7).sqrt())
            letters.append(spelling[start + HOP // 2 : start + CLIP : HOP])
        logits = model(torch.stack(waves)).logits
        # without padding the network has a step less than the clip
        wanted = torch.stack(letters)[:, : logits.shape[1]]
        loss = functional.cross_entropy(logits.flatten(0, 1), wanted.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    model.save_pretrained(folder)
    numbers = {letter: number for number, letter in enumerate(LETTERS)}
    (folder / "vocab.json").write_text(json.dumps(numbers), encoding="utf-8")
    return folder
