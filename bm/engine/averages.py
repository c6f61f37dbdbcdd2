"""Means over items, kept on the device so that a step never waits for the host."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from . import processes


class Averages:
    """Sums and weights by name, float64; the same in every process after `result`."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.sums: dict[str, Tensor] = {}

    def add(self, values: Mapping[str, Tensor], weight: int) -> None:
        """Add scalars that are means over `weight` items."""
        for name, value in values.items():
            if name not in self.sums:
                # float64: in float32 the mean over 1e5 batches is off by 1e-6 (measured)
                self.sums[name] = torch.zeros(2, dtype=torch.float64, device=self.device)
            value = value.detach().to(self.device, torch.float64).reshape(())
            self.sums[name] += torch.stack((value * weight, torch.full_like(value, weight)))

    def local(self) -> dict[str, float]:
        """Return the means of this process alone."""
        return {name: float(s[0] / s[1]) for name, s in self.sums.items() if s[1] > 0}

    def result(self) -> dict[str, float]:
        """Return the means over all processes."""
        # a process may have seen no batch of a metric; all must sum the same names in one order
        names = sorted({n for names in processes.same_objects(list(self.sums)) for n in names})
        if not names:
            return {}
        zero = torch.zeros(2, dtype=torch.float64, device=self.device)
        table = torch.stack([self.sums.get(name, zero) for name in names])
        table = processes.total(table).cpu()
        return {name: float(row[0] / row[1]) for name, row in zip(names, table, strict=True)}

    def clear(self) -> None:
        """Forget everything, at the start of a stage."""
        self.sums = {}

    @staticmethod
    def spread(states: list[dict[str, Any]]) -> dict[str, Any]:
        """Return the sums for this process when there were others: the first takes all."""
        sums: dict[str, Tensor] = {}
        for state in states if processes.rank() == 0 else []:
            for name, value in state["sums"].items():
                sums[name] = sums[name] + value if name in sums else value
        return {"sums": sums}

    def state_dict(self) -> dict[str, Any]:
        """Return the sums by name."""
        return {"sums": dict(self.sums)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        # a copy: `add` changes its sums in place, and the state belongs to whoever read it
        sums = state["sums"].items()
        self.sums = {name: value.to(self.device, copy=True) for name, value in sums}
