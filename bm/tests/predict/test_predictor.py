"""Raw, Epochs and arrays in any order, rate and unit; what does not fit is one line."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mne
import numpy as np
import pytest

import bm
from bm.errors import UserError
from bm.models import build_model, load, save
from bm.tests.predict.trained import Trained

pytestmark = pytest.mark.story


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A classifier of simulated motor imagery, trained for two epochs."""
    return Trained(tmp_path_factory.mktemp("xp"), "solver=supervised/debug", "log.figures=false")


@pytest.fixture(scope="module")
def raw(trained: Trained) -> mne.io.BaseRaw:
    """The first test recording."""
    return trained.recordings[int(trained.items()["recording"].iloc[0])].load_raw()


@pytest.fixture(scope="module")
def onsets(trained: Trained) -> np.ndarray:
    """Beginnings of its trials in seconds."""
    recording = trained.recordings[int(trained.items()["recording"].iloc[0])]
    events = recording.events()
    return events.loc[events["kind"] == "trial", "start_s"].to_numpy()[:8]


@pytest.fixture(scope="module")
def expected(trained: Trained, raw: mne.io.BaseRaw, onsets: np.ndarray) -> np.ndarray:
    """Probabilities of the windows behind these onsets."""
    return trained.predictor.predict_proba(raw, onsets_s=onsets)


def windows_of(trained: Trained, raw: mne.io.BaseRaw, onsets: np.ndarray) -> np.ndarray:
    """Windows (N, C, T) in V as somebody else would cut them."""
    facts = trained.predictor.facts
    offset, rate = trained.predictor.maker.rule.offset_s, facts.rate_hz
    first = np.round((onsets + offset) * rate).astype(int)
    data = raw.get_data(picks=list(facts.channels))
    return np.stack([data[:, a : a + facts.window_samples] for a in first])


def test_a_table_names_what_it_says(trained: Trained, raw: mne.io.BaseRaw) -> None:
    table = trained.predictor.predict(raw)
    assert list(table)[:2] == ["start_s", "label"] and table["start_s"].iloc[0] == 0
    probs = table.filter(like="prob_")
    assert list(probs) == [f"prob_{name}" for name in trained.predictor.classes]
    np.testing.assert_allclose(probs.sum(1), 1)
    assert set(table["label"]) <= set(trained.predictor.classes)
    dense = trained.predictor.predict(raw, stride_s=0.5)
    assert len(dense) > 3 * len(table)


def test_epochs_arrays_and_units_agree(
    trained: Trained, raw: mne.io.BaseRaw, onsets: np.ndarray, expected: np.ndarray
) -> None:
    rate, predictor = trained.predictor.facts.rate_hz, trained.predictor
    samples = np.round(onsets * rate).astype(int) + raw.first_samp
    events = np.column_stack([samples, np.zeros_like(samples), np.ones_like(samples)])
    offset = predictor.maker.rule.offset_s
    epochs = mne.Epochs(raw, events, tmin=offset - 0.5, tmax=offset + 3.2, baseline=None,
                        preload=True, verbose="error")  # fmt: skip
    np.testing.assert_allclose(predictor.predict_proba(epochs), expected, atol=1e-5)
    windows = windows_of(trained, raw, onsets)
    for unit, factor in (("V", 1.0), ("mV", 1e3), ("uV", 1e6)):
        probs = predictor.predict_proba(windows * factor, sfreq=rate, unit=unit)
        np.testing.assert_allclose(probs, expected, atol=1e-5)
    labels = bm.Decoder(str(predictor.folder)).fit().predict(windows * 1e6)
    assert labels.tolist() == [predictor.classes[k] for k in expected.argmax(1)]


def test_channels_come_in_any_order_and_spelling(
    trained: Trained, raw: mne.io.BaseRaw, onsets: np.ndarray, expected: np.ndarray
) -> None:
    other = raw.copy().pick(raw.ch_names[::-1])
    other.rename_channels({name: f"EEG {name}-REF" for name in other.ch_names})
    noise = mne.io.RawArray(
        1e-5 * np.random.default_rng(0).standard_normal((2, raw.n_times)),
        mne.create_info(["X9", "STI"], raw.info["sfreq"], ["eeg", "stim"]), verbose="error",
    )  # fmt: skip
    other.add_channels([noise], force_update_info=True)
    probs = trained.predictor.predict_proba(other, onsets_s=onsets)
    np.testing.assert_allclose(probs, expected, atol=1e-5)


