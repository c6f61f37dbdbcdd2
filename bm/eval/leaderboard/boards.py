"""Boards: the best configuration of every model on the same test items, and ranks over boards."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ..tables.cost import Cost, mean_cost
from ..tables.overview import is_falling
from ..tables.protocol import LEAK
from ..tables.ranks import Ranks, rank_models
from .entries import Entry

FEWEST = 2  # models of a board, and boards and models that are ranked together


@dataclass(frozen=True)
class Standing:
    """One model on one board.

    Attributes:
        family, model: of its experiments.
        values: of the seeds.
        configurations: how many were trained, of which validation chose this one.
        interval: 95 % over units of the seed, where there is one.
        unit: of evidence.
        cost: mean over seeds.
        sigs: experiments behind it.
        marks: of their audits.
    """

    family: str
    model: str
    values: list[float]
    configurations: int
    interval: tuple[float, float] | None
    unit: str
    cost: Cost
    sigs: list[str]
    marks: list[str]

    @property
    def mean(self) -> float:
        """Mean over seeds."""
        return float(np.mean(self.values))


@dataclass
class Board:
    """Models that were tested on the same items of a data set.

    Attributes:
        dataset, metric: what is measured on what.
        n_items: of the test split.
        chance: None where there is none.
        simulated: whether the data were made from equations.
        standings: the best first.
        left_out: signatures of experiments, and why.
        split: keys that decide on the test items.
        references: name -> value of what is no model, as the newest experiment has it.
    """

    dataset: str
    metric: str
    n_items: int
    chance: float | None
    simulated: bool
    standings: list[Standing]
    left_out: list[str] = field(default_factory=list)
    split: Mapping[str, object] = field(default_factory=dict)
    references: Mapping[str, float] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """Data set and metric, with the label of simulated data."""
        label = " (simulated)" if self.simulated else ""
        return f"{self.dataset}{label}: {self.metric.replace('_', ' ')}"


def boards_of(entries: Sequence[Entry]) -> list[Board]:
    """Return a board per data set, metric and test split, the largest first.

    Args:
        entries: of all families.
    """
    groups: dict[tuple[str, str, int, str], list[Entry]] = defaultdict(list)
    for entry in entries:
        key = (entry.dataset, entry.metric, entry.n_items, json.dumps(entry.split, default=str))
        groups[key].append(entry)
    boards = [_board(members) for members in groups.values()]
    return sorted(boards, key=lambda b: (-len(b.standings), b.dataset, b.metric, -b.n_items))


def _board(entries: Sequence[Entry]) -> Board:
    """Return the board of experiments that were tested on one split."""
    newest = max(entries, key=lambda entry: entry.finished)
    left_out, models = [], defaultdict(list)
    hashes = {e.dset: e.data_hash for e in sorted(entries, key=lambda entry: entry.finished)}
    for entry in entries:
        if LEAK in entry.marks:
            left_out.append(f"{entry.sig}: its audit found a leak")
        elif entry.data_hash != hashes[entry.dset]:
            left_out.append(f"{entry.sig}: of data that have changed since")
        else:
            models[(entry.family, entry.model)].append(entry)
    standings = [_standing(members) for members in models.values()]
    sign = 1 if is_falling(newest.metric) else -1
    standings.sort(key=lambda standing: sign * standing.mean)
    chance = next((e.chance for e in entries if e.chance is not None), None)
    simulated = any(e.simulated for e in entries)
    return Board(
        newest.dataset, newest.metric, newest.n_items, chance, simulated, standings, left_out,
        newest.split, newest.references,
    )  # fmt: skip


def _standing(entries: Sequence[Entry]) -> Standing:
    """Return the configuration of a model that validation chooses; test values choose nothing."""
    configurations: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        configurations[entry.configuration].append(entry)

    def worth(members: Sequence[Entry]) -> tuple[float, float]:
        values = [e.valid for e in members if e.valid is not None]
        # without validation the newest stands for the model
        return (float(np.mean(values)) if values else -np.inf, max(e.finished for e in members))

    seeds = max(configurations.values(), key=worth)
    seeds.sort(key=lambda entry: entry.sig)
    first = seeds[0]
    return Standing(
        first.family,
        first.model,
        [entry.value for entry in seeds],
        len(configurations),
        first.interval if len(seeds) == 1 else None,
        first.unit,
        mean_cost([entry.cost for entry in seeds]),
        [entry.sig for entry in seeds],
        list(dict.fromkeys(mark for entry in seeds for mark in entry.marks)),
    )


def ranked(boards: Sequence[Board]) -> tuple[Ranks, list[Board]] | None:
    """Return mean ranks over the boards of one metric that the same models share; None of too few.

    Not every model stands on every board: of the most frequent models so many are ranked that
    models times shared boards is largest. Of several splits of a data set the first board counts.

    Args:
        boards: of one metric.
    """
    # two splits of one data set are no two data sets; the first board is the largest
    boards = list({board.dataset: board for board in reversed(boards)}.values())[::-1]
    members = [{s.model: s.mean for s in reversed(board.standings)} for board in boards]
    counts: dict[str, int] = defaultdict(int)
    for values in members:
        for name in values:
            counts[name] += 1
    names = sorted(counts, key=lambda name: (-counts[name], name))
    best: tuple[int, list[str], list[int]] = (0, [], [])
    for count in range(FEWEST, len(names) + 1):
        shared = [i for i, values in enumerate(members) if set(names[:count]) <= values.keys()]
        if len(shared) >= FEWEST and count * len(shared) > best[0]:
            best = (count * len(shared), names[:count], shared)
    _, names, places = best
    if not names:
        return None
    table = {name: {str(i): members[i][name] for i in places} for name in names}
    ranks = rank_models(table, larger_is_better=not is_falling(boards[0].metric))
    return ranks, [boards[i] for i in places]
