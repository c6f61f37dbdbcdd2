"""Strategies of fine-tuning: everything, the last blocks, the head, adapters, or a ridge probe."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ...data.batch import Batch
from ...errors import UserError
from ...metrics.ridge import Ridge, fit_ridge
from ...models.contract import Layered
from ...registry import check_known
from .adapters import adapter_options, add_adapters

#: blocks: everything, the last blocks, or the head, by `solver.tune_blocks`; ridge: the head alone,
#: in closed form; lora, ia3: adapters and the head.
STRATEGIES = ("blocks", "ridge", "lora", "ia3")


def prepare(model: nn.Module, options: Mapping[str, Any]) -> list[nn.Module]:
    """Prepare a model for the strategy of the `solver` section; return what is frozen.

    Args:
        model: changed in place.
        options: plain `solver` section: `tune`, `tune_blocks`, `adapter`.

    Returns:
        modules without any trainable parameter, see `freeze`.

    Raises:
        UserError: an unknown strategy, or one that does not fit the model.
    """
    strategy, blocks = options.get("tune", "blocks"), options.get("tune_blocks")
    check_known("solver.tune", strategy, STRATEGIES)
    if strategy == "blocks":
        return freeze(model, blocks)
    if blocks is not None:
        raise UserError(f"solver.tune_blocks={blocks}: solver.tune={strategy} trains no block")
    if strategy == "ridge":
        linear_head(model)
        return freeze(model, 0)
    add_adapters(model, strategy, **adapter_options(options.get("adapter") or {}))
    return _frozen(model)


def linear_head(model: nn.Module) -> nn.Linear:
    """Return the only linear layer of a model's head.

    Raises:
        UserError: a model that does not say what its head is, or a head of several layers.
    """
    name = type(model).__name__
    if not isinstance(model, Layered):
        raise UserError(f"solver.tune=ridge: {name} does not say which part is its head")
    parts = [
        part
        for place, part in model.named_modules()
        if isinstance(part, nn.Linear) and f"{place}.".startswith(model.head_names)
    ]
    if len(parts) != 1:
        raise UserError(
            f"solver.tune=ridge: the head of {name} has {len(parts)} linear layers, not one; "
            "set model.hidden=[] if it has that key"
        )
    return parts[0]


@torch.no_grad()
def head_inputs(
    model: nn.Module, outputs: Callable[[Batch], Tensor], batches: Iterable[Batch]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the inputs (N, D) of a model's linear head, and the labels of the windows.

    Args:
        model: in evaluation mode.
        outputs: what runs a batch through it.
        batches: with labels.
    """
    rows: list[Tensor] = []
    labels: list[Tensor] = []
    hook = linear_head(model).register_forward_pre_hook(
        lambda _, inputs: rows.append(inputs[0].detach().float().cpu())
    )
    try:
        for batch in batches:
            outputs(batch)
            assert batch.label is not None
            labels.append(batch.label.cpu())
    finally:
        hook.remove()
    return torch.cat(rows).double().numpy(), torch.cat(labels).numpy()


@torch.no_grad()
def set_head(head: nn.Linear, ridge: Ridge, scale: float = 1.0) -> None:
    """Give a linear head the weights of a ridge fit, times `scale`."""
    head.weight.copy_(torch.from_numpy(scale * ridge.weight))
    if head.bias is None:
        raise UserError("solver.tune=ridge: the head has no bias")
    head.bias.copy_(torch.from_numpy(scale * ridge.bias))


def fit_head(features: np.ndarray, targets: np.ndarray) -> Ridge:
    """Return `fit_ridge`; what it cannot fit is a mistake of the user.

    Raises:
        UserError: fewer than two windows, or a network whose outputs are not finite.
    """
    try:
        return fit_ridge(features, targets)
    except ValueError as error:
        raise UserError(f"solver.tune=ridge: {error}") from None


def freeze(model: nn.Module, blocks: int | None) -> list[nn.Module]:
    """Stop the training of all but the last blocks and what follows them.

    Args:
        model: `Layered`, when `blocks` is a number.
        blocks: None = everything trains; 0 = the head alone (linear probe); n = the last n blocks
            and all that is behind them, embeddings excepted.

    Returns:
        modules without any trainable parameter, the outermost ones: they belong in evaluation
        mode, so that what is frozen draws no dropout.

    Raises:
        UserError: a model without blocks, or with fewer.
    """
    if blocks is None:
        return []
    kind = type(model).__name__
    if not isinstance(model, Layered):
        raise UserError(f"solver.tune_blocks={blocks}: {kind} has no numbered blocks; use null")
    depth = model.n_layers - 1
    if not 0 <= blocks <= depth:
        raise UserError(f"solver.tune_blocks={blocks}: {kind} has {depth} blocks; use 0 to {depth}")
    for name, parameter in model.named_parameters():
        late = model.layer_number(name) > depth - blocks and name not in model.embedding_names
        parameter.requires_grad_(name.startswith(model.head_names) or (blocks > 0 and late))
    return _frozen(model)


def _frozen(module: nn.Module) -> list[nn.Module]:
    frozen = []
    for child in module.children():
        if not any(p.requires_grad for p in child.parameters()):
            frozen.append(child)
        else:
            frozen += _frozen(child)
    return frozen
