"""Du-IN in small: shipped configurations narrowed, and windows of five contacts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor

from bm.facts import DataFacts
from bm.models import build_model

CONF = Path(__file__).resolve().parents[3] / "conf/model/duin"
CHANNELS = tuple("ABCDE")
SMALL = {
    "backbone": {
        "subject": {"width": 4},
        "patches": {
            "samples": 20,
            "filters": [8, 8, 4],
            "kernels": [7, 3, 3],
            "strides": [5, 1, 1],
        },
        "blocks": {"depth": 2, "n_heads": 2, "head_width": 6, "ff_width": 24},
    },
    "codes": {"n_codes": 16, "width": 6},
    "head": {"filters": [8, 4], "kernels": [4, 9], "strides": [4, 5]},
    "decoder_depth": 1,
    "n_codes": 16,
    "hidden": [12],
}


def config(name: str) -> dict[str, Any]:
    return yaml.safe_load((CONF / f"{name}.yaml").read_text())


def merged(base: dict, changes: dict) -> dict:
    """Sections of `changes` inside those of `base`, in keys that `base` has."""
    result = dict(base)
    for key, value in changes.items():
        if isinstance(value, dict):
            result[key] = merged(result.get(key, {}), value)
        else:
            result[key] = value
    return result


def facts(n_subjects: int = 1, n_times: int = 120) -> DataFacts:
    return DataFacts(
        channels=CHANNELS,
        rate_hz=200.0,
        window_samples=n_times,
        classes=tuple("uvw"),
        subjects=tuple(f"s{i}" for i in range(n_subjects)),
    )


def small(name: str, n_subjects: int = 1, n_times: int = 120, **changes: Any) -> Any:
    torch.manual_seed(0)
    full = config(name)
    sizes = {k: v for k, v in SMALL.items() if k in full}
    if name.startswith("poms"):
        changes = merged({"head": {"filters": [8], "kernels": [9], "strides": [5]}}, changes)
        changes = changes if "head" in full else {k: v for k, v in changes.items() if k != "head"}
    if full["name"] == "duin_mae":
        sizes["hidden"] = []
    return build_model(merged(merged(full, sizes), changes), facts(n_subjects, n_times))


def signal(n: int = 4, n_times: int = 120) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(n, n_times, len(CHANNELS), generator=generator).transpose(1, 2)
