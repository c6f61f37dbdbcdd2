"""Shipped configurations as tests read them: composed, as a run gets them."""

from __future__ import annotations

from typing import Any

from bm.train import main
from bm.xp.resolve import to_plain


def section(group: str, name: str) -> dict[str, Any]:
    """Return `dset` or `model` as `group=name` gives it, a copy that a test may change."""
    return to_plain(main.resolve([f"{group}={name}"]).cfg[group])


def names(group: str, family: str) -> list[str]:
    """Return the options of a group below the folder of a family, without the folder."""
    options = main.resolver.options(group)
    return [name.removeprefix(f"{family}/") for name in options if name.startswith(f"{family}/")]
