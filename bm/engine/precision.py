"""Numerical precision of a step: fp32, bf16, or fp16 with a scaled loss."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ..errors import UserError
from ..registry import check_known


def check_precision(name: str, device: torch.device) -> str | None:
    """Return a warning about a precision that a device computes slowly, None without one.

    Raises:
        UserError: training in fp16 on a processor. Its kernels emulate half precision, and a step
            of minutes cannot be told from a hang.
    """
    if device.type != "cpu" or name not in ("fp16", "bf16"):
        return None
    if name == "fp16":
        raise UserError(
            "precision=fp16: half precision trains on a GPU only, and this run is on a processor; "
            "use precision=fp32"
        )
    if torch.ops.mkldnn._is_mkldnn_bf16_supported():
        return None
    return "precision=bf16: this processor has no instructions for it; fp32 is faster here"


class Precision:
    """Autocast and gradient scaling; master weights stay float32."""

    def __init__(self, name: str, device: torch.device) -> None:
        check_known("precision", name, ("fp32", "bf16", "fp16"))
        self.name, self.device = name, device
        self.dtype = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(name, torch.float32)
        # bf16 has the range of float32 and needs no scaling
        self.scaler = torch.amp.GradScaler(device.type, enabled=name == "fp16")

    def autocast(self) -> torch.autocast:
        """Return the context of the forward pass."""
        return torch.autocast(self.device.type, dtype=self.dtype, enabled=self.name != "fp32")

    def backward(self, loss: Tensor) -> None:
        """Back-propagate, scaled for fp16."""
        self.scaler.scale(loss).backward()

    def unscale(self, optimizer: torch.optim.Optimizer) -> None:
        """Bring gradients to their true size, before clipping."""
        self.scaler.unscale_(optimizer)

    def step(self, optimizer: torch.optim.Optimizer) -> None:
        """Take one optimiser step; the scaler leaves it out when an fp16 gradient overflowed."""
        self.scaler.step(optimizer)
        self.scaler.update()

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the scaler; empty but for fp16."""
        return self.scaler.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        if state:
            self.scaler.load_state_dict(state)
