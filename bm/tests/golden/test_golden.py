"""Parity with the published implementations: the committed cases, and all cases where they are."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from ..shared_data import GOLDEN, needs_golden
from .running import ADAPTERS, cases, compare, load_adapters, run_case

COMMITTED = Path(__file__).parent / "cases"
ROOT = Path(__file__).resolve().parents[3]
LIMIT_MB = 6
load_adapters()


@pytest.mark.parametrize("path", cases(COMMITTED), ids=lambda p: f"{p.parent.name}/{p.name}")
def test_committed_case_passes(path: Path) -> None:
    result = run_case(path)
    assert result.status == "PASS", result.detail


def test_committed_cases_stay_small() -> None:
    assert sum(p.stat().st_size for p in COMMITTED.rglob("*")) < LIMIT_MB * 2**20


@pytest.mark.shared
@needs_golden
def test_no_shared_case_fails_and_every_adapter_is_used() -> None:
    used = set()
    for path in cases(GOLDEN):
        result = run_case(path)
        assert result.status != "FAIL", f"{result.name}: {result.detail}"
        if result.status == "PASS":
            case = json.loads((path / "case.json").read_text()) if path.is_dir() else {}
            used.add((path.parent.name, case.get("component", "keys")))
    assert used == set(ADAPTERS)


def test_a_wrong_value_fails_and_a_missing_one_too() -> None:
    case = {"tolerance": {"atol": 1e-3, "y": {"atol": 1.0}}}
    assert compare("c", case, {"x": 1.0005, "y": 1.5}, {"x": 1.0, "y": 1.0}).status == "PASS"
    assert compare("c", case, {"x": 1.01}, {"x": 1.0}).status == "FAIL"
    assert compare("c", case, {"x": float("nan")}, {"x": 1.0}).status == "FAIL"
    assert compare("c", case, {"x": np.zeros(3)}, {"x": np.zeros(4)}).status == "FAIL"
    assert compare("c", case, {}, {"x": 1.0}).detail == "no output x"
