"""Costs of a row: summed over epochs, averaged over seeds, empty where nothing was recorded."""

from __future__ import annotations

import pytest
import torch

from bm.engine.perf import THREAD_W, assumed_power
from bm.eval.tables.cost import Cost, cost_cells, cost_of


def test_epochs_are_summed_and_seeds_averaged() -> None:
    perf = {"seconds": 90.0, "parameters": 1234.0, "flops_per_item": 2.5e6, "assumed_w": 20.0}
    cost = cost_of([{"perf": perf}, {"perf": perf}])
    assert (cost.seconds, cost.parameters, cost.flops) == (180.0, 1234.0, 2.5e6)
    assert cost.watt_hours == pytest.approx(1.0)
    cells = cost_cells([cost, Cost(60.0, 1234.0, 2.5e6, 0.5)])
    assert list(cells.values()) == ["120", "1,234", "2.50", "0.750"]


def test_what_was_not_recorded_is_empty_and_no_part_of_it_is_counted() -> None:
    perf = {"seconds": 90.0, "parameters": 10.0}
    before = {"perf": {"items_per_s": 3.0}}  # an epoch of a version that wrote no times
    assert cost_of([before, {"perf": perf}]) == Cost(None, 10.0, None, None)
    assert cost_of([{"perf": perf}]).watt_hours is None and cost_of([]) == Cost()
    assert set(cost_cells([Cost(1.0), Cost()]).values()) == {""} == set(cost_cells([]).values())


def test_a_processor_takes_its_threads_and_other_devices_nothing_is_assumed_of() -> None:
    assert assumed_power(torch.device("cpu"), 4) == 4 * THREAD_W
    assert assumed_power(torch.device("meta"), 4) is None
