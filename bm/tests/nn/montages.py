"""Unit vectors of MNE's montages; `python -m bm.tests.nn.montages` writes the committed table."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from bm.readers.montage import standard_montage

MONTAGES = {"1005": "standard_1005", "32": "GSN-HydroCel-32", "64": "GSN-HydroCel-64_1.0",
            "128": "GSN-HydroCel-128", "256": "GSN-HydroCel-256"}  # fmt: skip


def unit_vectors(montage: str) -> dict[str, list[float]]:
    """Name, upper case -> unit vector from the centre of the least-squares sphere."""
    places = standard_montage(montage).get_positions()["ch_pos"]
    points = np.array(list(places.values()))
    design = np.column_stack([2 * points, np.ones(len(points))])
    centre = np.linalg.lstsq(design, (points**2).sum(1), rcond=None)[0][:3]
    rays = points - centre
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    return {n.upper(): np.round(r, 4).tolist() for n, r in zip(places, rays, strict=True)}


if __name__ == "__main__":
    tables = {key: unit_vectors(name) for key, name in MONTAGES.items()}
    path = Path(__file__).parents[2] / "nn" / "electrode_places.json"
    path.write_text(json.dumps(tables, separators=(",", ":")) + "\n")
    print({key: len(table) for key, table in tables.items()}, path)
