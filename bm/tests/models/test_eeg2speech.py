"""eeg2speech's networks: front-end, names of tensors, imported files, conditions, sampling."""

from __future__ import annotations

import pytest
import torch

from bm.errors import UserError
from bm.models import load, save
from bm.models.eeg2speech import importing, published
from bm.models.eeg2speech.audio import AudioSettings, LogMel, crop_start, griffin_lim, padded
from bm.models.eeg2speech.conditioning import (
    Conditioner,
    ConditionMaps,
    dropped_items,
    mixed_source,
    window_pooled,
)
from bm.models.eeg2speech.generation import Sampling, audible, check_vocoder, generate_latents
from bm.models.eeg2speech.networks import DenoiserSizes

from .eeg2speech import AUTOENCODER, DENOISER, VOCODER, small, stirred

CPU = torch.device("cpu")


def test_published_sizes_of_a_clip() -> None:
    settings = AudioSettings()
    assert (settings.samples, settings.frames, settings.bands) == (163840, 1024, 64)
    assert AudioSettings(n_mels=33).bands == 32


@pytest.mark.parametrize(
    "changes", [{"high_hz": 9000.0}, {"hop": 0}, {"window": 2048}, {"duration_s": -1.0}]
)
def test_impossible_settings_are_refused(changes) -> None:
    with pytest.raises(UserError, match=r"model\.audio"):
        AudioSettings(**changes)


def test_a_silent_crop_is_drawn_again() -> None:
    """Up to ten draws; the tenth is taken whatever it holds."""
    wave = torch.zeros(1, 1000)
    wave[0, 900:] = 0.5
    starts = [crop_start(wave, 100, torch.Generator().manual_seed(s)) for s in range(40)]
    assert sum(start > 800 for start in starts) > 15  # one draw finds it in a ninth of the cases
    assert crop_start(wave, 1000, torch.Generator()) == 0


def test_missing_frames_are_zeros_and_not_the_floor() -> None:
    mel = LogMel(AudioSettings(duration_s=0.64))
    assert mel.fitted(torch.full((1, 60, 64), -11.5))[0, -1].eq(0).all()
    assert float(mel(padded(torch.zeros(1, 10), 10240)).max()) == pytest.approx(-11.5129, abs=1e-3)


def test_griffin_lim_gives_back_a_sound_of_the_same_spectrum() -> None:
    mel = LogMel(AudioSettings(duration_s=0.64))
    t = torch.arange(mel.settings.samples) / 16000
    wave = (0.3 * torch.sin(2 * torch.pi * (300 + 400 * t) * t))[None]
    true = mel(wave)
    rebuilt = griffin_lim(mel, true)
    assert rebuilt.shape == wave.shape
    error = (mel(rebuilt) - true)[:, 4:-4].abs().mean()
    assert float(error) < 0.5 * float(true[:, 4:-4].std())


@pytest.mark.parametrize("mode", ["film", "sequence", "concat"])
def test_zeros_are_no_condition_and_guidance_of_one_needs_none(mode) -> None:
    model = stirred(small(DENOISER, cond={"mode": mode, "normalize": "none", "tokens": 4}))
    x, t = torch.randn(2, 4, 16, 8), torch.tensor([3, 700])
    condition = torch.randn(2, 6) if mode == "film" else torch.randn(2, 4, 6)
    with torch.no_grad():
        one, both = (model.denoiser(condition, 2.0, together)(x, t) for together in (False, True))
        alone, free = model.denoiser(condition)(x, t), model.denoiser(condition * 0)(x, t)
    assert torch.allclose(one, both, atol=1e-5)
    assert torch.allclose(one, free + 2 * (alone - free), atol=1e-4)
    assert not torch.allclose(alone, free)


@pytest.mark.parametrize("prediction", ["noise", "velocity", "data"])
def test_the_noise_of_a_perfect_prediction_is_the_noise(prediction) -> None:
    model = small(DENOISER, prediction=prediction)
    x0, noise, t = torch.randn(2, 4, 16, 8), torch.randn(2, 4, 16, 8), torch.tensor([200, 800])
    perfect = model.target(x0, noise, t)
    assert torch.allclose(
        model.noise_of(model.noise.add_noise(x0, noise, t), perfect, t), noise, atol=1e-3
    )


