"""Checks of the study's options: a mistake is one line, before anything is drawn."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeGuard

from ...errors import UserError, nearest
from ...registry import argument_names
from .. import PLACES

#: Smallest value of options that count things.
LEAST = {
    "seed": 0,
    "n_subjects": 1,
    "n_sessions": 1,
    "n_runs": 1,
    "n_trials": 1,
    "n_sentences": 1,
    "n_free": 0,
    "flat_channels": 0,
    "noisy_channels": 0,
}
#: Smallest number of words: listening has sentences of up to seven different words.
LEAST_WORDS = {"listening": 10}
#: Options with a fixed list of values.
CHOICES: dict[str, tuple[str, ...]] = {
    "kind": ("eeg", "meg"),
    "clip": ("story", "sentence"),
    "layout": ("cap32", "hydrocel105"),
    "timing": ("natural", "fixed"),
    "signal": ("waves", "words"),
    "part": ("all", "task", "free"),
}
SWITCHES = ("artefacts", "bipolar", "phonemes")
#: Options that are two bounds of a whole number, and what they may be; shafts have 18 letters.
BOUNDS = {"shafts": (1, 18), "contacts": (2, 40)}
MOST_WORDS = {"seeg": 400}  # any two differ in two of four gestures, of which there are ten
#: Options that are measures, and whether zero is allowed.
MEASURES = {
    "snr": True,
    "severity": True,
    "line_hz": False,
    "line_uv": True,
    "drift_uv": True,
    "duration_s": False,
    "rate_hz": False,
    "free_s": False,
}


def check_names(
    mode: str, options: Iterable[str], of_mode: Iterable[str], init: Callable[..., None]
) -> None:
    """Raise `UserError` on an option that neither the mode nor the study has.

    Args:
        mode: name of the mode, for the message.
        options: names that the entry gives and the study does not have.
        of_mode: names of the mode's options.
        init: constructor of the study, whose arguments are named as near misses.
    """
    shared = [name for name in argument_names(init) if name not in ("self", *PLACES)]
    for name in options:
        if name not in of_mode:
            hint = nearest(name, [*of_mode, *shared])
            raise UserError(f"unknown option {name!r} of mode {mode}{hint}")


def check_values(mode: str, options: Mapping[str, Any]) -> None:
    """Raise `UserError` on a value of the wrong type or out of range; None stands for a default."""
    least = {**LEAST, "n_words": LEAST_WORDS.get(mode, 2)}
    most = {"n_words": MOST_WORDS.get(mode, math.inf)}
    for name, value in options.items():
        if value is None:
            continue
        if name in least:
            _check_count(name, value, least[name], most.get(name, math.inf))
        if name in MEASURES:
            _check_measure(name, value, MEASURES[name])
        if name in CHOICES and value not in CHOICES[name]:
            raise UserError(f"simulated: {name}={value!r}; use {' or '.join(CHOICES[name])}")
        if name in BOUNDS:
            _check_bounds(name, value, *BOUNDS[name])
        if name in SWITCHES and not isinstance(value, bool):
            raise UserError(f"simulated: {name}={value!r}; use true or false")


def _is_whole(value: object) -> TypeGuard[int]:
    # True and False are whole numbers to Python.
    return isinstance(value, int) and not isinstance(value, bool)


def _check_count(name: str, value: object, least: int, most: float) -> None:
    if not (_is_whole(value) and least <= value <= most):
        bound = "on" if math.isinf(most) else f"to {most}"
        raise UserError(f"simulated: {name}={value!r}; use a whole number from {least} {bound}")


def _check_measure(name: str, value: object, zero: bool) -> None:
    number = value if _is_whole(value) or isinstance(value, float) else math.nan
    if not (math.isfinite(number) and (number > 0 or (zero and number == 0))):
        bound = "not negative" if zero else "above 0"
        raise UserError(f"simulated: {name}={value!r}; use a number that is {bound}")


def _check_bounds(name: str, value: object, least: int, most: int) -> None:
    pair = value if isinstance(value, (list, tuple)) else ()
    whole = len(pair) == 2 and all(map(_is_whole, pair))
    if not (whole and least <= pair[0] <= pair[1] <= most):
        raise UserError(
            f"simulated: {name}={value!r}; use two whole numbers from {least} to {most}, the "
            "smaller first"
        )


def check_channels(count: int, flat: int, noisy: int) -> None:
    """Raise `UserError` when more channels shall be bad than there are."""
    if flat + noisy > count:
        raise UserError(
            f"simulated: flat_channels={flat} and noisy_channels={noisy} of {count} channels; "
            "use fewer"
        )
