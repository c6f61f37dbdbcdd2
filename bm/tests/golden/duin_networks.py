"""Adapters of Du-IN's golden cases: the three stages, both variants, and the phoneme model."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from bm.losses.classification import sigmoid_cross_entropy, sigmoid_probabilities
from bm.losses.masked import masked_cross_entropy
from bm.models.duin.classifier import DuinClassifier
from bm.models.duin.masked import DuinMAE
from bm.models.duin.phonemes import DuinPhonemes
from bm.models.duin.published import our_names, our_state, our_tensor
from bm.models.duin.tokenizer import DuinVQVAE
from bm.nn.masking import random_mask

from .duin_keys import as_tensors, compare_keys, expected, tensor_shapes
from .running import Tensors, adapter


def sizes(c: dict) -> tuple[int, int, int]:
    """Channels, subjects and samples of a configuration."""
    return c["n_channels"], c["n_subjects"], c["seq_len"]


def backbone(c: dict) -> dict[str, Any]:
    """Section `backbone` of a configuration."""
    n_blocks = len(c["tok_filters"])
    patches = {
        "samples": c["seg_len"],
        "filters": c["tok_filters"],
        "kernels": c["tok_kernels"],
        "strides": c["tok_strides"],
        "dilations": c["tok_dilations"],
        "batch_norm": c["use_bn"],
        "residual": c.get("use_res", [False] * n_blocks),
        "pools": c.get("pool_sizes", [1] * n_blocks),
    }
    blocks = {
        "depth": c["enc_blocks"],
        "n_heads": c["n_heads"],
        "head_width": c["d_head"],
        "ff_width": c["d_ff"],
        "dropout": c["drop"],
        "norm_first": c["norm_first"],
        "residual_scores": c["res_attn"],
    }
    subject = {"width": c["d_neural"], "bias": c["use_bias"], "projection": c["use_proj"]}
    return {
        "variant": c["variant"],
        "subject": subject,
        "patches": patches,
        "blocks": blocks,
    }


def codes(c: dict) -> dict[str, Any]:
    """Section `codes` of a configuration; the published one counts in evaluation too."""
    return {
        "n_codes": c["codex_size"],
        "width": c["d_codex"],
        "decay": c["decay"],
        "beta": c["beta"],
        "count_in_eval": True,
    }


def vqvae(c: dict) -> DuinVQVAE:
    """Stage 1."""
    head = {name: c[f"rgs_{name}"] for name in ("filters", "kernels", "strides", "hidden")}
    return DuinVQVAE(
        *sizes(c), backbone(c), codes(c), c["dec_blocks"], head,
        c["rgs_loss_scale"], c["vq_loss_scale"],
    )  # fmt: skip


def mae(c: dict) -> DuinMAE:
    """Stage 2."""
    return DuinMAE(*sizes(c), backbone(c), c["codex_size"], c["mae_hidden"])


def cls(c: dict) -> DuinClassifier:
    """Stage 3, with what published files hold and nothing uses."""
    contrast = {
        "scale": c["contra_loss_scale"],
        "width": c["d_contra"],
        "mode": c["loss_mode"],
        "shared": True,
    }
    return DuinClassifier(
        *sizes(c), c["n_labels"], backbone(c), c["cls_hidden"],
        codes=codes(c), contrast=contrast, extras=True,
    )  # fmt: skip


def phoneme(c: dict) -> DuinPhonemes:
    """The phoneme model as published: trained on the finals alone."""
    heads = {"initial": c["n_initials"], "final": c["n_finals"]}
    return DuinPhonemes(
        *sizes(c), backbone(c), heads, c["cls_hidden"], ["final"], codes(c), extras=True
    )


BUILDERS = {"vqvae": vqvae, "mae": mae, "cls": cls, "phoneme": phoneme}
#: What keys files leave out: the published configuration.
PUBLISHED = {
    "variant": "single", "seg_len": 100, "d_neural": 16,
    "tok_filters": [128, 128, 16], "tok_kernels": [19, 3, 3], "tok_strides": [10, 1, 1],
    "tok_dilations": [1, 1, 1], "use_bn": [True] * 3, "use_bias": True, "use_proj": False,
    "enc_blocks": 8, "dec_blocks": 4, "n_heads": 8, "d_head": 64, "d_ff": 320, "drop": 0.2,
    "norm_first": False, "res_attn": False, "codex_size": 2048, "d_codex": 64, "beta": 1.0,
    "decay": 0.99, "rgs_filters": [128, 128, 128, 128, 16], "rgs_kernels": [3, 3, 10, 9, 19],
    "rgs_strides": [1, 1, 10, 1, 10], "rgs_hidden": [], "mask_ratio": 0.5, "mae_hidden": [],
    "cls_hidden": [128], "d_contra": 32, "loss_mode": "unicl", "cls_loss_scale": 1.0,
    "contra_loss_scale": 0.0, "rgs_loss_scale": 1.0, "vq_loss_scale": 1.0,
}  # fmt: skip
POMS = {
    "codex_size": 1024,
    "rgs_filters": [128, 128, 128],
    "rgs_kernels": [3, 3, 19],
    "rgs_strides": [1, 1, 10],
}


def published_config(config: dict) -> dict:
    """Complete the configuration of a keys file."""
    return PUBLISHED | (POMS if config.get("variant") == "poms" else {}) | config


def our_shape(name: str, shape: list[int]) -> list[int]:
    """Shape that a published tensor of one of Du-IN's own models has here."""
    return list(our_tensor(name, torch.empty(shape, device="meta")).shape)


