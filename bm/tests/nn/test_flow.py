"""Flow matching: orders of the solvers, what is exact, kept parts."""

from __future__ import annotations

import pytest
import torch

from bm.nn.flow import EVALUATIONS, FLOW_SAMPLERS, FlowSteps, LinearPath
from bm.nn.sampling import last

MEAN, SD = 2.0, 0.5


def velocity(x: torch.Tensor, s: torch.Tensor) -> torch.Tensor:
    """Exact velocity of data N(MEAN, SD^2): E[eps - x_0 | x_s]."""
    s = s.double().reshape(-1, 1)
    variance = (1 - s) ** 2 * SD**2 + s**2
    residual = x - (1 - s) * MEAN
    return (s - (1 - s) * SD**2) / variance * residual - MEAN


def error(name: str, count: int) -> float:
    """Difference of sampled and true values of the flow from start noise."""
    noise = torch.linspace(-2, 2, 9, dtype=torch.float64)[:, None]
    steps = FlowSteps.even(count * EVALUATIONS[name], EVALUATIONS[name])
    samples = last(FLOW_SAMPLERS[name](velocity, noise, steps))
    return float((samples - (MEAN + SD * noise)).abs().max())  # quantiles go to quantiles


@pytest.mark.parametrize(("name", "order"), [("euler", 1), ("heun", 2), ("midpoint", 2)])
def test_errors_fall_with_the_order_of_the_solver(name: str, order: int) -> None:
    coarse, fine = error(name, 40), error(name, 80)
    # midpoints converge faster than they must along this flow
    assert fine < 0.02 and coarse / fine > 0.85 * 2**order


@pytest.mark.parametrize(("name", "left"), [("euler", 0.0), ("midpoint", 0.0), ("heun", 0.05)])
def test_where_nothing_is_heun_leaves_half_of_its_last_step(name: str, left: float) -> None:
    """The velocity of data of zeros is x / s; at s = 0 nothing tells it, and its mean is 0."""

    def to_nothing(x: torch.Tensor, s: torch.Tensor) -> torch.Tensor:
        return torch.where(s[:, None] > 0, x / s[:, None].clamp_min(1e-9), 0.0)

    noise = torch.ones(2, 3, dtype=torch.float64)
    steps = FlowSteps.even(10 * EVALUATIONS[name], EVALUATIONS[name])
    samples = last(FLOW_SAMPLERS[name](to_nothing, noise, steps))
    torch.testing.assert_close(samples, left * noise, atol=1e-6, rtol=0)


def test_a_line_leads_from_data_to_noise() -> None:
    path, x0, noise = LinearPath(), torch.randn(4, 3, 5), torch.randn(4, 3, 5)
    s = torch.tensor([0.0, 0.25, 0.5, 1.0])
    x = path.add_noise(x0, noise, s)
    torch.testing.assert_close(x[0], x0[0])
    torch.testing.assert_close(x[3], noise[3])
    torch.testing.assert_close(x - s[:, None, None] * path.velocity(x0, noise, s), x0)


def test_times_keep_within_their_bounds() -> None:
    uniform = LinearPath().draw(4000, torch.Generator().manual_seed(0))
    middle = LinearPath(times="logit_normal").draw(4000, torch.Generator().manual_seed(0))
    assert uniform.min() >= 0 and uniform.max() < 1 and uniform.var() > 1.5 * middle.var()
    with pytest.raises(ValueError, match="times 'even'"):
        LinearPath(times="even")


def test_a_kept_part_is_as_it_was() -> None:
    x0, noise = torch.full((2, 4), 3.0, dtype=torch.float64), torch.randn(2, 4).double()
    mask = torch.tensor([True, False, False, True])
    steps = FlowSteps.even(8, 1)
    steps.edit = lambda x, s: torch.where(mask, (1 - s) * x0 + s * noise, x)
    samples = last(FLOW_SAMPLERS["euler"](velocity, noise, steps))
    assert torch.equal(samples[:, mask], x0[:, mask])
    assert not torch.isclose(samples[:, ~mask], x0[:, ~mask]).any()


def test_evaluations_are_a_whole_number_of_steps() -> None:
    with pytest.raises(ValueError, match="7 evaluations; a step takes 2"):
        FlowSteps.even(7, 2)
    with pytest.raises(ValueError, match="0 evaluations"):
        FlowSteps.even(0, 1)
    assert FlowSteps.even(6, 2).times.tolist() == pytest.approx([1, 2 / 3, 1 / 3, 0])


def test_a_silent_network_leaves_white_noise_as_it_is() -> None:
    """From noise to data that are white noise too: nothing has to be learned."""
    path = LinearPath(data_sd=1.0)
    noise = torch.randn(4000, 1, dtype=torch.float64)

    def silent(x: torch.Tensor, s: torch.Tensor) -> torch.Tensor:
        return path.around(torch.zeros_like, x, s)

    samples = last(FLOW_SAMPLERS["heun"](silent, noise, FlowSteps.even(40, 2)))
    torch.testing.assert_close(samples, noise, atol=0.02, rtol=0.02)


@pytest.mark.parametrize("sd", [1.0, 0.2])
def test_a_network_sees_and_learns_unit_variance(sd: float) -> None:
    path, seen = LinearPath(data_sd=sd), []
    x0, noise = torch.randn(2, 200_000, dtype=torch.float64).split(1)
    x0 = sd * x0

    def network(scaled: torch.Tensor) -> torch.Tensor:
        seen.append(scaled)
        return torch.zeros_like(scaled)

    for share in (0.0, 0.2, 0.5, 0.9, 1.0):
        s = torch.tensor([share])
        x, v = path.add_noise(x0, noise, s), path.velocity(x0, noise, s)
        left = v - path.around(network, x, s)
        ones = path.around(torch.ones_like, x, s) - path.around(torch.zeros_like, x, s)
        assert float(seen[-1].var()) == pytest.approx(1, abs=0.02)
        assert float((left / ones).var()) == pytest.approx(1, abs=0.02)
        assert abs(float((left / ones * seen[-1]).mean())) < 0.02  # no other multiple is better
        assert float((left.square() * path.weights(left, s)).mean()) == pytest.approx(1, abs=0.02)
    assert torch.equal(LinearPath().around(torch.zeros_like, x, s), torch.zeros_like(x))


def test_the_sd_of_data_is_above_0() -> None:
    with pytest.raises(ValueError, match="data_sd 0"):
        LinearPath(data_sd=0.0)
