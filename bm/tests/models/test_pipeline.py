"""The pipeline: equal samples after a round trip, epochs as the facts say, given waves kept."""

from __future__ import annotations

import json
from pathlib import Path

import mne
import numpy as np
import pytest
import torch

from bm.errors import UserError
from bm.facts import DataFacts
from bm.models import build_model, load
from bm.models.eegdiff.conditioning import UNKNOWN, Condition
from bm.models.eegdiff.generation import Sampling, Start, generate_images, item_seeds
from bm.models.eegdiff.pipeline import EEGDiffusionPipeline

from .eegdiff import FACTS, MEL, STFT, UNET1D, WAVES, pipeline


@pytest.fixture(scope="module")
def waves() -> EEGDiffusionPipeline:
    return pipeline()


def rhythms(n: int = 3) -> np.ndarray:
    """Rhythms of 4 Hz, (n, 3, 250) in volts."""
    t = np.arange(250) / 125
    shift = np.random.default_rng(0).uniform(0, 6, (n, 3, 1))
    return 30e-6 * np.sin(2 * np.pi * 4 * t + shift)


def test_round_trip_gives_equal_samples(waves, tmp_path: Path) -> None:
    waves.save_pretrained(tmp_path / "p")
    waves.save_pretrained(tmp_path / "p")  # over itself
    assert sorted(f.name for f in tmp_path.iterdir()) == ["p"]
    index = json.loads((tmp_path / "p/model_index.json").read_text())
    assert index["_class_name"] == "EEGDiffusionPipeline"
    assert index["scheduler"] == ["diffusers", "DDIMScheduler"]
    assert DataFacts.from_dict(json.loads((tmp_path / "p/facts.json").read_text())) == FACTS
    again = EEGDiffusionPipeline.from_pretrained(tmp_path / "p")
    pairs = ((waves, 4), (again, 4), (again, 5))
    first, second, other = (pipe(n=3, seed=seed, steps=3) for pipe, seed in pairs)
    np.testing.assert_array_equal(first.get_data(copy=False), second.get_data(copy=False))
    assert not np.allclose(first.get_data(copy=False), other.get_data(copy=False))
    plain = load(tmp_path / "p")  # the folder is also that of a model
    assert plain.bm_arguments == waves.model.bm_arguments
    copy = EEGDiffusionPipeline(**waves.components)
    one, three = copy.generate(1, 4, steps=3).waves, waves.generate(3, 4, steps=3).waves
    np.testing.assert_allclose(one[0], three[0], atol=1e-3)


def test_epochs_are_what_the_facts_say(waves) -> None:
    epochs = waves(n=5, seed=1, steps=2, sampler="ddpm")
    assert epochs.ch_names == list(FACTS.channels) and epochs.info["sfreq"] == 125
    assert epochs.get_channel_types() == ["eeg"] * 3
    places = [channel["loc"][:3] for channel in epochs.info["chs"]]
    np.testing.assert_allclose(places, FACTS.positions, atol=1e-6)
    assert epochs.event_id == {"left_hand": 1, "right_hand": 2}
    assert list(epochs.metadata["class"]) == ["left_hand", "right_hand"] * 2 + ["left_hand"]
    assert list(epochs.metadata["subject"]) == ["anna", "anna", "ben", "ben", "anna"]
    assert list(epochs.metadata["seed"]) == item_seeds(1, 5)
    assert "simulated" in epochs.info["description"]
    generated = waves.generate(5, 1, steps=2, sampler="ddpm")
    np.testing.assert_allclose(epochs.get_data(copy=False), generated.waves * 1e-6, rtol=1e-6)
    assert generated.waves.dtype == np.float32 and 1 < generated.waves.std() < 1000


def test_other_kinds_scaling_and_waves_without_class() -> None:
    meg = pipeline(conditions=(), kinds=("meg", "seeg", "ecog"), classes=())
    epochs = meg(n=2, steps=2)
    assert epochs.get_channel_types() == ["mag", "seeg", "ecog"]
    np.testing.assert_allclose(epochs.info["chs"][0]["loc"][:3], FACTS.positions[0])
    assert epochs.event_id == {"generated": 1}
    plain = meg.generate(2, steps=2).waves
    np.testing.assert_allclose(epochs.get_data(copy=False)[:, 0], plain[:, 0] * 1e-15, rtol=1e-6)
    scaler = {"centre": [1.0, 2.0, 3.0], "scale": [2.0, 3.0, 4.0]}
    scaled = pipeline(conditions=(), kinds=("meg", "seeg", "ecog"), classes=(), scaler=scaler)
    expected = plain * np.array([[2.0], [3.0], [4.0]]) + np.array([[1.0], [2.0], [3.0]])
    np.testing.assert_allclose(scaled.generate(2, steps=2).waves, expected, rtol=1e-4, atol=1e-3)


