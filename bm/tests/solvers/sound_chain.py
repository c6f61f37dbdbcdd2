"""The chain of eeg2speech in its smallest form, for tests: experiments in one folder."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bm.engine.run import Run
from bm.solvers import build

from ..experiments import opened, run

STUDY = (
    "dset.studies=[{study: simulated, mode: listening, preset: tiny, snr: 20.0}]",
    "dset.segment.stride_s=1.28", "dset.split.fixed={valid: {run: ['1']}, test: {run: ['2']}}",
)  # fmt: skip
SHORT = ("optim.max_batches=2", "optim.epochs=1", "optim.batch_size=4", *STUDY)
DENOISER = (
    *SHORT, "solver.n_evaluation=8", "solver.n_resamples=10", "generate.steps=2", "generate.n=2",
    "solver=eeg2speech/debug",
)  # fmt: skip


def chain_of(folder: Path, *words: str) -> SimpleNamespace:
    """Run encoders, autoencoder and denoiser; `words` change the last."""
    encoder = run(folder, "solver=eeg2speech/debug_encoders", *SHORT)
    first = run(
        folder, "solver=eeg2speech/debug_autoencoder", *SHORT, "solver.loss.start=2",
        "solver.n_evaluation=8",
    )  # fmt: skip
    stages = (
        f"solver.encoder=//sig/{encoder.xp.sig}",
        f"solver.autoencoder=//sig/{first.xp.sig}",
    )
    denoiser = run(folder, *DENOISER, *stages, *words)
    return SimpleNamespace(
        folder=folder, encoder=encoder, first=first, denoiser=denoiser, stages=stages
    )


class KilledError(Exception):
    """The end of a run in the middle of a step."""


def killed_after(folder: Path, steps: int, *words: str) -> None:
    """Run an experiment that dies after so many training steps."""
    with opened(folder, *words) as xp:
        solver = build(xp.cfg)
        real, count = solver.step, 0

        def step(batch: Any, stage: str) -> Any:
            nonlocal count
            count += stage == "train"
            if count > steps:
                raise KilledError
            return real(batch, stage)

        solver.step = step  # type: ignore[method-assign]
        with pytest.raises(KilledError):
            Run(solver).train()
