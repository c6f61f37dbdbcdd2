"""A discriminator beside the model that a run trains: its own optimiser, within the step."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..engine import processes
from ..engine.state import State
from ..engine.uncompiled import plain


class SecondOptimizer:
    """Takes steps of a module that the run's optimiser does not have; part of every checkpoint.

    Args:
        module: what it trains, on its device.
        lr: rate.
        betas: of Adam.
        state: of the run, where module and optimiser are registered.
    """

    def __init__(self, module: nn.Module, lr: float, betas: Sequence[float], state: State) -> None:
        self.module = module
        parameters = [p for p in module.parameters() if p.requires_grad]
        self.optimizer = plain(torch.optim.Adam)(
            parameters, lr=lr, betas=(float(betas[0]), float(betas[1]))
        )
        state.register("discriminator", module)
        state.register("discriminator_optimizer", self.optimizer)

    def step(self, loss: Tensor, items: int) -> None:
        """Follow the gradient of a loss, the mean over all processes."""
        if not loss.requires_grad:
            return
        self.optimizer.zero_grad(set_to_none=True)
        # full precision, outside autocast: the loss is small beside the scale of fp16
        loss.float().backward()
        processes.average_gradients(self.module, items)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
