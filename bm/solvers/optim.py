"""Optimisers by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch

from ..registry import check_known

NAMES = ("adam", "adamw", "sgd")


def build_optimiser(
    parameters: Iterable[Any], optim: Mapping[str, Any], device: torch.device
) -> torch.optim.Optimizer:
    """The optimiser that the `optim` section of the configuration describes.

    Args:
        parameters: parameters or groups of them.
        optim: name, lr, weight_decay, and betas and eps or momentum.
        device: the fused kernel is used on CUDA.

    Raises:
        UserError: unknown name.
    """
    check_known("optimiser", optim["name"], NAMES)
    shared: dict[str, Any] = {"lr": optim["lr"], "weight_decay": optim["weight_decay"]}
    if device.type == "cuda":
        shared["fused"] = True
    if optim["name"] == "sgd":
        return torch.optim.SGD(parameters, momentum=optim["momentum"], **shared)
    kind = torch.optim.Adam if optim["name"] == "adam" else torch.optim.AdamW
    return kind(parameters, betas=tuple(optim["betas"]), eps=optim["eps"], **shared)
