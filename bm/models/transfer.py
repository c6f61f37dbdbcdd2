"""Weights of pre-training as the start of a classifier."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor


def without_foreign_head(
    state: Mapping[str, Tensor], mine: Mapping[str, Tensor], markers: tuple[str, ...]
) -> dict[str, Tensor]:
    """Leave out the head of pre-training, and that of a classifier of other sizes.

    Args:
        state: tensors by name, of another model.
        mine: those of the classifier.
        markers: starts of names that only models of pre-training have; their `head.` is another
            thing of the same name, whatever its shape.
    """
    pretrained = any(name.startswith(markers) for name in state)

    def fits(name: str) -> bool:
        if not name.startswith("head."):
            return True
        return not pretrained and (name not in mine or mine[name].shape == state[name].shape)

    return {name: tensor for name, tensor in state.items() if fits(name)}
