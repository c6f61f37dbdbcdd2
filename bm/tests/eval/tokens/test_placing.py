"""Features of networks that know channels by place: Du-IN's codes and tokens of recordings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from bm.data.recording import RecordingId
from bm.data.signal import bare
from bm.errors import RecordingError
from bm.eval.tokens.placing import centre_and_scale, placed, row_of
from bm.facts import DataFacts
from bm.models import build_model, load, save
from bm.studies.duin.contacts import SELECTED
from scripts._arguments import main_of
from scripts.extract import Request, extraction

from ...shipped import section
from ...studies.duin_files import NAMES, write_clips

CHANNELS = SELECTED["001"]
FACTS = DataFacts(CHANNELS, 1000.0, 4000, subjects=("duin/001",), preprocess=())


def run(*words: str) -> int:
    """Run `python -m scripts.extract ...`."""
    return main_of(extraction, [*words, "device=cpu"], Request)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("placing")
    for name in ("vqvae_small", "mae_small"):
        torch.manual_seed(0)
        model = build_model(section("model", f"duin/{name}"), FACTS).eval()
        save(model, home / name, FACTS)
    write_clips(home)
    return home


@pytest.mark.parametrize(("name", "kind"), [("vqvae_small", "codes"), ("mae_small", "tokens")])
def test_features_are_the_models_own(home: Path, name: str, kind: str, tmp_path: Path) -> None:
    words = (
        "study=duin", f"path={home}/duin/seeg.he2023xuanwu", f"model={home / name}",
        f"out={tmp_path / 'x.h5'}",
    )  # fmt: skip
    assert run(*words) == 2  # there are no words here: one line says so
    changes = (
        "dset.studies=[{study: duin, part: clips, path: " + f"{home}/duin/seeg.he2023xuanwu" + "}]",
    )
    code = main_of(extraction, [*words[2:], "device=cpu"], Request, words=changes)
    assert code == 0
    signal = np.concatenate(
        [np.load(home / f"duin/seeg.he2023xuanwu/001/pretrain/dataset.default.1000hz/run1/{n}.npy")
         for n in (0, 2, 4)], axis=2,
    )[0, [NAMES.index(channel) for channel in CHANNELS]]  # fmt: skip
    scaled = (signal - signal.mean(1, keepdims=True)) / signal.std(1, keepdims=True)
    windows = torch.from_numpy(scaled.astype("f4")).unflatten(1, (6, 4000)).transpose(0, 1)
    with torch.no_grad():
        wanted = load(home / name).eval().tokens(windows.contiguous())
    with h5py.File(tmp_path / "x.h5") as file:
        (group,) = file.values()
        assert file.attrs["kind"] == kind and file.attrs["scaling"] == "recording"
        stored = group[kind][()]
        assert stored.shape[:3] == (6, 1, 40) and list(group.attrs["channels"]) == list(CHANNELS)
    if kind == "codes":
        assert (stored[:, 0] == wanted.numpy()).mean() > 0.99  # ties of float32
    else:
        np.testing.assert_allclose(stored, wanted.numpy(), atol=1e-4)


def signal_of(names: tuple[str, ...]):
    signal = bare(torch.randn(500, len(names)) * 3 + 1, 1000.0)
    return replace(signal, channels=names)


def test_channels_are_found_by_name_or_counted() -> None:
    signal = signal_of(("B", "A", "C"))
    assert placed(signal, DataFacts(("A", "B"), 1000.0, 100), "x").channels == ("A", "B")
    assert placed(signal, DataFacts(("1", "2", "3"), 1000.0, 100), "x") is signal
    with pytest.raises(RecordingError, match="3 channels, not the 2 of the network"):
        placed(signal, DataFacts(("1", "2"), 1000.0, 100), "x")
    with pytest.raises(RecordingError, match="no channel A1 of the network"):
        placed(signal, DataFacts(("A1", "B"), 1000.0, 100), "x")


def test_people_are_found_by_name() -> None:
    facts = DataFacts(("A",), 1000.0, 100, subjects=("duin/001", "duin/002"))
    assert row_of(facts, RecordingId("duin", "002", "0", "run1")) == 1
    assert row_of(FACTS, RecordingId("mine", "anybody", "0", "0")) is None
    with pytest.raises(RecordingError, match="learned nothing of duin/003"):
        row_of(facts, RecordingId("duin", "003", "0", "run1"))


def test_scaling_is_that_of_the_training_where_it_is_known() -> None:
    signal = signal_of(("A", "B"))
    centre, scale = centre_and_scale(DataFacts(("A", "B"), 1000.0, 100), signal)
    block = (signal.rows(0, 500) - centre) / scale
    assert block.mean(0).abs().max() < 1e-5 and (block.std(0, correction=0) - 1).abs().max() < 1e-5
    scaler = {"centre": [1.0, 2.0], "scale": [3.0, 4.0]}
    centre, scale = centre_and_scale(DataFacts(("A", "B"), 1000.0, 100, scaler=scaler), signal)
    assert centre.tolist() == [1, 2] and scale.tolist() == [3, 4]
