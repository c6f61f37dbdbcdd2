"""Optimisers by name, with their parameter groups."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from ..errors import UserError
from ..models.contract import Layered, Undecayed
from ..nn.ema import EMA
from ..registry import check_known
from .uncompiled import plain


def parameter_groups(
    model: nn.Module, decay_all: bool, layer_decay: float = 1.0
) -> list[dict[str, Any]]:
    """Group the trainable parameters by weight decay and layer.

    Args:
        model: may be `Undecayed`, and `Layered`.
        decay_all: False: 1-D parameters (norms, biases), names ending in `.bias`, and those that
            the model names decay not at all.
        layer_decay: r; rates of layer j are scaled by r ^ (last - j), as `lr_scale` of the group.

    Raises:
        UserError: nothing is trainable, or layers are asked of a model without.
    """
    trainable = {n: p for n, p in model.named_parameters() if p.requires_grad}
    if not trainable:
        raise UserError("the model has no trainable parameter; nothing to optimise")
    never = model.no_weight_decay() if isinstance(model, Undecayed) else set()
    scales = {name: _scale(model, name, layer_decay) for name in trainable}
    groups: dict[tuple[bool, float], dict[str, Any]] = {}
    for name, parameter in trainable.items():
        spared = parameter.ndim <= 1 or name.endswith(".bias") or name in never
        key = not decay_all and spared, scales[name]
        groups.setdefault(key, {"params": []})["params"].append(parameter)
    # sorted: the order of groups is that of the checkpoint, whatever the order of parameters
    return [groups[key] | _settings(*key, layer_decay) for key in sorted(groups)]


def _scale(model: nn.Module, name: str, layer_decay: float) -> float:
    if layer_decay == 1.0:
        return 1.0
    if not isinstance(model, Layered):
        raise UserError(
            f"optim.layer_decay={layer_decay}: {type(model).__name__} has no numbered layers; use 1"
        )
    return float(layer_decay ** (model.n_layers - model.layer_number(name)))


def _settings(spared: bool, scale: float, layer_decay: float) -> dict[str, float]:
    # a group without the key keeps the decay of the optimiser
    settings = {"weight_decay": 0.0} if spared else {}
    return settings if layer_decay == 1.0 else {**settings, "lr_scale": scale}


def peak_rate(optim: Mapping[str, Any]) -> float:
    """Return the highest learning rate: `lr`, scaled to the batch where `lr_batch` is set.

    The linear rule: the rate grows with the windows of an optimiser step (Goyal et al. 2017, 2.1).
    """
    reference = optim.get("lr_batch")
    scale = 1.0 if reference is None else optim["batch_size"] * optim["accumulate"] / reference
    return float(optim["lr"] * scale)


def set_rates(optimizer: torch.optim.Optimizer, rate: float, decay: float | None = None) -> None:
    """Set the learning rate of every group, times its `lr_scale`, and its weight decay."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group.get("lr_scale", 1.0)
        if decay is not None and group["weight_decay"] > 0:
            group["weight_decay"] = decay


def build_optimizer(model: nn.Module, config: Mapping[str, Any]) -> torch.optim.Optimizer:
    """Build the optimiser of the `optim` section."""
    check_known("optim.name", config["name"], ("adam", "adamw", "sgd"))
    groups = parameter_groups(
        model, config.get("decay_norm_bias", True), config.get("layer_decay", 1.0)
    )
    kinds = {p.device.type for g in groups for p in g["params"]}
    # One kernel for all parameters: on a processor it takes a fifth of the time of the loop over
    # them, which was a third of a step of a large model with a small batch (measured, 2 cores).
    fused = kinds in ({"cuda"}, {"cpu"}) or None
    lr, decay = config["lr"], config["weight_decay"]
    if config["name"] == "sgd":
        momentum = config["momentum"]
        return plain(torch.optim.SGD)(
            groups, lr=lr, momentum=momentum, weight_decay=decay, fused=fused
        )
    kind = plain(torch.optim.AdamW if config["name"] == "adamw" else torch.optim.Adam)
    betas = (float(config["betas"][0]), float(config["betas"][1]))
    return kind(groups, lr=lr, betas=betas, eps=config["eps"], weight_decay=decay, fused=fused)


def build_average(model: nn.Module, ema: Mapping[str, Any]) -> EMA | None:
    """Build the average of the weights of the `ema` section, None without `ema.decay`."""
    if ema["decay"] is None:
        return None
    options = {k: v for k, v in ema.items() if k not in ("warmup", "mode")}
    mode = ema.get("mode") or ("ramp" if ema["warmup"] else "constant")
    return EMA(model, mode=mode, **options)