def duin_keys(case: dict) -> dict[str, Any]:
    """A keys file of one of Du-IN's own models."""
    config = published_config(case["config"])
    with torch.device("meta"):
        model = BUILDERS[config["stage"]](config)
    return compare_keys(model, case, our_names(tensor_shapes(case)), our_shape)


def loaded(case: dict, weights: Tensors) -> Any:
    """The model of a case with its weights, in its mode."""
    stage = case["component"].rpartition("_")[2]
    model = BUILDERS[stage](case["config"])
    model.load_state_dict(our_state(as_tensors(weights)), strict=True)
    return model.train(case.get("mode") == "train")


def inputs(data: Tensors) -> tuple[Tensor, Tensor]:
    """Signal (B, C, T) and index (B,) of the subject."""
    x = torch.from_numpy(data["X"]).transpose(1, 2)
    return x, torch.from_numpy(data["subj_id"]).argmax(1)


def gradients(model: nn.Module, weights: Tensors) -> dict[str, Tensor]:
    """Gradients under their published names and in their shapes."""
    parameters = dict(model.named_parameters())
    translated = our_names(weights)
    return {
        f"grad.{name}": our_tensor(name, parameters[ours].grad)  # transposing twice is the identity
        for name, ours in translated.items()
        if ours in parameters and parameters[ours].grad is not None
    }


@adapter("duin", "duin_poms_vqvae")
@adapter("duin", "duin_vqvae")
def run_vqvae(case: dict, data: Tensors, weights: Tensors) -> dict[str, Any]:
    model: DuinVQVAE = loaded(case, weights)
    x, subject = inputs(data)
    mask = torch.from_numpy(data["channel_mask"])
    rebuilt = model(x, subject, mask)
    losses = model.losses(rebuilt, x)
    outputs: dict[str, Any] = {
        "X_reconstr": rebuilt.signal.transpose(1, 2),
        "loss_total": losses["loss"],
        "loss_vq": losses["quantiser"],
        "loss_rgs": losses["reconstruction"],
        "codex_indices": rebuilt.indices,
        "counts_after_one_eval_forward": model.quantiser.counts.clone(),
    }
    if case["mode"] == "train":
        losses["loss"].backward()
        state, translated = model.state_dict(), our_names(weights)
        outputs |= {f"after.{n}": state[ours].clone() for n, ours in translated.items()}
        return expected(case, data, outputs | gradients(model, weights))
    if hasattr(model.backbone, "subject"):
        outputs["X_h"] = model.backbone.subject(x, subject, mask).transpose(1, 2)
    tokens = model.backbone(x, subject, mask)
    outputs |= {
        "tokens": model.backbone.tokens(x, subject, mask),
        "encoder_out": tokens,
        "codex_projection_l2": functional.normalize(model.codes.vectors(tokens), dim=-1),
        "E_vq": model.codes(tokens).tokens,
    }
    assert torch.equal(model.tokens(x, subject, mask), rebuilt.indices)
    return expected(case, data, outputs)


