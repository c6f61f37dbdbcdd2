"""Adapters of LaBraM's golden cases: the quantiser, the layers and the three networks."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from bm.nn.quantiser import Quantiser, spherical_kmeans

from .running import Tensors, adapter

#: published name of a quantiser's tensor -> ours
QUANTISER = {
    "embedding.weight": "codebook",
    "cluster_size": "counts",
    "embedding.initted": "started",
    "embedding.cluster_size": "start_counts",
    "embedding.embed_avg": "start_codes",
}


def _given(data: Tensors) -> dict[str, Tensor]:
    return {name: torch.from_numpy(value) for name, value in data.items()}


@adapter("labram", "normalised EMA vector quantizer")
def quantizer(case: dict, data: Tensors, weights: Tensors) -> dict[str, Any]:
    c, given = case["config"], _given(data)
    ours = Quantiser(
        c["n_embed"],
        c["code_dim"],
        c["ema_decay"],
        c["commitment_beta"],
        c["kmeans_init"],
        count_in_eval=True,
        extras=True,
    )
    ours.load_state_dict(
        {QUANTISER[name]: tensor for name, tensor in _given(weights).items()}, strict=True
    )
    found: dict[str, Any] = {}
    steps = sorted({name.split(".")[0] for name in given})
    for step in steps:
        ours.train(step != steps[-1])
        z = given[f"{step}.z"].clone().requires_grad_()
        out = ours(z.movedim(1, -1))
        codes = out.codes.movedim(-1, 1)
        (3 * out.loss + (codes * given[f"{step}.upstream_grad"]).sum()).backward()
        found[f"{step}.z_q"] = codes.detach()
        found[f"{step}.loss"] = out.loss.item()
        found[f"{step}.indices"] = out.indices.flatten()
        found[f"{step}.grad_z"] = z.grad
        found[f"{step}.after.embedding.weight"] = ours.codebook.clone()
        found[f"{step}.after.cluster_size"] = ours.counts.clone()
    inputs = ("z", "upstream_grad")
    expect = {name: data[name] for name in data if not name.endswith(inputs)}
    return {**found, "expect": expect}


@adapter("labram", "cosine k-means codebook initialisation")
def kmeans(case: dict, data: Tensors, weights: Tensors) -> dict[str, Any]:
    given = _given(data)
    assert case["config"]["cosine"]
    means, bins = spherical_kmeans(
        given["samples"], given["initial_means"], case["config"]["iterations"]
    )
    return {"means": means, "bins": bins, "expect": {k: data[k] for k in ("means", "bins")}}