def test_a_new_denoiser_predicts_nothing() -> None:
    """As published: zero output, from which the loss of a first step is 1."""
    with torch.no_grad():
        assert not small(DENOISER)(
            torch.randn(1, 4, 16, 8), torch.tensor([5]), torch.randn(1, 6)
        ).any()


def test_each_side_is_standardised_by_its_own_clips() -> None:
    conditioner = Conditioner(3, "film", "standardize", 1)
    sides = {"audio": torch.randn(50, 3) * 2 + 5, "eeg": torch.randn(50, 3) * 0.1 - 1}
    for name, values in sides.items():
        conditioner.fit(name, values)
        brain = torch.full((50,), name == "eeg")
        out = conditioner(values[..., None], brain)
        assert torch.allclose(out.mean(0), torch.zeros(3), atol=1e-4)
        assert torch.allclose(out.std(0, unbiased=False), torch.ones(3), atol=1e-3)


def test_a_step_of_an_embedding_stands_at_its_time() -> None:
    maps = ConditionMaps(3, (2, 4, 5))
    condition = torch.zeros(1, 8, 3)
    condition[:, 6:] = 1.0  # the last quarter of the clip
    heard = maps(condition)
    assert heard.shape == (1, 2, 4, 5)
    assert heard[:, :, :3].eq(0).all() and heard[:, :, 3].ne(0).all()


def test_a_condition_is_dropped_by_example_or_by_batch() -> None:
    torch.manual_seed(0)
    drops = [dropped_items(40, 0.5, "example", CPU) for _ in range(3)]
    assert all(0 < int(d.sum()) < 40 for d in drops)
    whole = [int(dropped_items(40, 0.5, "batch", CPU).sum()) for _ in range(30)]
    assert set(whole) == {0, 40}
    assert not dropped_items(40, 0.0, "example", CPU).any()  # 0 means 0


@pytest.mark.parametrize(
    ("source", "share"), [("audio", 0), ("eeg", 1), ("mixed(0.25)", 0.25), (0.5, 0.5)]
)
def test_train_source(source, share) -> None:
    assert mixed_source(source) == share


@pytest.mark.parametrize("source", ["sound", "mixed(2)", -1, "mixed()"])
def test_an_unknown_train_source_is_refused(source) -> None:
    with pytest.raises(UserError, match="train_source"):
        mixed_source(source)


def test_windows_of_a_clip_are_averaged() -> None:
    embedding = torch.arange(12.0).reshape(6, 2)
    assert torch.equal(window_pooled(embedding, 3), torch.tensor([[2.0, 3.0], [8.0, 9.0]]))


def test_a_generated_item_depends_on_its_seed_alone() -> None:
    model = stirred(small(DENOISER, cond={"normalize": "none"}))
    model.scale.fill_(2.0)
    sampling = Sampling(steps=2, guidance=1.5, batch_size=2)
    condition = torch.randn(3, 6)
    together = generate_latents(model, condition, [4, 5, 6], sampling)
    alone = generate_latents(model, condition[2:], [6], sampling)
    assert torch.allclose(together[2:], alone, atol=1e-4)
    with pytest.raises(UserError, match=r"generate\.clip"):
        Sampling(clip=True)
    with pytest.raises(UserError, match=r"generate\.steps"):
        generate_latents(model, condition, [1, 2, 3], Sampling(steps=2000))


def test_latents_are_decoded_to_sounds_with_and_without_vocoder() -> None:
    autoencoder, vocoder = small(AUTOENCODER), small(VOCODER)
    check_vocoder(autoencoder, vocoder)
    maps = autoencoder.decode(torch.randn(2, *autoencoder.latent_shape))
    for one in (vocoder, None):
        sound = audible(autoencoder, one, maps.detach())
        assert sound.shape == (2, 10240)
        assert torch.allclose(sound.abs().amax(1), torch.tensor(0.8))


