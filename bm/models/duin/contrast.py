"""Du-IN's contrastive term between the windows of a batch."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...nn.post_norm import start_linear
from ...nn.precision import without_autocast
from ...registry import check_known

#: mode -> fixed temperature tensor of published files: exponent t, or divisor tau.
TEMPERATURES = {"unicl": 2.0, "clip_orig": 0.5, "clip": 0.25}


@dataclass(frozen=True)
class ContrastOptions:
    """What is added to the loss.

    Attributes:
        scale: weight of the term; 0 = none (published).
        width: of the projected tokens.
        mode: `unicl`: windows of one class attract each other; `clip_orig`, `clip`: each window
            attracts its own other side alone.
        shared: both sides through one projection, as published, which compares a window with
            itself; false: two projections.
    """

    scale: float = 0.0
    width: int = 32
    mode: str = "unicl"
    shared: bool = False

    def __post_init__(self) -> None:
        check_known("model.contrast.mode", self.mode, TEMPERATURES)


class ContrastBlock(nn.Module):
    """Half the sum of the losses of both directions, each a mean over the windows of a batch.

    Args:
        width: D of the tokens.
        o: options.
    """

    temperature: Tensor

    def __init__(self, width: int, o: ContrastOptions) -> None:
        super().__init__()
        self.mode, self.shared = o.mode, o.shared
        self.left, self.right = nn.Linear(width, o.width), nn.Linear(width, o.width)
        self.register_buffer("temperature", torch.tensor(TEMPERATURES[o.mode]))
        start_linear(self)

    def forward(self, tokens: Tensor, labels: Tensor) -> Tensor:
        """Loss of tokens (B, L, D) of windows of classes (B,) int64."""
        right = self.left if self.shared else self.right
        with without_autocast(tokens):
            flat = [side(tokens.float()).flatten(1) for side in (self.left, right)]
            z, y = (functional.normalize(values) for values in flat)
            clip = self.mode == "clip"
            scale = 1 / self.temperature if clip else self.temperature.exp()
            products = z @ y.T * scale
            if self.mode == "unicl":  # published: rows of targets do not sum to 1
                targets = (labels[:, None] == labels).to(products)
            else:
                targets = torch.eye(len(z), device=z.device)
            both = [(targets * products.log_softmax(axis)).sum(axis).mean() for axis in (0, 1)]
            return -(both[0] + both[1]) / 2
