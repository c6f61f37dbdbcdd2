"""Names of a table's rows: what tells an experiment from the others on its dataset."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence

from ..experiments import Experiment

BASE = "base"  # name of the row whose experiment changes nothing
#: A blank before the next key; those inside of lists and dictionaries stay.
BLANK = re.compile(r" (?=[\w.+/~]+(?:=| |$))(?![^\[{]*[\]}])")


def _parts(experiment: Experiment) -> list[str]:
    """Return the parts of the short name without the seed, which rows aggregate over, and the
    dataset, which has a column of its own."""
    dataset = f"dset={experiment.dataset}"
    parts = BLANK.split(experiment.name) if experiment.name else []
    return [p for p in parts if not p.startswith("seed=") and p not in (dataset, BASE)]


def shared_parts(experiments: Sequence[Experiment]) -> dict[str, list[str]]:
    """Return dataset -> parts of the name that all of its experiments have.

    Empty for a dataset whose experiments have one name: nothing would be left of it.
    """
    members: dict[str, list[list[str]]] = defaultdict(list)
    for experiment in experiments:
        members[experiment.dataset].append(_parts(experiment))
    shared = {}
    for dataset, names in members.items():
        common = [part for part in names[0] if all(part in name for name in names)]
        shared[dataset] = common if any(name != names[0] for name in names) else []
    return shared


def variants(experiments: Sequence[Experiment]) -> list[str]:
    """Return the row of each experiment: its name without seed, dataset, and shared parts."""
    common = shared_parts(experiments)
    names = []
    for experiment in experiments:
        left_out = common[experiment.dataset]
        parts = [part for part in _parts(experiment) if part not in left_out]
        names.append(" ".join(parts) or BASE)
    return names
