"""Tables of a grid: one row per variant, aggregated over seeds; Markdown, CSV, LaTeX, HTML."""

from __future__ import annotations

import csv
import io
import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ...xp.files import read_json, write_text
from ..experiments import Experiment
from ..published.rows import IDEAL, Level, PublishedRow
from .item_scores import Scores, mean_scores, read_scores
from .page import Section, render, write
from .statistics import LEAST_PAIRS, mean_interval
from .variants import variants


@dataclass
class Row:
    """One variant on one dataset.

    Attributes:
        dataset, variant: what it is.
        values: metric of each seed that was evaluated.
        chance: its chance level; `chances` those of all metrics.
        n_items: test items.
        missing: experiments without a result, with their state.
        sigs: signatures behind the row.
        scores: means over seeds of the main metric's score of each test item and person.
        simulated: whether the data are simulated.
        p: corrected p of the paired test over test items against the reference row.
        p_people: corrected p of the signed-rank test over people against it.
        n_people: people in that test; 0 = not tested.
        more: other metrics of each seed, by name.
        intervals: resampled 95 % interval of each metric, of the seed read last.
        references: name of a reference -> metric -> value, chance excepted.
        published: the published row that it repeats.
        pooled: the row is of all data sets, and has the publication's p beside its own.
    """

    dataset: str
    variant: str
    values: list[float] = field(default_factory=list)
    chance: float | None = None
    n_items: int = 0
    missing: list[str] = field(default_factory=list)
    sigs: list[str] = field(default_factory=list)
    scores: Scores = field(default_factory=Scores)
    simulated: bool = False
    p: float | None = None
    p_people: float | None = None
    n_people: int = 0
    more: dict[str, list[float]] = field(default_factory=dict)
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)
    references: dict[str, dict[str, float]] = field(default_factory=dict)
    chances: dict[str, float] = field(default_factory=dict)
    published: PublishedRow | None = None
    pooled: bool = False


def default_metrics(experiments: Sequence[Experiment], folder: Path) -> list[str]:
    """Metrics that the evaluated experiments show in a table, the main one first.

    The main metric is that of most experiments: stages before the last have others.
    """
    shown: list[tuple[str, ...]] = []
    for experiment in experiments:
        stored = read_json(folder / experiment.sig / "metrics.json")
        if stored is not None:
            shown.append(tuple(stored.get("extra", {}).get("table", ())) or ("balanced_accuracy",))
    if not shown:
        return ["balanced_accuracy"]
    main = Counter(names[0] for names in shown).most_common(1)[0][0]
    return list(dict.fromkeys(n for names in shown if names[0] == main for n in names))


def collect(
    experiments: Sequence[Experiment], folder: Path, metric: str, others: Sequence[str] = ()
) -> list[Row]:
    """Rows from the evaluated experiments in `folder`, in the order of the grid.

    Args:
        experiments: of the grid.
        folder: where evaluations are.
        metric: main metric: an experiment without it counts as missing.
        others: further metrics, shown where they are known.
    """
    rows: dict[tuple[str, str], Row] = {}
    scores: dict[tuple[str, str], list[Scores]] = defaultdict(list)
    for experiment, variant in zip(experiments, variants(experiments), strict=True):
        key = (str(experiment.config.dset.name), variant)
        row = rows.setdefault(key, Row(*key))
        row.sigs.append(experiment.sig)
        row.simulated |= experiment.simulated
        stored = read_json(folder / experiment.sig / "metrics.json")
        if stored is None or metric not in stored["metrics"]:
            why = experiment.state if stored is None else f"no {metric}"
            row.missing.append(f"{experiment.sig}: {why}")
            continue
        row.values.append(float(stored["metrics"][metric]))
        row.chance, row.chances = stored["chance"].get(metric), dict(stored["chance"])
        extra = stored.get("extra", {})
        for name in others:
            if name in stored["metrics"]:
                row.more.setdefault(name, []).append(float(stored["metrics"][name]))
        row.intervals = {k: (v[0], v[1]) for k, v in extra.get("intervals", {}).items()}
        row.references = dict(extra.get("references", {}))
        row.n_items = int(stored["n_items"])
        items = folder / experiment.sig / "items.parquet"
        scores[key].append(read_scores(items, extra, metric))
    for key, parts in scores.items():
        rows[key].scores = mean_scores(parts)
    return list(rows.values())