def test_conditions_by_name_and_number_and_items_without_the_others(waves) -> None:
    names = waves.generate(4, 2, ["right_hand", "left_hand"], "ben", steps=3)
    numbers = waves.generate(4, 2, [1, 0], 1, steps=3, batch_size=3)
    np.testing.assert_allclose(names.waves, numbers.waves, rtol=1e-3, atol=1e-3)
    assert names.labels.tolist() == [1, 0, 1, 0] and names.subjects.tolist() == [1] * 4
    alone = waves.generate(1, 2, "right_hand", "ben", steps=3)
    np.testing.assert_allclose(alone.waves[0], names.waves[0], rtol=1e-3, atol=1e-3)
    unknown = waves.generate(1, 2, -1, "ben", steps=3)
    assert unknown.labels.tolist() == [UNKNOWN]
    assert not np.allclose(unknown.waves, alone.waves, atol=1e-2)
    assert not set(item_seeds(0, 100)) & set(item_seeds(1, 100))


@pytest.mark.parametrize("representation", [WAVES, STFT])
def test_scheduler_of_the_library_gives_the_same(representation: dict) -> None:
    """DDIM by the saved scheduler of diffusers, as other programs would run it."""
    pipe = pipeline(representation)
    model, condition = pipe.model.eval(), Condition(torch.tensor([1, 0]), torch.tensor([0, 1]))
    ours = generate_images(model, [3, 4], Sampling("ddim", 7), condition)
    draws = [torch.Generator().manual_seed(seed) for seed in (3, 4)]
    shape = model.representation.shape
    x = torch.stack([torch.randn(shape, generator=draw) for draw in draws])
    pipe.scheduler.set_timesteps(7)
    with torch.no_grad():
        for t in pipe.scheduler.timesteps:
            x = pipe.scheduler.step(model(x, t.expand(2), condition), t, x).prev_sample
    torch.testing.assert_close(ours, x, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("sampler", ["ddim", "ddpm", "dpm"])
def test_the_later_it_starts_the_more_of_the_input_is_kept(waves, sampler: str) -> None:
    data = rhythms()
    near = [
        np.corrcoef(
            waves.from_waves(data, start, steps=8, sampler=sampler).get_data(copy=False).ravel(),
            data.ravel(),
        )[0, 1]
        for start in (1, 3, 5, 7 if sampler != "dpm" else 6)
    ]
    assert near == sorted(near) and near[0] < 0.5 and near[-1] > 0.95


def test_denoising_by_a_network_that_knows_removes_noise(waves) -> None:
    """With the exact noise as prediction, waves come back from any level."""
    clean = torch.from_numpy(rhythms() * 1e6).float()
    images = waves.model.images(clean)
    pipe = pipeline()

    def answer(x, t, *rest):
        abar = pipe.model.noise.alphas_cumprod[t][:, None, None]
        return (x - abar.sqrt() * images) / (1 - abar).sqrt()

    pipe.model.network.denoise = answer  # type: ignore[assignment]
    noisy = rhythms() + 20e-6 * np.random.default_rng(1).standard_normal((3, 3, 250))
    denoised = pipe.from_waves(noisy, 4, steps=10, clip=False).get_data(copy=False)
    assert np.abs(denoised - rhythms()).max() < 1e-6 < np.abs(noisy - rhythms()).max()


@pytest.mark.parametrize("sampler", ["ddim", "ddpm", "dpm"])
def test_completion_keeps_the_kept_part(waves, sampler: str) -> None:
    data = rhythms()
    epochs = waves.from_waves(data, keep_s=(0.8, 0.4), steps=6, sampler=sampler)
    values = epochs.get_data(copy=False)
    np.testing.assert_allclose(values[..., :100], data[..., :100], atol=1e-10)
    np.testing.assert_allclose(values[..., 200:], data[..., 200:], atol=1e-10)
    assert (np.abs(values - data)[..., 100:200].mean(-1) > 1e-6).all()
    split = waves.from_waves(data, keep_s=(0.8, 0.4), steps=6, sampler=sampler, batch_size=2)
    np.testing.assert_allclose(values, split.get_data(copy=False), atol=1e-8)


def test_completion_of_maps_keeps_frames_and_looks_at_no_unknown_sample() -> None:
    pipe, data = pipeline(STFT), rhythms()
    values = pipe.from_waves(data, keep_s=(0.8, 0.4), steps=4).get_data(copy=False)
    np.testing.assert_allclose(values[..., :68], data[..., :68], atol=1e-9)  # one window less
    np.testing.assert_allclose(values[..., 232:], data[..., 232:], atol=1e-9)
    assert not np.allclose(values[..., 100:200], data[..., 100:200], atol=1e-6)
    changed = data.copy()
    changed[..., 100:200] = 7e-6  # what is to be replaced does not matter
    other = pipe.from_waves(changed, keep_s=(0.8, 0.4), steps=4).get_data(copy=False)
    np.testing.assert_allclose(values, other, atol=1e-9)
    mel = pipeline(MEL, ("class",))
    mask = torch.zeros(250, dtype=torch.bool)
    mask[:100] = True
    start = Start(torch.from_numpy(data * 1e6).float(), 0, mask)
    images = generate_images(mel.model, [1, 2, 3], Sampling("ddim", 4), Condition(), start)
    frames = mel.model.representation.image_mask(mask)[:, 0]
    assert frames[:8].all() and not frames[9:25].any()
    torch.testing.assert_close(images[:, :, frames], mel.model.images(start.waves)[:, :, frames])


def test_epochs_as_input_bring_order_and_classes(waves) -> None:
    info = mne.create_info(["C4", "X", "Cz", "C3"], 125.0, "eeg")
    data = rhythms()
    block = np.stack([data[:, 2], data[:, 0], data[:, 1], data[:, 0]], 1)
    events = np.array([[0, 0, 7], [300, 0, 3], [600, 0, 9]])
    ids = {"right_hand": 7, "left_hand": 3, "rest": 9}
    epochs = mne.EpochsArray(block, info, events, event_id=ids, verbose="error")
    completed = waves.from_waves(epochs, keep_s=(1.0, 0.0), steps=3)
    np.testing.assert_allclose(
        completed.get_data(copy=False)[..., :125], data[..., :125], atol=1e-10
    )
    assert list(completed.metadata["class"]) == ["right_hand", "left_hand", ""]
    assert completed.event_id == {"left_hand": 1, "right_hand": 2, "generated": 3}
    with pytest.raises(UserError, match="channels Cz of the model are missing"):
        waves.from_waves(epochs.copy().drop_channels(["Cz"]), 1)
    with pytest.raises(UserError, match="resample them to 125 Hz"):
        waves.from_waves(epochs.copy().resample(100, verbose="error"), 1)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"n": 0}, "n=0: at least 1"),
        ({"seed": -1}, "seed=-1"),
        ({"classes": "left_hnd"}, "did you mean 'left_hand'"),
        ({"classes": 2}, "there are 2, numbered from 0"),
        ({"classes": []}, "classes=[]"),
        ({"subjects": ["ana"]}, "did you mean 'anna'"),
        ({"stepz": 3}, "did you mean 'steps'"),
        ({"steps": 0}, "generate.steps: 0"),
        ({"steps": 1001}, "1001 sampling steps of 1000"),
        ({"sampler": "ddmp"}, "did you mean 'ddpm'"),
        ({"batch_size": 0}, "batch_size=0"),
        ({"eta": 2.0}, "eta=2.0"),
        ({"guidance": float("nan")}, "guidance=nan"),
    ],
)
def test_mistakes_are_one_line(waves, arguments: dict, expected: str) -> None:
    with pytest.raises(UserError) as error:
        waves(**arguments)
    assert expected in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"start_step": 0}, "uses nothing of the waves"),
        ({"start_step": 50}, "start_step=50: 0 (noise) to 49"),
        ({"start_step": -1}, "start_step=-1"),
        ({"keep_s": (1.0, 1.0)}, "together less than 2 s"),
        ({"keep_s": (-1.0, 0.0)}, "0 or more"),
        ({"start_step": 1, "classes": [0, 1]}, "2 classes for 3 waves"),
        ({"start_step": 1, "waves": np.zeros((3, 2, 250))}, "(N, 3, 250) is needed"),
        ({"start_step": 1, "waves": np.zeros((0, 3, 250))}, "(N, 3, 250) is needed"),
        ({"start_step": 1, "waves": np.zeros((1, 3, 240))}, "250 (2 s at 125 Hz)"),
        ({"start_step": 1, "waves": np.full((1, 3, 250), np.nan)}, "not finite"),
    ],
)
def test_waves_that_do_not_fit_are_one_line(waves, arguments: dict, expected: str) -> None:
    with pytest.raises(UserError) as error:
        waves.from_waves(**{"waves": rhythms(), **arguments})
    assert expected in str(error.value) and "\n" not in str(error.value)


def test_models_without_statistics_conditions_or_folder(tmp_path: Path) -> None:
    free = pipeline(conditions=())
    with pytest.raises(UserError, match="classes=left_hand: the model is conditioned on nothing"):
        free(classes="left_hand")
    with pytest.raises(UserError, match="guidance=3: the model has no condition"):
        free(guidance=3.0)
    config = {"name": "eegdiff", "representation": WAVES, "network": UNET1D}
    with pytest.raises(UserError, match="no statistics"):
        EEGDiffusionPipeline(build_model(config, FACTS), FACTS)
    with pytest.raises(UserError, match=r"facts\.json is missing"):
        EEGDiffusionPipeline.from_pretrained(tmp_path)
