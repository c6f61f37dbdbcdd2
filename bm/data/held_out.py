"""Splits of transfer: one person or session held out, and a few labelled trials of each class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..errors import UserError

#: `dset.split.key` -> columns whose values name the unit that is left out. A session is left out of
#: everybody at once: that is decoding across sessions, not across people.
UNITS: dict[str, tuple[str, ...]] = {
    "subject": ("study", "subject"),
    "session": ("session",),
    "recording": ("study", "subject", "session", "run"),
    "group": ("study", "group"),
}
TRIAL = ("study", "subject", "session", "run", "event_row")


def leave_out(
    table: pd.DataFrame, split: Mapping[str, Any], order: Mapping[str, float]
) -> pd.Series:
    """Return the split of each row: one unit is the test, trials of the others train and validate.

    The share of validation is counted, not drawn: two people with five trials each have some.

    Args:
        table: segment table with ids.
        split: `key`, `seed`, `left_out` (from 0, in sorted order of the units), `ratios`.
        order: number in [0, 1) of each trial, as `trial_order` gives it.

    Raises:
        UserError: a key without units, or no such unit.
    """
    key, number = split["key"], split["left_out"]
    if key not in UNITS:
        raise UserError(
            f"dset.split.left_out={number}: dset.split.key={key} names no unit; use one of "
            f"{', '.join(UNITS)}"
        )
    missing = [column for column in UNITS[key] if column not in table]
    if missing:
        raise UserError(f"dset.split.key={key}: the events have no {missing[0]!r}")
    units = table[list(UNITS[key])].astype(str).agg("/".join, axis=1)
    names = sorted(units.unique())
    if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number < len(names):
        raise UserError(
            f"dset.split.left_out={number}: there are {len(names)} units of dset.split.key={key} "
            f"({names[0]}, ...); use 0 to {len(names) - 1}"
        )
    if len(names) < 2:
        raise UserError(f"dset.split.left_out={number}: {names[0]} is alone, nothing is left over")
    ratios = {name: float(split["ratios"].get(name, 0.0)) for name in ("train", "valid")}
    share = ratios["valid"] / (sum(ratios.values()) or 1.0)
    trials = trial_names(table)
    rest = sorted(set(trials[units != names[number]]), key=lambda name: (order[name], name))
    count = min(max(round(share * len(rest)), share > 0), len(rest) - 1)
    valid = set(rest[:count])
    result = trials.map(lambda name: "valid" if name in valid else "train")
    result[units == names[number]] = "test"
    return result


def few_shots(
    table: pd.DataFrame, shots: int, classes: Sequence[str], order: Mapping[str, float]
) -> pd.Series:
    """Return which rows stay: all but the training trials beyond the first `shots` of each class.

    The trials of few shots are among those of more: learning curves then differ in size alone.

    Args:
        table: with numbered labels and split.
        shots: trials of each class; all windows of a trial count as one.
        classes: names.
        order: as in `leave_out`.

    Raises:
        UserError: windows without classes, or a class with fewer trials.
    """
    if not isinstance(shots, int) or isinstance(shots, bool) or shots < 1:
        raise UserError(f"dset.split.shots={shots}: use a number of trials from 1, or null for all")
    if not classes:
        raise UserError(f"dset.split.shots={shots}: the windows have no classes; see segment.label")
    trials = trial_names(table)
    train = table["split"] == "train"
    stay = ~train
    for label, name in enumerate(classes):
        members = trials[train & (table["label"] == label)]
        distinct = sorted(set(members), key=lambda trial: (order[trial], trial))
        if len(distinct) < shots:
            raise UserError(
                f"dset.split.shots={shots}: class {name!r} has {len(distinct)} training trials; "
                f"use at most {len(distinct)}, or another dset.split"
            )
        stay |= train & (table["label"] == label) & trials.isin(distinct[:shots])
    return stay


def permute_labels(table: pd.DataFrame, classes: Sequence[str], seed: int) -> pd.Series:
    """Return labels of which those of training windows changed places; no decoder learns of them.

    Those of validation do too, among themselves: true ones would choose the epoch that happens to
    decode best, which lies above chance. Test windows keep theirs, so that what is measured must be
    at chance.

    Args:
        table: with numbered labels and split.
        classes: names.
        seed: of the draw.

    Raises:
        UserError: windows without classes.
    """
    if not classes:
        raise UserError("dset.permute_labels: the windows have no classes; see segment.label")
    labels, generator = table["label"].copy(), np.random.default_rng(seed)
    for split in ("train", "valid"):
        rows = (table["split"] == split).to_numpy()
        labels[rows] = generator.permutation(labels[rows].to_numpy())
    return labels


def trial_names(table: pd.DataFrame) -> pd.Series:
    """Return a name of each row's trial: the event that its window was cut from."""
    present = [column for column in TRIAL if column in table]
    return table[present].astype(str).agg("|".join, axis=1)
