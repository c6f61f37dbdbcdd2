"""Published results that tables put beside ours, and which of our rows repeats which of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from omegaconf import DictConfig, OmegaConf

from ...xp.address import signature_of
from .clip import GRIDS as CLIP
from .competitions import GRIDS as COMPETITIONS
from .duin import GRIDS as DUIN
from .labram import GRIDS as LABRAM
from .rows import PublishedRow


@dataclass
class Published:
    """Published rows that belong to a grid's table.

    Attributes:
        rows: signature -> the published row that the experiment repeats.
        others: dataset -> published rows that none of its experiments repeats.
    """

    rows: dict[str, PublishedRow] = field(default_factory=dict)
    others: dict[str, list[PublishedRow]] = field(default_factory=dict)


def published_rows(grid: str) -> list[PublishedRow]:
    """Return the published rows of the question that a grid asks; empty when there are none."""
    return list({**CLIP, **COMPETITIONS, **DUIN, **LABRAM}.get(grid, ()))


def setting(config: DictConfig, key: str, upstream: Mapping[str, DictConfig]) -> Any:
    """Return the value of a dotted key of a configuration.

    `features` are the names of `dset.features`; `pretrained` tells whether there is `init_from`;
    `upstream.KEY` is a key of the experiment that `init_from` names, None without one.

    Args:
        config: of an experiment.
        key: dotted.
        upstream: signature -> configuration of the grid's other experiments.
    """
    if key == "features":
        # Names alone tell the targets of Table 2 apart; their options are those of the recipes.
        return [entry.name for entry in config.dset.get("features") or ()]
    if key == "pretrained":
        return config.init_from is not None
    if key.startswith("upstream."):
        # An upstream outside of the grid (//hub, //file) has no configuration to look into.
        above = upstream.get(signature_of(config.init_from) or "")
        return None if above is None else OmegaConf.select(above, key.removeprefix("upstream."))
    return OmegaConf.select(config, key)


def match(
    rows: Iterable[PublishedRow], config: DictConfig, upstream: Mapping[str, DictConfig]
) -> PublishedRow | None:
    """Return the first published row of an experiment's dataset whose settings it has, or None."""
    for row in rows:
        # A row on other data repeats nothing, whatever its settings.
        if row.settings is None or str(config.dset.name) not in row.values:
            continue
        if all(setting(config, key, upstream) == value for key, value in row.settings.items()):
            return row
    return None


def published_beside(grid: str, configs: Mapping[str, DictConfig]) -> Published:
    """Return the published rows beside the experiments of a grid.

    Args:
        grid: its name.
        configs: signature -> configuration.
    """
    rows, published = published_rows(grid), Published()
    if not rows:
        return published
    for sig, config in configs.items():
        row = match(rows, config, configs)
        if row is not None:
            published.rows[sig] = row
    for dataset in dict.fromkeys(str(config.dset.name) for config in configs.values()):
        sigs = [sig for sig, config in configs.items() if str(config.dset.name) == dataset]
        repeated = {published.rows[sig].name for sig in sigs if sig in published.rows}
        others = [row for row in rows if dataset in row.values and row.name not in repeated]
        published.others[dataset] = others
    return published
