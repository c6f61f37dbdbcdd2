"""Adapters of Du-IN's golden cases."""

from __future__ import annotations

from typing import Any

import torch

from bm.data.trials import crop_trials, resample_trials, shift_in_time, standardise_trials
from bm.engine.schedule import Schedule
from bm.nn.quantiser import spherical_kmeans, unit

from .duin_baselines import baseline_keys
from .duin_networks import duin_keys
from .running import Tensors, adapter


@adapter("duin", "keys")
def keys(case: dict, data: Tensors, weights: Tensors) -> dict[str, Any]:
    baseline = case["name"].removeprefix("keys-baseline-")
    return duin_keys(case) if baseline == case["name"] else baseline_keys(case, baseline)


@adapter("duin", "lr_schedule")
def lr_schedule(case: dict, data: Tensors, weights: Tensors) -> dict[str, Any]:
    results: dict[str, Any] = {"expect": {}}
    for one in case["config"]["schedules"]:
        config = {
            "name": "cosine",
            "warmup_epochs": one["warmup_epochs"],
            "warmup_form": "next",
            "per_epoch": True,
            "min_lr": one["lr_min"],
        }
        ours = Schedule(config, one["lr_max"], one["n_epochs"], 3)
        results[one["name"]] = [ours.at(3 * epoch) for epoch in range(one["n_epochs"])]
        results["expect"][one["name"]] = data[one["name"]]
    return results


@adapter("duin", "word_preproc")
def word_preproc(case: dict, data: Tensors, weights: Tensors) -> dict[str, Any]:
    c = case["config"]
    trials = resample_trials(data["X"], c["source_rate"], c["resample_rate"])
    cut = crop_trials(trials, c["resample_rate"], c["epoch_start"], tuple(c["window"]))
    scaled = standardise_trials(cut)[0]
    results: dict[str, Any] = {"resampled_cropped": cut, "normalised": scaled}
    channels_first = torch.from_numpy(scaled).transpose(1, 2)
    for name in data:
        if name.startswith("shift_"):
            steps = torch.full((len(scaled),), int(name.removeprefix("shift_")))
            results[name] = shift_in_time(channels_first, steps).transpose(1, 2)
    return {**results, "expect": {name: data[name] for name in results}}


@adapter("duin", "codebook_kmeans")
def codebook_kmeans(case: dict, data: Tensors, weights: Tensors) -> dict[str, Any]:
    samples = torch.from_numpy(data["samples"])
    start = samples[torch.from_numpy(data["initial_indices"])]
    assert start.shape == (case["config"]["n_clusters"], case["config"]["dim"])
    means, bins = spherical_kmeans(samples, start, case["config"]["n_iters"])
    results = {"means": means, "bins": bins, "embeddings": unit(means)}
    return {**results, "expect": {name: data[name] for name in results}}
