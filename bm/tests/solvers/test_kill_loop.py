"""Every solver is killed at least twenty times, and ends with the bits of an undisturbed run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bm.solvers import SOLVERS

from ..experiments import run
from ..processes import launch, statuses
from .kill_loop import kills_until, outcome, train
from .small_seeg import CHOICE, CLIPS, PHONEMES, task, words
from .sound_chain import SHORT as SOUND

pytestmark = [pytest.mark.story, pytest.mark.endurance]
LEAST, LEAST_OF_TWO = 20, 10
SHORT = ("optim.epochs=2", "optim.max_batches=3", "checkpoint.every_steps=1", "log.figures=false")
FEW_SOUNDS = ("optim.batch_size=2", "log.figures=false")
DIFFUSION = ("generate.steps=2", "generate.n=1")
ENCODERS = ("solver=eeg2speech/debug_encoders", *SOUND)
AUTOENCODER = (
    "solver=eeg2speech/debug_autoencoder", *SOUND, "solver.loss.start=2", "solver.n_evaluation=8",
)  # fmt: skip

#: A smallest experiment by registered solver; `@` stands for the address of an upstream one.
RECIPES: dict[str, tuple[str, ...]] = {
    "supervised": ("solver=supervised/debug",),
    "values": (
        "solver=supervised/debug", "solver.task=values", "+dset.segment.values=[label]",
        "dset.segment.label=null",
    ),
    "contrastive": ("solver=clip/debug", "optim.batch_size=16", "solver.word_windows=50"),
    "baseline": ("solver=baseline/lda",
                 "dset.studies=[{study: simulated, mode: motor, preset: tiny}]"),
    "tokenizer": ("solver=labram/debug_tokenizer",),
    "masked": ("solver=labram/debug_pretrain", "tokenizer=@0"),
    "diffusion": ("solver=eegdiff/debug", *DIFFUSION),
    "diffusion_maps": ("solver=eegdiff/debug_words", *DIFFUSION,
                       "dset.split.ratios={train: 0.5, valid: 0.2, test: 0.3}"),
    "autoencoder": (*AUTOENCODER, *FEW_SOUNDS),
    "vocoder": (
        "solver=eeg2speech/vocoder", "dset=eeg2speech/simulated_listening", *SOUND, *FEW_SOUNDS,
        "model=eeg2speech/vocoder_small", "solver.audio.duration_s=1.28",
        "solver.segment_samples=3200", "solver.discriminator_width=16", "solver.n_evaluation=4",
    ),
    "latent_diffusion": (
        "solver=eeg2speech/debug", *SOUND, *DIFFUSION, "solver.n_evaluation=8",
        "solver.n_resamples=10", "solver.encoder=@0", "solver.autoencoder=@1",
    ),
    "selfsupervised": (
        "solver=duin/tstcc_contrast", *CLIPS, "schedule.warmup_epochs=0",
        "model.filters=[8,8,16]", "model.steps=10", "model.context=16",
    ),
    "channels": ("solver=duin/channels", "solver.keep=3", task(),
                 *CHOICE),
    "phonemes": (*PHONEMES,
                 words("n_trials: 8, part: task, phonemes: true")),
}  # fmt: skip
UPSTREAM: dict[str, tuple[tuple[str, ...], ...]] = {
    "masked": (("solver=labram/debug_tokenizer", *SHORT),),
    "latent_diffusion": (ENCODERS, AUTOENCODER),
}


def test_every_registered_solver_is_killed() -> None:
    assert set(RECIPES) - {"values"} == set(SOLVERS.modules)


def words_of(name: str, folder: Path) -> list[str]:
    """Run what a recipe builds on, below `folder/upstream`, and return its overrides."""
    ups = [run(folder / "upstream", *recipe).xp.sig for recipe in UPSTREAM.get(name, ())]
    overrides = [*RECIPES[name], *SHORT]
    for place, sig in enumerate(ups):
        overrides = [word.replace(f"@{place}", f"//sig/{sig}") for word in overrides]
    return overrides


@pytest.mark.parametrize("name", RECIPES)
def test_a_killed_solver_has_the_bits_of_one_that_was_not(name: str, tmp_path: Path) -> None:
    overrides = words_of(name, tmp_path)
    undisturbed = tmp_path / "upstream"
    sig = run(undisturbed, *overrides).xp.sig
    whole = outcome(undisturbed, sig)
    (undisturbed / "xps" / sig).rename(tmp_path / sig)  # only what it builds on is linked
    assert whole["history"] and whole["best"]
    assert kills_until(tmp_path / "killed", overrides, whole, sig, LEAST) >= LEAST


@pytest.mark.parametrize("name", ["contrastive", "supervised"])  # both with batch normalisation
def test_two_killed_processes_have_the_bits_of_two_that_were_not(name: str, tmp_path: Path) -> None:
    overrides = words_of(name, tmp_path)
    whole = tmp_path / "whole"
    silent = os.open(os.devnull, os.O_WRONLY)
    assert statuses(launch(2, lambda rank: train(whole, overrides, silent))) == [0, 0]
    sig = next((whole / "xps").iterdir()).name
    expected = outcome(whole, sig)
    assert expected["history"] and expected["best"]
    least = LEAST_OF_TWO
    assert kills_until(tmp_path / "killed", overrides, expected, sig, least, world=2) >= least
