"""Adapters of eeg2speech's networks: published configurations to ours, weights by the name map."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from bm.losses.adversarial import AutoencoderLoss
from bm.models.eeg2speech import importing, published
from bm.models.eeg2speech.audio import AudioSettings, LogMel, normalised, padded
from bm.models.eeg2speech.autoencoder import Posterior
from bm.models.eeg2speech.conditioning import no_condition, pooled
from bm.models.eeg2speech.latent import LatentDiffusion
from bm.models.eeg2speech.networks import (
    AutoencoderSizes,
    DenoiserSizes,
    VocoderSizes,
    build_autoencoder,
    build_denoiser,
    build_vocoder,
)
from bm.nn.noise import NoiseSchedule
from bm.nn.sampling import Noise, ddim, steps_of
from bm.nn.sampling import Path as Levels

from ..reference.noise import bound_weights
from .running import Tensors, adapter, tensors


def tensors_of(data: Tensors) -> dict[str, torch.Tensor]:
    """Tensors of a case."""
    return {name: torch.from_numpy(value) for name, value in data.items()}


def loaded(module: nn.Module, names: Mapping[str, str], state: Mapping[str, Any]) -> nn.Module:
    """The module with the weights of a case, every one of them used."""
    ours = {theirs: name for name, theirs in names.items()}
    result = module.load_state_dict({ours[k]: v for k, v in state.items()}, strict=False)
    assert not result.unexpected_keys and set(result.missing_keys) <= {"mean", "scale"}
    return module.eval()


def denoiser_sizes(c: dict) -> DenoiserSizes:
    """Sizes of a published `unet_config`."""
    contexts = c.get("context_dim") or [0]
    assert len(contexts) == 1, "one context"
    # its default is true, and without contexts nothing comes of it
    alone = bool(contexts[0]) and c.get("extra_sa_layer", True)
    assert c.get("use_spatial_transformer", True) and c["in_channels"] == c["out_channels"]
    assert alone or not contexts[0], "one transformer without self-attention gets no context"
    return DenoiserSizes(
        c["in_channels"], c["model_channels"], tuple(c["channel_mult"]),
        tuple(c["attention_resolutions"]), c["num_res_blocks"], c["num_head_channels"],
        c.get("transformer_depth", 1), c.get("extra_film_condition_dim") or 0, contexts[0], alone,
    )  # fmt: skip


def autoencoder_sizes(c: dict, embed_dim: int) -> AutoencoderSizes:
    """Sizes of a published `ddconfig`."""
    assert embed_dim == c["z_channels"] and not c["attn_resolutions"] and c["double_z"]
    ends = c["in_channels"], c["out_ch"]
    return AutoencoderSizes(c["ch"], tuple(c["ch_mult"]), c["num_res_blocks"], embed_dim, ends)


def vocoder_sizes(c: dict) -> VocoderSizes:
    """Sizes of a published vocoder."""
    return VocoderSizes(
        c["num_mels"], c["sampling_rate"], c["upsample_initial_channel"],
        tuple(c["upsample_rates"]), tuple(c["upsample_kernel_sizes"]),
        tuple(c["resblock_kernel_sizes"]), tuple(c["resblock_dilation_sizes"]),
    )  # fmt: skip


def diffusion(case: dict, config: dict) -> LatentDiffusion:
    """Our model of a published denoiser, with the weights of the case."""
    folder = Path(case["folder"])
    if "weights_from" in case:
        folder = folder.parent / case["weights_from"]
        config = {**json.loads((folder / "case.json").read_text())["config"], **config}
    sizes = denoiser_sizes(config)
    kinds = {"eps": "noise", "v": "velocity", "x0": "data"}
    model = LatentDiffusion(
        (sizes.channels, sizes.multiple, sizes.multiple), sizes.film, {"normalize": "none"},
        {"width": sizes.width, "multipliers": sizes.multipliers, "attention": sizes.attention,
         "n_blocks": sizes.n_blocks, "head_width": sizes.head_width, "depth": sizes.depth},
        {"shape": "scaled_linear", "steps": config.get("timesteps", 1000),
         "start": config.get("linear_start", 0.0015), "end": config.get("linear_end", 0.0195)},
        kinds[config.get("parameterization", "eps")], config.get("loss_type", "l2"),
    )  # fmt: skip
    names = published.denoiser_names(model.network.state_dict(), sizes)
    loaded(model.network, names, tensors_of(tensors(folder / "weights.safetensors")))
    return model.eval()


@adapter("eeg2speech", "latent diffusion UNet with FiLM-by-concatenation")
@torch.no_grad()
def denoiser(case: dict, data: Tensors, weights: Tensors) -> dict[str, Any]:
    t, model = tensors_of(data), diffusion(case, case["config"])
    net: Any = model.network
    wave = net.time_proj(t["timesteps"])
    both = torch.cat([net.time_embedding(wave), net.class_embedding(t["film"])], -1)
    results = {
        "timestep_embedding": wave,
        "emb": both,
        "out": model(t["x"], t["timesteps"], t["film"]),
        "out_uncond": model(t["x"], t["timesteps"], torch.zeros_like(t["film"])),
    }
    return {**results, "expect": {name: data[name] for name in results if name in data}}


@adapter("eeg2speech", "latent diffusion training loss")
@torch.no_grad()
def denoising_loss(case: dict, data: Tensors, weights: Tensors) -> dict[str, Any]:
    c, t = case["config"], tensors_of(data)
    model = diffusion(case, c)
    output = model(model.noise.add_noise(t["z"], t["noise"], t["t"]), t["t"], t["film"])
    errors = model.error_of(output, model.target(t["z"], t["noise"], t["t"]))
    logvar = torch.tensor(float(c.get("logvar_init", 0.0)))
    simple = (errors / logvar.exp() + logvar).mean()
    target = {"noise": "noise", "velocity": "velocity", "data": "x0"}[model.prediction]
    bound = (torch.as_tensor(bound_weights(model.noise, target))[t["t"]] * errors).mean()
    loss = c["l_simple_weight"] * simple + c["original_elbo_weight"] * bound
    results = {
        "model_output": output,
        "loss": loss,
        "loss_simple": errors.mean(),
        "loss_vlb": bound,
    }
    return {**results, "expect": {name: data[name] for name in results if name in data}}


@adapter("eeg2speech", "DDIM sampling with classifier-free guidance")
@torch.no_grad()
def guided_sampling(case: dict, data: Tensors, weights: Tensors) -> dict[str, Any]:
    c, t = case["config"], tensors_of(data)
    assert c.get("unconditional", "zeros") == "zeros"
    model, results = diffusion(case, c), {}
    denoise = model.denoiser(t["film"], c["guidance_scale"])
    for eta in c["etas"]:
        noise = Noise(sequence=iter(t["step_noises"]))
        path = Levels(steps_of(model.noise, c["steps"], offset=1), noise, eta, None)
        states = list(ddim(denoise, t["x_T"], path))
        results[f"x_after_first_step_eta{eta:g}"] = states[0]
        results[f"samples_eta{eta:g}"] = states[-1]
    return {**results, "expect": {name: data[name] for name in results if name in data}}


@adapter("eeg2speech", "AutoencoderKL")
@torch.no_grad()
def autoencoder(case: dict, data: Tensors, weights: Tensors) -> dict[str, Any]:
    sizes, t = (
        autoencoder_sizes(case["config"]["ddconfig"], case["config"]["embed_dim"]),
        tensors_of(data),
    )
    net: Any = build_autoencoder(sizes)
    names = published.autoencoder_names(net.state_dict(), sizes)
    loaded(net, names, published.attention_as_linear(tensors_of(weights)))
    features = net.encoder(t["x"])
    moments = net.quant_conv(features)
    posterior = Posterior.of(moments)
    z = posterior.sample(t["posterior_noise"])
    results = {
        "encoder_out": features, "moments": moments, "mean": posterior.mean,
        "logvar": posterior.log_variance, "std": posterior.sd, "kl": posterior.kl(), "z": z,
        "decoded_z": net.decoder(net.post_quant_conv(z)),
        "decoded_mean": net.decoder(net.post_quant_conv(posterior.mean)),
    }  # fmt: skip
    return {**results, "expect": {name: data[name] for name in results if name in data}}


def autoencoder_loss(c: dict) -> AutoencoderLoss:
    """The loss of a published `lossconfig`."""
    assert c.get("disc_loss", "hinge") == "hinge" and not c.get("perceptual_weight")
    return AutoencoderLoss(
        c["kl_weight"], c["disc_weight"], c["disc_start"], c["disc_factor"],
        c["disc_in_channels"], c["disc_num_layers"],
    )  # fmt: skip


def _split_loss(weights: Tensors) -> tuple[dict, dict]:
    """Tensors of the network and of the loss."""
    every = tensors_of(weights)
    loss = {k.removeprefix("loss."): v for k, v in every.items() if k.startswith("loss.")}
    return {k: v for k, v in every.items() if not k.startswith("loss.")}, loss


@adapter(
    "eeg2speech",
    "autoencoder loss (reconstruction + KL + hinge PatchGAN with adaptive weight)",
)
def first_stage_loss(case: dict, data: Tensors, weights: Tensors) -> dict[str, Any]:
    c, t = case["config"], tensors_of(data)
    sizes = autoencoder_sizes(c["ddconfig"], c["embed_dim"])
    net_state, loss_state = _split_loss(weights)
    results: dict[str, Any] = {}
    for name, step in c["global_step"].items():
        net: Any = build_autoencoder(sizes)
        names = published.autoencoder_names(net.state_dict(), sizes)
        loaded(net, names, published.attention_as_linear(net_state))
        loss = autoencoder_loss(c["lossconfig"])
        loss.load_state_dict(loss_state)
        net.train(), loss.train()
        posterior = Posterior.of(net.quant_conv(net.encoder(t["x"])))
        rebuilt = net.decoder(net.post_quant_conv(posterior.sample(t["posterior_noise"])))
        last = net.decoder.conv_out.weight
        terms = loss(t["x"], rebuilt, posterior.kl(), step, last)
        judged = loss.discriminator_loss(t["x"], rebuilt, step)
        terms.loss.backward()
        outputs = {
            "ae_loss": terms.loss, "total_loss": terms.loss, "logvar": loss.logvar,
            "kl_loss": terms.kl, "nll_loss": terms.nll, "rec_loss": terms.rec,
            "d_weight": terms.weight, "disc_factor": terms.on, "g_loss": terms.adversarial,
            "grad.decoder.conv_out.weight": last.grad,
            "grad.encoder.conv_in.weight": net.encoder.conv_in.weight.grad,
            "disc_loss_total": judged["loss"], "disc_loss": judged["loss"],
            "logits_real": judged["real"], "logits_fake": judged["generated"],
        }  # fmt: skip
        results |= {
            f"{name}.{k}": v.detach() if isinstance(v, torch.Tensor) else v
            for k, v in outputs.items()
        }
        results["reconstruction"] = rebuilt.detach()
    return {
        **results,
        "expect": {n: v for n, v in data.items() if n not in ("x", "posterior_noise")},
    }


@adapter("eeg2speech", "HiFi-GAN generator")
@torch.no_grad()
def vocoder(case: dict, data: Tensors, weights: Tensors) -> dict[str, Any]:
    sizes, mel = vocoder_sizes(case["config"]), tensors_of(data)["mel"]
    files = {"waveform": weights}
    if name := case.get("weights_weightnorm_file"):
        files["waveform_weightnorm"] = tensors(Path(case["folder"]) / name)
    results, expect = {}, {}
    for name, state in files.items():
        net: Any = build_vocoder(sizes)
        names = published.vocoder_names(net.state_dict())
        loaded(net, names, published.without_weight_norm(tensors_of(state)))
        results[name], expect[name] = net(mel.transpose(1, 2))[:, None], data["waveform"]
    return {**results, "expect": expect}


@adapter("eeg2speech", "audio front-end")
def front_end(case: dict, data: Tensors, weights: Tensors) -> dict[str, Any]:
    c = case["config"]
    settings = AudioSettings(
        c["audio"]["sampling_rate"], c["audio"]["duration"], c["stft"]["filter_length"],
        c["stft"]["win_length"], c["stft"]["hop_length"], c["mel"]["n_mel_channels"],
        c["mel"]["mel_fmin"], c["mel"]["mel_fmax"],
    )  # fmt: skip
    assert settings.frames == c["target_length_frames"]
    mel = LogMel(settings)
    wave = padded(normalised(tensors_of(data)["raw_waveform"]), settings.samples)[None]
    results = {
        "normalized_padded_waveform": wave,
        "log_mel": mel(wave)[0],
        "mel_basis": mel.basis,
        "stft_magnitude": mel.fitted(mel.magnitude(wave).mT)[0],
    }
    return {**results, "expect": {name: data[name] for name in results if name in data}}


@adapter("eeg2speech", "EEG conditioning stage")
def conditioning(case: dict, data: Tensors, weights: Tensors) -> dict[str, Any]:
    c, embedding = case["config"], tensors_of(data)["embedding"]
    audio = c["embed_mode"] in ("audio", "audio_embedding")
    results = {
        "cond": embedding if audio else pooled(embedding),
        "uncond": no_condition(len(embedding), c["unconditional_dim"]),
    }
    return {**results, "expect": {name: data[name] for name in results if name in data}}


def _whole() -> dict[str, torch.Size]:
    """Shapes of a whole published checkpoint of the EEG configuration."""
    sizes, first = DenoiserSizes(), AutoencoderSizes()
    nets = [build_denoiser(sizes), build_autoencoder(first), build_vocoder(VocoderSizes())]
    states = [net.state_dict() for net in nets]
    names = [
        published.denoiser_names(states[0], sizes),
        published.autoencoder_names(states[1], first),
        published.vocoder_names(states[2]),
    ]
    unet, vae, voice = (
        {theirs: state[ours] for ours, theirs in renamed.items()}
        for state, renamed in zip(states, names, strict=True)
    )
    tables = dict(NoiseSchedule("scaled_linear", 1000, 0.0015, 0.0195).named_buffers())
    one = torch.zeros(())
    whole = {
        **tables, "logvar": tables["betas"], "scale_factor": one, "model_ema.decay": one,
        "model_ema.num_updates": one,
        **{f"{importing.DENOISER}{k}": v for k, v in unet.items()},
        **{published.average_name(k): v for k, v in unet.items()},
        **{f"{importing.FIRST_STAGE}{k}": v
           for k, v in published.attention_as_convolution(vae).items()},
        **{f"{importing.FIRST_STAGE}{importing.VOCODER}{k}": v for k, v in voice.items()},
        **{f"{importing.FIRST_STAGE}loss.{k}": v
           for k, v in AutoencoderLoss().state_dict().items()},
    }  # fmt: skip
    return {name: tensor.shape for name, tensor in whole.items()}


def _published_shapes(case: dict) -> dict[str, list[int]]:
    """Name -> shape of every tensor, by our networks and the name map."""
    name, c = case["name"].removeprefix("keys-"), case.get("config", {})
    with torch.device("meta"):
        if name.startswith("unet"):
            sizes = denoiser_sizes(c)
            net = build_denoiser(sizes).state_dict()
            names = published.denoiser_names(net, sizes)
        elif name == "vae-loss":
            net = AutoencoderLoss().state_dict()
            names = {k: k for k in net}
        elif name.startswith("vae"):
            first = autoencoder_sizes(c, case["embed_dim"])
            net = build_autoencoder(first).state_dict()
            names = published.autoencoder_names(net, first)
        elif name.startswith("hifigan"):
            net = build_vocoder(vocoder_sizes(c)).state_dict()
            names = published.vocoder_names(net)
        else:
            return {k: list(v) for k, v in _whole().items()}
    state = published.attention_as_convolution({names[k]: net[k] for k in names})
    if name.endswith("weightnorm"):
        state = published.with_weight_norm(state)
    return {k: list(v.shape) for k, v in state.items()}


@adapter("eeg2speech", "keys")
def keys(case: dict, data: Tensors, weights: Tensors) -> dict[str, Any]:
    ours = _published_shapes(case)
    theirs = {name: list(shape) for name, shape in case["tensors"]}
    differing = sorted(k for k in {*ours, *theirs} if ours.get(k) != theirs.get(k))
    assert not differing, f"{len(differing)} tensors differ, first {differing[0]}"
    return {"count": len(ours), "expect": {"count": case["tensor_count"]}}
