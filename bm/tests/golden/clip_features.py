"""Adapters of brainmagick's golden cases of features."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import torch

from bm.features import build_feature
from bm.features.builder import FeatureBuilder
from bm.features.sound import nearest
from bm.nn.feature_parts import feature_parts

from .running import Tensors, adapter


def renamed(rows: list[dict]) -> pd.DataFrame:
    """Published names of columns to ours."""
    return pd.DataFrame(rows).rename(columns={"start": "start_s", "duration": "duration_s"})


@adapter("clip", "FeaturesBuilder on word and phoneme events")
def features_builder(case: dict, data: Tensors, weights: Tensors) -> dict[str, Any]:
    config, rate = case["config"], case["config"]["sample_rate"]
    events, results = renamed(case["events"]), {}
    for suffix, event_mask in (("", False), ("_event_mask", True)):
        features = [build_feature(name) for name in config["features"]]
        builder = FeatureBuilder(features, event_mask)
        builder.add(events, rate)
        for number, (start, stop) in enumerate(config["windows"]):
            first, length = round(start * rate), round((stop - start) * rate)
            values, mask = builder.gather(np.array([0]), np.array([first]), length)
            results[f"mask_{number}{suffix}"] = mask
            results[f"features_{number}"] = torch.cat(list(values.values()), 1)[0]
    parts = feature_parts(builder.kinds)
    assert {p.name: [p.target.start, p.target.stop] for p in parts} == case["slices"]
    assert {p.name: [p.estimate.start, p.estimate.stop] for p in parts} == case["output_slices"]
    return {**results, "expect": {name: data[name] for name in results}}


@adapter("clip", "MelSpectrum feature")
def mel_spectrum(case: dict, data: Tensors, weights: Tensors) -> dict[str, Any]:
    config = dict(case["config"])
    assert config.pop("in_sampling") == 16000
    rate, wav_rate = config.pop("sample_rate"), config.pop("wav_rate")
    wave = torch.from_numpy(data["wav"])
    feature = build_feature({"name": "MelSpectrum", **config})
    mel = feature.represent(wave, wav_rate)
    results = {"mel": mel, "feature": nearest(mel, round(wave.shape[-1] / wav_rate * rate))}
    return {**results, "expect": {name: data[name] for name in results}}
