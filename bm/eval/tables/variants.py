"""Names of a table's rows: what tells an experiment from the others on its dataset."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence

from ..experiments import Experiment

BASE = "base"


#: A blank before the next key; those inside of lists and dictionaries stay.
BLANK = re.compile(r" (?=[\w.+/~]+(?:=| |$))(?![^\[{]*[\]}])")


def _parts(experiment: Experiment) -> list[str]:
    """Parts of the short name but the seed, and the dataset, which has a column of its own."""
    own = f"dset={experiment.config.dset.name}"
    parts = BLANK.split(experiment.name) if experiment.name else []
    return [p for p in parts if not p.startswith("seed=") and p not in (own, BASE)]


def shared_parts(experiments: Sequence[Experiment]) -> dict[str, list[str]]:
    """Dataset -> parts of the name that all of its experiments have, where they differ at all."""
    members: dict[str, list[list[str]]] = defaultdict(list)
    for experiment in experiments:
        members[str(experiment.config.dset.name)].append(_parts(experiment))
    found = {}
    for dataset, names in members.items():
        common = [part for part in names[0] if all(part in name for name in names)]
        found[dataset] = common if any(name != names[0] for name in names) else []
    return found


def variants(experiments: Sequence[Experiment]) -> list[str]:
    """Row of each experiment: its name without seed, dataset, and what all rows there share."""
    common = shared_parts(experiments)
    found = []
    for experiment in experiments:
        left_out = common[str(experiment.config.dset.name)]
        own = [part for part in _parts(experiment) if part not in left_out]
        found.append(" ".join(own) or BASE)
    return found
