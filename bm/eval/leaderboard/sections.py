"""The leaderboard as one static page: ranks, a board per data set, and rows of others."""

from __future__ import annotations

import datetime
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from ...errors import UserError
from ...figures.ranks import draw_cost, draw_critical_difference
from ...xp.files import write_text
from ..published.records import Record, records
from ..tables.cells import brackets, format_value
from ..tables.cost import NOTE, cost_cells
from ..tables.overview import lines_of
from ..tables.page import Section, render
from ..tables.protocol import differing
from .boards import FEWEST, Board, Standing, boards_of, ranked
from .entries import entries_of

#: Boards whose costs are drawn, and signatures that a cell names: a page of 1,000 experiments is
#: built in seconds.
MOST_FIGURES, MOST_SIGS = 12, 6
METHOD = (
    "A board holds the experiments that were tested on the same items of one data set. Of several "
    "configurations of a model that with the best validation value stands for it (without one, the "
    "newest); test values choose nothing. ± is the sd over seeds, brackets are the 95 % interval "
    "over units of evidence of a single seed. Experiments whose audit found a leak are left out."
)
OTHERS = (
    "Copied from their sources, other protocols than ours: other windows, splits, filters and "
    "numbers of seeds. They are not ranked with ours."
)


def write_leaderboard(outputs: Path) -> Path:
    """Write `leaderboard/index.html` below `outputs` from what is stored there; return the page.

    Args:
        outputs: folder with `xps`, and `eval` where experiments were evaluated.

    Raises:
        UserError: there is no finished experiment with an evaluation.
    """
    entries = entries_of(outputs)
    if not entries:
        raise UserError(
            f"no finished experiment with an evaluation in {outputs}: run one, e.g. `dora run "
            "solver=supervised/debug`, or say where with BM_OUTPUTS"
        )
    folder = outputs / "leaderboard"
    boards, others = boards_of(entries), records()
    sections = [_head(len(entries), boards)]
    sections += _rank_sections(boards, folder)
    for index, board in enumerate(boards):
        figure = folder / f"cost-{index}.svg" if index < MOST_FIGURES else None
        sections.append(_board_section(board, boards, others, figure))
    sections.append(_others_section(others))
    simulated = [board.dataset for board in boards if board.simulated]
    note = "Rows marked (simulated) are of data made from equations." if simulated else None
    path = folder / "index.html"
    write_text(path, render("Leaderboard", sections, note))
    return path


def _head(count: int, boards: Sequence[Board]) -> Section:
    """Return what the page is of, and how it was made."""
    day = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d")
    datasets = len({board.dataset for board in boards})
    text = f"{count} experiments on {datasets} data sets, {len(boards)} boards; built {day}."
    return Section("What is compared", [text, METHOD, NOTE])


def _rank_sections(boards: Sequence[Board], folder: Path) -> list[Section]:
    """Return a section of mean ranks for each metric that several boards share."""
    groups: dict[str, list[Board]] = defaultdict(list)
    for board in boards:
        if len(board.standings) >= FEWEST:
            groups[board.metric].append(board)
    sections = []
    for metric, members in groups.items():
        result = ranked(members)
        if result is None:
            continue
        ranks, shared = result
        simulated = any(board.simulated for board in shared)
        path = folder / f"ranks-{metric}.svg"
        draw_critical_difference(ranks.means, path, ranks.distance, ranks.groups(), simulated)
        names = ", ".join(board.title.partition(":")[0] for board in shared)
        sections.append(
            Section(
                f"Mean ranks by {metric.replace('_', ' ')}",
                [*lines_of(ranks), f"Data sets: {names}."],
                figures=[(path, "Mean ranks; bars join what is not told apart (Nemenyi, .05)")],
            )
        )
    return sections


def _board_section(
    board: Board, boards: Sequence[Board], others: Sequence[Record], figure: Path | None
) -> Section:
    """Return a board's table, with cost beside quality and the rows of others on its data."""
    rows = [
        _cells(place, standing, board) for place, standing in enumerate(board.standings, start=1)
    ]
    # a grid may have trained it as a row of its own
    if board.chance is not None and all(s.model != "chance" for s in board.standings):
        rows.append({"model": "chance", board.metric: f"{board.chance:.3f}"})
    rows += [{"model": name, board.metric: f"{v:.3f}"} for name, v in board.references.items()]
    rows += [
        {"model": f"published: {r.model}", board.metric: str(r.value), "source": _source(r)}
        for r in others
        if (r.dataset, r.metric) == (board.dataset, board.metric)
    ]
    figures = []
    points = [
        (s.family, s.model, s.cost.seconds, s.mean)
        for s in board.standings
        if s.cost.seconds is not None and s.cost.seconds > 0
    ]
    if figure is not None and len(points) >= FEWEST:
        draw_cost(points, figure, f"test {board.metric}", board.chance, board.simulated)
        figures = [(figure, "Quality against the time of training, mean over seeds")]
    folded = [(f"{s.family} {s.model}", "\n".join(s.sigs)) for s in board.standings
              if len(s.sigs) > MOST_SIGS]  # fmt: skip
    links = {sig: f"../xps/{sig}" for s in board.standings for sig in s.sigs}
    text = [_difference(board, boards), *_left_out(board)]
    return Section(board.title, [t for t in text if t], rows, figures, folded, links=links)


def _cells(place: int, standing: Standing, board: Board) -> dict[str, str]:
    value = format_value(standing.values)
    if standing.interval is not None:
        value += f" {brackets(standing.interval)}"
    more = ", ..." if len(standing.sigs) > MOST_SIGS else ""
    return {
        "model": standing.model,
        "family": standing.family,
        "place": str(place),
        board.metric: value,
        "seeds": str(len(standing.values)),
        "units": standing.unit,
        "items": str(board.n_items),
        "configurations": str(standing.configurations),
        **cost_cells([standing.cost]),
        "audit": "; ".join(standing.marks),
        "experiments": ", ".join(standing.sigs[:MOST_SIGS]) + more,
    }


def _difference(board: Board, boards: Sequence[Board]) -> str:
    """Return in which keys a board differs from the first one of its data set and metric."""
    first = next(b for b in boards if (b.dataset, b.metric) == (board.dataset, board.metric))
    if first is board:
        return ""
    keys = differing(first.split, board.split)
    texts = "; ".join(f"{key} = {board.split.get(key)}" for key in keys) or "other test items"
    return f"Not comparable with the first board of these data: {texts}."


def _left_out(board: Board) -> list[str]:
    if not board.left_out:
        return []
    shown = "; ".join(board.left_out[:MOST_SIGS])
    return [f"Left out: {len(board.left_out)} experiments ({shown})."]


def _source(record: Record) -> str:
    return f"{record.source} ({record.date})"


def _others_section(others: Sequence[Record]) -> Section:
    """Return all rows of others with their dates and sources."""
    rows = [
        {
            "data set": r.dataset, "metric": r.metric, "model": r.model, "value": str(r.value),
            "date": r.date, "source": r.source,
        }
        for r in others
    ]  # fmt: skip
    return Section("Published elsewhere", [OTHERS], rows)
