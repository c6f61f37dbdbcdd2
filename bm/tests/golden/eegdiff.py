"""Adapters of Brain-Diffusion's golden cases."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from bm.metrics import generation
from bm.metrics.covariance import log_euclidean_mean
from bm.metrics.distribution import class_diversity
from bm.metrics.spectra import relative_band_powers
from bm.metrics.temporal import hjorth, largest_correlations
from bm.nn.ema import EMA, power_decay
from bm.nn.noise import NoiseSchedule, slerp
from bm.nn.sampling import steps_of
from bm.solvers.schedule import Schedule

from .running import Tensors, adapter


@adapter("eegdiff", "schedules")
def schedules(case: dict, data: Tensors, weights: Tensors) -> dict[str, Any]:
    c = case["config"]
    shape = c["beta"]["schedule"]
    noise = NoiseSchedule(shape, c["num_train_timesteps"], c["beta"]["start"], c["beta"]["end"])
    x0, eps, t, a, b = (
        torch.from_numpy(data[k]) for k in ("x0", "noise", "t", "slerp_a", "slerp_b")
    )
    lr, ema = c["lr"], c["ema"]
    config = {"name": "cosine", "warmup_epochs": 0, "warmup_steps": lr["warmup"], "min_lr": 0.0}
    rates = Schedule(config, lr["peak"], 1, lr["total"])
    options = {"inv_gamma": ema["inv_gamma"], "power": ema["power"]}
    return {
        "betas": noise.betas,
        "alphas_cumprod": noise.alphas_cumprod,
        "ddim50_timesteps": steps_of(noise, c["ddim_inference_steps"]).t.flip(0),
        "ddpm_full_timesteps": steps_of(noise, c["ddpm_inference_steps"]).t.flip(0),
        "x_t": noise.add_noise(x0, eps, t),
        "lr": [rates.at(i) for i in range(lr["total"] + 1)],
        "slerp_out": slerp(a, b, c["slerp_alpha"]),
        "ema_shadow": _shadows(data["ema_params"], ema),
        "ema_decay": [
            power_decay(n + 1, ema["max_decay"], **options) for n in range(len(data["ema_params"]))
        ],
        "ema_decay_at_value": [
            power_decay(int(n), ema["max_decay"], **options) for n in data["ema_decay_at"]
        ],
    }


def _shadows(parameters: np.ndarray, ema: dict) -> list[np.ndarray]:
    """Average of a parameter vector after each of its values."""
    model = nn.Linear(parameters.shape[1], 1, bias=False)
    average = EMA(
        model, ema["max_decay"], "power", inv_gamma=ema["inv_gamma"], power=ema["power"], zero=True
    )
    found = []
    for values in parameters:
        model.load_state_dict({"weight": torch.from_numpy(values)[None]})
        average.update(model)
        found.append(average.shadow["weight"].numpy()[0].copy())
    return found


@adapter("eegdiff", "metrics")
def metrics(case: dict, data: Tensors, weights: Tensors) -> dict[str, Any]:
    c = case["config"]
    bands = {name: tuple(edges) for name, edges in c["bands"].items()}
    real, generated, test = (
        generation.describe(data[k], c["fs"], bands) for k in ("real", "generated", "real_test")
    )
    found: dict[str, Any] = {
        **generation.moment_metrics(real, generated, real),
        **generation.point_metrics(real, generated, real),
        **generation.copy_metrics(real, test, generated, c["max_copy_lag"]),
        "inception_style_score": class_diversity(data["class_probs"]),
        "psd_freqs": real.freqs,
        "features_test": generation.band_features(test, real),
        "max_train_correlation": largest_correlations(
            generated.waves, real.waves, c["max_copy_lag"]
        ),
    }
    for name, one in (("real", real), ("generated", generated)):
        found |= {
            f"relative_bandpower_{name}": relative_band_powers(one.powers),
            f"hjorth_{name}": hjorth(one.waves),
            f"psd_{name}_mean": one.density.mean(0),
            f"features_{name}": generation.band_features(one, real),
            f"acf_{name}": one.acf.mean(0),
            f"mean_cov_{name}": log_euclidean_mean(one.logs),
        }
    return found
