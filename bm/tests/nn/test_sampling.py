from __future__ import annotations

import pytest
import torch

from bm.nn.noise import NoiseSchedule, slerp
from bm.nn.sampling import SAMPLERS, Noise, Path, even_steps, invert, last, steps_of

MEAN, SD = 0.3, 0.2


def gaussian_denoiser(schedule: NoiseSchedule):
    """The exact noise prediction when the data are normal with MEAN and SD."""

    def denoise(x, t):
        abar = schedule.alphas_cumprod[t][:, None]
        variance = abar * SD**2 + 1 - abar
        return (1 - abar).sqrt() * (x - abar.sqrt() * MEAN) / variance

    return denoise


@pytest.mark.parametrize(("name", "count"), [("ddpm", 1000), ("ddim", 200), ("dpm", 25)])
def test_samplers_draw_the_distribution_of_the_data(name, count) -> None:
    schedule = NoiseSchedule()
    steps = (even_steps if name == "dpm" else steps_of)(schedule, count)
    torch.manual_seed(1)
    path = Path(steps, clip=None)
    x = torch.randn(3000, 2, generator=torch.Generator().manual_seed(0))
    drawn = last(SAMPLERS[name](gaussian_denoiser(schedule), x, path))
    assert drawn.mean().item() == pytest.approx(MEAN, abs=0.015)
    assert drawn.std().item() == pytest.approx(SD, rel=0.05)


def test_dpm_needs_fewer_steps_than_ddim() -> None:
    schedule = NoiseSchedule()
    denoise = gaussian_denoiser(schedule)
    x = torch.randn(2000, 2, generator=torch.Generator().manual_seed(0))
    exact = last(SAMPLERS["ddim"](denoise, x, Path(steps_of(schedule, 1000), clip=None)))
    errors = {
        name: (last(SAMPLERS[name](denoise, x, Path(steps(schedule, 20), clip=None))) - exact)
        .abs().mean().item()
        for name, steps in (("ddim", steps_of), ("dpm", even_steps))
    }  # fmt: skip
    assert errors["dpm"] < 0.5 * errors["ddim"]


def test_inversion_leads_back() -> None:
    schedule = NoiseSchedule()
    denoise = gaussian_denoiser(schedule)
    data = MEAN + SD * torch.randn(50, 2, generator=torch.Generator().manual_seed(1))
    path = Path(steps_of(schedule, 500), clip=None)
    back = last(SAMPLERS["ddim"](denoise, last(invert(denoise, data, path)), path))
    torch.testing.assert_close(back, data, atol=0.02, rtol=0)


def test_a_sample_does_not_depend_on_its_batch() -> None:
    schedule = NoiseSchedule()
    denoise, x = gaussian_denoiser(schedule), torch.ones(3, 2)
    steps = steps_of(schedule, 10)
    whole = last(SAMPLERS["ddpm"](denoise, x, Path(steps, Noise.seeded([5, 6, 7]))))
    alone = last(SAMPLERS["ddpm"](denoise, x[:1], Path(steps, Noise.seeded([7]))))
    torch.testing.assert_close(whole[2:], alone)


def test_edit_keeps_what_is_known() -> None:
    schedule = NoiseSchedule()

    def keep(x, abar):
        x = x.clone()
        x[:, 0] = abar**0.5 * 0.5
        return x

    path = Path(steps_of(schedule, 10), edit=keep)
    drawn = last(SAMPLERS["ddim"](gaussian_denoiser(schedule), torch.ones(3, 2), path))
    assert torch.equal(drawn[:, 0], torch.full((3,), 0.5)) and not (drawn[:, 1] == 0.5).any()


def test_too_many_steps_are_refused() -> None:
    with pytest.raises(ValueError, match="2000 sampling steps of 1000"):
        steps_of(NoiseSchedule(), 2000)
    with pytest.raises(ValueError, match="cosine"):
        NoiseSchedule("cosine")


def test_slerp_keeps_the_length_and_ends() -> None:
    a, b = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])
    torch.testing.assert_close(slerp(a, b, 0.0), a)
    torch.testing.assert_close(slerp(a, b, 0.5), torch.full((2,), 0.5**0.5))
    torch.testing.assert_close(slerp(a, 2 * a, 0.5), 1.5 * a)


@pytest.mark.parametrize("name", ["ddim", "dpm"])
def test_samplers_equal_those_of_the_library(name: str) -> None:
    """The same levels, the same curved (so not exactly solvable) denoiser."""
    from diffusers import DDIMScheduler, DPMSolverMultistepScheduler

    schedule = NoiseSchedule()
    steps = steps_of(schedule, 20)
    if name == "ddim":
        theirs = DDIMScheduler(beta_start=1e-4, beta_end=0.02, timestep_spacing="leading")
        theirs.set_timesteps(20)
    else:
        theirs = DPMSolverMultistepScheduler(beta_start=1e-4, beta_end=0.02)
        theirs.set_timesteps(timesteps=steps.t.flip(0).tolist())
    assert theirs.timesteps.tolist() == steps.t.flip(0).tolist()

    def denoise(x, t):
        return torch.tanh(x + 0.001 * t[:, None])

    start = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    expected = start
    for t in theirs.timesteps:
        predicted = denoise(expected, t.expand(5))
        expected = theirs.step(predicted, t, expected).prev_sample
    clip = 1.0 if name == "ddim" else None
    ours = last(SAMPLERS[name](denoise, start, Path(steps, clip=clip)))
    torch.testing.assert_close(ours, expected, atol=1e-4, rtol=1e-4)
