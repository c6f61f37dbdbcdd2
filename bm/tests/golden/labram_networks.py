"""Adapters of LaBraM's golden cases: the quantiser, the layers and the three networks."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from bm.engine.optim import parameter_groups, set_rates
from bm.losses.classification import binary_cross_entropy, cross_entropy
from bm.losses.masked import masked_cross_entropy
from bm.models.labram.classifier import LaBraM
from bm.models.labram.masked import LaBraMMasked
from bm.models.labram.published import our_state
from bm.models.labram.tokenizer import VQNSP
from bm.models.saved import fit
from bm.nn.electrodes import NAMES
from bm.nn.masking import random_mask
from bm.nn.patches import TemporalConv
from bm.nn.quantiser import Quantiser, spherical_kmeans

from ..reference.labram_names import input_rows, published_name
from .running import Tensors, adapter

#: key of a case -> argument of `Backbone`
BACKBONE = {
    "patch_size": "patch_samples",
    "out_chans": "n_filters",
    "embed_dim": "width",
    "depth": "depth",
    "num_heads": "n_heads",
    "mlp_ratio": "mlp_ratio",
    "qkv_bias": "qkv_bias",
    "qk_norm": "qk_norm",
    "layer_scale_init": "layer_scale",
    "norm_eps": "eps",
    "abs_pos_emb": "positions",
    "drop_path": "drop_path",
}


def _tensors(data: Tensors) -> dict[str, Tensor]:
    return {name: torch.from_numpy(value) for name, value in data.items()}


@adapter("labram", "normalised EMA vector quantizer")
def quantizer(case: dict, data: Tensors, weights: Tensors) -> dict[str, Any]:
    c, tensors = case["config"], _tensors(data)
    ours = Quantiser(
        c["n_embed"],
        c["code_dim"],
        c["ema_decay"],
        c["commitment_beta"],
        c["kmeans_init"],
        count_in_eval=True,
        extras=True,
    )
    state = our_state({f"quantize.{name}": tensor for name, tensor in _tensors(weights).items()})
    ours.load_state_dict({n.removeprefix("quantiser."): t for n, t in state.items()}, strict=True)
    results: dict[str, Any] = {}
    steps = sorted({name.split(".")[0] for name in tensors})
    for step in steps:
        ours.train(step != steps[-1])
        z = tensors[f"{step}.z"].clone().requires_grad_()
        out = ours(z.movedim(1, -1))
        codes = out.codes.movedim(-1, 1)
        (3 * out.loss + (codes * tensors[f"{step}.upstream_grad"]).sum()).backward()
        results[f"{step}.z_q"] = codes.detach()
        results[f"{step}.loss"] = out.loss.item()
        results[f"{step}.indices"] = out.indices.flatten()
        results[f"{step}.grad_z"] = z.grad
        results[f"{step}.after.embedding.weight"] = ours.codebook.clone()
        results[f"{step}.after.cluster_size"] = ours.counts.clone()
    inputs = ("z", "upstream_grad")
    expect = {name: data[name] for name in data if not name.endswith(inputs)}
    return {**results, "expect": expect}


@adapter("labram", "cosine k-means codebook initialisation")
def kmeans(case: dict, data: Tensors, weights: Tensors) -> dict[str, Any]:
    tensors = _tensors(data)
    assert case["config"]["cosine"]
    means, bins = spherical_kmeans(
        tensors["samples"], tensors["initial_means"], case["config"]["iterations"]
    )
    return {"means": means, "bins": bins, "expect": {k: data[k] for k in ("means", "bins")}}


def _backbone(config: dict) -> dict[str, Any]:
    options = {BACKBONE[key]: value for key, value in config.items() if key in BACKBONE}
    if config.get("in_chans", 1) != 1:  # code vectors, one per token
        assert options.pop("patch_samples") == 1
        options.pop("n_filters", None)
    return options


def _classifier(config: dict) -> LaBraM:
    pooling = "mean" if config["mean_pooling"] else "class"
    return LaBraM(config["num_classes"], _backbone(config), None, pooling, amplitude_uv=1.0)


def _masked(config: dict) -> LaBraMMasked:
    return LaBraMMasked(
        _backbone(config),
        config["vocab_size"],
        amplitude_uv=1.0,
        class_row="electrode",
        extras=True,
    )


def _tokenizer(config: dict) -> VQNSP:
    assert config["decoder"]["in_chans"] == config["code_dim"]
    assert config["decoder_out_dim"] == config["encoder"]["patch_size"]
    return VQNSP(
        _backbone(config["encoder"]),
        _backbone(config["decoder"]),
        config["n_embed"],
        config["code_dim"],
        amplitude_uv=1.0,
        decay=config["ema_decay"],
        beta=config["commitment_beta"],
        kmeans=config["kmeans_init"],
        smooth=config["spectrum_loss"] == "smooth_l1",
        count_in_eval=True,
        extras=True,
    )


COMPONENTS = {
    "fine-tuning classifier": _classifier,
    "masked EEG modelling (symmetric masking)": _masked,
    "VQ-NSP neural tokenizer (encoder, quantizer, decoder, losses)": _tokenizer,
}


def _ids(input_chans: list[int] | None) -> Tensor | None:
    """Places in the list of 128 names of the rows that a case gives."""
    if input_chans is None:
        return None
    assert input_chans[0] == 0
    return torch.tensor(input_chans[1:]) - 1


def _loaded(case: dict, weights: Tensors) -> Any:
    model = COMPONENTS[case["component"]](case["config"])
    model.load_state_dict(our_state(_tensors(weights)), strict=True)
    return model


@adapter("labram", "keys")
def keys(case: dict, data: Tensors, weights: Tensors) -> dict[str, Any]:
    with torch.device("meta"):
        model = COMPONENTS[case["component"]](case["build"])
    ours = {published_name(n): list(t.shape) for n, t in model.state_dict().items()}
    theirs = {name: list(shape) for name, shape in case["tensors"]}
    differing = sorted(k for k in {*ours, *theirs} if ours.get(k) != theirs.get(k))
    assert not differing, f"{len(differing)} tensors differ, first {differing[0]}"
    parameters = list(model.parameters())
    results = {
        "tensors": len(ours),
        "parameters_total": sum(p.numel() for p in parameters),
        "parameters_trainable": sum(p.numel() for p in parameters if p.requires_grad),
    }
    wanted = {name: case[name] for name in results}
    return {**results, "expect": {**wanted, "tensors": len(theirs)}}


@adapter("labram", "channel names to position indices")
def input_chans(case: dict, data: Tensors, weights: Tensors) -> dict[str, Any]:
    results: dict[str, Any] = {
        f"rows{i}": input_rows(one["names"]) for i, one in enumerate(case["cases"])
    }
    expect = {f"rows{i}": one["input_chans"] for i, one in enumerate(case["cases"])}
    results["vocabulary"] = float(list(NAMES) == case.get("vocabulary", list(NAMES)))
    return {**results, "expect": {**expect, "vocabulary": 1.0}}


@adapter("labram", "random masking")
def masking(case: dict, data: Tensors, weights: Tensors) -> dict[str, Any]:
    mask = random_mask(torch.from_numpy(data["noise"]), case["config"]["mask_ratio"])
    return {"mask": mask, "expect": {"mask": data["mask"]}}


@adapter("labram", "temporal convolution patch embedding")
def temporal_conv(case: dict, data: Tensors, weights: Tensors) -> dict[str, Any]:
    ours = TemporalConv(case["config"]["out_chans"])
    ours.load_state_dict(_tensors(weights), strict=True)
    y = ours(torch.from_numpy(data["x"]).flatten(1, 2))
    return {"y": y.detach(), "expect": {"y": data["y"]}}


def _check_groups(model: nn.Module, groups: list[dict], case: dict) -> None:
    """Parameter groups must hold what the case says, in any order."""
    names = {id(p): published_name(n) for n, p in model.named_parameters()}
    decay = case["optimiser"]["weight_decay"]
    ours = {
        (g.get("weight_decay", decay), round(g.get("lr_scale", 1.0), 12)): {
            names[id(p)] for p in g["params"]
        }
        for g in groups
    }
    theirs = {
        (g["weight_decay"], round(g.get("lr_scale", 1.0), 12)): set(g["names"])
        for g in case["param_groups"]
    }
    assert ours == theirs, "the parameter groups differ"


def _step(model: nn.Module, loss: Tensor, case: dict, layer_decay: float = 1.0) -> dict[str, Any]:
    """One optimiser step as the case says; gradients, norm and parameters by published name."""
    o = case["optimiser"]
    groups = parameter_groups(model, False, layer_decay)
    _check_groups(model, groups, case)
    loss.backward()
    results: dict[str, Any] = {}
    if o["clip_grad"] is not None:
        results["norm"] = nn.utils.clip_grad_norm_(model.parameters(), o["clip_grad"]).item()
    parameters = {published_name(n): p for n, p in model.named_parameters()}
    results["gradients"] = {n: None if p.grad is None else p.grad for n, p in parameters.items()}
    options = {key: o[key] for key in ("betas", "eps", "weight_decay")}
    optimiser = torch.optim.AdamW(groups, o["lr"], **options)
    set_rates(optimiser, o["lr"])
    optimiser.step()
    return {**results, "parameters": {n: p.detach() for n, p in parameters.items()}}


@adapter("labram", "fine-tuning classifier")
def classifier(case: dict, data: Tensors, weights: Tensors) -> dict[str, Any]:
    model, tensors = _loaded(case, weights), _tensors(data)
    results: dict[str, Any] = {}
    for number, run in enumerate(case["runs"]):
        x, ids = tensors[f"run{number}.x"].flatten(2), _ids(run["input_chans"])
        results[f"run{number}.logits"] = model(x, ids).detach()
        results[f"run{number}.features"] = model.features(x, ids).detach()
        results[f"run{number}.patch_tokens"] = model.tokens(x, ids).detach()
        results[f"run{number}.all_tokens"] = model.final(model.all_tokens(x, ids)).detach()
    if "optimiser" in case:
        results |= _classifier_step(model, case, tensors)
    inputs = {f"run{i}.x" for i in range(len(case["runs"]))} | {"step.target"}
    return {**results, "expect": {n: v for n, v in data.items() if n not in inputs}}


def _classifier_step(model: LaBraM, case: dict, tensors: dict[str, Tensor]) -> dict[str, Any]:
    logits = model(tensors["run0.x"].flatten(2), _ids(case["runs"][0]["input_chans"]))
    target, smoothing = tensors["step.target"], case["optimiser"]["label_smoothing"]
    if logits.shape[1] == 1:
        loss = binary_cross_entropy(logits[:, 0], target.flatten())
    else:
        loss = cross_entropy(logits, target, smoothing or 0.0)
    after = _step(model, loss, case, case.get("layer_decay") or 1.0)
    results = {f"step.after.{name}": value for name, value in after["parameters"].items()}
    return {"step.loss": loss.item(), **results}


@adapter("labram", "loading a pre-training checkpoint into the classifier")
def pretrained_load(case: dict, data: Tensors, weights: Tensors) -> dict[str, Any]:
    model, tensors = _classifier(case["config"]), _tensors(data)
    report = fit(model, our_state(_tensors(weights)), "the case")
    fresh = {n.removeprefix("fresh."): t for n, t in tensors.items() if n.startswith("fresh.")}
    model.load_state_dict(fresh, strict=False)
    logits = model(tensors["x"].flatten(2), _ids(case["input_chans"])).detach()
    return {
        "missing": float(set(report.missing) == set(case["expected_missing"])),
        "unexpected": float(set(report.unexpected) == set(case["expected_unexpected"])),
        "logits": logits,
        "expect": {"missing": 1.0, "unexpected": 1.0, "logits": data["logits"]},
    }


@adapter("labram", "masked EEG modelling (symmetric masking)")
def masked_pretraining(case: dict, data: Tensors, weights: Tensors) -> dict[str, Any]:
    model, tensors = _loaded(case, weights), _tensors(data)
    x, mask, ids = tensors["x"].flatten(2), tensors["mask"].bool(), _ids(case["input_chans"])
    logits = model(x, mask, ids)
    losses = masked_cross_entropy(logits, tensors["token_ids"], mask)
    both = model.hidden(x, [mask, ~mask], ids).detach()
    results: dict[str, Any] = {
        "tokens_masked": both[0],
        "tokens_complement": both[1],
        "student_head_logits": model.student.lm_head(both[0][:, 1:][mask]).detach(),
        "logits": logits[mask].detach(),
        "logits_sym": logits[~mask].detach(),
        "loss": losses["loss"].item(),
        "loss_rec": losses["loss_masked"].item(),
        "loss_rec_sym": losses["loss_complement"].item(),
        "acc": losses["accuracy_masked"].item(),
        "acc_sym": losses["accuracy_complement"].item(),
    }
    after = _step(model, losses["loss"], case)
    idle = {name for name, gradient in after["gradients"].items() if gradient is None}
    assert idle == set(case["params_without_gradient"]), "other parameters without gradient"
    results["grad_norm_before_clip"] = after["norm"]
    results |= {f"clipped_grad.{n}": g for n, g in after["gradients"].items() if g is not None}
    results |= {f"after_step.{n}": p for n, p in after["parameters"].items()}
    inputs = ("x", "mask", "token_ids")
    return {**results, "expect": {n: v for n, v in data.items() if n not in inputs}}


@adapter("labram", "VQ-NSP neural tokenizer (encoder, quantizer, decoder, losses)")
def tokenizer(case: dict, data: Tensors, weights: Tensors) -> dict[str, Any]:
    x, ids = torch.from_numpy(data["x"]), _ids(case["input_chans"])
    model = _loaded(case, weights).eval()
    vectors, shape = model.code_vectors(x, ids)
    tokens, _ = model.encoder.patches(x)
    amplitude, phase = model.targets(x)
    results: dict[str, Any] = {
        "encoder_tokens": model.encoder.final(model.encoder.encode(tokens, shape, ids)[:, 1:]),
        "to_quantizer": vectors,
        "tokens": model.tokens(x, ids),
        "amplitude_target": amplitude,
        "phase_target": phase,
    }
    for mode in ("eval", "train"):
        model = _loaded(case, weights).train(mode == "train")
        out = model(x, ids)
        losses = model.losses(out, x)
        names = {"loss": "loss", "total_loss": "loss", "quant_loss": "quantiser",
                 "rec_loss": "amplitude", "rec_angle_loss": "phase"}  # fmt: skip
        results |= {f"{mode}.{theirs}": losses[ours].item() for theirs, ours in names.items()}
        results[f"{mode}.after.quantize.cluster_size"] = model.quantiser.counts
        if mode == "eval":
            results["quantized"] = out.codes.transpose(1, 2)
            results |= {"indices": out.indices, "rec_amplitude": out.amplitude}
            results["rec_phase"] = out.phase
    losses["loss"].backward()
    named = {published_name(n): p for n, p in model.named_parameters()}
    results["train.after.quantize.embedding.weight"] = model.quantiser.codebook
    gradients = {n: p.grad for n, p in named.items() if p.grad is not None}
    results |= {f"train.grad.{name}": gradient for name, gradient in gradients.items()}
    results["train.grad_norm"] = nn.utils.get_total_norm(gradients.values()).item()
    results = {n: v.detach() if isinstance(v, Tensor) else v for n, v in results.items()}
    return {**results, "expect": {n: v for n, v in data.items() if n != "x"}}
