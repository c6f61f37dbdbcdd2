"""Several processes: start, sums, agreement. Every function is right with one process too."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch import distributed as dist


def start(device: torch.device) -> None:
    """Join the processes that Dora or SLURM started; nothing to do for one."""
    from dora import distrib

    if distrib.get_distrib_spec().world_size > 1:
        distrib.init("nccl" if device.type == "cuda" else "gloo")


def active() -> bool:
    """True when there are several processes."""
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


def rank() -> int:
    """Number of this process, 0 when alone."""
    return dist.get_rank() if active() else 0


def world() -> int:
    """How many processes there are."""
    return dist.get_world_size() if active() else 1


def wrap(model: nn.Module, device: torch.device) -> nn.Module:
    """The model with gradients averaged over processes."""
    if not active() or not any(p.requires_grad for p in model.parameters()):
        return model
    ids = [device] if device.type == "cuda" else None
    return nn.parallel.DistributedDataParallel(model, device_ids=ids)


def sum_over_processes(tensor: Tensor) -> Tensor:
    """Sum of the tensor over processes."""
    if active():
        tensor = tensor.clone()
        dist.all_reduce(tensor)
    return tensor


def anyone(flag: bool, device: torch.device) -> bool:
    """True when the flag is set in any process; all of them get the same answer."""
    if not active():
        return flag
    return bool(sum_over_processes(torch.tensor(float(flag), device=device)) > 0)


def gather(value: Any) -> list[Any]:
    """The plain value of every process, in the order of their numbers."""
    if not active():
        return [value]
    found: list[Any] = [None] * world()
    dist.all_gather_object(found, value)
    return found


def barrier() -> None:
    """Wait for all processes."""
    if active():
        dist.barrier()


def stop() -> None:
    """Leave the group; without it a process that ends first may make another one fail."""
    if active():
        dist.destroy_process_group()
