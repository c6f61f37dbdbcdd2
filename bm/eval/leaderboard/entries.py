"""Results as the leaderboard reads them: from the folders of experiments, nothing is resolved."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...engine.audit import NAME as AUDIT
from ...xp import marker
from ...xp.files import DamagedFileError, read_evaluation, read_history, read_or_warn
from ...xp.guard import guard_of
from ..inventory import arguments_of
from ..tables.cost import Cost, cost_of
from ..tables.overview import is_falling

#: Keys of a configuration that decide what is tested; models may differ by other preprocessing.
SPLIT_KEYS = ("dset.split.", "dset.segment.", "dset.studies")


@dataclass(frozen=True)
class Entry:
    """One evaluated experiment.

    Attributes:
        sig: signature.
        family: first part of its recipe, e.g. `labram`.
        model: name that is the same on every data set.
        dataset, metric: what is measured on what.
        value, chance: of the test split; chance None where there is none.
        valid: value that may choose between configurations, larger is better; None = none stored.
        n_items: of the test split.
        references: name -> value of the metric for what is no model, e.g. white noise.
        interval: 95 % over units of evidence; None of too few.
        unit: of evidence, in words.
        configuration: all of it but the seed, as text.
        split: keys that decide on the test items -> value.
        dset: configuration of the data, as text.
        data_hash: of the data.
        simulated: whether the data were made from equations.
        marks: of its audit.
        cost: of its training.
        finished: when (s since 1970).
    """

    sig: str
    family: str
    model: str
    dataset: str
    metric: str
    value: float
    chance: float | None
    valid: float | None
    n_items: int
    references: Mapping[str, float]
    interval: tuple[float, float] | None
    unit: str
    configuration: str
    split: Mapping[str, Any]
    dset: str
    data_hash: str
    simulated: bool
    marks: Sequence[str] = ()
    cost: Cost = field(default_factory=Cost)
    finished: float = 0.0


def entries_of(outputs: Path) -> list[Entry]:
    """Return every finished experiment below `outputs` that has an evaluation, by signature."""
    return list(_entries(outputs))


def _entries(outputs: Path) -> Iterator[Entry]:
    for folder in sorted((outputs / "xps").glob("[!.]*")):
        if folder.is_dir() and marker.exists(folder):
            entry = entry_of(folder, outputs / "eval")
            if entry is not None:
                yield entry


def entry_of(folder: Path, evaluations: Path) -> Entry | None:
    """Return the result of one finished experiment; None without a metric that tables show.

    Args:
        folder: of the experiment.
        evaluations: by signature, as `scripts.run_eval` writes them; else its own one counts.
    """
    written = read_evaluation(evaluations / folder.name / "metrics.json")
    evaluation = written or read_evaluation(folder / "evaluation.json")
    guard = guard_of(folder)
    config: dict[str, Any] = guard.get("config") or {}
    if not evaluation or not config:
        return None
    metrics, extra = evaluation["metrics"], evaluation.get("extra", {})
    metric = next((n for n in (*extra.get("table", ()), *metrics) if n in metrics), None)
    if metric is None or metric == "loss" or not math.isfinite(metrics[metric]):
        return None
    interval = extra.get("intervals", {}).get(metric) if "unit" in extra else None
    references = {n: r[metric] for n, r in extra.get("references", {}).items() if metric in r}
    words = arguments_of(folder) or []
    recipe = next((w.partition("=")[2] for w in words if w.startswith("solver=")), "supervised")
    history = _history(folder)
    return Entry(
        sig=folder.name,
        family=recipe.partition("/")[0],
        model=model_of(config),
        dataset=str(config.get("dset.name", "")),
        metric=metric,
        value=float(metrics[metric]),
        chance=evaluation.get("chance", {}).get(metric),
        valid=_valid(history, metric),
        n_items=int(evaluation.get("n_items") or 0),
        references=references,
        interval=None if interval is None else (float(interval[0]), float(interval[1])),
        unit=str(extra.get("unit", "")),
        configuration=_text({k: v for k, v in config.items() if k != "seed"}),
        split={k: v for k, v in config.items() if k.startswith(SPLIT_KEYS)},
        dset=_text({k: v for k, v in config.items() if k.startswith("dset.")}),
        data_hash=str(guard.get("data_hash")),
        simulated=bool(evaluation.get("simulated", False)),
        marks=tuple((read_or_warn(folder / AUDIT) or {}).get("marks", ())),
        cost=cost_of(history),
        finished=(folder / marker.NAME).stat().st_mtime,
    )


def model_of(config: Mapping[str, Any]) -> str:
    """Return the name of a model: `csp`, `labram`, `eegdiff wave linear`.

    Args:
        config: dotted key -> value.
    """
    if config.get("solver.name") == "baseline":
        return str(config.get("solver.method"))
    name = str(config.get("model.name") or config.get("model.target") or config.get("solver.name"))
    # generators of one class differ by what they diffuse, and how
    parts = [config.get("model.representation.name"), config.get("model.noise.path")]
    return " ".join([name, *(str(p) for p in parts if p and p != "chain")])


def _valid(history: Sequence[Mapping[str, Any]], metric: str) -> float | None:
    """Return the best validation value of the metric, else of the loss; larger is better."""
    for name in (metric, "loss"):
        sign = -1.0 if name == "loss" or is_falling(name) else 1.0
        values = [sign * e["valid"][name] for e in history if name in (e.get("valid") or {})]
        finite = [v for v in values if math.isfinite(v)]
        if finite:
            return max(finite)
    return None


def _history(folder: Path) -> list[dict[str, Any]]:
    try:
        return read_history(folder / "history.json")
    except DamagedFileError:
        return []


def _text(values: Mapping[str, Any]) -> str:
    return json.dumps(values, sort_keys=True, default=str)
