"""The record of an evaluation: one group of the history, plain values for JSON."""

from __future__ import annotations

import json

import pandas as pd

from bm.metrics.evaluation import Evaluation


def evaluation() -> Evaluation:
    return Evaluation(
        split="test",
        metrics={"accuracy": 0.8, "loss": 0.5},
        chance={"accuracy": 0.25},
        items=pd.DataFrame({"label": [0, 1]}),
        n_items=2,
        extra={"table": ["accuracy"]},
    )


def test_chance_stands_beside_its_metric() -> None:
    assert evaluation().with_chance() == {"accuracy": 0.8, "loss": 0.5, "chance_accuracy": 0.25}


def test_plain_values_hold_all_but_the_items() -> None:
    values = evaluation().to_dict()
    assert json.loads(json.dumps(values)) == values
    assert values == {
        "split": "test",
        "metrics": {"accuracy": 0.8, "loss": 0.5},
        "chance": {"accuracy": 0.25},
        "n_items": 2,
        "simulated": False,
        "extra": {"table": ["accuracy"]},
    }


def test_evaluations_share_no_dictionary() -> None:
    first, second = Evaluation("test", {}), Evaluation("test", {})
    first.chance["accuracy"] = 0.5
    first.extra["table"] = ["accuracy"]
    assert second.chance == {} and second.extra == {}
