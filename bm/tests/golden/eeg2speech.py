"""Adapters of eeg2speech's golden cases."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from bm.metrics.distribution import frechet_distance, inception_score, paired_kl
from bm.nn.ema import EMA
from bm.nn.noise import NoiseSchedule
from bm.nn.sampling import steps_of

from ..reference.noise import bound_weights, posterior, x0_from_noise, x0_from_velocity
from .running import Tensors, adapter


@adapter("eeg2speech", "EMA of parameters")
def ema(case: dict, data: Tensors, weights: Tensors) -> dict[str, Any]:
    inputs = {name: torch.from_numpy(data[name]) for name in ("weight", "bias")}
    model = nn.Linear(5, 3)
    model.load_state_dict({name: value[0] for name, value in inputs.items()})
    average = EMA(model, case["config"]["decay"], "ramp")
    shadows: dict[str, list[np.ndarray]] = {"shadow_weight": [], "shadow_bias": []}
    for step in range(1, case["config"]["updates"] + 1):
        model.load_state_dict({name: value[step] for name, value in inputs.items()})
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


@adapter("eeg2speech", "noise schedule")
def noise_schedule(case: dict, data: Tensors, weights: Tensors) -> dict[str, Any]:
    c = case["config"]
    # the published name "linear" means evenly spaced square roots
    schedule = NoiseSchedule("scaled_linear", c["timesteps"], c["linear_start"], c["linear_end"])
    target = {"eps": "noise", "v": "velocity", "x0": "x0"}[c["parameterization"]]
    x0, noise, t = (torch.from_numpy(data[k]) for k in ("x0", "noise", "t"))
    xt, v = schedule.add_noise(x0, noise, t), schedule.velocity(x0, noise, t)
    mean, log_variance = posterior(schedule, x0, xt, t)
    results = {
        **dict(schedule.named_buffers()),
        "lvlb_weights": bound_weights(schedule, target),
        "q_sample": xt,
        "v_target": v,
        "x0_from_eps": x0_from_noise(schedule, xt, noise, t),
        "x0_from_v": x0_from_velocity(schedule, xt, v, t),
        "eps_from_v": schedule.noise_from_velocity(xt, v, t),
        "posterior_mean": mean,
        "posterior_log_variance": log_variance,
    }
    wanted = {name: data[name] for name in data if name not in ("x0", "noise", "t")}
    return {**results, "expect": wanted}


@adapter("eeg2speech", "DDIM tables")
def ddim_tables(case: dict, data: Tensors, weights: Tensors) -> dict[str, Any]:
    c = case["config"]
    schedule = NoiseSchedule("scaled_linear", c["timesteps"], c["linear_start"], c["linear_end"])
    results: dict[str, Any] = {"expect": data}
    for combo in c["combos"]:
        steps, key = steps_of(schedule, combo["steps"], offset=1), combo["key"]
        results |= {
            f"{key}.timesteps": steps.t,
            f"{key}.ddim_sigmas": steps.sigmas(combo["eta"]),
            f"{key}.ddim_alphas": steps.abar,
            f"{key}.ddim_alphas_prev": steps.before,
            f"{key}.ddim_sqrt_one_minus_alphas": (1 - steps.abar).sqrt(),
        }
    return results
