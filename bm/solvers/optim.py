"""Optimisers by name, with their parameter groups."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from ..errors import UserError
from ..nn.ema import EMA
from ..registry import check_known


def parameter_groups(model: nn.Module, decay_all: bool) -> list[dict[str, Any]]:
    """Trainable parameters; unless `decay_all`, 1-D ones (norms, biases) decay not at all."""
    trainable = [p for p in model.parameters() if p.requires_grad]
    if not trainable:
        raise UserError("the model has no trainable parameter; nothing to optimise")
    if decay_all:
        return [{"params": trainable}]
    groups: list[dict[str, Any]] = [
        {"params": [p for p in trainable if p.ndim > 1]},
        {"params": [p for p in trainable if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]


def build_optimizer(model: nn.Module, config: Mapping[str, Any]) -> torch.optim.Optimizer:
    """Optimiser of the `optim` group; fused kernels when all parameters are on a GPU."""
    check_known("optim.name", config["name"], ("adam", "adamw", "sgd"))
    groups = parameter_groups(model, config.get("decay_norm_bias", True))
    fused = all(p.is_cuda for g in groups for p in g["params"]) or None
    lr, decay = config["lr"], config["weight_decay"]
    if config["name"] == "sgd":
        momentum = config["momentum"]
        return torch.optim.SGD(groups, lr, momentum=momentum, weight_decay=decay, fused=fused)
    kind = torch.optim.AdamW if config["name"] == "adamw" else torch.optim.Adam
    betas = (float(config["betas"][0]), float(config["betas"][1]))
    return kind(groups, lr, betas=betas, eps=config["eps"], weight_decay=decay, fused=fused)


def build_average(model: nn.Module, ema: Mapping[str, Any]) -> EMA | None:
    """Average of the weights that the `ema` group asks for, None without `ema.decay`."""
    if ema["decay"] is None:
        return None
    options = {k: v for k, v in ema.items() if k not in ("warmup", "mode")}
    mode = ema.get("mode") or ("ramp" if ema["warmup"] else "constant")
    return EMA(model, mode=mode, **options)
