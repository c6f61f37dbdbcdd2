"""What of a batch a model is given besides the signal: only what it asks for by name."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from ..data.batch import Batch
from ..data.dataset import Dataset
from ..errors import UserError
from ..models.contract import Microvolts

#: Arguments of a model's functions that a batch can fill.
KNOWN = ("channel_ids", "channel_mask", "positions", "subject")


@functools.lru_cache(maxsize=256)
def _asked(function: Callable[..., Any]) -> tuple[str, ...]:
    parameters = inspect.signature(function).parameters
    return tuple(name for name in KNOWN if name in parameters)


def asked(model: nn.Module, method: str = "forward") -> tuple[str, ...]:
    """Names of what a method of a model takes besides the signal."""
    return _asked(getattr(type(model), method))


def inputs_of(model: nn.Module, batch: Batch, method: str = "forward") -> dict[str, Tensor]:
    """Keyword arguments for a method of a model.

    All windows of a batch have the same channels, so `channel_ids` is given once, (C,); the others
    are (B, ...).
    """
    found = {name: getattr(batch, name) for name in asked(model, method)}
    if "channel_ids" in found:
        found["channel_ids"] = found["channel_ids"][0]
    return found


def check_inputs(model: nn.Module, dataset: Dataset, config: Any) -> None:
    """Refuse data that the model would take for something else.

    Raises:
        UserError: several channel sets or rates for a model that cannot tell them apart, or scaled
            windows for a model that scales microvolts itself.
    """
    name = config.model.name or config.model.target
    layouts = len(set(dataset.layout.tolist()))
    if layouts > 1 and "channel_ids" not in asked(model):
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
