"""Models are ranked over data sets where each has one row on all of them."""

from __future__ import annotations

from bm.eval.experiments import Experiment
from bm.eval.tables.overview import label_of, rank_lines
from bm.eval.tables.rows import Row
from bm.tests.eval.evaluations import experiment


def members(datasets: int) -> tuple[list[Row], list[Experiment]]:
    """Rows and experiments of two networks and one classical decoder on several data sets."""
    rows, made = [], []
    for number in range(datasets):
        for place, name in enumerate(("eegnet", "shallow")):
            sig = f"{number:04d}000{place}"
            made.append(experiment(sig, "", dataset=f"d{number}", model={"name": name}))
        made.append(experiment(f"{number:04d}0002", "", dataset=f"d{number}"))
        made[-1].config.solver = {"name": "baseline", "method": "csp"}
        rows += [Row(f"d{number}", f"row{i}", [0.9 - 0.1 * i], sigs=[made[-3 + i].sig])
                 for i in range(3)]  # fmt: skip
    return rows, made


def test_ranks_of_enough_data_sets_are_tested() -> None:
    rows, made = members(7)
    assert label_of(made[2]) == "csp" and label_of(made[0]) == "eegnet"
    first, second = rank_lines(rows, made, "accuracy")
    assert "over 7 data sets, 1 = best: eegnet 1.00, shallow 2.00, csp 3.00" in first
    assert "eegnet, shallow; shallow, csp" in second
    assert "csp 1.00" in rank_lines(rows, made, "rmse")[0]


def test_few_data_sets_are_not_tested_and_ablations_not_ranked() -> None:
    rows, made = members(3)
    (line,) = rank_lines(rows, made, "accuracy")
    assert "Fewer than 6 data sets: no test" in line
    rows[1].sigs = rows[0].sigs  # two rows of one model
    assert rank_lines(rows, made, "accuracy") == []
    rows, made = members(1)
    assert rank_lines(rows, made, "accuracy") == []