@adapter("duin", "duin_poms_mae")
@adapter("duin", "duin_mae")
def run_mae(case: dict, data: Tensors, weights: Tensors) -> dict[str, Any]:
    model: DuinMAE = loaded(case, weights)
    x, subject = inputs(data)
    mask = random_mask(torch.from_numpy(data["mask_noise"]), case["config"]["mask_ratio"])
    assert np.array_equal(mask.numpy(), data["mask"]), "another mask follows from the noise"
    targets = torch.from_numpy(data["codex_indices_true"])
    logits = model(x, mask, subject)
    losses = masked_cross_entropy(logits, targets, mask)
    share = mask.float().mean()  # as solver.halves=mean
    loss = losses["loss_masked"] * share + losses["loss_complement"] * (1 - share)
    loss = case["config"]["cls_loss_scale"] * loss
    loss.backward()
    outputs = {
        "logits": logits,
        "loss": loss,
        "token_accuracy_per_sample": (logits.argmax(-1) == targets).float().mean(1),
        "grad.mask_emb": model.mask_token.grad,
    }
    return expected(case, data, outputs)


@adapter("duin", "duin_poms_cls")
@adapter("duin", "duin_cls")
def run_cls(case: dict, data: Tensors, weights: Tensors) -> dict[str, Any]:
    c, (x, subject) = case["config"], inputs(data)
    model: DuinClassifier = loaded(case, weights)
    labels = torch.from_numpy(data["y"])
    tokens = model.encode(x, subject)
    logits = model(x, subject)
    sigmoid = c["head_activation"] == "sigmoid"
    loss = (sigmoid_cross_entropy if sigmoid else functional.cross_entropy)(logits, labels)
    probabilities = sigmoid_probabilities(logits) if sigmoid else logits.softmax(-1)
    contrast = model.contrast(tokens, labels)
    total = c["cls_loss_scale"] * loss + c["contra_loss_scale"] * contrast
    total.backward()
    outputs = {
        "encoder_out": tokens,
        "logits": logits,
        "scores": logits.sigmoid() if sigmoid else logits,
        "loss_cls": loss,
        "loss_contra": contrast,
        "loss_total": total,
        "reported_cross_entropy": functional.nll_loss((probabilities + 1e-12).log(), labels),
        "grad.encoder_first_q": model.backbone.blocks[0].attention.query.weight.grad,
        "channel_weight_corrected": model.contribution(),
    }
    return expected(case, data, outputs)


@adapter("duin", "duin_phoneme")
def run_phoneme(case: dict, data: Tensors, weights: Tensors) -> dict[str, Any]:
    model: DuinPhonemes = loaded(case, weights)
    x, subject = inputs(data)
    labels = {name: torch.from_numpy(data[name]) for name in ("initial", "final")}
    logits = model(x, subject)
    losses = model.losses(logits, labels, torch.from_numpy(data["token_mask"]))
    outputs = {
        "logits_initial": logits["initial"],
        "logits_final": logits["final"],
        "loss": case["config"]["cls_loss_scale"] * losses["loss"],
        "loss_initial_only": losses["loss_initial"],
    }
    return expected(case, data, outputs)
