"""Adapters of brainmagick's golden cases."""

from __future__ import annotations

from typing import Any

import torch

from bm.data.layout import sensor_layout
from bm.metrics.online import OnlineAccuracy, OnlineCorrelation, OnlineSquaredError
from bm.metrics.retrieval import topk_accuracy
from bm.metrics.words import word_error_rates, words_at
from bm.nn.sinc import lowpass_sinc, resample_sinc

from .running import Tensors, adapter


@adapter("clip", "top-k accuracy from probabilities")
def retrieval_accuracy(case: dict, data: Tensors, weights: Tensors) -> dict[str, Any]:
    inputs = data["probs"], data["vocab_segment"], data["target_segment"]
    topk = case["config"]["topk"]
    return {
        **{f"acc_top{k}": topk_accuracy(*inputs, k) for k in topk},
        "expect": {f"acc_top{k}": data[f"acc_top{k}"] for k in topk},
    }


@adapter("clip", "word retrieval error during training (wer, wer_vocab)")
def word_errors(case: dict, data: Tensors, weights: Tensors) -> dict[str, Any]:
    c = case["config"]
    words = words_at(data["word_hash_track"][:, 0], int(-c["tmin"] * c["sample_rate"]))
    rates = word_error_rates(
        data["estimates"], data["outputs"], words, c["topx"], c["negatives"], as_published=True
    )
    wanted = {name: data[name] for name in ("wer", "wer_vocab", "word_hash")}
    return {"wer": rates[0], "wer_vocab": rates[1], "word_hash": words, "expect": wanted}


@adapter("clip", "OnlineCorrelation, L2Reg, ClassificationAcc")
def online_metrics(case: dict, data: Tensors, weights: Tensors) -> dict[str, Any]:
    correlation, error, accuracy = OnlineCorrelation(), OnlineSquaredError(), OnlineAccuracy()
    size = case["config"]["chunk"]
    for start in range(0, len(data["left"]), size):
        left, right, mask, labels = (
            data[k][start : start + size] for k in ("left", "right", "mask", "labels")
        )
        correlation.update(left, right, mask)
        error.update(left, right, mask)
        accuracy.update(left, labels, mask)
    names = ("correlation", "l2", "l2_reduced", "accuracy", "accuracy_reduced")
    return {
        "correlation": correlation.result(),
        "l2": error.result(),
        "l2_reduced": error.reduced(),
        "accuracy": accuracy.result(),
        "accuracy_reduced": accuracy.reduced(),
        "expect": {name: data[name] for name in names},
    }


@adapter("clip", "preprocessing: fractional resampling then high-pass")
def resample_highpass(case: dict, data: Tensors, weights: Tensors) -> dict[str, Any]:
    c = case["config"]
    x, rate = torch.from_numpy(data["input"]).double(), c["new_sr"]
    slow = resample_sinc(x, c["old_sr"], rate, c["zeros"], c["rolloff"])
    low = lowpass_sinc(slow, c["highpass_hz"] / rate, c["lowpass_zeros"])
    found = {
        "resampled": slow,
        "highpassed": slow - low,
        "lowpass_task": lowpass_sinc(slow, c["task_lowpass_hz"] / rate, c["task_lowpass_zeros"]),
    }
    return {**found, "expect": {name: data[name] for name in found}}


#: Coils by which MNE recognises the systems of its built-in layouts.
COILS = {"KIT": "KIT_GRAD", "CTF": "CTF_GRAD", "magnes": "MAGNES_MAG", "Vectorview": "VV_MAG_T3"}


def info_of(names: list[str], source: str, layout: str) -> Any:
    """What a recording of these channels tells MNE of its sensors."""
    import mne
    from mne.io.constants import FIFF

    if source == "montage":
        montage = mne.channels.make_standard_montage(layout)
        return mne.create_info(names, 100.0, "eeg").set_montage(montage, on_missing="ignore")
    info = mne.create_info(names, 100.0, "mag")
    coil = next(name for system, name in COILS.items() if layout.startswith(system))
    for channel in info["chs"]:
        channel["loc"][:3] = 0.1
        channel["coil_type"] = FIFF[f"FIFFV_COIL_{coil}"]
    return info


@adapter("clip", "sensor position lookup")
def sensor_positions(case: dict, data: Tensors, weights: Tensors) -> dict[str, Any]:
    layout = case["config"]["layout"]
    info = info_of(case["channel_names"], layout["from"], layout["name"])
    return {"positions": sensor_layout(info), "expect": {"positions": data["positions"]}}
