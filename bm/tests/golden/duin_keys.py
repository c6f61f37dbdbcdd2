"""What the adapters of Du-IN's models and of its baselines share: tensor lists and outputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from .running import Tensors

STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


def as_tensors(data: Tensors) -> dict[str, Tensor]:
    """Arrays as tensors."""
    return {name: torch.from_numpy(value) for name, value in data.items()}


def tensor_shapes(case: dict) -> dict[str, list[int]]:
    """Published name -> shape of a keys file."""
    listed = case["tensors"]
    return dict(listed.items() if isinstance(listed, dict) else listed)


def compare_keys(
    model: nn.Module,
    case: dict,
    translated: Mapping[str, str],
    shape: Callable[[str, list[int]], list[int]] = lambda name, size: size,
) -> dict[str, Any]:
    """Compare names, shapes and counts of a model with a keys file.

    Args:
        model: with the tensors of published files.
        case: the file.
        translated: published name -> ours.
        shape: gives the shape here of a published name and shape.
    """
    theirs = tensor_shapes(case)
    assert len(set(translated.values())) == len(theirs), "two tensors share a name"
    there = {translated[name]: shape(name, size) for name, size in theirs.items()}
    here = {name: list(t.shape) for name, t in model.state_dict().items()}
    differing = sorted(k for k in {*there, *here} if there.get(k) != here.get(k))
    assert not differing, f"{len(differing)} tensors differ, first {differing[0]}"
    counted = {n: t.numel() for n, t in model.state_dict().items() if not n.endswith(STATISTICS)}
    names = ("total_parameters", "trainable_parameters")
    return {
        "tensors": len(here),
        "total_parameters": sum(counted.values()),
        "trainable_parameters": sum(p.numel() for p in model.parameters() if p.requires_grad),
        "expect": {"tensors": len(theirs), **{name: case[name] for name in names}},
    }


def expected(case: dict, data: Tensors, outputs: dict[str, Any]) -> dict[str, Any]:
    """Outputs beside all arrays of the case that are no inputs."""
    skipped = {*case["inputs"], *case.get("optional_outputs", ())}
    detached = {n: v.detach() if isinstance(v, Tensor) else v for n, v in outputs.items()}
    return {**detached, "expect": {n: v for n, v in data.items() if n not in skipped}}
