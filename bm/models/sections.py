"""Sections of a model's configuration as typed records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar

from ..errors import UserError, nearest

T = TypeVar("T")


def section_of(kind: type[T], values: Mapping[str, Any] | None, key: str) -> T:
    """Build the record of `model.<key>`; lists become tuples.

    Args:
        kind: a dataclass.
        values: of the section; None = its defaults.
        key: name of the section, for messages.

    Raises:
        UserError: an unknown key, or a value that the record refuses (`ValueError`).
    """
    names = [f.name for f in fields(kind)]  # type: ignore[arg-type]
    for name in values or {}:
        if name not in names:
            raise UserError(f"model.{key}: no key {name!r}{nearest(name, names)}")
    plain = {k: tuple(v) if isinstance(v, list) else v for k, v in (values or {}).items()}
    try:
        return kind(**plain)
    except ValueError as error:
        raise UserError(f"model.{key}: {error}") from None
