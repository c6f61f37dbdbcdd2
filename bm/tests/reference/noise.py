"""Inversions of the noise schedule, its posterior, and the weights of its variational bound."""

from __future__ import annotations

import torch
from torch import Tensor

from bm.nn.noise import NoiseSchedule


def x0_from_noise(schedule: NoiseSchedule, xt: Tensor, noise: Tensor, t: Tensor) -> Tensor:
    """Return x_0 from x_t (B, ...) and eps at steps t (B,)."""
    recip = schedule.at("sqrt_recip_alphas_cumprod", t, xt)
    return recip * xt - schedule.at("sqrt_recipm1_alphas_cumprod", t, xt) * noise


def x0_from_velocity(schedule: NoiseSchedule, xt: Tensor, v: Tensor, t: Tensor) -> Tensor:
    """Return x_0 from x_t (B, ...) and v at steps t (B,)."""
    signal = schedule.at("sqrt_alphas_cumprod", t, xt)
    return signal * xt - schedule.at("sqrt_one_minus_alphas_cumprod", t, xt) * v


def posterior(schedule: NoiseSchedule, x0: Tensor, xt: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean (B, ...) and clipped log variance (B, 1, ...) of q(x_{t-1} | x_t, x_0)."""
    mean = schedule.at("posterior_mean_coef1", t, xt) * x0
    mean = mean + schedule.at("posterior_mean_coef2", t, xt) * xt
    return mean, schedule.at("posterior_log_variance_clipped", t, xt)


def bound_weights(schedule: NoiseSchedule, target: str) -> Tensor:
    """Return (T,) weights that turn the squared error into the variational bound.

    Args:
        schedule: of the training.
        target: what the network predicts: `noise`, `velocity` or `x0`.

    Source: Ho et al. 2020, equation 12; element 0 is copied from element 1, as published.
    """
    abar = schedule.alphas_cumprod.double()
    if target == "velocity":
        weights = torch.ones_like(abar)
    elif target == "x0":
        weights = 0.5 * abar.sqrt() / (2 - abar)
    else:
        beta, variance = schedule.betas.double(), schedule.posterior_variance.double()
        weights = beta**2 / (2 * variance * (1 - beta) * (1 - abar))
    weights[0] = weights[1]
    return weights.float()
