"""Draws that are made once for a whole batch, as opposed to those of each item."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_once: ContextVar[bool] = ContextVar("drawn_once", default=False)


def drawn_once() -> bool:
    """Return whether random numbers that are drawn now are of no single item."""
    return _once.get()


@contextmanager
def once_a_batch() -> Iterator[None]:
    """Say that the random numbers drawn inside belong to the whole batch.

    Several processes share a batch, and each draws the numbers of all its items to use those of its
    own; numbers of the batch as a whole are the same in all of them.
    """
    token = _once.set(True)
    try:
        yield
    finally:
        _once.reset(token)
