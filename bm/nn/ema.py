"""Exponential moving average of parameters, as a module whose state is saved like any other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn


def ramp_decay(count: int, decay: float) -> float:
    """Return min(decay, (1 + n) / (10 + n)) at update n, counted from 1 (eeg2speech)."""
    return min(decay, (1 + count) / (10 + count))


def power_decay(count: int, decay: float, inv_gamma: float = 1.0, power: float = 0.75) -> float:
    """Return min(decay, 1 - (1 + k / inv_gamma)^-power), k = n - 1, as Brain-Diffusion has it."""
    return max(0.0, min(decay, 1.0 - (1.0 + (count - 1) / inv_gamma) ** -power))


class EMA(nn.Module):
    """Moving averages of the parameters of a model; buffers (statistics) stay the model's.

    Args:
        model: parameters are copied as the first averages, unless `zero`.
        decay: largest weight of the past.
        mode: `constant`, `ramp` (see `ramp_decay`) or `power` (see `power_decay`).
        inv_gamma, power: of mode `power`.
        zero: averages start from zeros instead of the initial parameters.
    """

    def __init__(
        self,
        model: nn.Module,
        decay: float,
        mode: str = "ramp",
        inv_gamma: float = 1.0,
        power: float = 0.75,
        zero: bool = False,
    ) -> None:
        super().__init__()
        if mode not in ("constant", "ramp", "power"):
            raise ValueError(f"EMA mode {mode!r}: one of constant, ramp, power")
        self.decay, self.mode, self.inv_gamma, self.power = decay, mode, inv_gamma, power
        self.count_value = 0
        self.names = [n for n, p in model.named_parameters() if p.requires_grad]
        self.shadow: dict[str, Tensor] = {}
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                value = parameter.detach().clone()
                self.shadow[name] = value.zero_() if zero else value

    def decay_at(self, count: int) -> float:
        """Return the weight of the past at update `count`, counted from 1."""
        if self.mode == "ramp":
            return ramp_decay(count, self.decay)
        if self.mode == "power":
            return power_decay(count, self.decay, self.inv_gamma, self.power)
        return self.decay

    @torch.no_grad()
    def update(self, model: nn.Module) -> float:
        """Average the present parameters in; return the decay used."""
        self.count_value += 1
        decay = self.decay_at(self.count_value)
        parameters = dict(model.named_parameters())
        shadow = [self.shadow[name] for name in self.names]
        # one call for all parameters: a loop costs a kernel launch for each of them on a GPU
        torch._foreach_lerp_(shadow, [parameters[name] for name in self.names], 1.0 - decay)
        return decay

    @contextmanager
    def applied(self, model: nn.Module) -> Iterator[None]:
        """Let `model` compute with the averages in the block; its parameters return after it."""
        parameters = dict(model.named_parameters())
        # pointers are exchanged, nothing is copied: a third copy of a large model may not fit
        originals = {name: parameters[name].data for name in self.names}
        try:
            for name in self.names:
                parameters[name].data = self.shadow[name]
            yield
        finally:
            for name in self.names:
                parameters[name].data = originals[name]

    def state_dict(self, *args: object, **kwargs: object) -> dict[str, object]:  # type: ignore[override]
        """Return the averages by parameter name, and the number of updates."""
        return {"count": self.count_value, "shadow": dict(self.shadow)}

    def load_state_dict(self, state: Mapping[str, object], *a: object, **k: object) -> None:  # type: ignore[override]
        """Restore a `state_dict`; raise KeyError for a missing or foreign name."""
        saved = state["shadow"]
        assert isinstance(saved, dict)
        if saved.keys() != self.shadow.keys():
            raise KeyError(f"averages of other parameters: {saved.keys() ^ self.shadow.keys()}")
        for name, value in saved.items():
            self.shadow[name].copy_(value)
        self.count_value = int(state["count"])  # type: ignore[call-overload]
