from __future__ import annotations

import json

import pytest
from safetensors.numpy import load_file

from bm.errors import UserError

from ..shared_data import GOLDEN, needs_golden
from .toy import schedule

shared = [pytest.mark.shared, needs_golden]


@pytest.mark.parametrize("mark", [pytest.param(0, marks=shared)])
def test_labram(mark):
    path = GOLDEN / "labram/schedules/case.json"
    for case in json.loads(path.read_text())["cases"]:
        a = case["args"]
        steps = a["warmup_steps"] if a["warmup_steps"] > 0 else None
        ours = schedule(a["base_value"], a["epochs"], a["niter_per_ep"], min_lr=a["final_value"],
                        warmup_epochs=a["warmup_epochs"], warmup_steps=steps,
                        warmup_form="inclusive")  # fmt: skip
        values = [ours.at(i) for i in range(len(case["values"]))]
        assert values == pytest.approx(case["values"], rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("mark", [pytest.param(0, marks=shared)])
def test_eegdiff(mark):
    golden = load_file(GOLDEN / "eegdiff/schedules/io.safetensors")["lr"]
    ours = schedule(1e-4, 12, 100, warmup_steps=500)
    assert [ours.at(i) for i in range(1201)] == pytest.approx(golden, rel=1e-9, abs=1e-16)


@pytest.mark.parametrize("mark", [pytest.param(0, marks=shared)])
def test_duin(mark):
    folder = GOLDEN / "duin/lr-schedule"
    golden = load_file(folder / "io.safetensors")
    for case in json.loads((folder / "case.json").read_text())["config"]["schedules"]:
        ours = schedule(case["lr_max"], case["n_epochs"], 3, min_lr=case["lr_min"], per_epoch=True,
                        warmup_epochs=case["warmup_epochs"], warmup_form="next")  # fmt: skip
        values = [ours.at(3 * e + 1) for e in range(case["n_epochs"])]
        assert values == pytest.approx(golden[case["name"]], rel=1e-9, abs=1e-12)


def test_other_shapes():
    step = schedule(1.0, 6, 5, name="step")
    assert [step.at(5 * e) for e in range(6)] == pytest.approx([1, 1, 0.1, 0.1, 0.01, 0.01])
    line = schedule(1.0, 2, 5, name="linear")
    assert [line.at(i) for i in (0, 5, 10, 20)] == pytest.approx([1, 0.5, 0, 0])
    assert schedule(0.3, 2, 5, name="constant").at(7) == 0.3
    with pytest.raises(UserError, match="did you mean 'cosine'"):
        schedule(1.0, 1, 1, name="cosin")
