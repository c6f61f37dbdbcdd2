"""Published results that tables put beside ours, and which of our rows repeats which of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .clip import GRIDS as CLIP
from .labram import GRIDS as LABRAM
from .rows import PublishedRow

if TYPE_CHECKING:
    from omegaconf import DictConfig


@dataclass
class Published:
    """What a grid's table needs of a publication.

    Attributes:
        rows: signature -> the published row that the experiment repeats.
        others: dataset -> published rows that none of its experiments repeats.
    """

    rows: dict[str, PublishedRow] = field(default_factory=dict)
    others: dict[str, list[PublishedRow]] = field(default_factory=dict)


def published_rows(grid: str) -> list[PublishedRow]:
    """Published rows of the question that a grid asks; empty when nothing was published."""
    return list({**CLIP, **LABRAM}.get(grid, ()))


def setting(config: DictConfig, key: str, upstream: Mapping[str, DictConfig]) -> Any:
    """Value of a dotted key.

    `features` are the names of `dset.features`; `pretrained` tells whether there is `init_from`;
    `upstream.KEY` is a key of the experiment that `init_from` names, None without one.

    Args:
        config: of an experiment.
        key: dotted.
        upstream: signature -> configuration of the grid's other experiments.
    """
    from omegaconf import OmegaConf

    from ...xp.address import signature_of

    if key == "features":
        return [entry.name for entry in config.dset.get("features") or ()]
    if key == "pretrained":
        return config.init_from is not None
    if key.startswith("upstream."):
        above = upstream.get(signature_of(config.init_from) or "")
        return None if above is None else OmegaConf.select(above, key.removeprefix("upstream."))
    return OmegaConf.select(config, key)


def match(
    rows: Iterable[PublishedRow], config: DictConfig, upstream: Mapping[str, DictConfig]
) -> PublishedRow | None:
    """The published row whose settings are all those of an experiment, on its dataset."""
    for row in rows:
        if row.settings is None or str(config.dset.name) not in row.values:
            continue
        if all(setting(config, key, upstream) == v for key, v in row.settings.items()):
            return row
    return None


def published_beside(grid: str, configs: Mapping[str, DictConfig]) -> Published:
    """Published rows beside the experiments of a grid.

    Args:
        grid: its name.
        configs: signature -> configuration.
    """
    rows, found = published_rows(grid), Published()
    if not rows:
        return found
    for sig, config in configs.items():
        row = match(rows, config, configs)
        if row is not None:
            found.rows[sig] = row
    for dataset in dict.fromkeys(str(config.dset.name) for config in configs.values()):
        own = [sig for sig, config in configs.items() if str(config.dset.name) == dataset]
        taken = {found.rows[sig].name for sig in own if sig in found.rows}
        left = [row for row in rows if dataset in row.values and row.name not in taken]
        found.others[dataset] = left
    return found
