"""Tables of a grid: one row per variant, aggregated over seeds; Markdown, CSV, LaTeX, HTML."""

from __future__ import annotations

import csv
import io
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..xp.files import read_json, write_text
from .experiments import Experiment
from .page import Section, render, write
from .statistics import holm, mean_interval, paired_permutation


@dataclass
class Row:
    """One variant on one dataset.

    Attributes:
        dataset, variant: what it is.
        values: metric of each seed that was evaluated.
        chance: its chance level.
        n_items: test items.
        missing: experiments without a result, with their state.
        sigs: signatures behind the row.
        items: mean correctness of each test item over seeds, by item.
        simulated: whether the data are simulated.
        p: corrected p of the paired test against the reference row.
        more: other metrics of each seed, by name.
        intervals: resampled 95 % interval of each metric, of the seed read last.
        references: name of a reference -> metric -> value, chance excepted.
    """

    dataset: str
    variant: str
    values: list[float] = field(default_factory=list)
    chance: float | None = None
    n_items: int = 0
    missing: list[str] = field(default_factory=list)
    sigs: list[str] = field(default_factory=list)
    items: dict[Any, float] = field(default_factory=dict)
    simulated: bool = False
    p: float | None = None
    more: dict[str, list[float]] = field(default_factory=dict)
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)
    references: dict[str, dict[str, float]] = field(default_factory=dict)


def variant_of(name: str) -> str:
    """Short name of an experiment without its seed."""
    return " ".join(part for part in name.split(" ") if not part.startswith("seed=")) or "base"


def correctness(path: Path) -> dict[Any, float]:
    """Whether each test item was decided right: (recording, start) -> 0 or 1."""
    if not path.exists():
        return {}
    import pandas as pd

    frame = pd.read_parquet(path)
    if not {"label", "prediction"} <= set(frame.columns):
        return {}
    keys = zip(frame["recording"], frame["start_s"], strict=True)
    right = (frame["label"] == frame["prediction"]).astype(float)
    return dict(zip(keys, right, strict=True))


def default_metrics(experiments: Sequence[Experiment], folder: Path) -> list[str]:
    """Metrics that the first evaluated experiment shows in a table, the main one first."""
    for experiment in experiments:
        stored = read_json(folder / experiment.sig / "metrics.json")
        if stored is not None:
            return list(stored.get("extra", {}).get("table", ())) or ["balanced_accuracy"]
    return ["balanced_accuracy"]


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
    sums: dict[tuple[str, str], list[dict[Any, float]]] = defaultdict(list)
    for experiment in experiments:
        key = (str(experiment.config.dset.name), variant_of(experiment.name))
        row = rows.setdefault(key, Row(*key))
        row.sigs.append(experiment.sig)
        row.simulated |= experiment.simulated
        stored = read_json(folder / experiment.sig / "metrics.json")
        if stored is None or metric not in stored["metrics"]:
            row.missing.append(f"{experiment.sig}: {experiment.state}")
            continue
        row.values.append(float(stored["metrics"][metric]))
        row.chance = stored["chance"].get(metric)
        extra = stored.get("extra", {})
        for name in others:
            if name in stored["metrics"]:
                row.more.setdefault(name, []).append(float(stored["metrics"][name]))
        row.intervals = {k: (v[0], v[1]) for k, v in extra.get("intervals", {}).items()}
        row.references = dict(extra.get("references", {}))
        row.n_items = int(stored["n_items"])
        sums[key].append(correctness(folder / experiment.sig / "items.parquet"))
    for key, parts in sums.items():
        shared = set.intersection(*(set(part) for part in parts)) if parts else set()
        rows[key].items = {k: float(np.mean([p[k] for p in parts])) for k in sorted(shared)}
    return list(rows.values())


def add_tests(rows: Sequence[Row], against: str) -> None:
    """Paired test of each row against the row `against` of its dataset, Holm-corrected."""
    tested: list[tuple[Row, float]] = []
    for row in rows:
        reference = next(
            (r for r in rows if r.dataset == row.dataset and r.variant == against), None
        )
        if reference is None or reference is row:
            continue
        shared = sorted(row.items.keys() & reference.items.keys())
        if shared:
            pair = [row.items[k] for k in shared], [reference.items[k] for k in shared]
            tested.append((row, paired_permutation(*pair)))
    for (row, _), p in zip(tested, holm([p for _, p in tested]), strict=True):
        row.p = p


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


def cells(
    rows: Sequence[Row],
    metric: str,
    levels: Mapping[str, Mapping[str, float]],
    others: Sequence[str] = (),
) -> list:
    """The table as text: variants, then chance and other reference levels of each dataset.

    Args:
        rows: collected rows.
        metric: its name.
        levels: dataset -> name -> value, e.g. of the ideal observer.
        others: further metrics, a column each.
    """
    found: list[dict[str, str]] = []
    for dataset in dict.fromkeys(row.dataset for row in rows):
        own = [row for row in rows if row.dataset == dataset]
        label = f"{dataset} (simulated)" if own[0].simulated else dataset
        for row in own:
            low, high = mean_interval(row.values)
            found.append(
                {
                    "dataset": label,
                    "variant": row.variant,
                    metric: show(row.values, row.intervals.get(metric)),
                    **{
                        name: show(row.more[name], row.intervals.get(name))
                        for name in others
                        if name in row.more
                    },
                    "95 % CI over seeds": "" if math.isnan(low) else f"{low:.3f} to {high:.3f}",
                    "seeds": str(len(row.values)),
                    "items": str(row.n_items or ""),
                    "p": "" if row.p is None else f"{row.p:.2g}",
                    "missing": "; ".join(row.missing),
                }
            )
        chance = next((row.chance for row in own if row.chance is not None), None)
        known = {**({} if chance is None else {"chance": chance}), **levels.get(dataset, {})}
        found += [
            {"dataset": label, "variant": name, metric: f"{value:.3f}"}
            for name, value in known.items()
        ]
        references = next((row.references for row in own if row.references), {})
        for name, values in references.items():
            shown = {m: f"{values[m]:.3f}" for m in (metric, *others) if m in values}
            found.append({"dataset": label, "variant": name, **shown})
    columns = list(dict.fromkeys(name for row in found for name in row))
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
        for mark in "&%_#":
            text = text.replace(mark, f"\\{mark}")
        return text.replace("±", "$\\pm$")

    lines = [f"\\begin{{tabular}}{{l{'r' * (len(columns) - 1)}}}", "\\toprule"]
    lines.append(" & ".join(escape(c) for c in columns) + " \\\\")
    lines.append("\\midrule")
    lines += [" & ".join(escape(row[c]) for c in columns) + " \\\\" for row in table]
    return "\n".join([*lines, "\\bottomrule", "\\end{tabular}"]) + "\n"


def write_tables(
    grid: str, rows: Sequence[Row], table: Sequence[Mapping[str, str]], folder: Path
) -> Path:
    """Write the four forms, and the signatures behind each row; returns the Markdown file."""
    simulated = any(row.simulated for row in rows)
    note = "simulated data: made from equations, no recording" if simulated else None
    head = f"{note}\n\n" if note else ""
    write_text(folder / "table.md", head + to_markdown(table))
    write_text(folder / "table.csv", to_csv(table))
    write_text(folder / "table.tex", to_latex(table))
    folded = [(f"{row.dataset} {row.variant}", "\n".join(row.sigs)) for row in rows]
    section = Section("Results", rows=table, folded=folded)
    write(folder / "table.html", render(f"Table of {grid}", [section], note))
    return folder / "table.md"
