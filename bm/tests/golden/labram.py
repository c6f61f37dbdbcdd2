"""Adapters of LaBraM's golden cases."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from bm.data import segments
from bm.data.gather import gather_windows
from bm.data.preprocess import apply_steps
from bm.data.signal import bare
from bm.engine.schedule import Schedule
from bm.losses.classification import binary_cross_entropy, cross_entropy
from bm.metrics.classification import classification_metrics, probabilities
from bm.readers.labram_h5 import read_group, read_samples
from bm.studies.labram_corpus import LabramH5

from .running import Tensors, adapter


@adapter("labram", "per-step cosine schedule with linear warm-up")
def schedules(case: dict, data: Tensors, weights: Tensors) -> dict[str, Any]:
    results: dict[str, Any] = {"expect": {}}
    for number, one in enumerate(case["cases"]):
        a = one["args"]
        config = {
            "name": "cosine",
            "warmup_epochs": a["warmup_epochs"],
            "warmup_steps": a["warmup_steps"] if a["warmup_steps"] > 0 else None,
            "warmup_form": "inclusive",
            "min_lr": a["final_value"],
        }
        ours = Schedule(config, a["base_value"], a["epochs"], a["niter_per_ep"])
        results[f"values{number}"] = [ours.at(i) for i in range(len(one["values"]))]
        results["expect"][f"values{number}"] = one["values"]
    return results


@adapter("labram", "evaluation metrics and fine-tuning losses")
def metrics_losses(case: dict, data: Tensors, weights: Tensors) -> dict[str, Any]:
    positive = 1 / (1 + np.exp(-data["binary_logits"].astype(float)))
    binary = classification_metrics(np.stack([1 - positive, positive], 1), data["binary_targets"])
    multi = classification_metrics(
        probabilities(data["multi_logits"].astype(float)), data["multi_targets"]
    )
    logits, targets = (
        torch.from_numpy(data["multi_logits"]),
        torch.from_numpy(data["multi_targets"]),
    )
    two = torch.from_numpy(data["binary_logits"]), torch.from_numpy(data["binary_targets"])
    return {
        "binary.accuracy": binary["accuracy"],
        "binary.balanced_accuracy": binary["balanced_accuracy"],
        "binary.roc_auc": binary["auroc"],
        "binary.pr_auc": binary["auc_pr"],
        "multiclass.accuracy": multi["accuracy"],
        "multiclass.balanced_accuracy": multi["balanced_accuracy"],
        "multiclass.cohen_kappa": multi["kappa"],
        "multiclass.f1_weighted": multi["f1_weighted"],
        "losses.bce": binary_cross_entropy(*two).item(),
        "losses.ce": cross_entropy(logits, targets).item(),
        "losses.label_smoothing_01": cross_entropy(logits, targets, 0.1).item(),
    }


@adapter(
    "labram",
    "signal preprocessing: band-pass 0.1-75 Hz, notch 50 Hz, resample 200 Hz, microvolts",
)
def preprocess(case: dict, data: Tensors, weights: Tensors) -> dict[str, Any]:
    import mne

    c = case["config"]
    raw = mne.io.RawArray(
        data["raw_volts"].astype(float),
        mne.create_info(len(data["raw_volts"]), c["input_sfreq"], "eeg"),
        verbose="error",
    )
    steps = {
        "band-pass": {"step": "bandpass", "low_hz": c["l_freq"], "high_hz": c["h_freq"]},
        "notch": {"step": "notch", "freqs_hz": [c["notch"]]},
        "resample": {"step": "resample", "rate_hz": c["output_sfreq"]},
    }
    raw = apply_steps(raw, [steps[name] for name in c["order"]])
    return {"out_uv": 1e6 * raw.get_data(), "expect": {"out_uv": data["out_uv"]}}


@adapter("labram", "pre-training HDF5 layout and window indexing")
def h5_windows(case: dict, data: Tensors, weights: Tensors) -> dict[str, Any]:
    """Rows of study `labram_h5` with the stride of pre-training; the product takes no share."""
    c, expected_rows = case["config"], case["table"]
    assert (c["start_percentage"], c["end_percentage"]) == (0, 1)
    study = LabramH5(root=Path(case["folder"]), files=c["files"])
    groups = [read_group(one.path, one.name) for one in study.recordings()]
    tables = []
    for number, (recording, group) in enumerate(zip(study.recordings(), groups, strict=True)):
        rate_hz = group.rate_hz
        segment = {"kind": "block", "duration_s": c["window_size"] / rate_hz,
                   "stride_s": c["stride_size"] / rate_hz}  # fmt: skip
        events = recording.events()
        tables.append(segments.segments_of(number, events, group.samples, rate_hz, segment))
    table = pd.concat(tables, ignore_index=True)
    rows = [(groups[r], start) for r, start in zip(table["recording"], table["start"], strict=True)]
    outputs: dict[str, Any] = {"length": len(rows), "starts": [start for _, start in rows]}
    expected = {"length": case["length"], "starts": [row["start"] for row in expected_rows]}
    texts = {
        "files": ([g.path.name for g, _ in rows], [row["file"] for row in expected_rows]),
        "recordings": ([g.name for g, _ in rows], [row["recording"] for row in expected_rows]),
        "ch_names": (list(groups[0].channels), case["ch_names"]),
    }
    for name, (ours, theirs) in texts.items():
        outputs[name], expected[name] = float(ours == theirs), 1.0
    for name in data:
        group, start = rows[int(name.removeprefix("window"))]
        outputs[name] = read_samples(group, start, start + c["window_size"])
        expected[name] = data[name]
    return {**outputs, "expect": expected}


@adapter("labram", "TUEV event windows")
def tuev_events(case: dict, data: Tensors, weights: Tensors) -> dict[str, Any]:
    config, rows = case["config"], data["events"]
    events = pd.DataFrame(
        {"kind": "trial", "start_s": rows[:, 1], "duration_s": rows[:, 2] - rows[:, 1],
         "label": rows[:, 3], "channel": rows[:, 0]}
    )  # fmt: skip
    segment = {"kind": "trial", "offset_s": -config["before_s"], "label": "label",
               "duration_s": config["before_s"] + 1 + config["after_s"],
               "rounding": "up", "edge": "wrap"}  # fmt: skip
    signal = torch.from_numpy(data["signals"].T.copy())
    table = segments.segments_of(0, events, len(signal), config["sfreq"], segment)
    windows = gather_windows(
        [bare(signal)], table["recording"].to_numpy(), table["start"].to_numpy(), table["length"][0]
    )
    return {
        "windows": windows.transpose(1, 2),
        "labels": table["label"],
        "offending_channel": events["channel"].iloc[table["event_row"]],
        "expect": {name: data[name] for name in ("windows", "labels", "offending_channel")},
    }
