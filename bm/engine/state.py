"""Everything stateful of a run, registered once by name, then saved and restored alike."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np
import torch
from torch import nn

from ..errors import UserError
from . import processes


class Stateful(Protocol):
    """Anything with a state of tensors and plain values."""

    def state_dict(self) -> Mapping[str, Any]: ...

    def load_state_dict(self, state: Any, /) -> Any: ...


class State:
    """Named stateful objects of one run."""

    def __init__(self) -> None:
        self.items: dict[str, Stateful] = {}

    def register(self, name: str, item: Stateful) -> None:
        """Make `item` part of every checkpoint as `name`; a name is taken once."""
        if name in self.items:
            raise ValueError(f"state {name!r} is registered twice")
        self.items[name] = item

    def state_dict(self) -> dict[str, Any]:
        """Return the state of every item by name."""
        return {name: item.state_dict() for name, item in self.items.items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore every item; raises `UserError` when the names are not the same."""
        if state.keys() != self.items.keys():
            # A missing part would start fresh in silence, and resume would not be exact.
            odd = ", ".join(sorted(state.keys() ^ self.items.keys()))
            raise UserError(f"the checkpoint holds other parts than this run ({odd}); use --clear")
        for name, item in self.items.items():
            item.load_state_dict(state[name])


class RandomState:
    """Every global random generator as plain values: torch (CPU, CUDA), numpy, Python."""

    def state_dict(self) -> dict[str, Any]:
        """Return the present state of every generator."""
        name, keys, position, has_gauss, cached = np.random.get_state()
        cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
        return {
            "torch": torch.get_rng_state(),
            "cuda": cuda,
            "numpy": [str(name), [int(k) for k in keys], int(position), int(has_gauss), cached],
            "python": random.getstate(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Set every generator to where it was."""
        torch.set_rng_state(state["torch"])
        # Saved on a GPU and continued without one: the other generators still go on.
        if state["cuda"] and torch.cuda.is_available():
            torch.cuda.set_rng_state_all(state["cuda"])
        name, keys, position, has_gauss, cached = state["numpy"]
        np.random.set_state((name, np.array(keys, np.uint32), position, has_gauss, cached))
        version, internal, gauss = state["python"]
        random.setstate((version, tuple(internal), gauss))


class PerProcess:
    """A part that differs between processes (generators, running means): every state by rank.

    Its `state_dict` must be called in all processes at once. When a run goes on with another
    number of processes, the new ones keep their fresh state.

    Args:
        item: this process's own.
    """

    def __init__(self, item: Stateful) -> None:
        self.item = item

    def state_dict(self) -> dict[str, Any]:
        """Return the states by rank."""
        return {"ranks": processes.same_objects(self.item.state_dict())}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue with the state of this rank."""
        if processes.rank() < len(state["ranks"]):
            self.item.load_state_dict(state["ranks"][processes.rank()])


class Progress:
    """Place in a run: epochs completed, steps taken, batches consumed of the present epoch."""

    def __init__(self) -> None:
        self.epoch = self.step = self.position = self.threads = 0

    def state_dict(self) -> dict[str, int]:
        """Return plain numbers."""
        return dict(vars(self))

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Restore what `state_dict` returned."""
        vars(self).update(state)


def seed_ranks(seed: int) -> None:
    """Give every process but the first generators of its own; models are built before it."""
    if processes.rank() > 0:
        # a prime far above the seeds in use: ranks of neighbouring seeds draw different numbers
        seed_all(seed + 1_000_003 * processes.rank())


def seed_all(seed: int) -> None:
    """Start every global generator from `seed`."""
    random.seed(seed)
    np.random.seed(seed % 2**32)  # numpy takes 32 bits
    torch.manual_seed(seed)


@contextmanager
def unchanged(model: nn.Module) -> Iterator[None]:
    """Restore, afterwards, what a forward pass may write: buffers, and parameters without gradient.

    The vectors of a codebook are such parameters, and some count their use in evaluation too.
    """
    fixed = [p for p in model.parameters() if not p.requires_grad]
    tensors = [*model.buffers(), *fixed]
    copies = [tensor.detach().clone() for tensor in tensors]
    try:
        yield
    finally:
        with torch.no_grad():
            for tensor, copied in zip(tensors, copies, strict=True):
                tensor.copy_(copied)


@contextmanager
def isolated(seed: int) -> Iterator[None]:
    """Start all generators from `seed` inside; afterwards they continue as if undisturbed."""
    generators = RandomState()
    before = generators.state_dict()
    try:
        seed_all(seed)
        yield
    finally:
        generators.load_state_dict(before)