def test_channels_that_changed_the_others_are_named(
    trained: Trained, raw: mne.io.BaseRaw, onsets: np.ndarray, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    """An average, or an alignment, of more channels than the model was trained with."""
    other = raw.copy()
    other.rename_channels({raw.ch_names[0]: "X9"})
    more = mne.concatenate_raws([raw.copy()]).add_channels([other.pick(["X9"])])
    maker = trained.predictor.maker
    recipe = {**maker.recipe, "preprocess": [{"step": "reference", "channels": "average"}]}
    monkeypatch.setattr(maker, "recipe", recipe)
    trained.predictor.predict_proba(more, onsets_s=onsets)
    assert "step reference of the model saw these channels too" in caplog.text


def test_another_rate_is_resampled(
    trained: Trained, raw: mne.io.BaseRaw, onsets: np.ndarray, expected: np.ndarray
) -> None:
    other = raw.copy().load_data().resample(2 * raw.info["sfreq"], verbose="error")
    probs = trained.predictor.predict_proba(other, onsets_s=onsets)
    np.testing.assert_allclose(probs, expected, atol=0.02)


def test_models_come_back_in_evaluation_mode(trained: Trained) -> None:
    """Symptom: dropout was drawn in the predictions of a loaded model."""
    assert not load(trained.predictor.folder).training
    assert not trained.predictor.model.training


MISTAKES: dict[str, tuple[Callable[[Any, np.ndarray], Any], dict[str, Any]]] = {
    "an array has no unit": (lambda raw, x: x, {"sfreq": 250}),
    "an array has no rate": (lambda raw, x: x, {"unit": "V"}),
    "read as V the channels vary by": (lambda raw, x: scaled(raw, 1e6), {}),
    "with unit='uV' the channels vary": (lambda raw, x: x, {"sfreq": 250, "unit": "uV"}),
    "unit=fT: use one of V": (lambda raw, x: x, {"sfreq": 250, "unit": "fT"}),
    "1 of the 22 channels of the model are missing: Cz": (
        lambda raw, x: raw.copy().drop_channels(["Cz" if "Cz" in raw.ch_names else "CZ"]), {},
    ),
    "the array has 3 channels, the model has 22": (
        lambda raw, x: x[:, :3], {"sfreq": 250, "unit": "V"},
    ),
    "windows of 500 samples at 250 Hz, where the model takes": (
        lambda raw, x: x[..., :500], {"sfreq": 250, "unit": "V"},
    ),
    "reaches outside": (lambda raw, x: raw, {"onsets_s": [1e5]}),
    "starts_s and onsets_s: give one of them": (
        lambda raw, x: raw, {"onsets_s": [1.0], "starts_s": [1.0]},
    ),
    "begin where they begin": (
        lambda raw, x: x, {"sfreq": 250, "unit": "V", "onsets_s": [1.0]},
    ),
    "did you mean 'onsets_s'": (lambda raw, x: raw, {"onset_s": [1.0]}),
    "output=tokens: .*gives none": (lambda raw, x: raw, {"output": "tokens"}),
    "subject=bob: the model knows": (lambda raw, x: raw, {"subject": "bob"}),
    "holds NaN": (lambda raw, x: x * np.nan, {"sfreq": 250, "unit": "V"}),
    "of shape \\(3,\\)": (lambda raw, x: np.zeros(3), {"sfreq": 250, "unit": "V"}),
    "every sample of most channels is the same": (
        lambda raw, x: 0 * x, {"sfreq": 250, "unit": "V"},
    ),
}  # fmt: skip


def scaled(raw: mne.io.BaseRaw, factor: float) -> mne.io.BaseRaw:
    """A Raw whose values were multiplied, as where a file states the wrong unit."""
    return mne.io.RawArray(raw.get_data() * factor, raw.info, verbose="error")


@pytest.mark.parametrize("message", MISTAKES)
def test_mistakes_are_one_line(
    message: str, trained: Trained, raw: mne.io.BaseRaw, onsets: np.ndarray
) -> None:
    change, arguments = MISTAKES[message]
    with pytest.raises(UserError, match=message) as error:
        trained.predictor.predict(change(raw, windows_of(trained, raw, onsets)), **arguments)
    assert "\n" not in str(error.value)


def test_what_decodes_nothing_is_refused(trained: Trained, tmp_path: Path) -> None:
    facts = trained.predictor.facts
    old = dataclasses.replace(facts, outputs=None, recipe=None)
    save(build_model({"name": "eegnet"}, old), tmp_path / "old", old)
    with pytest.raises(UserError, match="decodes nothing, or by an earlier version"):
        bm.Predictor.from_pretrained(tmp_path / "old")
    with pytest.raises(UserError, match="no saved model"):
        bm.Predictor.from_pretrained(tmp_path / "nowhere")
    with pytest.raises(UserError, match="no experiment 00000000"):
        bm.Predictor.from_pretrained("//sig/00000000")


def test_a_fresh_process_needs_neither_hydra_nor_dora(
    trained: Trained, raw: mne.io.BaseRaw, onsets: np.ndarray, expected: np.ndarray, tmp_path: Path
) -> None:
    np.save(tmp_path / "x.npy", windows_of(trained, raw, onsets))
    code = (
        "import sys, bm, numpy; "
        f"p = bm.Predictor.from_pretrained({str(trained.predictor.folder)!r}); "
        f"x = numpy.load({str(tmp_path / 'x.npy')!r}); "
        f"print(p.predict_proba(x, sfreq={trained.predictor.facts.rate_hz}, unit='V').tolist()); "
        "assert not {'dora', 'hydra', 'omegaconf'} & set(sys.modules)"
    )
    process = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    np.testing.assert_allclose(json.loads(process.stdout), expected, atol=1e-5)
