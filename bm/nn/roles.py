"""Roles of layers: what a layer may offer to those who save, train or measure the whole network.

A layer takes a role by inheriting the class; code that needs it asks `isinstance(layer, Role)` of
every module of a network. A layer without any role (all of torch's own) is treated as the defaults
say. `bm.models.contract` has the roles of whole models.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn


class SubjectRows(nn.Module):
    """A layer with tensors that have one row per subject.

    When weights move to data with other people, each row follows its person by name instead of
    staying at its index (`bm.models.saved.init_weights`).

    Attributes:
        by_subject: names of the tensors (S, ...) in the layer's `state_dict`; default none.
    """

    by_subject: tuple[str, ...] = ()


class Penalised(nn.Module):
    """A layer that adds a term to the training loss.

    Attributes:
        training_penalty: scalar with gradient, left by the last forward call in training; None
            (the default) adds nothing. `bm.losses.penalty.training_penalty` sums them.
    """

    training_penalty: Tensor | None = None


class CountedExplicitly(nn.Module):
    """A layer that can compute by single products what it otherwise gives to a fused kernel.

    Torch's counter of operations takes the fused attention of a CPU for nothing, so FLOP are
    counted in the explicit form; both forms agree up to rounding.

    Attributes:
        explicit: True single products, False the fused kernel, None (the default) the faster one.
    """

    explicit: bool | None = None


def set_explicit(model: nn.Module, explicit: bool | None) -> None:
    """Set the form of every `CountedExplicitly` layer of a network."""
    for module in model.modules():
        if isinstance(module, CountedExplicitly):
            module.explicit = explicit


@contextmanager
def explicit_attention_in(model: nn.Module) -> Iterator[None]:
    """Compute the attention of `model` in single products, which can be counted, in the block."""
    layers = [module for module in model.modules() if isinstance(module, CountedExplicitly)]
    before = [layer.explicit for layer in layers]
    set_explicit(model, True)
    try:
        yield
    finally:
        for layer, explicit in zip(layers, before, strict=True):
            layer.explicit = explicit
