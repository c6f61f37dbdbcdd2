"""Things known by name: studies, models and solvers; a typo gets the nearest name."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

from .errors import UserError, nearest

T = TypeVar("T")


class Registry(Generic[T]):
    """Named classes or functions of one `kind`, imported only when asked for.

    Args:
        kind: what is registered, for messages ("study", "model", "solver").
        modules: name -> module that registers it when imported; keeps start-up light.
    """

    def __init__(self, kind: str, modules: dict[str, str]) -> None:
        self.kind = kind
        self.modules = modules
        self._items: dict[str, T] = {}

    def register(self, name: str) -> Callable[[T], T]:
        """Decorator that makes the class or function below it known as `name`."""

        def wrap(item: T) -> T:
            self._items[name] = item
            return item

        return wrap

    def names(self) -> list[str]:
        """All names, imported or not, sorted."""
        return sorted({*self.modules, *self._items})

    def get(self, name: str) -> T:
        """The item called `name`; raises `UserError` with the nearest valid name."""
        if name not in self._items and name in self.modules:
            importlib.import_module(self.modules[name])
        if name not in self._items:
            raise UserError(f"unknown {self.kind} {name!r}{nearest(name, self.names())}")
        return self._items[name]


def check_known(kind: str, name: str, known: Iterable[str]) -> None:
    """Raise `UserError` with the nearest valid name unless `name` is one of `known`."""
    names = list(known)
    if name not in names:
        raise UserError(f"unknown {kind} {name!r}{nearest(name, names)}")
