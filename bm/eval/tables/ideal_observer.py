"""Accuracy of an observer that knows the simulation: the upper reference of simulated data."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd

from ...data.window_rule import WindowRule
from ...solvers.speech.candidates import CandidateSet, candidate_sets
from ...studies import build_study
from ...studies.simulated.listening.retrieval import Heard, Speech
from ...xp.files import read_or_warn, write_json
from ...xp.resolve import to_plain

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from ...studies.simulated import Simulated

DRAWS = 2000  # Monte Carlo draws: the 95 % interval of an accuracy is at most +-0.022
TOPS = (1, 5, 10)
#: Solvers that decide between the classes of a window, as the observer does: the accuracy of
#: guessing hidden codes, for one, has the same name and nothing to do with it.
DECODERS = ("supervised", "baseline")


def observer_accuracy(config: DictConfig, cache: Path) -> float | None:
    """Return the accuracy of the ideal observer, or None when the data are not simulated.

    None also where the windows are of other events than those that the observer decodes (words of
    mode reading, whose observer decides between sentences), and where nothing is classified; that
    of a retrieval depends on the candidates, see `observer_retrieval`.

    Args:
        config: of the experiment.
        cache: values are stored there by the study's options, on which alone they depend.
    """
    simulation = _simulation(config)
    if simulation is None or config.solver.name not in DECODERS:
        return None
    options, study = simulation
    if study.observed != config.dset.segment.kind:
        return None

    def compute() -> dict[str, Any]:
        accuracy, interval = study.observer(n=DRAWS)
        return {"accuracy": accuracy, "interval": list(interval)}

    return float(_cached(cache, [options, DRAWS], compute)["accuracy"])


def observer_retrieval(config: DictConfig, items: pd.DataFrame, cache: Path) -> dict[str, float]:
    """Return top-k accuracies of the ideal observer that hears the same windows and candidates.

    Empty where the data are no simulated listening.

    Args:
        config: of the experiment.
        items: its test windows, with `segment_hash`.
        cache: values are stored there, by study and windows.
    """
    simulation = _simulation(config)
    if simulation is None or simulation[1].mode != "listening":
        return {}
    options, study = simulation
    changes = config.dset.get("segment_test")
    rule = {**to_plain(config.dset.segment), **(to_plain(changes) if changes else {})}
    duration_s, by = WindowRule.of(rule).duration_s, str(config.solver.candidates)
    sets = candidate_sets(np.arange(len(items)), items, items["recording"].to_numpy(), by)

    def compute() -> dict[str, Any]:
        sums = dict.fromkeys(TOPS, 0.0)
        for candidates in sets:
            # A set has as many of the draws as it has of the queries, and as much weight.
            share = len(candidates.queries) / len(items)
            heard = _heard(items, candidates, duration_s)
            for k, value in study.retrieve(heard, TOPS, max(1, int(DRAWS * share))).items():
                sums[k] += share * value
        return {f"top{k}_accuracy": value for k, value in sums.items()}

    columns = ["subject", "run", "start_s", "segment_hash"]
    windows = hashlib.sha256(items[columns].to_csv().encode()).hexdigest()
    return _cached(cache, [options, DRAWS, duration_s, by, windows], compute)


def _heard(items: pd.DataFrame, candidates: CandidateSet, duration_s: float) -> Heard:
    """Return the queries of a candidate set as the observer hears them."""
    segments, queries = items.iloc[candidates.rows], items.iloc[candidates.queries]
    places = {int(value): place for place, value in enumerate(candidates.hashes)}
    return Heard(
        queries["subject"].astype(str).to_numpy(),
        np.array([places[int(value)] for value in queries["segment_hash"]]),
        [Speech(*pair) for pair in zip(segments["run"], segments["start_s"], strict=True)],
        duration_s,
    )


def _simulation(config: DictConfig) -> tuple[dict[str, Any], Simulated] | None:
    """Return options and study when the data are of one simulated study alone, else None."""
    entries = list(config.dset.studies)
    if len(entries) != 1 or entries[0].study != "simulated":
        return None
    options: dict[str, Any] = to_plain(entries[0])
    return options, cast("Simulated", build_study(options, config.paths))


def _cached(cache: Path, key: list[Any], compute: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return the values stored for a key; without any, compute and store them."""
    name = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:16]
    path = cache / f"observer-{name}.json"
    values = read_or_warn(path)
    if values is None:
        # as the file will say it: numbers of NumPy are plain ones after JSON
        values = json.loads(json.dumps(compute()))
        write_json(path, values)
    return values
