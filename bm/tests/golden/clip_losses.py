"""Adapters of brainmagick's losses and of a training step with them."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import torch
from torch import nn

from bm.data.window_features import FeatureKind
from bm.losses.contrastive import ClipLoss, Trim
from bm.losses.penalty import svd_penalty
from bm.losses.regression import absolute_error, feature_loss, squared_error
from bm.models.clip.published import published_names
from bm.nn.feature_parts import feature_parts
from bm.tests.reference.clip_names import load_published

from .clip_networks import inputs_of, simpleconv, tensors_of, with_centre
from .running import Tensors, adapter


def _loss(config: dict, options: dict) -> ClipLoss:
    times = {f"{name}_s": value for name, value in options.items() if name.startswith("t")}
    others = {name: value for name, value in options.items() if not name.startswith("t")}
    trim = Trim(config["dset"]["sample_rate"], config["dset"]["tmin"], **times)
    return ClipLoss(trim, **others)


@adapter("clip", "ClipLoss")
def clip_loss(case: dict, data: Tensors, weights: Tensors) -> dict[str, Any]:
    tensors = tensors_of(data)
    estimates, candidates = tensors["estimates"], tensors["candidates"]
    results = {"loss_in_batch": _loss(case["config"], {})(estimates, candidates[: len(estimates)])}
    for name, variant in case["variants"].items():
        loss = _loss(case["config"], variant["options"]).train(variant["training"])
        results |= {
            f"scores_{name}": loss.scores(estimates, candidates),
            f"probabilities_{name}": loss.probabilities(estimates, candidates),
            f"loss_{name}": loss(estimates, candidates),
        }
    return {**results, "expect": {name: data[name] for name in results}}


@adapter("clip", "SimpleConv + ClipLoss")
def train_step(case: dict, data: Tensors, weights: Tensors) -> dict[str, Any]:
    tensors, model = tensors_of(data), simpleconv(case["config"])
    load_published(model, tensors_of(weights))
    with_centre(model.merger, tensors["centre_to_ban"])
    output = model.train()(**inputs_of(tensors))
    loss = ClipLoss().train()(output, tensors["candidates"])
    loss.backward()
    names, state = published_names(model), model.state_dict()
    results = {"output": output.detach(), "loss": loss.detach()}
    results |= {f"grad.{names[name]}": p.grad for name, p in model.named_parameters()}
    results |= {f"after.{names[n]}": state[n] for n in names if "running" in n}
    outputs = [name for name in data if name.startswith(("grad.", "after."))]
    assert len(outputs) == len(results) - 2
    return {**results, "expect": {name: data[name] for name in ("output", "loss", *outputs)}}


@adapter("clip", "L1Loss, L2Loss, FeatureDecodingLoss")
def masked_losses(case: dict, data: Tensors, weights: Tensors) -> dict[str, Any]:
    t = tensors_of(data)
    mask = t["mask"].bool()
    kinds = [FeatureKind(f["name"], f["dimension"], cardinality=f.get("cardinality", 0))
             for f in case["config"]["features"]]  # fmt: skip
    parts = feature_parts(kinds)
    weighted = {kind.name: t["class_weights"] for kind in kinds if kind.cardinality}
    results = {
        "l1": absolute_error(t["est"], t["target"], mask),
        "mse": squared_error(t["est"], t["target"], mask),
        "feature_loss": feature_loss(t["est6"], t["target5"], mask, parts),
        "feature_loss_weighted": feature_loss(t["est6"], t["target5"], mask, parts, weighted),
    }
    return {**results, "expect": {name: data[name] for name in results}}


@adapter("clip", "SVD penalty, exact mode")
def penalty(case: dict, data: Tensors, weights: Tensors) -> dict[str, Any]:
    c, tensors = case["config"], tensors_of(weights)
    assert c["exact"] and c["proba"] == 1
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for index in range(len(tensors) // 2):
        shape = tensors[f"{index}.weight"].shape
        conv = len(shape) == 3
        layers[str(index)] = (
            nn.Conv1d(shape[1], shape[0], shape[2]) if conv else nn.Linear(shape[1], shape[0])
        )
    model = nn.Sequential(layers)
    model.load_state_dict(tensors)
    with torch.no_grad():
        results = {"penalty": svd_penalty(model, c["min_size_kib"], exact=True)}
    return {**results, "expect": {"penalty": data["penalty"]}}
