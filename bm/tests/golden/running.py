"""Running golden cases: find them, call the adapter of their component, compare with tolerances."""

from __future__ import annotations

import importlib
import json
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

Tensors = dict[str, np.ndarray]
#: (family, component) -> adapter: (case with its `folder`, inputs, weights) -> outputs by name;
#: `a.b` names an expected scalar inside nested mappings.
ADAPTERS: dict[tuple[str, str], Callable[[dict, Tensors, Tensors], Mapping[str, Any]]] = {}


def adapter(family: str, component: str) -> Callable:
    """Register the adapter of a component."""

    def wrap(function: Callable) -> Callable:
        ADAPTERS[family, component] = function
        return function

    return wrap


def load_adapters() -> None:
    """Import the family modules beside this file."""
    package = __package__ or "bm.tests.golden"
    for module in pkgutil.iter_modules([str(Path(__file__).parent)]):
        if module.name not in ("running",) and not module.name.startswith("test_"):
            importlib.import_module(f"{package}.{module.name}")


@dataclass(frozen=True)
class Result:
    """PASS, FAIL or UNSUPPORTED of one case, with the largest error or the reason."""

    name: str
    status: str
    detail: str


def tensors(path: Path) -> Tensors:
    """Content of a safetensors file; half precision widened. Absent: nothing."""
    if not path.exists():
        return {}
    from safetensors.numpy import load_file

    arrays = load_file(path)
    return {k: v.astype(np.float32) if v.dtype == np.float16 else v for k, v in arrays.items()}


def cases(root: Path) -> Iterator[Path]:
    """Folders with a `case.json` and `keys-*.json` files below `root`, sorted."""
    paths = [p.parent for p in root.rglob("case.json")] + list(root.rglob("keys-*.json"))
    yield from sorted(paths)


def tolerance(case: dict, name: str) -> tuple[float, float]:
    """atol and rtol of an output: its own entry, else the case's."""
    tolerances = case.get("tolerance", {})
    particular = tolerances.get(name) if isinstance(tolerances.get(name), dict) else {}
    merged = {"atol": 1e-6, "rtol": 0.0, **tolerances, **particular}
    return float(merged["atol"]), float(merged["rtol"])


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Dotted names of nested expected values."""
    leaves: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            leaves.update(flat(value, f"{prefix}{key}."))
        else:
            leaves[f"{prefix}{key}"] = value
    return leaves


def expected_outputs(case: dict, data: Tensors) -> dict[str, Any]:
    """What must come out: `expected` scalars, and output tensors named by the case."""
    outputs = flat(case.get("expected", {}))
    names = case.get("outputs")
    if isinstance(names, list):
        outputs |= {name: data[name] for name in names if name in data}
    for name in case.get("optional_outputs", ()):
        outputs.pop(name, None)
    return outputs


def run_case(path: Path) -> Result:
    """Run one case; an adapter may give more outputs than are expected, never fewer."""
    family = path.parent.name
    name = f"{family}/{path.stem if path.suffix == '.json' else path.name}"
    component = "keys" if path.suffix == ".json" else ""
    case = json.loads((path if component else path / "case.json").read_text())
    component = component or str(case.get("component"))
    function = ADAPTERS.get((family, component))
    if function is None:
        return Result(name, "UNSUPPORTED", component)
    folder = path.parent if path.suffix == ".json" else path
    case["folder"], case["name"] = str(folder), path.stem
    data = tensors(folder / "io.safetensors")
    try:
        outputs = dict(function(case, data, tensors(folder / "weights.safetensors")))
    except Exception as error:
        return Result(name, "FAIL", f"{type(error).__name__}: {error}")
    wanted = {**expected_outputs(case, data), **outputs.pop("expect", {})}
    if not wanted:
        return Result(name, "FAIL", "the case names no output to compare")
    return compare(name, case, outputs, wanted)


def compare(name: str, case: dict, outputs: dict, wanted: dict) -> Result:
    """Largest error over all wanted outputs, FAIL at the first outside its tolerance."""
    largest = 0.0
    for key, value in wanted.items():
        if key not in outputs:
            return Result(name, "FAIL", f"no output {key}")
        ours, theirs = np.asarray(outputs[key], float), np.asarray(value, float)
        if ours.size == theirs.size:
            ours = ours.reshape(theirs.shape)
        if ours.shape != theirs.shape:
            return Result(name, "FAIL", f"{key}: shape {ours.shape}, not {theirs.shape}")
        atol, rtol = tolerance(case, key)
        error = np.abs(ours - theirs)
        if not np.all(error <= atol + rtol * np.abs(theirs)):
            return Result(name, "FAIL", f"{key}: error {np.nanmax(error):.3g}")
        largest = max(largest, float(error.max(initial=0.0)))
    return Result(name, "PASS", f"max error {largest:.2g}")
