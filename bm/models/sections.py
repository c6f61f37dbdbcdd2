"""Sections of a model's configuration as typed records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from ..errors import UserError
from ..registry import check_arguments

T = TypeVar("T")


def section_of(kind: type[T], values: Mapping[str, Any] | None, key: str) -> T:
    """Build the record of `model.<key>`; lists become tuples.

    Args:
        kind: a dataclass.
        values: of the section; None = its defaults.
        key: name of the section, for messages.

    Raises:
        UserError: an unknown key, or a value that the record refuses with a `ValueError`, whose
            text begins with the name of the field.
    """
    check_arguments(f"model.{key}", kind, values or {})
    plain = {k: tuple(v) if isinstance(v, list) else v for k, v in (values or {}).items()}
    try:
        return kind(**plain)
    except ValueError as error:
        raise UserError(f"model.{key}.{error}") from None
