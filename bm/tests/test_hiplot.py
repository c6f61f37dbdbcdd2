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
