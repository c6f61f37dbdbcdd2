"""What an observer that knows the simulation reaches: the upper reference of simulated data."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from omegaconf import DictConfig

DRAWS = 2000  # Monte Carlo draws: the 95 % interval of an accuracy is at most +-0.022


def reference(config: DictConfig, cache: Path) -> float | None:
    """Accuracy of the ideal observer, or None when the data are not simulated.

    None also where the windows are of other events than those that the observer decodes (words of
    mode reading, whose observer finds sentences).

    The value depends on the study's options alone and is kept in `cache`.
    """
    from omegaconf import OmegaConf

    from ..studies import build_study

    entries = [e for e in config.dset.studies if e.study == "simulated"]
    if len(entries) != 1 or len(config.dset.studies) != 1:
        return None
    entry: dict[str, Any] = OmegaConf.to_container(entries[0], resolve=True)  # type: ignore[assignment]
    study = build_study(entry, config.paths)
    if study.observed != config.dset.segment.kind:
        return None
    name = hashlib.sha256(json.dumps([entry, DRAWS], sort_keys=True).encode()).hexdigest()[:16]
    path = cache / f"observer-{name}.json"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        accuracy, interval = study.observer(n=DRAWS)
        temporary = path.with_suffix(".tmp")
        temporary.write_text(json.dumps({"accuracy": accuracy, "interval": list(interval)}))
        temporary.replace(path)
    return float(json.loads(path.read_text())["accuracy"])
