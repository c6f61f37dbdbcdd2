"""HiPlot: an axis is a name, and experiments are resolved in this process."""

from __future__ import annotations

from typing import Any

import hiplot
from dora import hiplot as dora_hiplot

from grids._hiplot import MainHP, Serial


def test_a_model_is_a_name_and_no_mapping() -> None:
    """Symptom: the axis `model` was shown as [object Object]."""
    experiment = hiplot.Experiment()
    models: Any = (("a", {"name": "eegnet", "target": None}), ("b", "baselines/shallow"))
    for uid, model in models:
        experiment.datapoints.append(hiplot.Datapoint(uid=uid, values={"model": model}))
    MainHP().postprocess_exp(experiment)
    assert [p.values["model"] for p in experiment.datapoints] == ["eegnet", "baselines/shallow"]


def test_nothing_is_forked() -> None:
    assert dora_hiplot.ProcessPoolExecutor is Serial
    with Serial(10) as pool:
        assert pool.map(str, [1, 2]) == ["1", "2"]


def test_axes_are_what_was_swept_then_the_epoch_then_metrics() -> None:
    """Symptom: 20 axes in an order that changed from call to call covered each other's names."""
    experiment = hiplot.Experiment()
    values: Any = {
        "perf.seconds": 2.0, "test.auroc": 0.9, "test.balanced_accuracy": 0.8, "valid.best": 1.0,
        "valid.loss": 1.0, "train.accuracy": 0.7, "train.loss": 0.5, "sig": "ab12cd34", "epoch": 3,
        "seed": 0, "solver": "supervised/debug", "last": True,
    }  # fmt: skip
    experiment.datapoints.append(hiplot.Datapoint(uid="a", values=values))
    MainHP().postprocess_exp(experiment)
    plot = experiment.display_data(hiplot.Displays.PARALLEL_PLOT)
    assert plot["order"][::-1] == [
        "solver", "seed", "epoch", "train.loss", "valid.loss", "test.balanced_accuracy",
        "test.auroc",
    ]  # fmt: skip
    assert {"perf.seconds", "valid.best", "train.accuracy", "sig", "last"} < set(plot["hide"])
