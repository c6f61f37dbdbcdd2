"""Rows of a table against a reference row: over units of evidence, over people, over data sets."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ...errors import UserError
from ...metrics.units import LEAST_UNITS
from ..published.rows import PublishedRow, Reference
from .item_scores import Scores
from .pairs import Pairs, joined, pairs_of
from .protocol import check_data, check_items, check_leaks
from .rows import Row
from .statistics import holm

POOLED = "all data sets"
NOTES = (
    "difference: mean difference of the scores of test items from '{against}', with its 95 % "
    "interval over units; g: Hedges' g of the units' differences.",
    "p, units: signs of the units' differences from '{against}' flipped, two-sided, exact up to 18 "
    "units, Holm-corrected over all rows. Where people share stimuli, the larger p of it and of a "
    "test over both counts.",
    "p, people: Wilcoxon's signed-rank test of the accuracies of people against '{against}', "
    "two-sided, exact, Holm-corrected over all rows; rows of '{pooled}' pool the people, and are "
    "corrected among themselves.",
    "Fewer than {least} units are not tested, and have no interval.",
)


def notes(against: str) -> list[str]:
    """Return the lines under a table that explain its columns of tests."""
    return [text.format(against=against, pooled=POOLED, least=LEAST_UNITS) for text in NOTES]


def reference_row(rows: Sequence[Row], row: Row, against: str) -> Row | None:
    """Return the row `against` of the same dataset; None for that row itself, or without one."""
    candidates = (r for r in rows if r.dataset == row.dataset and r.variant == against)
    reference = next(candidates, None)
    return None if reference is row else reference


def check_rows(rows: Sequence[Row], against: str) -> None:
    """Refuse what cannot be compared, before any test.

    Raises:
        UserError: fewer than two rows, a leak, a row without the metric, different data, splits or
            test items, or one unit of evidence in all data sets.
    """
    pairs = [(row, reference) for row in rows if (reference := reference_row(rows, row, against))]
    if not pairs:
        raise UserError(f"against={against}: fewer than two rows to compare; add one to the grid")
    for row in rows:
        check_leaks(row.origins)
        if row.lacking:
            raise UserError(
                f"row {row.variant!r} of {row.dataset}: {row.lacking}; choose a metric that all "
                "rows have, or compare without this row"
            )
    for row, reference in pairs:
        names = (row.variant, reference.variant)
        if row.origins and reference.origins:
            origins = (row.origins[0], reference.origins[0])
            check_data(names, *origins)
            check_items(names, (row.scores, reference.scores), origins)
    units = [row.scores.units for row, _ in pairs if len(row.scores)]
    if units and all(unit.count < 2 for unit in units):
        raise UserError(
            f"against={against}: one unit of evidence ({units[0]}): nothing can be tested; leave "
            "`against` out, or evaluate more people, recordings or sessions"
        )


def add_tests(rows: Sequence[Row], against: str) -> None:
    """Add paired tests of each row against the row `against` of its dataset, Holm-corrected."""
    tested = []
    for row in rows:
        reference = reference_row(rows, row, against)
        pairs = pairs_of(row.scores, reference.scores) if reference is not None else None
        if pairs is not None:
            tested.append((row, pairs))
    # One family of tests: all rows of the table, on all its data sets.
    _add(tested)


def _add(pairs_of_rows: Sequence[tuple[Row, Pairs]]) -> None:
    """Add differences and both tests, corrected together; of too few units only their number."""
    over_units, over_people = [], []
    for row, pairs in pairs_of_rows:
        row.units, row.n_people = pairs.units, len(pairs.people)
        row.difference, row.difference_interval = pairs.mean, pairs.interval()
        row.effect = pairs.effect()
        over_units.append((row, pairs.p()))
        over_people.append((row, pairs.p_people()))
    for name, values in (("p", over_units), ("p_people", over_people)):
        # A row that took no test does not count: Holm's factor is the number of tests (1979).
        claimed = [(row, p) for row, p in values if p is not None]
        corrected = holm([p for _, p in claimed])
        for (row, _), p in zip(claimed, corrected, strict=True):
            setattr(row, name, p)


def pooled_rows(rows: Sequence[Row], against: str) -> list[Row]:
    """Return a row per variant over all data sets: mean of their means, people pooled; or none.

    Variants without a value on every data set that the reference was evaluated on are left out:
    a mean over other data sets is no comparison.
    """
    references = [row for row in rows if row.variant == against and row.values]
    # Pooled over one data set a row would only repeat itself.
    if len(references) < 2:
        return []
    pooled, tested = [], []
    for variant in dict.fromkeys(row.variant for row in rows):
        members = {row.dataset: row for row in rows if row.variant == variant and row.values}
        if any(reference.dataset not in members for reference in references):
            continue
        pairs = [(members[r.dataset], r) for r in references]
        # Mean of means: each data set weighs the same, however many items it has.
        means = [float(np.mean(row.values)) for row, _ in pairs]
        sigs = [sig for row, _ in pairs for sig in row.sigs]
        simulated = any(row.simulated for row, _ in pairs)
        total = Row(POOLED, variant, [float(np.mean(means))], sigs=sigs, simulated=simulated)
        total.marks = list(dict.fromkeys(mark for row, _ in pairs for mark in row.marks))
        total.published, total.pooled = pooled_publication([row for row, _ in pairs]), True
        total.scores = Scores(pd.concat([row.scores.items for row, _ in pairs]))
        pooled.append(total)
        parts = [p for row, r in pairs if (p := pairs_of(row.scores, r.scores)) is not None]
        if variant != against and parts:
            tested.append((total, joined(parts)))
    # A second family of tests: pooled rows weigh the same evidence again.
    _add(tested)
    return pooled


def pooled_publication(rows: Sequence[Row]) -> PublishedRow | None:
    """Return the means over the data sets of one published row; None where a part is missing."""
    published = [row.published for row in rows]
    first = published[0]
    if first is None or any(p is None or p.name != first.name for p in published):
        return None
    values = [first.values.get(row.dataset, {}) for row in rows]
    shared = [name for name in values[0] if all(name in part for part in values)]
    means = {
        name: Reference(float(np.mean([part[name].value for part in values]))) for name in shared
    }
    return PublishedRow(first.name, {POOLED: means}, p=first.p)
