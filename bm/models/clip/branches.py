"""Input branches of the brain models: the signal, stimulus features, or both joined."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ...errors import UserError
from ...nn.conv_stack import ConvStack
from .options import EncoderOptions


@dataclass(frozen=True)
class Widths:
    """Channels of a branch before its encoder, and those of its first layer."""

    inner: int
    hidden: int


def branches_of(signal: Widths, features: Widths, concatenate: bool) -> dict[str, Widths]:
    """Return the branches by name, in the order in which they are joined.

    Args:
        signal: always there.
        features: not there when it has no channels.
        concatenate: one branch of both.
    """
    # outputs are joined in this order, that of the original's names (features, meg)
    branches = {"features": features, "signal": signal} if features.inner else {"signal": signal}
    if not concatenate:
        return branches
    widths = branches.values()
    return {"concat": Widths(sum(w.inner for w in widths), sum(w.hidden for w in widths))}


def inputs_of(
    signal: Tensor, features: Tensor | None, n_features: int, concatenate: bool
) -> dict[str, Tensor]:
    """Return the input of each encoder: signal (B, C, T) and features (B, F, T), or both joined.

    Raises:
        ValueError: features are missing, or not read.
    """
    if (features is not None) != bool(n_features):
        raise ValueError(f"this network reads {n_features or 'no'} features too")
    inputs = {"signal": signal} if features is None else {"features": features, "signal": signal}
    return {"concat": torch.cat(list(inputs.values()), 1)} if concatenate else inputs


def build_encoders(
    branches: Mapping[str, Widths], options: EncoderOptions, last: int | None = None
) -> nn.ModuleDict:
    """Build a stack for each branch.

    Args:
        branches: by name.
        options: of all stacks.
        last: width of the last layer when it gives the outputs; None = as the options say.

    Raises:
        UserError: widths that do not split into the groups.
    """
    encoders = {}
    for name, width in branches.items():
        widths = options.widths(width.hidden)
        if last is not None:  # no head: the last layer has the width of the outputs
            widths[-1] = last
        try:
            encoders[name] = ConvStack([width.inner, *widths], options, bare_last=last is not None)
        except ValueError as error:  # torch's, which names neither key nor model
            raise UserError(f"model.encoder.groups={options.groups}: {error}") from None
    return nn.ModuleDict(encoders)


def joined_width(branches: Mapping[str, Widths], options: EncoderOptions) -> int:
    """Return the channels of all encoders together; those of the inputs without any layer."""
    return sum(([w.inner, *options.widths(w.hidden)])[-1] for w in branches.values())