def format_value(values: Sequence[float]) -> str:
    """`0.512 ± 0.020` over seeds, `0.512` for one."""
    if not values:
        return "missing"
    mean = float(np.mean(values))
    return f"{mean:.3f} ± {np.std(values, ddof=1):.3f}" if len(values) > 1 else f"{mean:.3f}"


def show(values: Sequence[float], interval: tuple[float, float] | None) -> str:
    """A value over seeds; of one seed with its resampled interval where there is one."""
    if len(values) == 1 and interval is not None:
        return f"{values[0]:.3f} [{interval[0]:.3f}, {interval[1]:.3f}]"
    return format_value(values)


def people_cell(p: float | None, n: int) -> str:
    """A corrected p over people, or that there were too few; empty where nothing was tested."""
    if p is not None:
        return f"{p:.2g}"
    return f"{n} people: too few" if 0 < n < LEAST_PAIRS else ""


def row_cells(row: Row, metrics: Sequence[str], ideal: float | None) -> dict[str, str]:
    """Cells of one of our rows.

    Args:
        row: collected.
        metrics: names, the main one first.
        ideal: main metric of the ideal observer, where there is one.
    """
    metric, (low, high) = metrics[0], mean_interval(row.values)
    values = {metric: row.values, **row.more}
    shown = [name for name in metrics if name in values]
    found = {name: show(values[name], row.intervals.get(name)) for name in shown}
    found["95 % CI over seeds"] = "" if math.isnan(low) else f"{low:.3f} to {high:.3f}"
    if ideal is not None and row.chance is not None and row.values and ideal > row.chance:
        share = (float(np.mean(row.values)) - row.chance) / (ideal - row.chance)
        found["from chance to ideal"] = f"{share:.0%}"
    found["seeds"] = "" if row.pooled else str(len(row.values))
    found["items"], found["people"] = str(row.n_items or ""), str(len(row.scores.people) or "")
    found["p, items"] = "" if row.p is None else f"{row.p:.2g}"
    found["p, people"] = people_cell(row.p_people, row.n_people)
    if row.published is not None:
        known = row.published.values.get(row.dataset, {})
        found["published as"] = row.published.name
        found |= {f"published {name}": str(known[name]) for name in metrics if name in known}
        found["published p, people"] = row.published.p if row.pooled else ""
    found["missing"] = "; ".join(row.missing)
    return found


def reference_cells(
    rows: Sequence[Row], levels: Mapping[str, Mapping[str, Level]], metrics: Sequence[str]
) -> list[dict[str, str]]:
    """Rows of a dataset that are not ours: chance, references, other levels."""
    evaluated = next((row for row in reversed(rows) if row.chance is not None), rows[0])
    chances = {metrics[0]: evaluated.chance, **evaluated.chances}
    known: dict[str, Mapping[str, object]] = {
        "chance": {k: f"{v:.3f}" for k, v in chances.items() if v is not None}
    }
    references = next((row.references for row in rows if row.references), {})
    for name, values in references.items():
        known[name] = {k: f"{v:.3f}" for k, v in values.items()}
    known |= levels
    shown = [
        {"variant": name, **{k: str(values[k]) for k in metrics if k in values}}
        for name, values in known.items()
    ]
    return [row for row in shown if len(row) > 1]


