"""Fine-tuning of a part of a pre-trained model: all of it, the last blocks, or the head."""

from __future__ import annotations

from torch import nn

from ...errors import UserError
from ...models.contract import Layered


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
