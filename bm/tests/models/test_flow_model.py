"""Diffusion models along straight paths, what they keep, waves between noises, refusals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bm.errors import UserError
from bm.models import build_model, load, save
from bm.models.eegdiff.conditioning import Condition
from bm.models.eegdiff.generation import Sampling, Start, generate_images, generate_waves
from bm.models.eegdiff.pipeline import EEGDiffusionPipeline
from bm.tests.models.eegdiff import FACTS

from ..shipped import section as shipped

FLOW = {"path": "linear"}


def section_of_small(name: str, **changes) -> dict:
    return {**shipped("model", f"eegdiff/{name}"), **changes}


def model(name: str = "small_raw", **changes):
    torch.manual_seed(0)
    section = section_of_small(name, conditions=["class"], prediction="velocity")
    built = build_model({**section, "noise": {**section["noise"], **FLOW}, **changes}, FACTS)
    length = FACTS.window_samples
    waves = 10 * torch.randn(
        20, FACTS.n_channels, length, generator=torch.Generator().manual_seed(1)
    )
    built.representation.fit(waves)
    return built


@pytest.mark.parametrize("name", ["small_raw", "small_stft"])
def test_it_trains_saves_and_samples(name: str, tmp_path: Path) -> None:
    built = model(name)
    x0 = torch.randn(6, *built.representation.shape)
    t = built.draw_levels(6)
    assert t.dtype.is_floating_point and bool((t >= 0).all()) and bool((t <= 1).all())
    errors = built.errors(x0, torch.randn_like(x0), t, Condition(torch.tensor([0, 1] * 3)))
    errors.mean().backward()
    assert errors.shape == (6,) and all(p.grad is not None for p in built.parameters())
    save(built, tmp_path / "m", FACTS)
    for sampler, steps in (("euler", 3), ("heun", 4), ("midpoint", 4)):
        sampling = Sampling(sampler, steps, guidance=2.0)
        first, second = (generate_waves(m, [1, 2], sampling, Condition(torch.tensor([0, 1])))
                         for m in (built, load(tmp_path / "m")))  # fmt: skip
        assert torch.equal(first, second) and bool(torch.isfinite(first).all())
    pipeline = EEGDiffusionPipeline(built, FACTS)
    pipeline.save_pretrained(tmp_path / "p")
    again = EEGDiffusionPipeline.from_pretrained(tmp_path / "p")
    assert type(again.scheduler).__name__.startswith("FlowMatch")
    one, two = (p.generate(2, sampler="heun", steps=4).waves for p in (pipeline, again))
    np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("linear", [True, False])
def test_channels_and_edges_are_kept(linear: bool) -> None:
    built = model() if linear else model(noise=section_of_small("small_raw")["noise"])
    length = built.representation.n_times
    waves = 10 * torch.randn(2, FACTS.n_channels, length)
    mask = torch.arange(length) < 40
    channels = torch.tensor([i == 1 for i in range(FACTS.n_channels)])
    start = Start(waves, 0, mask, channels)
    sampling = Sampling("euler" if linear else "ddim", 4)
    images = generate_images(built, [3, 4], sampling, start=start)
    rebuilt = built.waves(images)
    torch.testing.assert_close(rebuilt[:, 1], waves[:, 1], atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(rebuilt[..., :40], waves[..., :40], atol=1e-3, rtol=1e-3)
    assert not torch.isclose(rebuilt[:, 0, 40:], waves[:, 0, 40:], atol=0.1).all()
    late = Start(waves, 3)
    near = built.waves(generate_images(built, [3, 4], sampling, start=late))
    assert (near - waves).abs().mean() < (rebuilt[:, 0] - waves[:, 0]).abs().mean() * 2


def test_complex_maps_keep_both_parts_of_a_channel() -> None:
    representation = model("small_stft").representation
    channels = torch.tensor([True] + [False] * (FACTS.n_channels - 1))
    mask = representation.channel_mask(channels).flatten()
    assert mask.nonzero().flatten().tolist() == [0, FACTS.n_channels]


def test_waves_between_two_noises() -> None:
    pipeline = EEGDiffusionPipeline(model(), FACTS)
    settings = {"sampler": "heun", "steps": 4, "classes": 0}
    waves = pipeline.between((1, 2), 5, **settings).get_data(copy=False)
    steps = np.abs(np.diff(waves, axis=0)).mean((1, 2))
    whole = np.abs(waves[-1] - waves[0]).mean()
    assert (steps < whole).all() and steps.sum() >= whole * 0.999
    alone = pipeline.generate(1, 1, classes=0, sampler="heun", steps=4).waves[0] * 1e-6
    np.testing.assert_allclose(waves[0], alone, rtol=1e-3, atol=1e-9)
    mistakes: list[tuple[Any, str]] = [
        ({"n": 1}, "at least these two"),
        ({"sampler": "ddpm"}, "draw none"),
        ({"classes": [0, 1]}, "one class"),
    ]
    for bad, message in mistakes:
        with pytest.raises(UserError, match=message):
            pipeline.between((1, 2), **{**settings, **bad})


def test_mistakes_are_one_line() -> None:
    built = model()
    pipeline = EEGDiffusionPipeline(built, {**FACTS.to_dict(), "drop_condition": 0.0})
    wrong: list[tuple[Any, str]] = [
        ({"sampler": "ddim"}, "model.noise.path=linear; use euler, heun, midpoint"),
        ({"sampler": "heun", "steps": 5}, "5 evaluations; a step takes 2"),
        ({"sampler": "eueler"}, "did you mean 'euler'"),
        ({"sampler": "euler", "steps": 2, "guidance": 2.0}, "drop_condition=0"),
        (
            {"text": (torch.zeros(1, 3, 4), torch.ones(1, 3).bool())},
            "text: the model is conditioned on",
        ),
    ]
    for settings, message in wrong:
        with pytest.raises(UserError, match=message):
            pipeline.generate(1, **{"steps": 4, **settings})
    with pytest.raises(UserError, match="keep_channels"):
        pipeline.from_waves(
            np.zeros((1, FACTS.n_channels, FACTS.window_samples)), keep_channels=["X"]
        )
    section = section_of_small("small_raw")
    refused: list[tuple[Any, str]] = [
        ({"noise": FLOW, "prediction": "noise"}, "prediction=noise; use velocity"),
        ({"noise": {"path": "curve"}}, "model.noise.path"),
        ({"noise": {**FLOW, "times": "even"}, "prediction": "velocity"}, "times 'even'"),
    ]
    for changes, message in refused:
        with pytest.raises(UserError, match=message):
            build_model({**section, **changes}, FACTS)
    with pytest.raises(UserError, match="a chain of noise levels; use ddpm, ddim, dpm"):
        Sampling("euler", 4).path(build_model(section, FACTS), None)
