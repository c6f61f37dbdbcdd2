"""Adapter of the golden case of Brain-Diffusion's codex of words."""

from __future__ import annotations

from typing import Any

import torch

from bm.models.eegdiff.codex import WordCodex, published_codex_names

from .running import Tensors, adapter


@adapter("eegdiff", "vq_codex_freq")
def vq_codex_freq(case: dict, data: Tensors, weights: Tensors) -> dict[str, Any]:
    c = case["config"]
    blocks = {
        "layers": c["layers"],
        "n_heads": c["nhead"],
        "forward_width": c["dim_feedforward"],
        "activation": c["activation"],
        "norm_first": c["norm_first"],
        "dropout": c["dropout"],
        "positions": "batch" if c["position_index"] == "batch" else "word",
    }
    x, padded = torch.from_numpy(data["x"]), torch.from_numpy(data["pad_mask"]).bool()
    scales = {"codebook_scale": c["vq_coef"], "commitment_scale": c["commit_coef"]}
    published = {"loss": "bce", "rectified": True, "padding_counts": True, "kmeans": False}
    sizes = (c["in_feature"], x.shape[1], c["latent_codex_size"], c["codes"])
    model = WordCodex(*sizes, blocks, **scales, **published).eval()
    names = published_codex_names(model)
    model.load_state_dict(
        {ours: torch.from_numpy(weights[theirs]) for ours, theirs in names.items()}
    )
    outputs = model.rebuild(x, padded)
    values = model.parts(outputs, x, padded)
    values["loss"].backward()
    quantised = outputs.quantised
    vectors = {"z_e": outputs.vectors, "emb": quantised.chosen, "z_q": quantised.codes}
    parts = {"vq_loss": "codebook", "commit_loss": "commitment", "rec_loss": "reconstruction"}
    return {
        "rec": outputs.rebuilt.detach(),
        **{name: value.detach().transpose(1, 2) for name, value in vectors.items()},
        "loss": values["loss"].item(),
        **{name: values[ours].item() for name, ours in parts.items()},
        "emb_grad": model.quantiser.weight.grad,
        "enc_grad": model.encoder.fc1.weight.grad,
    }
