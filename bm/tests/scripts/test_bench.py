"""The benches' arithmetic and verdicts, and one tiny training step measured through the command."""

from __future__ import annotations

import dataclasses
import json
import runpy
import sys

import pytest
import torch

from bm.errors import UserError
from scripts import _bench_data, _bench_step, _step_cases, bench
from scripts._bench_step import Flops, Times, eff, frac, refusal, refusal_of_eff
from scripts._step_cases import CASES, Bars, Case, batch_of, trainer

TINY = Case(
    ("solver=labram/debug_tokenizer", *_step_cases.WHOLE, "optim.batch_size=2"),
    {"channels": ["CZ", "PZ"], "rate_hz": 200.0, "seconds": 24.0, "subjects": 2},
    Bars(eff=0.5, heavy=0.5, ratio=1.0, bf16=1.0),
    loaded=2,
)


@pytest.fixture(autouse=True)
def same_threads():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_shares_of_the_peaks():
    flops = Flops(conv=6.0, other=2.0)
    assert frac(flops, seconds=2.0, mm=2.0) == 2.0
    assert eff(flops, seconds=2.0, mm=2.0, conv=4.0) == (2 / 2 + 6 / 4) / 2
    times = Times({"plain": [3.0, 8.0, 6.0], "default": [2.0, 2.0, 6.0]})
    assert times.ratio("plain", "default") == 1.5


def test_what_may_not_be_judged():
    quiet = Times(mm=[1.0, 1.1, 1.05], conv=[2.0, 2.0, 2.0])
    assert refusal(quiet) == refusal_of_eff(quiet) == ""
    assert "P_mm moved 20%" in refusal(Times(mm=[0.9, 1.0, 1.1], conv=[2.0]))
    wide = Times(mm=[1.0, 1.1, 1.05], conv=[1.7, 1.7, 1.7])
    assert refusal(wide) == "" and "0.62 P_conv" in refusal_of_eff(wide)
    times = Times({"plain": [1.0], "default": [2.0]}, mm=[1e9], conv=[4e9])
    rows = _bench_step.figures("x", TINY, Flops(1e9, 1e9), times, heavy=0.6)
    measures = {row[0].partition(": ")[2]: bench.Measure("step", *row) for row in rows}
    assert measures["eff"].value == 0.625 and measures["eff"].verdict == "ok"
    assert measures["plain form / default"].verdict == "MISSED"
    bf16 = measures["fp32 / bf16"]
    assert "no bf16" in bf16.verdict and not bf16.missed and "nan" not in bench.report([bf16])
    noisy = [bench.Measure("step", *row) for row in
             _bench_step.figures("x", TINY, Flops(1e9, 1e9), dataclasses.replace(
                 times, mm=[1e9, 2e9]), heavy=0.1)]  # fmt: skip
    assert not any(m.missed for m in noisy)
    assert all("moved" in m.verdict for m in noisy if m.bar is not None and m.value is not None)


@pytest.mark.parametrize(
    ("name", "gflop", "conv"),
    [("clip", 486, 0.95), ("labram_finetune", 76.3, 0.0),
     pytest.param("labram_tokenizer", 115, 0.0, marks=pytest.mark.endurance),
     pytest.param("labram_masked", 224, 0.0, marks=pytest.mark.endurance),
     # both passes of ours share one product with the 2,048 codes: 1,280 patches, width 160
     ("duin_mae", 82.8 - 2.5, 0.12), ("duin_vqvae", 68.5, 0.35), ("duin_cls", 27.5, 0.20),
     ("eegdiff_batch2", 94.0, 0.99), ("eegdiff_cond", 830, 0.39)],
)  # fmt: skip
def test_operations_of_the_published_steps(tmp_path, monkeypatch, name, gflop, conv):
    """Step-anchors section 3. Ours leave out what the same places of sensors and one-hot codes
    cost the original: up to 3 % less."""
    short = {"subjects": 2, "seconds": 12.0} if name == "clip" else {}
    few = dataclasses.replace(CASES[name], noise={**CASES[name].noise, **short})
    monkeypatch.setitem(CASES, name, few)
    solver = trainer(name, tmp_path)
    operations = _bench_step.count(solver, batch_of(solver))
    assert operations.total / 1e9 == pytest.approx(gflop, rel=0.03)
    assert operations.conv / operations.total == pytest.approx(conv, abs=0.03)
    assert all(p.device.type == "cpu" and type(p.data) is torch.Tensor for p in
               solver.model.parameters())  # fmt: skip


def test_the_command_measures_a_tiny_step(tmp_path, monkeypatch):
    monkeypatch.setitem(CASES, "tiny", TINY)
    for name, value in {"ROUNDS": 2, "PROFILED": 1, "MM_SIDE": 64, "MOVED": 1e9}.items():
        monkeypatch.setattr(_bench_step, name, value)
    monkeypatch.chdir(tmp_path)
    assert bench.command(["step", "model=tiny"]) in (0, 1)
    (path,) = (tmp_path / "outputs/bench").glob("*.json")
    rows = {r["what"].partition(": ")[2]: r for r in json.loads(path.read_text())["measures"]}
    assert next(r["value"] for w, r in rows.items() if w.startswith("step, 1 thread")) > 0
    assert rows["reading 2 windows / a step of 2"]["value"] > 0
    assert 0 < rows["heavy share"]["value"] < 1 and rows["plain form / default"]["value"] > 0
    assert sorted(p.name for p in tmp_path.iterdir()) == ["outputs"]


def test_unknown_names_are_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"clop.*did you mean.*clip"):
        bench.command(["step", "model=clop"])
    monkeypatch.setattr(sys, "argv", ["bench", "stop"])
    monkeypatch.delitem(sys.modules, "scripts.bench")
    with pytest.raises(SystemExit) as caught:
        runpy.run_module("scripts.bench", run_name="__main__")
    text = capsys.readouterr().err
    assert caught.value.code == 2 and text.startswith("error: unknown bench 'stop'")
    assert text.count("\n") == 1
    assert not any(tmp_path.iterdir())
    assert _step_cases.case_names("labram") == [
        "labram_tokenizer",
        "labram_masked",
        "labram_finetune",
    ]
    assert _step_cases.case_names("eegdiff") == ["eegdiff_batch8", "eegdiff_batch2"]


def test_a_limit_that_moves_is_not_judged() -> None:
    assert _bench_data.unsteady([100.0, 101.0, 95.0]) == ""
    assert "moved by 30%" in _bench_data.unsteady([100.0, 130.0, 95.0])


def test_ratios_to_a_moving_disk_or_on_a_busy_machine_are_not_judged() -> None:
    assert bench.disturbance(0.2, [1.0, 1.02, 1.1, 1.05, 1.1, 1.04, 3.0]) == ""  # one slow write
    assert "disk moved by 150%" in bench.disturbance(0.2, [1.0, 1.0, 1.5, 2.5, 2.5])
    assert "a load of 99.0 on" in bench.disturbance(99.0, [1.0, 1.0, 1.0])


def test_windows_on_the_device_are_measured_beside_the_loader(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from scripts import _bench_device

    for name, value in (("MINUTES", 1), ("WINDOWS", 130), ("PASSES", 1)):
        monkeypatch.setattr(_bench_device, name, value)
    (measured,) = bench.bench_device()
    assert measured.bench == "device" and measured.value is not None and measured.value > 0
    assert not measured.missed
