"""Several processes as one: start, sums and gradients over all of them.

Gradients are summed once per optimiser step, weighted by the items of each process, so a step is
exactly one big batch however the items are spread, and a family may call any part of its model.
"""

from __future__ import annotations

import os
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch import distributed as dist

from ..errors import UserError

T = TypeVar("T")
#: values per summed block of gradients (25 MiB of float32, the block size of torch's own DDP).
BLOCK = 25 * 2**20 // 4


def pick_device(name: str) -> torch.device:
    """Return the device of the `device` key; `auto` is this process's GPU when there is one.

    Raises:
        UserError: a device that torch does not know, or that this machine does not have.
    """
    if name != "auto":
        return _existing(name)
    if not torch.cuda.is_available():
        return torch.device("cpu")
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)) % torch.cuda.device_count())


def number() -> int:
    """Return the number of this process, also before it has joined the others."""
    from dora import distrib

    return int(distrib.get_distrib_spec().rank)


def _existing(name: str) -> torch.device:
    try:
        device = torch.device(name)
    except RuntimeError:
        forms = "auto, cpu, cuda, cuda:NUMBER or mps"
        raise UserError(f"unknown device {name!r}; use {forms}") from None
    counts = {
        "cpu": 1,
        "cuda": torch.cuda.device_count() if torch.cuda.is_available() else 0,
        "mps": int(torch.backends.mps.is_available()),
    }
    count = counts.get(device.type, 0)
    if (device.index or 0) >= count:
        has = f"has {count} of them" if count else "has none"
        raise UserError(f"device={name}: this machine {has}; use device=auto or device=cpu")
    return device


def start(device: torch.device) -> None:
    """Join the other processes of this experiment, if there are any."""
    from dora import distrib

    alone = distrib.get_distrib_spec().world_size == 1
    if alone and not os.environ.get("DORA_FORCE_DISTRIB"):
        return  # Dora's `init` would say so as the first line of a run, and do nothing
    distrib.init(backend="nccl" if device.type == "cuda" else "gloo")


def rank() -> int:
    """Return the number of this process, from 0."""
    return dist.get_rank() if dist.is_initialized() else 0


def world() -> int:
    """Return the number of processes."""
    return dist.get_world_size() if dist.is_initialized() else 1


def broadcast_model(model: nn.Module) -> None:
    """Give every process the parameters and buffers of the first."""
    if world() > 1:
        for tensor in (*model.parameters(), *model.buffers()):
            dist.broadcast(tensor.data, 0)


def total(values: Tensor) -> Tensor:
    """Sum over processes, in place."""
    if world() > 1:
        dist.all_reduce(values)
    return values


def smallest(value: int, device: torch.device) -> int:
    """Return the smallest of a number over processes."""
    if world() == 1:
        return value
    tensor = torch.tensor(value, device=device)
    dist.all_reduce(tensor, dist.ReduceOp.MIN)
    return int(tensor)


def any_of(flag: bool, device: torch.device) -> bool:
    """Return whether a flag is true in any process."""
    return not smallest(int(not flag), device) if world() > 1 else flag


def same_objects(value: T) -> list[T]:
    """Return the value of every process, by rank."""
    if world() == 1:
        return [value]
    values = [value] * world()
    dist.all_gather_object(values, value)
    return values


def average_gradients(model: nn.Module, items: int) -> None:
    """Replace gradients by their mean over processes, weighted by `items` of each.

    A parameter without gradient here counts as zero: another process may have one.
    """
    if world() == 1:
        return
    parameters = [p for p in model.parameters() if p.requires_grad]
    for parameter in parameters:
        # every process must sum the same tensors, or they wait for each other for ever
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
    # one sum per block: a call per parameter costs a latency each
    gradients = [p.grad for p in parameters if p.grad is not None]
    count = total(torch.tensor(float(items), device=gradients[0].device))
    torch._foreach_mul_(gradients, float(items))
    for block in _blocks(gradients):
        flat = torch.cat([g.reshape(-1) for g in block])
        dist.all_reduce(flat)
        flat /= count
        for gradient, part in zip(block, flat.split([g.numel() for g in block]), strict=True):
            gradient.copy_(part.view_as(gradient))


def _blocks(tensors: list[Tensor]) -> list[list[Tensor]]:
    blocks: list[list[Tensor]] = [[]]
    size = 0
    for tensor in tensors:
        if blocks[-1] and size + tensor.numel() > BLOCK:
            blocks.append([])
            size = 0
        blocks[-1].append(tensor)
        size += tensor.numel()
    return blocks
