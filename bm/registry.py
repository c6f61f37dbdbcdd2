"""Things known by name: studies, models and solvers; a typo gets the nearest name."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Generic, TypeVar

from .errors import UserError, nearest, there_is

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
        """Return the decorator that registers the class or function below it as `name`."""

        def wrap(item: T) -> T:
            self._items[name] = item
            return item

        return wrap

    def names(self) -> list[str]:
        """Return all names, imported or not, sorted."""
        return sorted({*self.modules, *self._items})

    def get(self, name: str) -> T:
        """Return the item called `name`; raise `UserError` with the nearest valid name."""
        # The import registers it: a module that nobody names is never loaded.
        if name not in self._items and name in self.modules:
            importlib.import_module(self.modules[name])
        if name not in self._items:
            hint = nearest(name, self.names()) or f"; {there_is(self.names())}"
            raise UserError(f"unknown {self.kind} {name!r}{hint}")
        return self._items[name]


def check_known(kind: str, name: str, names: Iterable[str]) -> None:
    """Raise `UserError` with the nearest valid name unless `name` is one of `names`."""
    valid = list(names)
    if name not in valid:
        raise UserError(f"unknown {kind} {name!r}{nearest(name, valid)}")


def argument_names(function: Callable[..., Any], excluded: Collection[str] = ()) -> list[str]:
    """Return the names of a function's arguments, or of a class's constructor.

    Where a constructor takes `**options`, the arguments of its parents' constructors count as
    well, up to the first one without.

    Args:
        function: function or class.
        excluded: arguments that are no option, because the caller fills them.
    """
    return [name for name in _parameters(function) if name not in excluded]


def _parameters(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """Return the arguments of a function, or of a class and the parents that it passes them to."""
    constructors = [function]
    if isinstance(function, type):
        constructors = [vars(c)["__init__"] for c in function.__mro__ if "__init__" in vars(c)]
    by_name: dict[str, inspect.Parameter] = {}
    for constructor in constructors:
        parameters = list(inspect.signature(constructor).parameters.values())
        if isinstance(function, type):
            parameters = parameters[1:]  # self
        for p in parameters:
            if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL):
                by_name.setdefault(p.name, p)
        if not any(p.kind is p.VAR_KEYWORD for p in parameters):
            break
    return by_name


def missing_arguments(function: Callable[..., Any], options: Collection[str]) -> list[str]:
    """Return the arguments without a default that `options` do not give."""
    parameters = _parameters(function).values()
    return [p.name for p in parameters if p.default is p.empty and p.name not in options]


def as_texts(
    owner: str, function: Callable[..., Any], options: Mapping[str, Any]
) -> dict[str, Any]:
    """Return options in which whole numbers are texts where texts are asked for.

    YAML reads the name 1 of a channel as a number.

    Args:
        owner: what the options are of, for the message.
        function: function or class with annotated arguments.
        options: as the configuration gives them.

    Raises:
        UserError: a value that is no text, where the argument is one or a list of them.
    """
    parameters = _parameters(function)
    texts = {}
    for name, value in options.items():
        hint = str(parameters[name].annotation) if name in parameters else ""
        key = f"{owner}: {name}"
        if hint.startswith("Sequence[str]") and isinstance(value, list | tuple):
            value = [_text(f"{key}: one of its values", one) for one in value]
        elif hint.startswith("Mapping[str, str]") and isinstance(value, Mapping):
            value = {_text(key, one): _text(f"{key}: {one}", other) for one, other in value.items()}
        elif hint in ("str", "str | None"):
            value = None if value is None and "None" in hint else _text(key, value)
        elif hint.startswith("str |") and isinstance(value, int | float):
            value = _text(key, value)
        texts[name] = value
    return texts


def _text(key: str, value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise UserError(f"{key} is {value!r}; use a text, in quotes")
    return str(value)


def check_arguments(
    owner: str,
    function: Callable[..., Any],
    options: Iterable[str],
    excluded: Collection[str] = (),
) -> None:
    """Raise `UserError` with the nearest argument unless `function` takes all `options`.

    Args:
        owner: what the options are of, for the message ("preprocessing step crop").
        function: function or class that will be called with them, see `argument_names`.
        options: names of keyword arguments, as the configuration gives them.
        excluded: arguments that the configuration may not give.
    """
    names = argument_names(function, excluded)
    for option in options:
        if option not in names:
            raise UserError(f"{owner}: unknown option {option!r}{nearest(option, names)}")


def check_list(key: str, value: object, example: str, least: int = 0) -> None:
    """Raise `UserError` unless a value is a list of at least so many; a word is a list of letters.

    Args:
        key: what holds the value, for the message.
        value: as the configuration gives it; None is no list and passes.
        example: of an element.
        least: 0 = an empty list passes.
    """
    if value is None:
        return
    if isinstance(value, str | Mapping) or not isinstance(value, Iterable):
        raise UserError(f"{key}={value!r}: use a list, such as [{example}]")
    if len(list(value)) < least:
        raise UserError(f"{key}: an empty list selects nothing; use null, or names")


def check_mapping(key: str, value: object, example: str) -> None:
    """Raise `UserError` unless a value is a mapping, or None."""
    if value is not None and not isinstance(value, Mapping):
        raise UserError(f"{key}={value!r}: use a mapping, such as {{{example}}}")


def check_file_name(key: str, name: str) -> str:
    """Return a name that ends up in names of files; raise `UserError` when it could lead away.

    Args:
        key: what holds the name, for the message.
        name: one part of a path.
    """
    if not name.strip() or name.startswith(".") or {*name} & set("/\\") or not name.isprintable():
        raise UserError(
            f"{key}={name!r}: it is used in names of files; take one without / or \\ that does not "
            "begin with a dot"
        )
    return name
