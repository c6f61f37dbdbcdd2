"""Every variant of EEG diffusion goes on with the same bits after a kill.

Recipes of the published commands read miniatures of their data sets, with a narrower network.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from ..engine import toy
from ..experiments import history_of, run
from ..studies.motor_files import write_mat
from ..studies.zuco_files import TEXTS, write_corpus
from .sound_chain import killed_after

pytestmark = [pytest.mark.story, pytest.mark.endurance]
VARIANTS = {
    "text": ("solver=eegdiff/debug_text",),
    "maps": ("solver=eegdiff/debug_words", "dset.split.ratios={train: 0.5, valid: 0.2, test: 0.3}"),
    "flow": (
        "solver=eegdiff/debug", "model=eegdiff/small_raw", "model.noise.path=linear",
        "generate.sampler=heun",
    ),
    "whitened": ("solver=eegdiff/debug",),
    "strong": ("solver=eegdiff/motor_strong",),
    "strong flow": ("solver=eegdiff/motor_strong_flow",),
    "series": ("solver=eegdiff/reading_series",),
    "ends": ("solver=eegdiff/reading_ends",),
}  # fmt: skip
#: Widths that the published numbers of scales and of groups still divide.
NARROW = ("model.network.block_out_channels=[32, 32, 32, 32]", "model.network.layers_per_block=1")
#: Attention at one scale of four: at full size 5,880 places of a map would attend to each other.
TYPES = "[DownBlock2D, DownBlock2D, CrossAttnDownBlock2D, DownBlock2D]"
DEEP = (
    f"model.network.down_block_types={TYPES}",
    "model.network.up_block_types=[UpBlock2D, CrossAttnUpBlock2D, UpBlock2D, UpBlock2D]",
)
WORDS = ("solver.text={encoder: hashed, tokens: 56}", "+solver.text.width=32", "precision=fp32",
         "model.network.cross_attention_dim=32", *NARROW, *DEEP,
         "dset.split.ratios={train: 0.6, valid: 0.2, test: 0.2}")  # fmt: skip
HALVES = "dset.split.ratios={train: 0.5, valid: 0.5}"
SIX = ("model.network.block_out_channels=[32, 32, 32, 32, 32, 32]", NARROW[1], HALVES)
PUBLISHED = {
    "bciiv_mel": SIX,
    "bciiv_stft": SIX,
    "raw": ("model.network.block_out_channels=[32, 32, 32]", *SIX[1:]),
    "zuco_mel": (*WORDS, "dset.segment.duration_s=1.5"),
    "zuco_stft": (*WORDS, "dset.segment.duration_s=1.5"),
    "zuco_freq1": WORDS,
    "zuco_freq8": WORDS,
    "codex": ("model.width=16", "model.n_codes=16", "optim.batch_size=4", WORDS[-1]),
}
SHORT = ("threads=1", "device=cpu", "optim.epochs=2", "optim.max_batches=2", "generate.steps=2",
         "generate.n=1", "checkpoint.every_steps=1", "log.figures=false",
         "solver.n_evaluation=24", "solver.n_resamples=10", "schedule.warmup_steps=1")  # fmt: skip


@pytest.fixture(scope="module")
def miniatures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both data sets of the published commands."""
    root = tmp_path_factory.mktemp("published")
    (root / "bci_iv_2a").mkdir()
    for person in (1, 2, 3):
        for seed, day in enumerate("TE"):
            write_mat(root / "bci_iv_2a" / f"A0{person}{day}.mat", 2 * person + seed)
    write_corpus(root, [f"{text} {again}" for again in ("Then.", "Now.") for text in TEXTS])
    return root


@pytest.mark.parametrize("name", VARIANTS)
def test_a_killed_variant_ends_as_one_that_was_not(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BM_CACHE", str(tmp_path / "cache"))
    check_resumed(tmp_path, *VARIANTS[name], *SHORT)


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_killed_published_command_ends_as_one_that_was_not(
    name: str, miniatures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("BM_DATA", str(miniatures))
    few = [
        word for word in SHORT if name != "codex" or not word.startswith(("generate.s", "solver."))
    ]
    check_resumed(tmp_path, f"solver=eegdiff/{name}", *PUBLISHED[name], *few, "valid_every=1")


def test_a_codebook_that_has_started_does_not_start_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BM_CACHE", str(tmp_path / "cache"))
    few = [word for word in SHORT if not word.startswith(("generate.steps", "solver."))]
    words = ("solver=eegdiff/debug_codex", "model.kmeans=true", *few)
    check_resumed(tmp_path, *words, steps=2)  # between two epochs


def check_resumed(tmp_path: Path, *words: str, steps: int = 3) -> None:
    """Kill a run after some steps, of two an epoch, resume it, and compare with a whole one."""
    undisturbed = run(tmp_path / "whole", *words)
    killed_after(tmp_path / "killed", steps, *words)
    resumed = run(tmp_path / "killed", *words)
    states = [
        torch.load(s.folder / "checkpoint.pt", weights_only=True)["state"]
        for s in (undisturbed, resumed)
    ]
    assert {"model", "optimizer"} < states[0].keys() == states[1].keys()
    for part in {"model", "optimizer", "ema"} & states[0].keys():
        assert toy.same(dict(states[0][part]), dict(states[1][part])), part
    last = [{k: v for k, v in history_of(s)[-1].items() if k != "perf"}
            for s in (undisturbed, resumed)]  # fmt: skip
    assert last[0] == last[1] and "loss" in last[0]["test"]
