"""Diffusion models: every shipped file builds, trains a step, saves, loads and generates."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from bm.errors import UserError
from bm.facts import DataFacts
from bm.models import build_model, load, save
from bm.models.eegdiff.conditioning import UNKNOWN, Condition, Conditioning
from bm.models.eegdiff.generation import Sampling, generate_images, generate_waves
from bm.models.eegdiff.importing import present_name
from bm.models.eegdiff.model import EEGDiffusion
from bm.models.eegdiff.unet1d import UNet1d

from ..shipped import names, section

WORDS = ("codex", "small_text_series", "small_text_words", "zuco_freq1", "zuco_freq8")
SMALL = ("small_raw", "small_stft", "small_mel")
FACTS = DataFacts(
    channels=("C3", "Cz", "C4"),
    rate_hz=125.0,
    window_samples=250,
    subjects=("a", "b"),
    classes=("left", "right"),
)


def config(name: str, **changes) -> dict:
    return {**section("model", f"eegdiff/{name}"), **changes}


def small(name: str, **changes) -> EEGDiffusion:
    torch.manual_seed(0)
    model = build_model(config(name, **changes), FACTS)
    model.representation.fit(torch.randn(20, 3, 250, generator=torch.Generator().manual_seed(0)))
    return model


@pytest.mark.parametrize("name", SMALL)
def test_loss_gradient_and_round_trip(name: str, tmp_path: Path) -> None:
    model = small(name, conditions=["class", "subject"])
    waves = torch.randn(4, 250, 3).transpose(1, 2)
    condition = Condition(torch.tensor([0, 1, UNKNOWN, 1]), torch.tensor([0, 1, 1, UNKNOWN]))
    x0 = model.images(waves)
    errors = model.errors(x0, torch.randn_like(x0), torch.tensor([0, 10, 500, 999]), condition)
    assert errors.shape == (4,) and bool((errors > 0.2).all())
    errors.mean().backward()
    missed = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum()]
    assert not missed
    save(model, tmp_path / "m", FACTS)
    again = load(tmp_path / "m")
    sampling = Sampling("ddim", 3)
    first, second = (generate_waves(m, [1, 2], sampling, Condition()) for m in (model, again))
    assert first.shape == (2, 3, model.representation.n_times)
    assert torch.equal(first, second)


def test_tables_begin_as_wide_as_the_model_says() -> None:
    quiet, loud = (small(name, conditions=["class"]) for name in ("small_raw", "small_told"))
    for model, sd in ((quiet, 0.02), (loud, 1.0)):
        weight: torch.Tensor = model.conditioning.tables["labels"].weight  # type: ignore[assignment]
        assert float(weight.detach().std()) == pytest.approx(sd, rel=0.2)
    x, t = torch.randn(4, *loud.representation.shape), torch.full((4,), 500)
    left, right = (Condition(torch.full((4,), label)) for label in (0, 1))
    apart = [float((m(x, t, left) - m(x, t, right)).detach().std()) for m in (quiet, loud)]
    assert apart[1] > 10 * apart[0]  # before any training
    with pytest.raises(UserError, match="condition_sd"):
        small("small_told", conditions=["class"], condition_sd=float("nan"))


@pytest.mark.parametrize("name", names("model", "eegdiff"))
def test_every_shipped_file_fits_its_data(name: str) -> None:
    """They are built without memory; the published networks keep their numbers of parameters."""
    zuco = name.startswith("zuco") or name in ("codex", "small_text_series", "small_text_words")
    samples = {"zuco_mel": 8350, "zuco_stft": 5500, **dict.fromkeys(WORDS, 56)}.get(name, 750)
    channels = tuple(f"E{i}" for i in range(840 if name in WORDS else 105 if zuco else 22))
    facts = DataFacts(channels=channels, rate_hz=500 if zuco else 250, window_samples=samples)
    with torch.device("meta"):
        model = build_model(config(name), facts)
    if name == "codex":
        return
    size = sum(p.numel() for p in model.network.parameters())
    published = {"bci_mel": 113_717_014, "zuco_mel": 142_468_841, "zuco_stft": 142_468_841}
    published |= {"zuco_freq1": 142_229_121, "zuco_freq8": 142_245_256}
    assert size == published.get(name, size)
    shapes = {"bci_mel": (22, 32, 64), "bci_stft": (44, 32, 64), "zuco_mel": (105, 112, 96),
              "zuco_stft": (105, 96, 64), "raw": (22, 704),
              "zuco_freq1": (1, 32, 210), "zuco_freq8": (8, 105, 56)}  # fmt: skip
    assert model.representation.shape == shapes.get(name, model.representation.shape)
    json.dumps(model.bm_arguments)


def test_an_item_does_not_depend_on_its_batch() -> None:
    model = small("small_raw", conditions=["class"]).eval()
    sampling = Sampling("ddpm", 4)
    labels = torch.tensor([0, 1, 1])
    together = generate_images(model, [5, 6, 7], sampling, Condition(labels))
    alone = generate_images(model, [6], sampling, Condition(labels[1:2]))
    torch.testing.assert_close(together[1:2], alone, atol=1e-4, rtol=1e-4)
    assert not torch.allclose(together[1], together[2])
    waves, split = (
        generate_waves(model, [5, 6, 7], Sampling("ddpm", 4, batch_size=size), Condition(labels))
        for size in (3, 2)
    )
    torch.testing.assert_close(waves, split, atol=1e-4, rtol=1e-4)


def test_guidance_moves_from_unknown_through_the_condition() -> None:
    model = small("small_raw", conditions=["class", "subject"]).eval()
    for table in model.conditioning.tables.values():
        torch.nn.init.normal_(table.weight)
    x, t = torch.randn(2, *model.representation.shape), torch.tensor([300, 300])
    condition = Condition(torch.tensor([0, 1]), torch.tensor([1, 0]))
    with torch.no_grad():
        free, conditional = model(x, t), model(x, t, condition)
        guided = model.denoiser(condition, 3.0)(x, t)
        unguided = model.denoiser(condition)(x, t)
    torch.testing.assert_close(guided, free + 3 * (conditional - free), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(unguided, conditional)
    assert not torch.allclose(free, conditional, atol=1e-3)


def test_dropping_makes_chosen_items_unknown() -> None:
    tables = Conditioning(3, 2, 8, (4, 5))
    condition = Condition(
        torch.tensor([0, 2]), torch.tensor([1, 1]), torch.ones(2, 4, 5), torch.zeros(2, 4).bool()
    )
    dropped = tables.dropped(condition, torch.tensor([True, False]))
    assert dropped.labels.tolist() == [UNKNOWN, 2] and dropped.subjects.tolist() == [UNKNOWN, 1]
    assert not dropped.text[0].any() and bool(dropped.text[1].all())
    assert dropped.text_mask.tolist() == [[True] * 4, [False] * 4]
    rows = tables(dropped, 2, torch.device("cpu"))
    expected = tables.tables["labels"].weight[3] + tables.tables["subjects"].weight[2]
    torch.testing.assert_close(rows[0], expected)


def test_velocity_and_noise_predictions_sample_alike() -> None:
    """A network that knows the answer leads to the same data under both conventions."""
    images = {}
    for prediction in ("noise", "velocity"):
        model = small("small_raw", prediction=prediction).eval()
        data = torch.randn(1, *model.representation.shape, generator=torch.Generator())

        def answer(x, t, *rest, model=model, data=data):
            abar = model.noise.alphas_cumprod[t][:, None, None]
            noise = (x - abar.sqrt() * data) / (1 - abar).sqrt()
            return noise if model.prediction == "noise" else model.noise.velocity(data, noise, t)

        model.network.denoise = answer  # type: ignore[assignment]
        images[prediction] = generate_images(model, [3], Sampling("ddim", 10, clip=False))
        torch.testing.assert_close(images[prediction], data, atol=1e-2, rtol=1e-2)


@pytest.mark.parametrize("length", [64, 75, 101])
def test_network_of_waves_takes_any_length_and_text(length: int) -> None:
    torch.manual_seed(0)
    net = UNet1d(3, (8, 16, 16), 2, 1, 8, 4, cross_attention_dim=10)
    x, t, text = torch.randn(2, 3, length), torch.tensor([0, 900]), torch.randn(2, 5, 10)
    mask = torch.tensor([[True] * 5, [True, True, False, False, False]])
    out = net.denoise(x, t, torch.zeros(2, 32), text, mask)
    assert out.shape == x.shape
    changed = text.clone()
    changed[1, 2:] += 5  # behind the mask
    torch.testing.assert_close(net.denoise(x, t, None, changed, mask), out)
    assert not torch.allclose(net.denoise(x, t, None, text * 2, mask), out)
    with pytest.raises(ValueError, match="text"):
        net(x, t)


def test_convolutions_of_maps_keep_their_layout() -> None:
    """A transposed image would have torch turn the weights and gradients of all layers after it."""
    model = small("small_stft")
    layouts: list[tuple[bool, bool]] = []
    for module in model.network.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.register_forward_hook(
                lambda m, x, y: layouts.append((x[0].is_contiguous(), y.is_contiguous()))
            )
    model(torch.randn(2, *model.representation.shape), torch.tensor([10, 900]))
    assert len(layouts) > 10 and all(map(all, layouts))


def test_text_reaches_the_network_of_maps_and_its_mask_counts() -> None:
    network = {"name": "unet2d_text", "layers_per_block": 1, "block_out_channels": [8, 16],
               "down_block_types": ["CrossAttnDownBlock2D", "DownBlock2D"],
               "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D"], "norm_num_groups": 4,
               "attention_head_dim": 2, "cross_attention_dim": 10}  # fmt: skip
    model = small("small_stft", network=network, conditions=["text", "subject"]).eval()
    x, t = torch.randn(2, *model.representation.shape), torch.tensor([10, 10])
    text, mask = torch.randn(2, 56, 10), torch.arange(56).expand(2, -1) < 4
    changed = torch.where(mask[..., None], text, text + 3)
    with torch.no_grad():
        first, again, other = (
            model(x, t, Condition(None, torch.tensor([0, 1]), one, mask))
            for one in (text, changed, text + 3)
        )
        nothing = model(x, t)
        empty = model(x, t, Condition(text=torch.zeros(2, 56, 10)))
    torch.testing.assert_close(first, again)
    assert not torch.allclose(first, other, atol=1e-4)
    torch.testing.assert_close(nothing, empty)


def test_old_attention_names_are_changed_and_others_kept() -> None:
    old = [f"mid_block.attentions.0.{n}.weight" for n in ("query", "proj_attn", "group_norm")]
    names = [present_name(name) for name in (*old, "conv_in.bias")]
    present = ("to_q", "to_out.0", "group_norm")
    assert names == [*(f"mid_block.attentions.0.{n}.weight" for n in present), "conv_in.bias"]


@pytest.mark.parametrize(
    "changes,message",
    [
        ({"representation": {"name": "stfd"}}, "stfd"),
        ({"representation": {"name": "wave", "multipel": 8}}, "multiple"),
        ({"representation": {"name": "wave", "multiple": 512}}, "250 samples"),
        ({"representation": {"name": "mel"}}, "unet2d"),
        ({"network": {"name": "unet3d"}}, "unet3d"),
        ({"network": {"name": "unet1d", "widths": [8]}}, "widths"),
        ({"conditions": ["klass"]}, "class"),
        ({"conditions": ["text"]}, "text"),
        ({"prediction": "score"}, "score"),
    ],
)
def test_mistakes_are_named_in_one_line(changes: dict, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        build_model(config("small_raw", **changes), FACTS)
    assert "\n" not in str(caught.value)


def test_unknown_samplers_and_too_many_steps_are_refused() -> None:
    model = small("small_raw")
    for sampling, message in ((Sampling("ddom"), "ddom"), (Sampling("ddpm", 2000), "1000 levels")):
        with pytest.raises(UserError, match=message):
            generate_waves(model, [1], sampling)


@pytest.mark.parametrize("name", SMALL)
def test_low_precision_leaves_images_and_waves_alone(name: str) -> None:
    model = small(name)
    waves = torch.randn(2, 3, 250)
    with torch.autocast("cpu", torch.bfloat16):
        images = model.images(waves)
        back = model.waves(images, [1, 2])
        errors = model.errors(images, torch.randn_like(images), torch.tensor([5, 500]))
    assert images.dtype == back.dtype == errors.dtype == torch.float32
    torch.testing.assert_close(images, model.representation(waves))
    assert errors.isfinite().all()


def test_sampling_without_statistics_is_an_error() -> None:
    model = build_model(config("small_raw"), FACTS)
    with pytest.raises(RuntimeError, match="fit"):
        generate_waves(model, [1], Sampling("ddim", 2))


def test_a_class_condition_needs_classes() -> None:
    facts = DataFacts(channels=("C3", "Cz", "C4"), rate_hz=125.0, window_samples=250)
    with pytest.raises(UserError, match="no class"):
        build_model(config("small_raw", conditions=["class"]), facts)


def test_an_image_that_cannot_be_halved_is_one_line() -> None:
    section = config("small_mel")
    section["representation"] = {**section["representation"], "multiple": 1}
    with pytest.raises(UserError, match="halves its image 2 times, which 26 x 32 does not allow"):
        build_model(section, FACTS)
    with pytest.raises(UserError, match="at least 8 are needed"):
        build_model(config("small_raw"), DataFacts(FACTS.channels, 125.0, 7))
