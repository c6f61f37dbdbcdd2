"""Random numbers of a batch that several processes share: those that one process would draw.

Every process has the same generators. For the items of a common batch it draws the numbers of all
of them, as a single process does, and takes those of its own, so that dropout, noise and masks
of an item are the same however many processes there are. Generators then stay alike everywhere, and
a run can go on with another number of processes.

Only draws with an explicit generator, and operators outside the lists below (fused attention with
dropout on a GPU), are each process's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from ..data.batch import Batch
from ..nn.shared_draws import drawn_once
from . import processes

aten = torch.ops.aten
#: They fill their first argument in place.
FILLING = {
    aten.bernoulli_.float, aten.uniform_.default, aten.normal_.default, aten.exponential_.default,
    aten.random_.default, aten.random_.to, getattr(aten.random_, "from"),
}  # fmt: skip
#: They draw in the shape of their first argument.
LIKE = {
    aten.rand_like.default, aten.randn_like.default, aten.randint_like.default,
    aten.randint_like.low_dtype,
}  # fmt: skip
#: They draw in the shape of the argument with this number.
SIZED = {
    aten.rand.default: 0, aten.randn.default: 0, aten.randint.default: 1, aten.randint.low: 2,
}  # fmt: skip


class CommonDraws(TorchDispatchMode):
    """Draws inside the block for all items of a common batch, and takes those of this process.

    A tensor is of the items when its first dimension is a multiple of theirs (items may be
    flattened together with what follows), else by the first dimension of their number.

    Args:
        here: items of this process.
        common: items of all processes.
        rank, world: this process has the items `rank`, `rank + world`, ...
    """

    def __init__(self, here: int, common: int, rank: int, world: int) -> None:
        super().__init__()
        self.here, self.common = here, common
        # of a batch with fewer items than processes some have one that another counts
        self.items = list(range(rank, common, world)) or [rank % common]

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Call an operator; of random ones draw for all items."""
        kwargs = kwargs or {}
        if drawn_once() or kwargs.get("generator") is not None:
            return func(*args, **kwargs)
        if func in FILLING:
            whole = self._empty(args[0])
            if whole is None:
                return func(*args, **kwargs)
            return args[0].copy_(self._own(func(whole, *args[1:], **kwargs), args[0].shape))
        if func in LIKE:
            whole = self._empty(args[0])
            if whole is None:
                return func(*args, **kwargs)
            return self._own(func(whole, *args[1:], **kwargs), args[0].shape)
        if func in SIZED:
            place = SIZED[func]
            shape = args[place]
            size = self._size(shape)
            if size is None:
                return func(*args, **kwargs)
            return self._own(func(*args[:place], size, *args[place + 1 :], **kwargs), shape)
        if func is aten.native_dropout.default:
            return self._dropout(*args)
        return func(*args, **kwargs)

    def _dimension(self, shape: Sequence[int]) -> int | None:
        if len(shape) and shape[0] and shape[0] % self.here == 0:
            return 0
        return next((place for place, n in enumerate(shape) if n == self.here), None)

    def _size(self, shape: Sequence[int]) -> list[int] | None:
        """Return the shape for all items; None for numbers that are of no item."""
        place = self._dimension(shape)
        if place is None:
            return None
        size = list(shape)
        size[place] = size[place] // self.here * self.common
        return size

    def _empty(self, like: Tensor) -> Tensor | None:
        """Return a tensor for all items with the order of strides of that of this process.

        Numbers are drawn in the order of memory.
        """
        size = self._size(like.shape)
        if size is None:
            return None
        strides = like.stride()
        order = sorted(range(like.ndim), key=lambda place: -strides[place])
        whole = like.new_empty([size[place] for place in order])
        return whole.permute([order.index(place) for place in range(like.ndim)])

    def _own(self, whole: Tensor, shape: Sequence[int]) -> Tensor:
        """Return what of the numbers of all items belongs to those of this process."""
        place = self._dimension(shape)
        assert place is not None
        parts = whole.unflatten(place, (self.common, -1))
        items = torch.tensor(self.items, device=whole.device)
        return parts.index_select(place, items).flatten(place, place + 1)

    def _dropout(self, x: Tensor, p: float, train: bool | None) -> tuple[Tensor, Tensor]:
        """Drop out as the fused operator of a GPU, whose mask serves the backward pass too."""
        whole = self._empty(x)
        if whole is None or train is False or p in (0.0, 1.0):
            dropped: tuple[Tensor, Tensor] = aten.native_dropout(x, p, train)
            return dropped
        mask = self._own(aten.native_dropout(whole.fill_(1), p, train)[1], x.shape)
        return x * mask * (1 / (1 - p)), mask


def common_draws(batch: Batch) -> AbstractContextManager[Any]:
    """Return the block in which a step over a batch draws; nothing changes in a single process."""
    world = processes.world()
    if world == 1:
        return nullcontext()
    share = len(batch)
    return CommonDraws(share, batch.common or share * world, processes.rank(), world)
