"""Parts of torch without its compiler, whose import takes longer than all others together.

Optimisers and dispatch modes tell `torch.compile` to leave them alone, and at the first call import
the compiler and sympy to say so. Nothing here compiles them: networks alone are compiled.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch.optim import Optimizer

#: Methods of optimisers that torch wraps so that its compiler does not see them.
WRAPPED = ("add_param_group", "load_state_dict", "state_dict", "zero_grad")


def spare_compiler(function: object) -> None:
    """Let a function that torch hides from its compiler run as it is, where that is possible."""
    inner: Any = getattr(function, "__wrapped__", None)
    # where torch keeps the hidden form, which it makes at the first call
    if inner is not None and not hasattr(inner, "__dynamo_disable"):
        inner.__dict__["__dynamo_disable"] = inner


@functools.lru_cache(maxsize=8)
def plain(kind: type[Optimizer]) -> type[Any]:
    """Return an optimiser class that computes the same, bit for bit, without the compiler."""
    for name in WRAPPED:
        spare_compiler(getattr(Optimizer, name, None))
    step: Callable[..., Any] = inspect.unwrap(kind.step)

    class Plain(kind):  # type: ignore[misc, valid-type]
        """Steps without gradient, as the wrapper of torch has them."""

        @torch.no_grad()
        def step(self, closure: Callable[[], float] | None = None) -> Any:
            """Take a step; see the class that this one is of."""
            return step(self, closure)

    Plain.__name__ = Plain.__qualname__ = kind.__name__
    return Plain
