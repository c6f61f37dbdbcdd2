"""Adapters of Brain-Diffusion's golden cases."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from bm.engine.schedule import Schedule
from bm.metrics import generation
from bm.metrics.covariance import log_euclidean_mean
from bm.metrics.distribution import class_diversity
from bm.metrics.spectra import relative_band_powers
from bm.metrics.temporal import hjorth, largest_correlations
from bm.models.eegdiff.model import build_network
from bm.nn.ema import EMA, power_decay
from bm.nn.mel import Mel
from bm.nn.noise import NoiseSchedule, slerp
from bm.nn.sampling import SAMPLERS, Noise, Path, invert, last, steps_of
from bm.nn.stft import STFT, griffin_lim
from bm.tests.reference.sentences import (
    band_images,
    normalised_sentence,
    word_image,
    word_matrix,
)

from ..reference.byte_range import byte_range, training_image
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
    shadows = []
    for values in parameters:
        model.load_state_dict({"weight": torch.from_numpy(values)[None]})
        average.update(model)
        shadows.append(average.shadow["weight"].numpy()[0].copy())
    return shadows


@adapter("eegdiff", "metrics")
def metrics(case: dict, data: Tensors, weights: Tensors) -> dict[str, Any]:
    c = case["config"]
    bands = {name: tuple(edges) for name, edges in c["bands"].items()}
    real, generated, test = (
        generation.describe(data[k], c["fs"], bands) for k in ("real", "generated", "real_test")
    )
    results: dict[str, Any] = {
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
        results |= {
            f"relative_bandpower_{name}": relative_band_powers(one.powers),
            f"hjorth_{name}": hjorth(one.waves),
            f"psd_{name}_mean": one.density.mean(0),
            f"features_{name}": generation.band_features(one, real),
            f"acf_{name}": one.acf.mean(0),
            f"mean_cov_{name}": log_euclidean_mean(one.logs),
        }
    return results


def _tensor(data: Tensors, name: str) -> torch.Tensor:
    return torch.from_numpy(data[name])


def _scaled(case: dict, data: Tensors) -> torch.Tensor:
    scaling = case["config"]["pre_scaling"]
    wave = _tensor(data, "wave_in")
    if scaling["type"] == "range":
        return byte_range(wave, scaling["n"], scaling["depth"])
    if scaling == {"type": "zscore_all", "ddof": 1}:
        return torch.from_numpy(normalised_sentence(wave.numpy().T, wave.shape[-1]))
    raise ValueError(f"pre_scaling {scaling}")


@adapter("eegdiff", "mel")
def mel(case: dict, data: Tensors, weights: Tensors) -> dict[str, Any]:
    c = case["config"]
    scaled, padded = _scaled(case, data), _tensor(data, "wave_padded")
    mels = [
        Mel(c["sample_rate"], c["n_fft"], c["hop_length"], c["n_mels"], db).double()
        for db in c["top_db"]
    ]
    power = mels[0].power(padded)
    results: dict[str, Any] = {
        "wave_scaled": scaled,
        "wave_padded": nn.functional.pad(scaled, (0, padded.shape[-1] - scaled.shape[-1])),
        "mel_basis": mels[0].bank,
        "mel_power": power,
        "ref_power": mels[0].loudest(power),
        "train_input": training_image(
            _tensor(data, "latent_db_top80").float(), c["max_freq"], c["resized_frames"]
        ),
    }
    for one, db in zip(mels, c["top_db"], strict=True):
        results[f"latent_db_top{db}"] = one.attenuation(power)
    stored, phase = (
        _tensor(data, k).transpose(-1, -2) for k in ("stft_mag_from_mel", "gl_init_phase")
    )
    repeat = c["griffinlim"]
    results["wave_from_griffinlim"] = griffin_lim(
        mels[0].stft, stored, phase, repeat["n_iter"], repeat["momentum"]
    )
    wanted = mels[0].restored(_tensor(data, "latent_db_top80"), _tensor(data, "ref_power"))
    magnitude = mels[0].magnitude(wanted)
    residual = (magnitude.square() @ mels[0].bank.T - wanted).norm() / wanted.norm()
    # the case compares this one by its residual: many solutions are equally good
    wanted_residual = {"stft_mag_from_mel": case["nnls_relative_residual"]}
    return {**results, "stft_mag_from_mel": residual, "expect": wanted_residual}


@adapter("eegdiff", "stft")
def stft(case: dict, data: Tensors, weights: Tensors) -> dict[str, Any]:
    c = case["config"]
    wave = _tensor(data, "wave_scaled").double()
    transform = STFT(c["nperseg"], c["nperseg"] - c["noverlap"])
    spectrum = transform(wave)
    back = transform.inverse(torch.complex(_tensor(data, "stft_real"), _tensor(data, "stft_imag")))
    error = (back[..., : wave.shape[-1]] - wave).abs().max()
    assert error <= 1e-9 * wave.abs().max(), f"round trip {error:.2g}"
    stored = _tensor(data, "magnitude")
    image = training_image(stored.float(), c["max_freq"], c["resized_frames"])
    return {
        "wave_scaled": _scaled(case, data),
        "stft_real": spectrum.real,
        "stft_imag": spectrum.imag,
        "magnitude": spectrum.abs(),
        "train_input_trilinear": image,
        "train_input_bilinear": image,
        "wave_roundtrip": back,
        "wave_zero_phase": transform.inverse(torch.complex(stored, torch.zeros_like(stored))),
    }


@adapter("eegdiff", "sentence_norm_pad")
def sentence_norm_pad(case: dict, data: Tensors, weights: Tensors) -> dict[str, Any]:
    c, wave = case["config"], data["raw_time_first"]
    return {
        "padded": normalised_sentence(wave, c["pad_to"]),
        "truncated": normalised_sentence(wave, c["truncate_to"]),
    }


@adapter("eegdiff", "freqmaps")
def freqmaps(case: dict, data: Tensors, weights: Tensors) -> dict[str, Any]:
    c = case["config"]
    matrix = word_matrix(data["word_features"], c["max_words"])
    maps = band_images(matrix, len(c["bands"]))
    words = c["train_words"]
    results: dict[str, Any] = {
        "feature_matrix": matrix,
        "map_8x105_published_layout": band_images(matrix, len(c["bands"]), as_published=True),
        "map_8x105_correct_layout": maps,
    }
    for name in case["outputs"]:
        if name.startswith("train_1x"):
            first, width = (int(part.lstrip("minax")) for part in name.split("_")[2:])
            image = torch.from_numpy(word_image(matrix, first, width, words))
            results[name] = training_image(image)
        elif name.startswith("train_") and name.endswith("_correct"):
            image = torch.from_numpy(maps[..., :words].copy())
            results[name] = training_image(image, absolute=False)
    return results


NETWORKS = {"UNet2DModel": "unet2d", "UNet2DConditionModel": "unet2d_text"}


def _network(case: dict) -> nn.Module:
    """The denoiser of a case: everything it names is given, so no default of ours counts."""
    c = dict(case["config"])
    shape = (c.pop("in_channels"), *c["sample_size"][1:])
    assert c.pop("out_channels") == shape[0]
    return build_network(NETWORKS[case["class"]], shape, False, c)


@adapter("eegdiff", "keys")
def keys(case: dict, data: Tensors, weights: Tensors) -> dict[str, Any]:
    with torch.device("meta"):
        state = _network(case).state_dict()
    ours = {name: list(tensor.shape) for name, tensor in state.items()}
    theirs = {name: list(shape) for name, shape in case["keys"]}
    differing = sorted(k for k in {*ours, *theirs} if ours.get(k) != theirs.get(k))
    assert not differing, f"{len(differing)} tensors differ, first {differing[0]}"
    results = {"total_params": sum(t.numel() for t in state.values()), "tensors": len(ours)}
    return {**results, "expect": {"total_params": case["total_params"], "tensors": len(theirs)}}


def _sampled(case: dict, data: Tensors, denoise: Any) -> dict[str, Any]:
    """Every run of the case's samplers."""
    s, start = case["sampler"], _tensor(data, "sampler_init")
    kinds = {"prediction_type": "epsilon", "timestep_spacing": "leading", "steps_offset": 0}
    assert all(s[key] == value for key, value in kinds.items()), s
    schedule = NoiseSchedule(
        s["beta_schedule"], s["num_train_timesteps"], s["beta_start"], s["beta_end"]
    )
    steps = steps_of(schedule, s["inference_steps"])
    results: dict[str, Any] = {f"{k}_timesteps": steps.t.flip(0) for k in ("ddim", "ddpm")}
    for name, run in s["runs"].items():
        if run["kind"] == "ddim_inversion":
            results[name] = last(invert(denoise, _tensor(data, run["start"]), Path(steps)))
            continue
        clip = s["clip_sample_range"] if run.get("clip_sample", s["clip_sample"]) else None
        noise = Noise(sequence=iter(_tensor(data, "step_noise")))
        path = Path(steps, noise, run.get("eta", 0.0), clip)
        moves = SAMPLERS[run["kind"]](denoise, start, path)
        results[name] = next(moves) if run.get("only_first_step") else last(moves)
    return results


