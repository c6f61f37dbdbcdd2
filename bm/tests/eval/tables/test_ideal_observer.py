"""The observer's row of the tables: kept beside them, and only where it answers their question."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from omegaconf import OmegaConf

from bm.eval.tables.ideal_observer import observer_accuracy, observer_retrieval


def config(mode: str, kind: str, **options):
    entry = {"study": "simulated", "mode": mode, "preset": "tiny", **options}
    dset = {"studies": [entry], "segment": {"kind": kind, "duration_s": 3.0}}
    solver = {"name": "contrastive" if mode == "listening" else "baseline", "candidates": "split"}
    paths = {"studies": ".", "cache": "."}
    return OmegaConf.create({"dset": dset, "solver": solver, "paths": paths})


def test_value_is_kept_and_read_again(tmp_path: Path) -> None:
    spoken = config("seeg", "trial", n_subjects=1, snr=0.0)
    assert observer_accuracy(spoken, tmp_path) == pytest.approx(0.25)  # four words
    (path,) = tmp_path.iterdir()
    path.write_text(json.dumps({**json.loads(path.read_text()), "accuracy": 0.5}))
    assert observer_accuracy(spoken, tmp_path) == 0.5


def test_sentences_say_nothing_about_words(tmp_path: Path) -> None:
    assert observer_accuracy(config("reading", "word"), tmp_path) is None
    assert not list(tmp_path.iterdir())
    assert observer_accuracy(config("reading", "sentence", snr=0.0), tmp_path) == pytest.approx(0.1)


def heard() -> pd.DataFrame:
    """Twelve windows of two people; both heard the same six segments of the last story."""
    starts = np.tile(np.arange(6) * 0.8, 2)
    frame = pd.DataFrame({"recording": np.repeat([0, 1], 6), "start_s": starts, "run": "2"})
    frame["subject"] = np.repeat(["s000", "s001"], 6)
    frame["segment_hash"] = (starts * 10).astype(int)
    return frame


def test_retrieval_among_the_candidates_of_the_items(tmp_path: Path) -> None:
    metrics = observer_retrieval(config("listening", "word"), heard(), tmp_path)
    assert metrics["top1_accuracy"] > 0.95 and metrics["top10_accuracy"] == 1.0
    nothing = observer_retrieval(config("listening", "word", snr=0.0), heard(), tmp_path)
    assert nothing["top1_accuracy"] == pytest.approx(1 / 6)  # all tie
    assert nothing["top5_accuracy"] == pytest.approx(5 / 6)
    little = observer_retrieval(config("listening", "word", snr=0.03), heard(), tmp_path)
    assert 0.3 < little["top1_accuracy"] < 0.9
    few = config("listening", "word", snr=0.0)
    few.solver.candidates = "recording"
    alone = heard().assign(segment_hash=np.arange(12))  # other segments in each recording
    assert observer_retrieval(few, alone, tmp_path)["top1_accuracy"] == pytest.approx(1 / 6)
    assert observer_accuracy(config("listening", "word"), tmp_path) is None
    assert observer_retrieval(config("seeg", "trial"), heard(), tmp_path) == {}
