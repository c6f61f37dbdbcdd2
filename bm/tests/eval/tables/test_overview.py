"""Models are ranked over data sets where each has one row on all of them."""

from __future__ import annotations

from bm.eval.experiments import Experiment
from bm.eval.tables.overview import label_of, rank_lines
from bm.eval.tables.rows import Row
from bm.tests.eval.evaluations import experiment


def members(datasets: int) -> tuple[list[Row], list[Experiment]]:
    """Rows and experiments of two networks and one classical decoder on several data sets."""
    rows, experiments = [], []
    for number in range(datasets):
        for place, name in enumerate(("eegnet", "shallow")):
            sig = f"{number:04d}000{place}"
            experiments.append(experiment(sig, "", dataset=f"d{number}", model={"name": name}))
        experiments.append(experiment(f"{number:04d}0002", "", dataset=f"d{number}"))
        experiments[-1].config.solver = {"name": "baseline", "method": "csp"}
        rows += [Row(f"d{number}", f"row{i}", [0.9 - 0.1 * i], sigs=[experiments[-3 + i].sig])
                 for i in range(3)]  # fmt: skip
    return rows, experiments


def test_ranks_of_enough_data_sets_are_tested() -> None:
    rows, experiments = members(7)
    assert label_of(experiments[2]) == "csp" and label_of(experiments[0]) == "eegnet"
    first, second = rank_lines(rows, experiments, "accuracy")
    assert "over 7 data sets, 1 = best: eegnet 1.00, shallow 2.00, csp 3.00" in first
    assert "eegnet, shallow; shallow, csp" in second
    assert "csp 1.00" in rank_lines(rows, experiments, "rmse")[0]


def test_few_data_sets_are_not_tested_and_ablations_not_ranked() -> None:
    rows, experiments = members(3)
    (line,) = rank_lines(rows, experiments, "accuracy")
    assert "Fewer than 6 data sets: no test" in line
    rows[1].sigs = rows[0].sigs  # two rows of one model
    assert rank_lines(rows, experiments, "accuracy") == []
    rows, experiments = members(1)
    assert rank_lines(rows, experiments, "accuracy") == []