def _denoiser(case: dict, data: Tensors, weights: Tensors) -> dict[str, Any]:
    """Prediction, gradients, one clipped step of the optimiser, and all samplers."""
    net = _network(case)
    net.load_state_dict({k: torch.from_numpy(v) for k, v in weights.items()}, strict=True)
    net.eval()
    text = _tensor(data, "encoding") if "encoding" in data else None
    s, step = case["sampler"], case["train_step"]

    def denoise(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        return net.denoise(x, t, None, text, None)  # type: ignore[operator]

    schedule = NoiseSchedule(
        s["beta_schedule"], s["num_train_timesteps"], s["beta_start"], s["beta_end"]
    )
    x0, noise, t = (_tensor(data, k) for k in ("x0", "noise", "timesteps"))
    results = _sampled(case, data, denoise)
    results["x_t"] = schedule.add_noise(x0, noise, t)
    pred = denoise(results["x_t"], t)
    loss = (pred - noise).square().mean()
    loss.backward()
    results |= {"pred": pred.detach().clone(), "loss": loss.item()}
    parameters = dict(net.named_parameters())
    for name in case["outputs"]:
        if name.startswith("grad."):
            results[name] = parameters[name.removeprefix("grad.")].grad.clone()  # type: ignore[union-attr]
    results["grad_norm"] = nn.utils.clip_grad_norm_(net.parameters(), step["max_grad_norm"])
    options = {k: step[k] for k in ("lr", "betas", "weight_decay", "eps")}
    torch.optim.AdamW(net.parameters(), **options).step()
    for name in case["outputs"]:
        if name.startswith("after_step."):
            results[name] = parameters[name.removeprefix("after_step.")].detach()
    return results


adapter("eegdiff", "unet_uncond")(_denoiser)
adapter("eegdiff", "unet_cond")(_denoiser)