@pytest.mark.parametrize(
    ("changes", "what"),
    [({"sound_hz": 22050}, "rate_hz 22050, not 16000"), ({"n_mels": 80}, "bands 80, not 16"),
     ({"upsample_rates": [20, 8], "upsample_kernels": [40, 16]}, "hop 160, not 320")],
)  # fmt: skip
def test_a_vocoder_of_another_setting_is_refused(changes, what) -> None:
    with pytest.raises(UserError, match=what):
        check_vocoder(small(AUTOENCODER), small(VOCODER, **changes))


def test_sides_that_networks_cannot_halve_are_refused() -> None:
    with pytest.raises(UserError, match="multiples of 2"):
        small(AUTOENCODER, audio={"duration_s": 0.66, "hop": 320, "n_mels": 16})
    with pytest.raises(UserError, match="multiples of 4"):
        small(DENOISER, network={"width": 32, "multipliers": [1, 1, 1]}, latent_shape=[4, 18, 8])
    with pytest.raises(UserError, match="begin with 1"):
        DenoiserSizes(multipliers=(2, 2))


def as_published(module) -> dict[str, torch.Tensor]:
    """Tensors of a model under the original's names and in its form."""
    names, state = importing.published_names(module), module.state_dict()
    return published.attention_as_convolution({names[k]: state[k] for k in names})


def whole_file(path) -> dict:
    """Write a Lightning file that holds three models, averages and tables; return the models."""
    models = {"denoiser": small(DENOISER), "autoencoder": small(AUTOENCODER),
              "vocoder": small(VOCODER)}  # fmt: skip
    models["denoiser"].scale.fill_(0.9)
    unet = as_published(models["denoiser"])
    state = {"betas": torch.zeros(3), "scale_factor": unet.pop("scale_factor")}
    state |= {f"model.diffusion_model.{k}": v for k, v in unet.items()}
    state |= {published.average_name(k): v + 1 for k, v in unet.items()}
    first = "first_stage_model."
    state |= {f"{first}{k}": v for k, v in as_published(models["autoencoder"]).items()}
    state[f"{first}loss.logvar"] = torch.zeros(())
    vocoder = published.with_weight_norm(as_published(models["vocoder"]))
    state |= {f"{first}vocoder.{k}": v for k, v in vocoder.items()}
    torch.save({"state_dict": state, "global_step": 7}, path)
    return models


@pytest.mark.parametrize(
    ("part", "section"),
    [("denoiser", DENOISER), ("autoencoder", AUTOENCODER), ("vocoder", VOCODER)],
)
def test_each_part_of_a_whole_file_is_imported_strictly(tmp_path, part, section) -> None:
    models = whole_file(tmp_path / "whole.ckpt")
    imported, facts = importing.import_published(tmp_path / "whole.ckpt", section, {})
    assert not imported.report.unexpected and not imported.report.wrong_shape
    assert all(n.startswith("conditioner.") for n in imported.report.missing)
    assert "model_ema" in imported.others or part != "vocoder"
    ours, theirs = imported.module.state_dict(), models[part].state_dict()
    for name in imported.report.matched:
        assert torch.allclose(ours[name], theirs[name], atol=1e-6), name
    save(imported.module, tmp_path / "saved", facts)
    assert set(load(tmp_path / "saved").state_dict()) == set(theirs)


def test_averages_are_imported_when_asked_for(tmp_path) -> None:
    models = whole_file(tmp_path / "whole.ckpt")
    imported, _ = importing.import_published(tmp_path / "whole.ckpt", DENOISER, {}, False, "ema")
    name = "network.conv_in.weight"
    assert torch.allclose(
        imported.module.state_dict()[name], models["denoiser"].state_dict()[name] + 1
    )
    assert float(imported.module.scale) == pytest.approx(0.9)


def test_a_condition_of_another_width_is_reported_and_not_dropped(tmp_path) -> None:
    """A public checkpoint has 512 numbers where the EEG configuration has 1024."""
    whole_file(tmp_path / "whole.ckpt")
    with pytest.raises(UserError, match=r"1 wrong shape \(network.class_embedding.weight\)"):
        importing.import_published(tmp_path / "whole.ckpt", {**DENOISER, "width": 12}, {})
    imported, _ = importing.import_published(
        tmp_path / "whole.ckpt", {**DENOISER, "width": 12}, {}, True
    )
    assert imported.report.wrong_shape == ("network.class_embedding.weight",)
