"""Names and keyword arguments: a typo gets the nearest valid one."""

from __future__ import annotations

from typing import Any

import pytest

from bm.errors import UserError
from bm.registry import argument_names, check_arguments


def crop(raw: object, start_s: float = 0.0, *, stop_s: float | None = None) -> None:
    """A function with options."""


class Parent:
    """Takes options of its own."""

    def __init__(self, rate_hz: float = 1.0, *places: str) -> None: ...


class Child(Parent):
    """Hands options on to its parent."""

    def __init__(self, width: int = 1, **options: Any) -> None:
        super().__init__(**options)


class Grandchild(Child):
    """Has no constructor of its own."""


def test_arguments_include_those_handed_on_to_parents() -> None:
    assert argument_names(crop, excluded=("raw",)) == ["start_s", "stop_s"]
    assert argument_names(Parent) == ["rate_hz"]
    assert argument_names(Grandchild) == ["width", "rate_hz"]
    assert argument_names(object) == []


@pytest.mark.parametrize(
    ("function", "option", "message"),
    [
        (crop, "start", "step crop: unknown option 'start'; did you mean 'start_s'"),
        (crop, "raw", "step crop: unknown option 'raw'; known: start_s, stop_s"),
        (Child, "rate", "step crop: unknown option 'rate'; did you mean 'rate_hz'"),
        (Child, "options", "step crop: unknown option 'options'"),
        (Parent, "places", "step crop: unknown option 'places'"),
    ],
)
def test_an_unknown_option_gets_the_nearest_name(function: Any, option: str, message: str) -> None:
    check_arguments("step crop", function, argument_names(function, ("raw",)), ("raw",))
    with pytest.raises(UserError, match=message):
        check_arguments("step crop", function, [option], ("raw",))
