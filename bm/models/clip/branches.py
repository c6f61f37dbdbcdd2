"""What the brain models read: the signal, stimulus features beside it, or both joined."""

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
    """Branches by name, in the order in which they are joined.

    Args:
        signal: always there.
        features: not there when it has no channels.
        concatenate: one branch of both.
    """
    found = {"features": features, "signal": signal} if features.inner else {"signal": signal}
    if not concatenate:
        return found
    widths = found.values()
    return {"concat": Widths(sum(w.inner for w in widths), sum(w.hidden for w in widths))}


def inputs_of(
    signal: Tensor, features: Tensor | None, n_features: int, concatenate: bool
) -> dict[str, Tensor]:
    """What each encoder reads: (B, C, T) signal and (B, F, T) features, or both along channels.

    Raises:
        ValueError: features are missing, or not read.
    """
    if (features is not None) != bool(n_features):
        raise ValueError(f"this network reads {n_features or 'no'} features too")
    found = {"signal": signal} if features is None else {"features": features, "signal": signal}
    return {"concat": torch.cat(list(found.values()), 1)} if concatenate else found


def build_encoders(
    branches: Mapping[str, Widths], options: EncoderOptions, last: int | None = None
) -> nn.ModuleDict:
    """A stack for each branch.

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
        if last is not None:
            widths[-1] = last
        try:
            encoders[name] = ConvStack([width.inner, *widths], options, bare_last=last is not None)
        except ValueError as error:
            raise UserError(f"model.encoder.groups={options.groups}: {error}") from None
    return nn.ModuleDict(encoders)


def joined_width(branches: Mapping[str, Widths], options: EncoderOptions) -> int:
    """Channels behind all encoders together; those of the inputs when there is no layer."""
    return sum(([w.inner, *options.widths(w.hidden)])[-1] for w in branches.values())
