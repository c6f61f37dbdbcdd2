"""The motor imagery study on its real files."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from bm.data.store import Store
from bm.errors import RecordingError, UserError
from bm.studies import build_study

from ..shared_data import DATA, needs

PATHS = {"studies": DATA, "cache": "."}
pytestmark = [pytest.mark.shared, needs("eegmmidb")]


def study(tmp_path: Path, **options):
    entry = {"study": "eegmmidb", **options}
    return build_study(entry, {"studies": DATA, "cache": tmp_path})


def labels(recordings) -> Counter:
    return Counter(c for r in recordings for c in r.events()["class"])


def test_imagined_trials_are_counted_as_published(tmp_path: Path) -> None:
    recordings = study(tmp_path).recordings()
    assert [r.id.run for r in recordings] == ["04", "06", "08", "10"]
    assert labels(recordings) == {"left": 16, "right": 14, "both_fists": 14, "both_feet": 16}
    events = recordings[1].events()
    assert set(events["label"]) == {2, 3} and events["imagined"].all()
    assert events["duration_s"].between(4.0, 4.3).all()


def test_executed_rest_and_baselines_are_chosen(tmp_path: Path) -> None:
    executed = study(tmp_path, movement="executed").recordings()
    assert [r.id.run for r in executed] == ["03", "05", "07", "09"]
    assert not executed[0].events()["imagined"].any()
    rest = study(tmp_path, rest=True, runs=[4]).recordings()
    assert labels(rest)["rest"] == 15
    base = study(tmp_path, baselines=True, runs=[1, 2]).recordings()
    assert labels(base) == {"eyes_open": 1, "eyes_closed": 1}
    assert set(base[0].events()["kind"]) == {"block"}
    # The real and the imagined trials of a run differ in what follows from the option only.
    assert rest[0].fingerprint() != study(tmp_path, runs=[4]).recordings()[0].fingerprint()


def test_signal_has_64_placed_channels_in_volts(tmp_path: Path) -> None:
    raw = study(tmp_path).recordings()[0].load_raw()
    assert raw.info["sfreq"] == 160 and raw.n_times == 20000 and len(raw.ch_names) == 64
    assert raw.ch_names[:3] == ["FC5", "FC3", "FC1"] and raw.ch_names[-1] == "Iz"
    places = np.array([c["loc"][:3] for c in raw.info["chs"]])
    assert np.isfinite(places).all() and 0.05 < np.linalg.norm(places, axis=1).mean() < 0.15
    c3, c4 = (places[raw.ch_names.index(name)] for name in ("C3", "C4"))
    assert c3[0] < 0 < c4[0]
    assert 1e-6 < np.median(raw.get_data().std(1)) < 1e-3


def test_the_store_keeps_a_run_once(tmp_path: Path) -> None:
    store, recipe = Store(tmp_path), {"preprocess": [], "rate_hz": 80.0}
    first = store.get(study(tmp_path).recordings()[0], recipe)
    again = study(tmp_path).recordings()[0]
    assert store.fresh(again, store.path(again, recipe)) is not None
    assert first.samples == 10000 and len(first.events) == 15 and first.unit == "uV"


def test_a_run_without_its_annotations_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "eegmmidb" / "S001"
    folder.mkdir(parents=True)
    # Run 1 has no task: under the name of run 4 its one annotation is T0.
    shutil.copyfile(DATA / "eegmmidb" / "S001" / "S001R01.edf", folder / "S001R04.edf")
    paths = {"studies": tmp_path, "cache": tmp_path}
    with pytest.raises(RecordingError, match="no annotation T1 or T2"):
        build_study({"study": "eegmmidb"}, paths).recordings()[0].events()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"movement": "imagine"}, "imagined"),
        ({"runs": [3]}, "run 3 is not imagined"),
        ({"subjects": [77]}, "no such recording"),
    ],
)
def test_wrong_options_are_answered(tmp_path: Path, options: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        study(tmp_path, **options).recordings()
