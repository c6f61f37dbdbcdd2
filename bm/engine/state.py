"""Everything stateful of a run, registered once by name, then saved and restored alike."""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from ..errors import UserError
from . import processes

#: Parts that checkpoints of earlier versions lack: a run goes on without.
LATER = frozenset({"process_tensors", "codebook_use"})


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
        odd = (state.keys() ^ self.items.keys()) - LATER
        if odd:
            # A missing part would start fresh in silence, and resume would not be exact.
            names = ", ".join(sorted(odd))
            raise UserError(
                f"the checkpoint holds other parts than this run ({names}); use --clear"
            )
        for name, item in self.items.items():
            if name in state:
                item.load_state_dict(state[name])


class UnsavedBuffers:
    """Buffers of a module that its own state leaves out, as a published file has no name for them.

    A run that goes on needs them: the counts of an epoch, whether a codebook has started.
    """

    def __init__(self, module: nn.Module) -> None:
        self.module = module

    def state_dict(self) -> dict[str, Tensor]:
        """Return the buffers by name; copies, as training goes on while they are written."""
        saved = self.module.state_dict().keys()
        buffers = self.module.named_buffers()
        return {name: buffer.clone() for name, buffer in buffers if name not in saved}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Copy values into the buffers of these names."""
        buffers = dict(self.module.named_buffers())
        for name, value in state.items():
            buffers[name].copy_(value)


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


Spread = Callable[[list[Any]], Any]


def own_or_fresh(states: list[Any]) -> Any:
    """Return the state of this rank, None for one more than there were."""
    return states[processes.rank()] if processes.rank() < len(states) else None


def own_or_first(states: list[Any]) -> Any:
    """Return the state of this rank, that of the first for one more than there were."""
    return states[processes.rank() if processes.rank() < len(states) else 0]


class ProcessTensors:
    """What a forward pass has left in a model that is not the same in every process.

    The running means of batch normalisation are of the windows that each process has seen. They
    are found by comparison: buffers, and parameters without gradient, that differ from those of the
    first process, whose own are part of the model. Use it within `PerProcess`.

    Args:
        model: its parameters that are trained are the same everywhere.
    """

    def __init__(self, model: nn.Module) -> None:
        self.model = model

    def _tensors(self) -> dict[str, Tensor]:
        fixed = {n: p.data for n, p in self.model.named_parameters() if not p.requires_grad}
        return {**fixed, **dict(self.model.named_buffers())}

    def state_dict(self) -> dict[str, Tensor]:
        """Return the tensors that differ from those of the first process, by name."""
        if processes.world() == 1:
            return {}
        tensors = self._tensors()
        # sums of bytes travel, not tables of positions and filters that are the same
        sums = {name: _checksum(tensor) for name, tensor in tensors.items()}
        first = processes.same_objects(sums)[0]
        return {name: tensors[name] for name in tensors if sums[name] != first.get(name)}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Restore what `state_dict` returned; the model holds those of the first process."""
        tensors = self._tensors()
        for name, value in state.items():
            tensors[name].copy_(value)


def _checksum(tensor: Tensor) -> int:
    plain = tensor.detach().cpu().contiguous().flatten()
    samples = np.ascontiguousarray(plain.view(torch.uint8).numpy())
    return zlib.crc32(samples.data) if plain.numel() else 0


class PerProcess:
    """A part that differs between processes (generators, running means): every state by rank.

    Its `state_dict` must be called in all processes at once.

    Args:
        item: this process's own.
        spread: given the states by rank of a run that goes on with another number of processes,
            returns that of this process; None = it keeps its fresh state.
    """

    def __init__(self, item: Stateful, spread: Spread | None = None) -> None:
        self.item, self.spread = item, spread or own_or_fresh

    def state_dict(self) -> dict[str, Any]:
        """Return the states by rank."""
        return {"ranks": processes.same_objects(self.item.state_dict())}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue with the state of this rank."""
        ranks = state["ranks"]
        same = len(ranks) == processes.world()
        mine = ranks[processes.rank()] if same else self.spread(ranks)
        if mine is not None:
            self.item.load_state_dict(mine)


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
