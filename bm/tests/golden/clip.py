"""Adapters of brainmagick's golden cases."""

from __future__ import annotations

from typing import Any

from bm.metrics.retrieval import topk_accuracy

from .running import Tensors, adapter


@adapter("clip", "top-k accuracy from probabilities")
def retrieval_accuracy(case: dict, data: Tensors, weights: Tensors) -> dict[str, Any]:
    inputs = data["probs"], data["vocab_segment"], data["target_segment"]
    topk = case["config"]["topk"]
    return {
        **{f"acc_top{k}": topk_accuracy(*inputs, k) for k in topk},
        "expect": {f"acc_top{k}": data[f"acc_top{k}"] for k in topk},
    }
