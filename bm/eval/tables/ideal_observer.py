"""What an observer that knows the simulation reaches: the upper reference of simulated data."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    from omegaconf import DictConfig

    from ...solvers.speech.candidates import CandidateSet
    from ...studies.simulated.listening.retrieval import Heard

DRAWS = 2000  # Monte Carlo draws: the 95 % interval of an accuracy is at most +-0.022
TOPS = (1, 5, 10)


def reference(config: DictConfig, cache: Path) -> float | None:
    """Accuracy of the ideal observer, or None when the data are not simulated.

    None also where the windows are of other events than those that the observer decodes (words of
    mode reading, whose observer finds sentences), and where segments are retrieved: what the
    observer reaches then depends on the candidates, see `retrieval_reference`.

    The value depends on the study's options alone and is kept in `cache`.
    """
    from omegaconf import OmegaConf

    made = _study(config)
    if made is None or OmegaConf.select(config, "solver.name") == "contrastive":
        return None
    entry, study = made
    if study.observed != config.dset.segment.kind:
        return None

    def compute() -> dict[str, Any]:
        accuracy, interval = study.observer(n=DRAWS)
        return {"accuracy": accuracy, "interval": list(interval)}

    return float(_kept(cache, [entry, DRAWS], compute)["accuracy"])


def retrieval_reference(config: DictConfig, items: pd.DataFrame, cache: Path) -> dict[str, float]:
    """Top-k accuracies of the ideal observer that hears the same windows and candidates.

    Empty where the data are no simulated listening.

    Args:
        config: of the experiment.
        items: its test windows, with `segment_hash`.
        cache: values are kept there, by study and windows.
    """
    from ...data.window_rule import WindowRule
    from ...solvers.speech.candidates import candidate_sets
    from ...xp.resolve import to_plain

    made = _study(config)
    if made is None or made[1].mode != "listening":
        return {}
    entry, study = made
    changes = config.dset.get("segment_test")
    rule = {**to_plain(config.dset.segment), **(to_plain(changes) if changes else {})}
    duration_s, by = WindowRule.of(rule).duration_s, str(config.solver.candidates)
    sets = candidate_sets(np.arange(len(items)), items, items["recording"].to_numpy(), by)

    def compute() -> dict[str, Any]:
        sums = dict.fromkeys(TOPS, 0.0)
        for chosen in sets:
            share = len(chosen.queries) / len(items)
            heard = _heard(items, chosen, duration_s)
            for k, value in study.retrieve(heard, TOPS, max(1, int(DRAWS * share))).items():
                sums[k] += share * value
        return {f"top{k}_accuracy": value for k, value in sums.items()}

    columns = ["subject", "run", "start_s", "segment_hash"]
    windows = hashlib.sha256(items[columns].to_csv().encode()).hexdigest()
    return _kept(cache, [entry, DRAWS, duration_s, by, windows], compute)


def _heard(items: pd.DataFrame, chosen: CandidateSet, duration_s: float) -> Heard:
    """The queries of a candidate set as the observer hears them."""
    from ...studies.simulated.listening.retrieval import Heard, Speech

    candidates, queries = items.iloc[chosen.rows], items.iloc[chosen.queries]
    places = {int(value): place for place, value in enumerate(chosen.hashes)}
    return Heard(
        queries["subject"].astype(str).to_numpy(),
        np.array([places[int(value)] for value in queries["segment_hash"]]),
        [Speech(*pair) for pair in zip(candidates["run"], candidates["start_s"], strict=True)],
        duration_s,
    )


def _study(config: DictConfig) -> tuple[dict[str, Any], Any] | None:
    """The simulated study and its options, None when the data are not of exactly one."""
    from omegaconf import OmegaConf

    from ...studies import build_study

    entries = [e for e in config.dset.studies if e.study == "simulated"]
    if len(entries) != 1 or len(config.dset.studies) != 1:
        return None
    entry: dict[str, Any] = OmegaConf.to_container(entries[0], resolve=True)  # type: ignore[assignment]
    return entry, build_study(entry, config.paths)


def _kept(cache: Path, key: list[Any], compute: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What was computed before for a key, else computed and kept."""
    name = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:16]
    path = cache / f"observer-{name}.json"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".tmp")
        temporary.write_text(json.dumps(compute()))
        temporary.replace(path)
    return dict(json.loads(path.read_text()))
