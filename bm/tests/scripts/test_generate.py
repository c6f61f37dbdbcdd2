"""`scripts.generate`: from a signature or a folder to files; mistakes are one line."""

from __future__ import annotations

from pathlib import Path

import h5py
import mne
import numpy as np
import pytest

from bm.models import build_model, save
from bm.models.eegdiff.pipeline import EEGDiffusionPipeline
from bm.tests.models.eegdiff import FACTS, pipeline
from bm.train import main
from bm.xp import marker
from scripts._arguments import main_of
from scripts.generate import Progress, Request, generate


def run(*words: str) -> int:
    return main_of(generate, words, Request)


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Outputs with a finished experiment 12e45678, an unfinished one, and one of another model."""
    folder = tmp_path_factory.mktemp("outputs")
    pipeline().save_pretrained(folder / "xps/12e45678/best")
    marker.write(folder / "xps/12e45678", {})
    (folder / "xps/00000000").mkdir()
    save(build_model({"name": "eegnet"}, FACTS), folder / "eegnet", FACTS)
    return folder


@pytest.fixture(autouse=True)
def use_outputs(outputs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(main.dora, "dir", str(outputs))


def test_files_of_a_signature(outputs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("sig=12e45678", "n=3", "classes=[right_hand,0]", "steps=4", "seed=5", "device=cpu")
    assert run(*words, "batch_size=2") == 0
    printed = capsys.readouterr().out
    folder = outputs / "generated/12e45678"
    assert f"written: {folder}/generated-epo.fif" in printed
    assert "generated 3 of 3 waves" in printed and "waves/s" in printed
    pipe = EEGDiffusionPipeline.from_pretrained(outputs / "xps/12e45678/best")
    expected = pipe.generate(3, 5, ["right_hand", "left_hand"], steps=4)
    with h5py.File(folder / "generated.h5") as file:
        np.testing.assert_allclose(file["signal"][()], expected.waves, rtol=1e-3, atol=1e-3)
        assert file["labels"][()].tolist() == [1, 0, 1]
        assert file.attrs["signature"] == "12e45678" and file.attrs["simulated"]
    epochs = mne.read_epochs(folder / "generated-epo.fif", verbose="error")
    assert epochs.event_id == {"left_hand": 1, "right_hand": 2} and len(epochs) == 3


def test_files_of_a_folder(outputs: Path, tmp_path: Path) -> None:
    model = f"model={outputs}/xps/12e45678/best"
    assert run(model, "n=1", "steps=2", f"out={tmp_path}/a/b") == 0
    with h5py.File(tmp_path / "a/b/generated.h5") as file:
        assert file["signal"].shape == (1, 3, 250) and file.attrs["signature"] == ""


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("", "use sig=ab12cd34 or model=FOLDER"),
        ("sig=12e45678 model=x", "use sig=ab12cd34 or model=FOLDER"),
        ("sig=12", "8 hexadecimal digits"),
        ("sig=ffffffff", "run it first"),
        ("sig=00000000", "has not finished"),
        ("model=/nowhere", "no saved model in /nowhere"),
        ("model={outputs}/eegnet", "holds EEGNet: no diffusion model"),
        ("sig=12e45678 n=0", "n=0: at least 1"),
        ("sig=12e45678 n=many", "not a number"),
        ("sig=12e45678 classes=left_hnd", "did you mean 'left_hand'"),
        ("sig=12e45678 classes=[7]", "numbered from 0"),
        ("sig=12e45678 sampler=dimm", "did you mean 'ddim'"),
        ("sig=12e45678 smapler=ddim", "did you mean 'sampler'"),
        ("sig=12e45678 device=tpu", "use auto, cpu or cuda"),
        ("sig=12e45678 out={outputs}/eegnet/config.json", "give a folder to write to"),
    ],
)
def test_mistakes_are_one_line(
    words: str, expected: str, outputs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*words.format(outputs=outputs).split()) == 2
    error = capsys.readouterr().err
    assert expected in error and error.startswith("error: ") and error.count("\n") == 1


def test_progress_tells_speed_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    times = iter([0.0, 1.0, 6.0, 7.0, 8.0])
    progress = Progress(4, 5.0, lambda: next(times))
    for _ in range(4):
        progress(1.0)
    assert capsys.readouterr().out.splitlines() == [
        "generated 2 of 4 waves, 0.33 waves/s",
        "generated 4 of 4 waves, 0.50 waves/s",
    ]
