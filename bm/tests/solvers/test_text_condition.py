"""Text conditions from data to samples, on simulated sentences; mistakes in one line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch

from bm.engine.run import Run
from bm.errors import UserError
from bm.solvers import build
from bm.train import main

FEW = ("threads=1", "optim.epochs=1", "generate.steps=2", "optim.max_batches=2")


def experiment(*words: str) -> Any:
    xp = main.get_xp([*words, *FEW])
    main.init_xp(xp)
    return xp


def run(*words: str) -> tuple[Any, Any]:
    xp = experiment(*words)
    with xp.enter():
        solver = build(xp.cfg)
        Run(solver).train()
    return xp, solver


@pytest.mark.story
@pytest.mark.parametrize("model", ["small_text_stft", "small_text_raw", "small_text_mel"])
def test_sentences_reach_the_network(outputs: Path, model: str) -> None:
    xp, solver = run("solver=eegdiff/debug_text", f"model=eegdiff/{model}")
    batch = solver.data.gather([0, 1])
    condition = solver.condition_of(batch)
    assert condition.text.shape == (2, 16, 32)
    events = solver.data.signals[0].events
    text = events["text"].iloc[solver.data.table["event_row"].iloc[0]]
    assert condition.text_mask.sum(1)[0] == 1 + len(text.split())
    null = solver.model.conditioning.null_text
    assert bool(null[0].any()) and not null[1:].any()  # states of the empty text
    other = solver.condition_of(solver.data.gather([1, 0]))
    x, t = solver.model.images(batch.signal), solver.model.draw_levels(2)
    with torch.no_grad():
        first, second = (solver.model(x, t, c) for c in (condition, other))
    assert not torch.allclose(first, second, atol=1e-6)
    history = json.loads((xp.folder / "history.json").read_text())
    assert np.isfinite(history[0]["valid"]["loss"])


@pytest.mark.story
def test_word_maps_are_compared_written_and_drawn(outputs: Path) -> None:
    xp, _ = run(
        "solver=eegdiff/debug_words", "dset.split.ratios={train: 0.5, valid: 0.2, test: 0.3}"
    )
    evaluation = json.loads((xp.folder / "evaluation.json").read_text())
    assert {"value_wasserstein", "length_error_words", "matched_rank", "matched_p"} <= set(
        evaluation["metrics"]
    )
    assert set(evaluation["extra"]["references"]) == {
        "training windows",
        "shuffled words",
        "white noise",
    }
    with h5py.File(xp.folder / "generated/generated.h5") as file:
        assert file["values"].shape == (2, 16, 256) and len(file["texts"]) == 2
        assert file.attrs["simulated"]
    assert "simulated data" in (xp.folder / "figures/word_maps.svg").read_text()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["dset=eegdiff/simulated_motor_tiny"], "the windows of the data have none"),
        (["solver.drop_condition=0"], "solver.drop_condition=0: training must withhold"),
        (["model=eegdiff/small_stft", "generate.guidance=2"], "the model has no condition"),
        (["solver.text.width=16"], "16 tokens of width 16, the network reads 16 of 32"),
        (["model.text_tokens=20"], "the network reads 20 of 32"),
        (["solver.text.encoder=nowhere"], "no model nowhere"),
        (["solver.text.letters=3"], "unknown key 'solver.text.letters'"),
        (
            ["model=eegdiff/small_text_words"],
            "are not 8 bands|has_waves|solver.name=diffusion_maps",
        ),
        (
            ["dset=eegdiff/simulated_words", "model=eegdiff/small_text_words"],
            "solver.name=diffusion_maps",
        ),
    ],
)
def test_mistakes_are_one_line(outputs: Path, words: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        xp = experiment("solver=eegdiff/debug_text", *words)
        with xp.enter():
            Run(build(xp.cfg)).train()
    assert "\n" not in str(caught.value)


@pytest.mark.story
def test_the_codex_of_words_trains_as_a_tokenizer(outputs: Path) -> None:
    xp, solver = run("solver=eegdiff/debug_codex")
    metrics = json.loads((xp.folder / "evaluation.json").read_text())["metrics"]
    assert np.isfinite(metrics["loss"]) and 0 < metrics["perplexity"] <= 16
    assert -1 <= metrics["words_correlation"] <= 1
    assert solver.model.tokens(solver.data.gather([0, 1]).signal).shape == (2, 16)
