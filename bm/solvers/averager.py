"""Averages of a stage, weighted by items, kept on the device and summed over processes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from . import distribution


class Averager:
    """Weighted means of named scalars; nothing is copied to the host before `values`."""

    def __init__(self) -> None:
        self.sums: dict[str, Tensor] = {}
        self.weights: dict[str, Tensor] = {}

    def reset(self) -> None:
        """Forget everything."""
        self.sums, self.weights = {}, {}

    def add(self, values: Mapping[str, Tensor], weight: int) -> None:
        """Take scalars in, averages over `weight` items."""
        for name, value in values.items():
            value = value.detach().to(torch.float64)
            if name not in self.sums:
                self.sums[name] = torch.zeros_like(value)
                self.weights[name] = torch.zeros_like(value)
            self.sums[name] += value * weight
            self.weights[name] += weight

    def values(self) -> dict[str, float]:
        """Means over everything seen, by all processes."""
        if not self.sums:
            return {}
        names = sorted(self.sums)
        table = torch.stack([torch.stack([self.sums[n], self.weights[n]]) for n in names])
        table = distribution.sum_over_processes(table).cpu()
        return {name: float(row[0] / row[1]) for name, row in zip(names, table, strict=True)}

    def local(self) -> dict[str, float]:
        """Means over what this process has seen, for progress lines."""
        return {name: float(self.sums[name] / self.weights[name]) for name in self.sums}

    def state_dict(self) -> dict[str, Any]:
        """Sums and weights of this process."""
        return {"sums": dict(self.sums), "weights": dict(self.weights)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Inverse of `state_dict`."""
        self.sums, self.weights = dict(state["sums"]), dict(state["weights"])
