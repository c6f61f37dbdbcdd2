"""Rows of a table against a reference row: over test items, over people, over data sets."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..published.rows import PublishedRow, Reference
from .rows import Row
from .statistics import holm, paired_permutation, wilcoxon_signed_rank

POOLED = "all data sets"
NOTES = (
    "p, items: paired permutation test over test items against '{against}', two-sided, "
    "Holm-corrected over all rows.",
    "p, people: Wilcoxon's signed-rank test of the accuracies of people against '{against}', "
    "two-sided, exact, Holm-corrected over all rows; rows of '{pooled}' pool the people, and are "
    "corrected among themselves. Fewer than 6 people are not tested.",
)


def notes(against: str) -> list[str]:
    """Return the lines under a table that explain its columns of `p`."""
    return [text.format(against=against, pooled=POOLED) for text in NOTES]


def reference_row(rows: Sequence[Row], row: Row, against: str) -> Row | None:
    """Return the row `against` of the same dataset; None for that row itself, or without one."""
    candidates = (r for r in rows if r.dataset == row.dataset and r.variant == against)
    reference = next(candidates, None)
    return None if reference is row else reference


def people_pairs(row: Row, reference: Row) -> list[tuple[float, float]]:
    """Return the accuracies of the people that both rows tested, by name."""
    first, second = row.scores.people, reference.scores.people
    return [(first[name], second[name]) for name in sorted(first.keys() & second.keys())]


def add_tests(rows: Sequence[Row], against: str) -> None:
    """Add paired tests of each row against the row `against` of its dataset, Holm-corrected."""
    over_items, over_people = [], []
    for row in rows:
        reference = reference_row(rows, row, against)
        if reference is None:
            continue
        first, second = row.scores.items, reference.scores.items
        # Pairs exist for what both rows tested: a split may differ in a window or a person.
        shared = sorted(first.keys() & second.keys())  # type: ignore[type-var]
        if shared:
            pair = [first[k] for k in shared], [second[k] for k in shared]
            over_items.append((row, paired_permutation(*pair)))
        over_people.append((row, people_pairs(row, reference)))
    # One family of tests: all rows of the table, on all its data sets.
    corrected = holm([p for _, p in over_items])
    for (row, _), p in zip(over_items, corrected, strict=True):
        row.p = p
    _test_people(over_people)


def _test_people(pairs_of: Sequence[tuple[Row, list[tuple[float, float]]]]) -> None:
    """Add signed-rank tests, corrected together; rows with too few people only their number."""
    tested = []
    for row, pairs in pairs_of:
        row.n_people = len(pairs)
        p = wilcoxon_signed_rank(*np.array(pairs).T) if pairs else None
        if p is not None:
            tested.append((row, p))
    for (row, _), p in zip(tested, holm([p for _, p in tested]), strict=True):
        row.p_people = p


def pooled_rows(rows: Sequence[Row], against: str) -> list[Row]:
    """Return a row per variant over all data sets: mean of their means, people pooled; or none.

    Variants without a value on every data set that the reference was evaluated on are left out:
    a mean over other data sets is no comparison.
    """
    references = [row for row in rows if row.variant == against and row.values]
    if len(references) < 2:
        return []
    pooled, pairs_of = [], []
    for variant in dict.fromkeys(row.variant for row in rows):
        members = {row.dataset: row for row in rows if row.variant == variant and row.values}
        if any(reference.dataset not in members for reference in references):
            continue
        pairs = [(members[r.dataset], r) for r in references]
        means = [float(np.mean(row.values)) for row, _ in pairs]
        sigs = [sig for row, _ in pairs for sig in row.sigs]
        simulated = any(row.simulated for row, _ in pairs)
        total = Row(POOLED, variant, [float(np.mean(means))], sigs=sigs, simulated=simulated)
        total.marks = list(dict.fromkeys(mark for row, _ in pairs for mark in row.marks))
        total.published, total.pooled = pooled_publication([row for row, _ in pairs]), True
        total.scores.people = {k: v for row, _ in pairs for k, v in row.scores.people.items()}
        pooled.append(total)
        if variant != against:
            pairs_of.append((total, [p for row, r in pairs for p in people_pairs(row, r)]))
    _test_people(pairs_of)
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
