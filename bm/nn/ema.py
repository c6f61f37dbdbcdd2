"""Exponential moving average of parameters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import torch
from torch import Tensor, nn


class Decay(Protocol):
    """Decay of the average at update n, counted from 1."""

    def __call__(self, n: int) -> float: ...


def warmup_decay(n: int, decay: float = 0.9999) -> float:
    """min(decay, (1 + n) / (10 + n)) at update n >= 1 (latent-diffusion form)."""
    return min(decay, (1 + n) / (10 + n))


def power_decay(n: int, max_decay: float, inv_gamma: float = 1.0, power: float = 0.75) -> float:
    """Decay of update n >= 1 in the form of diffusers: 1 - (1 + m / inv_gamma)^-power, m = n - 1.

    The first update has decay 0: the average starts at the parameters.
    """
    m = max(0, n - 1)
    return 0.0 if m <= 0 else min(max_decay, 1 - (1 + m / inv_gamma) ** -power)


def update(average: Iterable[Tensor], values: Iterable[Tensor], decay: float) -> None:
    """average <- decay * average + (1 - decay) * value, in place, for each pair of tensors."""
    averages, fresh = list(average), [value.detach() for value in values]
    with torch.no_grad():
        torch._foreach_lerp_(averages, fresh, 1 - decay)


class Average:
    """Running average of the parameters of a module; buffers are taken as they are.

    Args:
        module: whose parameters are averaged.
        decay: largest decay.
        warmup: decay grows as `warmup_decay`; else it is constant.
    """

    def __init__(self, module: nn.Module, decay: float, warmup: bool = True) -> None:
        self.module = module
        self.decay = decay
        self.warmup = warmup
        self.updates = 0
        self.shadow = {name: p.detach().clone() for name, p in self._trained()}

    def _trained(self) -> Iterator[tuple[str, nn.Parameter]]:
        return ((name, p) for name, p in self.module.named_parameters() if p.requires_grad)

    def step(self) -> None:
        """Take the parameters in after an optimiser step."""
        self.updates += 1
        decay = warmup_decay(self.updates, self.decay) if self.warmup else self.decay
        values = dict(self._trained())
        update(self.shadow.values(), (values[name] for name in self.shadow), decay)

    @contextmanager
    def swapped(self) -> Iterator[None]:
        """The module computes with the average inside the block."""
        kept = {name: p.detach().clone() for name, p in self._trained()}
        self._load(self.shadow)
        try:
            yield
        finally:
            self._load(kept)

    def _load(self, values: dict[str, Tensor]) -> None:
        with torch.no_grad():
            for name, parameter in self._trained():
                parameter.copy_(values[name])

    def state_dict(self) -> dict[str, Any]:
        """Number of updates and the averaged tensors."""
        return {"updates": self.updates, "shadow": dict(self.shadow)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Inverse of `state_dict`."""
        self.updates = int(state["updates"])
        for name, tensor in state["shadow"].items():
            self.shadow[name].copy_(tensor)
