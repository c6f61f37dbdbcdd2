"""LaBraM in small: shipped configurations, windows, and files in the published layout."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from bm.facts import DataFacts
from bm.models import build_model

from ..shipped import section

CHANNELS = ("C3", "CZ", "C4")
FACTS = DataFacts(channels=CHANNELS, rate_hz=200.0, window_samples=800, classes=("a", "b"))


def config(name: str, **changes) -> dict:
    options = section("model", f"labram/{name}")
    for key, value in changes.items():
        outer, _, inner = key.partition("__")
        if inner:
            options[outer][inner] = value
        else:
            options[key] = value
    return options


def small(name: str = "small", facts: DataFacts = FACTS, **changes):
    torch.manual_seed(0)
    return build_model(config(name, **changes), facts)


def microvolts(n_patches: int = 2, n: int = 4, n_channels: int = 3) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return 30 * torch.randn(n, 200 * n_patches, n_channels, generator=generator).transpose(1, 2)


def randomised(model):
    """Every parameter away from the values that hide a branch (0, 1, 0.001)."""
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter += 0.1 * torch.randn(parameter.shape, generator=generator)
    return model


ARGUMENTS = argparse.Namespace(
    batch_size=64, opt_betas=[0.9, 0.98], lr=5e-4, device="cuda", model_ema=False, min_lr=1e-5
)


def write(path: Path, state: dict, **others) -> Path:
    """The layout of `torch.save` in the published training programs."""
    content = {
        "model": state,
        "optimizer": {
            "state": {0: {"step": 3, "exp_avg": torch.zeros(2)}},
            "param_groups": [{"lr": np.float64(1e-4), "lr_scale": 1.0, "params": [0]}],
        },
        "epoch": 49,
        "scaler": {"scale": 65536.0, "growth_factor": 2.0},
        "args": ARGUMENTS,
    }
    torch.save({**content, **others}, path)
    return path
