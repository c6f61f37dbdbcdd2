"""Means over items: weights, one process or two, and what a resume restores."""

from __future__ import annotations

import pytest
import torch

from bm.engine.averages import Averages
from bm.engine.processes import rank
from bm.tests.processes import in_two_processes

CPU = torch.device("cpu")


def values(**numbers: float) -> dict[str, torch.Tensor]:
    return {name: torch.tensor(number) for name, number in numbers.items()}


def test_means_are_over_items_not_over_batches() -> None:
    averages = Averages(CPU)
    averages.add(values(loss=1.0, accuracy=0.5), 8)
    averages.add(values(loss=4.0), 2)  # the last batch is smaller, and lacks a metric
    assert averages.local() == averages.result() == {"accuracy": 0.5, "loss": pytest.approx(1.6)}
    averages.clear()
    assert averages.result() == averages.local() == {}


def test_many_small_values_are_not_lost() -> None:
    averages = Averages(CPU)
    averages.add(values(loss=1e8), 1)
    for _ in range(1000):
        averages.add(values(loss=1.0), 1)
    assert averages.result()["loss"] == pytest.approx((1e8 + 1000) / 1001, rel=1e-12)


def test_sums_take_no_graph_and_return_with_a_checkpoint() -> None:
    averages, resumed = Averages(CPU), Averages(CPU)
    loss = torch.tensor(3.0, requires_grad=True)
    averages.add({"loss": loss * 2}, 3)
    assert not averages.sums["loss"].requires_grad
    resumed.load_state_dict(averages.state_dict())
    for one in (averages, resumed):
        one.add(values(loss=0.0), 1)
    assert resumed.result() == averages.result() == {"loss": 4.5}


def test_two_processes_share_their_means_whoever_saw_what(tmp_path) -> None:
    def worker(number: int) -> dict[str, dict[str, float]]:
        assert rank() == number
        averages = Averages(CPU)
        if number == 0:
            averages.add(values(b=1.0, a=2.0), 1)
        else:
            averages.add(values(a=5.0), 2)
            averages.add(values(c=7.0), 4)
        return {"result": averages.result(), "local": averages.local()}

    one, two = in_two_processes(tmp_path, worker)
    assert one["result"] == two["result"] == {"a": 4.0, "b": 1.0, "c": 7.0}
    assert one["local"] == {"a": 2.0, "b": 1.0} and two["local"] == {"a": 5.0, "c": 7.0}
