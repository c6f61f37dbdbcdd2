"""Settings of sampling, seeds of items, and starts from waves."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from bm.errors import UserError
from bm.facts import DataFacts
from bm.models import build_model
from bm.models.contract import Described
from bm.models.eegdiff.generation import (
    Sampling,
    Start,
    generate_images,
    generate_waves,
    item_seeds,
)
from bm.models.eegdiff.model import EEGDiffusion
from bm.models.eegdiff.pipeline import edge_mask, sampling_of, scheduler_of
from bm.nn.sampling import Noise

FACTS = DataFacts(("C3", "C4"), 125.0, 64, classes=("a", "b"))
NETWORK = {"name": "unet1d", "block_out_channels": [8, 8], "layers_per_block": 1, "groups": 4}


def model(**changes: Any) -> EEGDiffusion:
    torch.manual_seed(0)
    section = {"representation": {"name": "wave"}, "network": NETWORK, "noise": {"steps": 20}}
    built: EEGDiffusion = build_model({"name": "eegdiff", **section, **changes}, FACTS)
    built.representation.fit(torch.randn(50, 2, 64))
    return built.eval()


def test_seeds_of_items_are_distinct_and_elsewhere_for_every_seed() -> None:
    first, second = item_seeds(0, 1000), item_seeds(1, 1000)
    assert len(set(first)) == 1000 and not set(first) & set(second)
    assert item_seeds(0, 10) == first[:10]  # more waves begin with the same ones
    assert all(0 <= seed < 2**32 for seed in first + second)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"batch_size": 0}, "generate.batch_size=0: at least 1"),
        ({"eta": 1.5}, "generate.eta=1.5"),
        ({"guidance": float("nan")}, "generate.guidance=nan"),
        ({"stepz": 3}, "unknown option 'stepz'.*did you mean 'steps'"),
    ],
)
def test_settings_that_cannot_be_are_named(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        sampling_of(settings)


def test_a_path_clips_where_the_training_images_ended() -> None:
    network = model()
    limit = float(network.representation.limit)
    assert limit > 1 and Sampling(steps=5).path(network, Noise()).clip == limit
    assert Sampling(steps=5, clip=False).path(network, Noise()).clip is None
    scheduler = scheduler_of(network)
    assert scheduler.config["clip_sample_range"] == limit
    assert scheduler.config["num_train_timesteps"] == 20


def test_samples_stay_within_the_limit_only_when_clipped() -> None:
    network = model()
    last: Any = network.network.conv_out
    with torch.no_grad():  # a bad prediction, far out
        last.bias.fill_(50.0)
    limit = float(network.representation.limit)
    clipped = generate_images(network, [1, 2], Sampling(steps=5))
    assert clipped.abs().max() <= limit + 1e-5
    assert generate_images(network, [1, 2], Sampling(steps=5, clip=False)).abs().max() > limit


def test_parts_of_a_run_give_the_same_waves_and_the_progress_sums_up() -> None:
    network, seeds = model(), item_seeds(3, 5)
    ticks: list[float] = []
    whole = generate_waves(network, seeds, Sampling(steps=4))
    parts = generate_waves(network, seeds, Sampling(steps=4, batch_size=2), tick=ticks.append)
    torch.testing.assert_close(parts, whole, atol=1e-4, rtol=1e-4)
    assert whole.shape == (5, 2, 64)
    assert sum(ticks) == pytest.approx(5) and len(ticks) == 3 * 4


def test_the_mode_of_the_model_comes_back_also_after_an_error() -> None:
    network = model().train()
    generate_waves(network, [1], Sampling(steps=2))
    assert network.training
    with pytest.raises(UserError, match="start_step=2"):
        generate_waves(network, [1], Sampling(steps=2), start=Start(torch.zeros(1, 2, 64), 2))
    assert network.training


def test_a_start_without_skipped_steps_is_the_noise() -> None:
    network = model()
    noise, path = torch.randn(1, 2, 64), Sampling(steps=5).path(network, Noise())
    x, rest = Start(torch.ones(1, 2, 64)).begin(network, noise, path)
    assert torch.equal(x, noise) and len(rest.steps.t) == 5 and rest.edit is None


def test_a_later_start_is_the_waves_with_the_noise_of_that_level() -> None:
    network, waves = model(), torch.randn(1, 2, 64)
    noise, path = torch.randn(1, 2, 64), Sampling(steps=5).path(network, Noise())
    x, rest = Start(waves, skipped=3).begin(network, noise, path)
    assert rest.steps.t.tolist() == path.steps.t[:2].tolist()
    abar = float(path.steps.abar[1])
    expected = abar**0.5 * network.images(waves) + (1 - abar) ** 0.5 * noise
    torch.testing.assert_close(x, expected)


def test_masked_samples_are_those_of_the_waves_at_the_end() -> None:
    network, waves = model(), torch.randn(2, 2, 64)
    mask = edge_mask((0.1, 0.2), 64, 125.0)
    assert mask.sum() == round(12.5) + 25 and mask[:12].all() and mask[-25:].all()
    seeds = item_seeds(0, 2)
    generated = generate_waves(network, seeds, Sampling(steps=4), start=Start(waves, 0, mask))
    torch.testing.assert_close(generated[..., mask], waves[..., mask], atol=1e-4, rtol=1e-4)
    assert not torch.allclose(generated[..., ~mask], waves[..., ~mask], atol=0.1)


@pytest.mark.parametrize("keep_s", [(-0.1, 0.0), (0.3, 0.3), (0.512, 0.0)])
def test_edges_must_leave_something_to_generate(keep_s: tuple[float, float]) -> None:
    with pytest.raises(UserError, match=r"keep_s=.*together less than 0.512 s"):
        edge_mask(keep_s, 64, 125.0)


def test_a_diffusion_model_says_what_it_diffuses() -> None:
    network = model(conditions=["class"], prediction="velocity")
    assert isinstance(network, Described)
    lines = network.description(FACTS)
    assert lines == [
        "diffuses WaveImage of 2 x 64, back to waves of 64 samples",
        "predicts velocity at 20 noise levels, given class",
    ]


def test_the_error_is_that_of_the_predicted_quantity() -> None:
    x0, noise, t = torch.randn(3, 2, 64), torch.randn(3, 2, 64), torch.tensor([0, 10, 19])
    for prediction in ("noise", "velocity"):
        network = model(prediction=prediction)
        target = noise if prediction == "noise" else network.noise.velocity(x0, noise, t)
        exact = network.errors(x0, noise, t, forward=lambda *_, target=target: target)
        assert torch.equal(exact, torch.zeros(3))
        zero = network.errors(x0, noise, t, forward=lambda *_: torch.zeros_like(x0))
        torch.testing.assert_close(zero, target.square().flatten(1).mean(1))
