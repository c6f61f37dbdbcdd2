"""Penalties of weights that are added to a loss, as in brainmagick."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..nn.roles import Penalised
from ..nn.shared_draws import once_a_batch

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.ConvTranspose1d, nn.ConvTranspose2d)
#: Rank and power iterations of the randomised estimate, as published; the golden case uses the
#: exact value, since the estimate draws random numbers.
PROJECTION, ITERATIONS = 16, 2


def largest_singular_value(weight: Tensor, exact: bool = False) -> Tensor:
    """Estimate the largest singular value of a weight, seen as a matrix (first dimension, rest)."""
    matrix = weight.flatten(1)
    if exact:
        return torch.linalg.matrix_norm(matrix, 2)
    rank = min(PROJECTION, *matrix.shape)
    with once_a_batch():  # of weights, not of items
        return torch.svd_lowrank(matrix, rank, ITERATIONS)[1][0]


def svd_penalty(model: nn.Module, min_size: float = 1.0, exact: bool = False) -> Tensor:
    """Sum the squared largest singular values of convolutions and linear layers.

    Args:
        model: the network.
        min_size: layers with fewer than 256 * min_size weights do not count.
        exact: compute the value instead of estimating it.
    """
    total = next(model.parameters()).new_zeros(())
    for module in model.modules():
        if isinstance(module, (*CONVOLUTIONS, nn.Linear)) and (
            module.weight.numel() >= 256 * min_size
        ):
            total = total + largest_singular_value(module.weight, exact).square()
    return total


def training_penalty(model: nn.Module) -> Tensor | None:
    """Sum the penalties that layers left in their last forward call; None when there is none."""
    layers = [module for module in model.modules() if isinstance(module, Penalised)]
    penalties = [x.training_penalty for x in layers if x.training_penalty is not None]
    return torch.stack(penalties).sum() if penalties else None
