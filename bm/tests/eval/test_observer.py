"""The observer's row of the tables: kept beside them, and only where it answers their question."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from bm.eval.observer import reference


def config(mode: str, kind: str, **options):
    entry = {"study": "simulated", "mode": mode, "preset": "tiny", **options}
    dset = {"studies": [entry], "segment": {"kind": kind}}
    return OmegaConf.create({"dset": dset, "paths": {"studies": ".", "cache": "."}})


def test_value_is_kept_and_read_again(tmp_path: Path) -> None:
    spoken = config("seeg", "trial", n_subjects=1, snr=0.0)
    assert reference(spoken, tmp_path) == pytest.approx(0.25)  # four words
    (path,) = tmp_path.iterdir()
    path.write_text(json.dumps({**json.loads(path.read_text()), "accuracy": 0.5}))
    assert reference(spoken, tmp_path) == 0.5


def test_sentences_say_nothing_about_words(tmp_path: Path) -> None:
    assert reference(config("reading", "word"), tmp_path) is None
    assert not list(tmp_path.iterdir())
    assert reference(config("reading", "sentence", snr=0.0), tmp_path) == pytest.approx(0.1)
