"""Adapters of eeg2speech's golden cases."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from bm.metrics.distribution import frechet_distance, inception_score, paired_kl
from bm.nn.ema import EMA

from .running import Tensors, adapter


@adapter("eeg2speech", "EMA of parameters")
def ema(case: dict, data: Tensors, weights: Tensors) -> dict[str, Any]:
    given = {name: torch.from_numpy(data[name]) for name in ("weight", "bias")}
    model = nn.Linear(5, 3)
    model.load_state_dict({name: value[0] for name, value in given.items()})
    average = EMA(model, case["config"]["decay"], "ramp")
    shadows: dict[str, list[np.ndarray]] = {"shadow_weight": [], "shadow_bias": []}
    for step in range(1, case["config"]["updates"] + 1):
        model.load_state_dict({name: value[step] for name, value in given.items()})
        average.update(model)
        for name in ("weight", "bias"):
            shadows[f"shadow_{name}"].append(average.shadow[name].numpy().copy())
    return {**shadows, "expect": {name: data[name] for name in shadows}}


@adapter("eeg2speech", "evaluation metrics")
def metrics(case: dict, data: Tensors, weights: Tensors) -> dict[str, Any]:
    config = case["config"]
    generated, reference = data["logits1"], data["logits2"]
    mean, sd = inception_score(
        generated, config["inception_splits"], config["inception_shuffle_seed"]
    )
    return {
        "kullback_leibler_divergence_sigmoid": paired_kl(
            generated, reference, "sigmoid", config["kl_eps"]
        ),
        "kullback_leibler_divergence_softmax": paired_kl(
            generated, reference, "softmax", config["kl_eps"]
        ),
        "inception_score_mean": mean,
        "inception_score_std": sd,
        "frechet_distance": frechet_distance(data["features1"], data["features2"]),
        "frechet_audio_distance": frechet_distance(
            data["frame_embeddings1"], data["frame_embeddings2"]
        ),
    }
