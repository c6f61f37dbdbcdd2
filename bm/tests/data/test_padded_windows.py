"""Windows with zeros behind their event: what follows it is never read, whatever the scaling."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bm.data.dataset import build_dataset
from bm.studies.folder import Folder

from .noise_files import RATE, dset, write

EVENTS = [(2.0, 1.0, "a"), (3.0, 2.0, "b"), (6.0, 1.5, "a"), (8.0, 2.0, "b")]


def build(folder: Path, kind: str) -> Any:
    rows = "".join(f"{start}\t{length}\t{label}\n" for start, length, label in EVENTS)
    (folder / "a_events.tsv").write_text("onset\tduration\tlabel\n" + rows)
    segment = {"kind": "trial", "duration_s": 3.0, "offset_s": 0.0, "pad": True, "label": "label"}
    split = {"key": "trial", "seed": 0, "ratios": {"train": 1.0}, "fixed": {}}
    split["fixed"] = {"test": {"start_s": [3.0, 8.0]}}
    scale = {"kind": kind, "clamp": None}
    recordings = Folder(path=str(folder)).recordings()
    return build_dataset(recordings, dset(segment=segment, split=split, scale=scale))


@pytest.mark.parametrize("kind", ["window", "zscore", "robust", "robust_windows"])
def test_scaling_knows_what_is_held_alone(tmp_path: Path, kind: str) -> None:
    write(tmp_path / "a_raw.fif", 1)
    data = build(tmp_path, kind)
    x = data.signals[0].data.numpy()
    parts = [x[round(s * RATE) : round((s + d) * RATE)] for s, d, _ in EVENTS]
    train = np.concatenate([parts[0], parts[2]]).astype(float)
    served = data.gather([0, 1, 2, 3]).signal.numpy().transpose(0, 2, 1)
    for window, part in zip(served, parts, strict=True):
        assert not window[len(part) :].any()
        if kind == "window":
            expected = (part - part.mean(0)) / part.std(0)
        elif kind == "zscore":
            expected = (part - train.mean(0)) / train.std(0)
        else:
            continue
        np.testing.assert_allclose(window[: len(part)], expected, atol=1e-4)
    # Whatever lies in the windows of the test moves nothing of the training windows.
    before = data.gather([0, 2]).signal.clone()
    data.signals[0].data[round(3 * RATE) : round(5 * RATE)] *= 50
    data.scaler.centres, data.scaler.scales = [], []
    data.scaler.fit(data.signals, data.table, data.layout.tolist())
    assert np.array_equal(data.gather([0, 2]).signal.numpy(), before.numpy())
