"""Rows of a table against a reference row: over test items, over people, over data sets."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..published.rows import Level, PublishedRow
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
    """What the columns of `p` are, for under the table."""
    return [text.format(against=against, pooled=POOLED) for text in NOTES]


def reference_of(rows: Sequence[Row], row: Row, against: str) -> Row | None:
    """The row `against` of the same dataset; None for that row itself, or without one."""
    found = next((r for r in rows if r.dataset == row.dataset and r.variant == against), None)
    return None if found is row else found


def people_pairs(row: Row, reference: Row) -> list[tuple[float, float]]:
    """Accuracies of the people that both rows tested."""
    own, other = row.scores.people, reference.scores.people
    return [(own[name], other[name]) for name in sorted(own.keys() & other.keys())]


def add_tests(rows: Sequence[Row], against: str) -> None:
    """Paired tests of each row against the row `against` of its dataset, Holm-corrected."""
    over_items, over_people = [], []
    for row in rows:
        reference = reference_of(rows, row, against)
        if reference is None:
            continue
        own, other = row.scores.items, reference.scores.items
        shared = sorted(own.keys() & other.keys())
        if shared:
            pair = [own[k] for k in shared], [other[k] for k in shared]
            over_items.append((row, paired_permutation(*pair)))
        over_people.append((row, people_pairs(row, reference)))
    corrected = holm([p for _, p in over_items])
    for (row, _), p in zip(over_items, corrected, strict=True):
        row.p = p
    _test_people(over_people)


def _test_people(pairs_of: Sequence[tuple[Row, list[tuple[float, float]]]]) -> None:
    """Signed-rank tests, corrected together; rows with too few people keep their number only."""
    tested = []
    for row, pairs in pairs_of:
        row.n_people = len(pairs)
        p = wilcoxon_signed_rank(*np.array(pairs).T) if pairs else None
        if p is not None:
            tested.append((row, p))
    for (row, _), p in zip(tested, holm([p for _, p in tested]), strict=True):
        row.p_people = p


def pooled(rows: Sequence[Row], against: str) -> list[Row]:
    """A row per variant over all data sets: mean of their means, people pooled; or none.

    Variants without a value on every data set that the reference was evaluated on are left out.
    """
    references = [row for row in rows if row.variant == against and row.values]
    if len(references) < 2:
        return []
    found, pairs_of = [], []
    for variant in dict.fromkeys(row.variant for row in rows):
        own = {row.dataset: row for row in rows if row.variant == variant and row.values}
        if any(reference.dataset not in own for reference in references):
            continue
        pairs = [(own[r.dataset], r) for r in references]
        means = [float(np.mean(row.values)) for row, _ in pairs]
        sigs = [sig for row, _ in pairs for sig in row.sigs]
        simulated = any(row.simulated for row, _ in pairs)
        made = Row(POOLED, variant, [float(np.mean(means))], sigs=sigs, simulated=simulated)
        made.published, made.pooled = pooled_publication([row for row, _ in pairs]), True
        made.scores.people = {k: v for row, _ in pairs for k, v in row.scores.people.items()}
        found.append(made)
        if variant != against:
            pairs_of.append((made, [p for row, r in pairs for p in people_pairs(row, r)]))
    _test_people(pairs_of)
    return found


def pooled_publication(rows: Sequence[Row]) -> PublishedRow | None:
    """Means over the data sets of what was published of one row; None where a part is missing."""
    published = [row.published for row in rows]
    first = published[0]
    if first is None or any(p is None or p.name != first.name for p in published):
        return None
    values = [first.values.get(row.dataset, {}) for row in rows]
    shared = [name for name in values[0] if all(name in own for own in values)]
    means = {name: Level(float(np.mean([own[name].value for own in values]))) for name in shared}
    return PublishedRow(first.name, {POOLED: means}, p=first.p)
