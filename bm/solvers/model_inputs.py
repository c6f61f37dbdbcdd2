"""Keyword arguments that a batch can supply to a model's forward, besides the signal."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from ..data.batch import Batch
from ..data.dataset import Dataset
from ..errors import UserError
from ..models.contract import Microvolts

if TYPE_CHECKING:
    from omegaconf import DictConfig

#: Fields of a batch that a method of a model can have as arguments.
#: Solvers that give a model the signal and `FIELDS`, nothing else.
SIGNAL_ALONE = ("supervised", "phonemes")
FIELDS = ("channel_ids", "channel_mask", "positions", "subject")


@functools.lru_cache(maxsize=256)
def _fields_of(function: Callable[..., Any]) -> tuple[str, ...]:
    parameters = inspect.signature(function).parameters
    return tuple(name for name in FIELDS if name in parameters)


def input_names(model: nn.Module, method: str = "forward") -> tuple[str, ...]:
    """Return the names of the fields that a method of a model takes besides the signal."""
    return _fields_of(getattr(type(model), method))


def inputs_of(model: nn.Module, batch: Batch, method: str = "forward") -> dict[str, Tensor]:
    """Return the keyword arguments for a method of a model.

    All windows of a batch have the same channels, so `channel_ids` is given once, (C,); the others
    are (B, ...).
    """
    inputs = {name: getattr(batch, name) for name in input_names(model, method)}
    if "channel_ids" in inputs:  # (B, C) with equal rows: a batch has one channel set
        inputs["channel_ids"] = inputs["channel_ids"][0]
    return inputs


def check_arguments_of(model: nn.Module, name: str, solver: str) -> None:
    """Raise `UserError` when `forward` needs what only another solver gives (a step, a mask)."""
    if solver not in SIGNAL_ALONE:
        return
    parameters = list(inspect.signature(type(model).forward).parameters.values())[2:]
    needed = [p.name for p in parameters
              if p.default is p.empty and p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
              and p.name not in FIELDS]  # fmt: skip
    if needed:
        raise UserError(
            f"model {name} needs {' and '.join(needed)}, which solver.name={solver} does not give; "
            "choose a recipe of the model's own family (solver=FAMILY/RECIPE)"
        )


def check_inputs(model: nn.Module, dataset: Dataset, config: DictConfig) -> None:
    """Refuse data that the model would take for something else.

    Raises:
        UserError: several channel sets or rates for a model that cannot tell them apart, or scaled
            windows for a model that scales microvolts itself.
    """
    name = config.model.name or config.model.target
    check_arguments_of(model, str(name), config.solver.name)
    layouts = len(set(dataset.layout.tolist()))
    if layouts > 1 and "channel_ids" not in input_names(model):
        raise UserError(
            f"model {name} needs one channel set and rate, but there are {layouts}; set "
            "dset.channels=common and dset.rate_hz"
        )
    if layouts > 1 and config.dset.rate_hz is None:
        raise UserError(f"model {name} needs one rate: set dset.rate_hz")
    if isinstance(model, Microvolts) and config.dset.scale.kind != "none":
        raise UserError(
            f"dset.scale.kind={config.dset.scale.kind}: model {name} takes microvolts and divides "
            f"them by {model.amplitude_uv:g} itself; use dset.scale.kind=none"
        )