def cells(
    rows: Sequence[Row],
    metric: str,
    levels: Mapping[str, Mapping[str, Mapping[str, Level]]],
    others: Sequence[str] = (),
) -> list[dict[str, str]]:
    """The table as text: variants, then chance and other reference levels of each dataset.

    Args:
        rows: collected rows.
        metric: its name.
        levels: dataset -> name -> metric -> value, e.g. of the ideal observer.
        others: further metrics, a column each.
    """
    found: list[dict[str, str]] = []
    metrics = [metric, *others]
    for dataset in dict.fromkeys(row.dataset for row in rows):
        own = [row for row in rows if row.dataset == dataset]
        label = f"{dataset} (simulated)" if own[0].simulated else dataset
        beside = levels.get(dataset, {})
        ideal = beside.get(IDEAL, {}).get(metric)
        lines = [
            {"variant": row.variant, **row_cells(row, metrics, ideal.value if ideal else None)}
            for row in own
        ]
        lines += reference_cells(own, beside, metrics)
        found += [{"dataset": label, **line} for line in lines]
    first = ["dataset", "variant", *metrics]
    columns = list(dict.fromkeys([*first, *(name for row in found for name in row)]))
    kept = [name for name in columns if any(row.get(name) for row in found)]
    return [{name: row.get(name, "") for name in kept} for row in found]


def to_markdown(table: Sequence[Mapping[str, str]]) -> str:
    """Markdown with aligned columns."""
    columns = list(table[0])
    widths = {c: max(len(c), *(len(row[c]) for row in table)) for c in columns}
    lines = ["| " + " | ".join(c.ljust(widths[c]) for c in columns) + " |"]
    lines.append("|" + "|".join("-" * (widths[c] + 2) for c in columns) + "|")
    lines += ["| " + " | ".join(row[c].ljust(widths[c]) for c in columns) + " |" for row in table]
    return "\n".join(lines) + "\n"


def to_csv(table: Sequence[Mapping[str, str]]) -> str:
    """Comma-separated values."""
    out = io.StringIO()
    writer = csv.DictWriter(out, list(table[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(table)
    return out.getvalue()


def to_latex(table: Sequence[Mapping[str, str]]) -> str:
    """A `tabular` with rules of the booktabs package."""
    columns = list(table[0])

    def escape(text: str) -> str:
        for mark in "&%_#{}":
            text = text.replace(mark, f"\\{mark}")
        return text.replace("±", "$\\pm$").replace("<", "$<$")

    lines = [f"\\begin{{tabular}}{{l{'r' * (len(columns) - 1)}}}", "\\toprule"]
    lines.append(" & ".join(escape(c) for c in columns) + " \\\\")
    lines.append("\\midrule")
    lines += [" & ".join(escape(row[c]) for c in columns) + " \\\\" for row in table]
    return "\n".join([*lines, "\\bottomrule", "\\end{tabular}"]) + "\n"


@dataclass
class Page:
    """What goes with a table: notes under it, figures (SVG files) with captions on its page."""

    notes: Sequence[str] = ()
    figures: Sequence[tuple[Path, str]] = ()


def write_tables(
    grid: str,
    rows: Sequence[Row],
    table: Sequence[Mapping[str, str]],
    folder: Path,
    page: Page | None = None,
) -> Path:
    """Write the four forms, and the signatures behind each row; returns the Markdown file."""
    page = page or Page()
    simulated = any(row.simulated for row in rows)
    note = "simulated data: made from equations, no recording" if simulated else None
    head = f"{note}\n\n" if note else ""
    foot = "".join(f"\n{text}\n" for text in page.notes)
    write_text(folder / "table.md", head + to_markdown(table) + foot)
    write_text(folder / "table.csv", to_csv(table))
    write_text(folder / "table.tex", to_latex(table))
    folded = [(f"{row.dataset} {row.variant}", "\n".join(row.sigs)) for row in rows]
    section = Section("Results", page.notes, table, page.figures, folded)
    write(folder / "table.html", render(f"Table of {grid}", [section], note))
    return folder / "table.md"
