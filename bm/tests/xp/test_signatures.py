"""Signatures of all shipped grids are frozen: results on disk are found by them.

`python -m bm.tests.xp.test_signatures` writes the list again; a signature that moves needs a line
in the changelog.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bm.tests.xp.grid_lists import listed
from bm.xp.listing import grid_names

FROZEN = Path(__file__).with_name("signatures.json")


def current(grid: str) -> dict[str, str]:
    """Signature -> arguments of all experiments of a grid."""
    return {experiment.sig: " ".join(experiment.argv) for experiment in listed(grid)}


def frozen() -> dict[str, dict[str, str]]:
    return json.loads(FROZEN.read_text())


@pytest.mark.xdist_group("grid_lists")
def test_signatures_have_not_moved() -> None:
    stored = frozen()
    assert sorted(stored) == grid_names(), "a grid is new or gone; write the list again"
    for grid, signatures in stored.items():
        assert current(grid) == signatures, f"signatures of {grid} moved"


if __name__ == "__main__":
    lists = {grid: current(grid) for grid in grid_names()}
    FROZEN.write_text(json.dumps(lists, indent=1) + "\n")
    print(f"{sum(map(len, lists.values()))} signatures of {len(lists)} grids in {FROZEN}")
