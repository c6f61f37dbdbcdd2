"""A head from above: places on the disc, and the surface through the values of electrodes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np

from bm.figures.head import RADIUS_M, between, flattened, reach, surface


def test_the_equator_is_the_edge_and_the_vertex_the_middle() -> None:
    """Distances from the middle are angles, whatever the size of the head."""
    ear, vertex, half_way = [0.08, 0, 0], [0, 0, 0.1], [0, 0.05, 0.05]
    places = flattened(np.array([ear, vertex, half_way]))
    np.testing.assert_allclose(places, [[RADIUS_M, 0], [0, 0], [0, RADIUS_M / 2]], atol=1e-12)


def test_the_surface_goes_through_the_electrodes_and_is_a_plane_where_they_are() -> None:
    rng = np.random.default_rng(0)
    places, targets = rng.uniform(-0.09, 0.09, (20, 2)), rng.uniform(-0.09, 0.09, (50, 2))
    values = rng.normal(size=20)
    np.testing.assert_allclose(between(places, values, places), values, atol=1e-6)
    plane = np.array([3.0, -2.0])
    expected = 1 + targets @ plane
    np.testing.assert_allclose(between(places, 1 + places @ plane, targets), expected, atol=1e-6)


def test_two_electrodes_in_one_place_are_drawn_with_their_mean() -> None:
    places = np.array([[0.0, 0.05], [0.05, 0.0], [-0.05, 0.0], [0.0, -0.05], [0.0, 0.05]])
    middle = between(places, np.array([1.0, 0, 0, 0, 3]), places[:1])
    np.testing.assert_allclose(middle, [2.0], atol=1e-6)


def test_a_map_speaks_no_further_than_neighbours_are_apart() -> None:
    places = np.array([[0.0, 0.0], [0.02, 0.0], [0.0, 0.02], [0.02, 0.02]])
    area = reach(places, whole=False)
    assert area.contains_point((0.035, 0.0)) and not area.contains_point((0.05, 0.0))
    assert reach(places, whole=True).contains_point((0.05, 0.0))
    assert surface(places, np.zeros(4))[1] == RADIUS_M


def test_a_map_waits_for_no_interpolation_of_scipy(tmp_path: Path) -> None:
    """MNE's own map imports half a second of it."""
    code = (
        "import sys, numpy as np, pathlib; from bm.figures.topography import draw_topographies\n"
        "places = np.array([[.05, 0, .05], [-.05, 0, .05], [0, .05, .05], [0, -.05, .05]])\n"
        "draw_topographies({'a': {'b': np.arange(4.)}}, places, pathlib.Path(sys.argv[1]))\n"
        "print([name for name in ('mne', 'scipy.interpolate') if name in sys.modules])"
    )
    words = [sys.executable, "-c", code, str(tmp_path / "map.svg")]
    assert subprocess.run(words, capture_output=True, text=True, check=True).stdout == "[]\n"
