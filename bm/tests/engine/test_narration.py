"""What a run says: first lines, a line an epoch, last lines; quiet in a file."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from bm.engine import logger, narration
from bm.tests.experiments import run


@pytest.mark.story
def test_a_run_speaks_and_a_finished_one_says_its_score(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logger, "QUIET_S", 1e6)  # a busy machine takes longer than a quick run may
    caplog.set_level("INFO", logger="bm.solver")
    solver = run(tmp_path, "solver=supervised/debug", "seed=7", "log.figures=false")
    lines = [record.getMessage() for record in caplog.records if record.name == "bm.solver"]
    text = "\n".join(lines)
    for words in (
        f"experiment {solver.xp.sig} in ", "recipe solver=supervised/debug, changed: seed=7",
        "(simulated): ", "22 channels at ", "model eegnet: ", "training 2 epochs, 2 steps: 1 ",
        "forward pass of the model: ", "1 thread",
    ):  # fmt: skip
        assert words in text, words
    assert lines[0].startswith("experiment ")  # before the data, which may take minutes
    epochs = [line for line in lines if re.match(r"epoch \d/2 \| train loss ", line)]
    assert len(epochs) == 2 and "(chance 0.25)" in epochs[0]
    assert any(
        re.match(r"test summary \| epoch \d/2 \| balanced_accuracy ", line) for line in lines
    )
    assert "left" in epochs[0] and "left" not in epochs[1]
    assert not any("it/sec" in line for line in lines)  # seconds, not worth lines of progress
    assert len(lines) < 25
    evaluation = json.loads((solver.folder / "evaluation.json").read_text())
    score = narration.score(evaluation, "balanced_accuracy")
    assert (
        score in text
        and ", chance 0.25, 32 windows (simulated)" in score
        and "(no interval: 2 people)" in score
    )
    assert f"next: python -m scripts.run_eval sigs=[{solver.xp.sig}]" in text
    caplog.clear()
    run(tmp_path, "solver=supervised/debug", "seed=7", "log.figures=false")
    again = [record.getMessage() for record in caplog.records]
    assert any("is finished" in line for line in again) and score in again


def test_durations_are_words() -> None:
    assert [narration.seconds(s) for s in (0.4, 59.6, 75, 7300)] == [
        "0 s", "1 min 0 s", "1 min 15 s", "2 h 1 min",
    ]  # fmt: skip


def test_a_distance_stands_beside_those_of_real_data_and_noise() -> None:
    """Symptom: a model of generated EEG ended with its loss alone."""
    evaluation = {
        "metrics": {"loss": 0.5, "distance_db": 1.25}, "chance": {}, "n_items": 60,
        "extra": {
            "table": ["distance_db"], "unit": "1 person",
            "references": {"training windows": {"distance_db": 0.586}, "other": {"loss": 1.0}},
        },
    }  # fmt: skip
    assert narration.score(evaluation, "loss") == (
        "test distance_db 1.25 (no interval: 1 person), training windows 0.586, 60 windows"
    )
