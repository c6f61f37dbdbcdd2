"""Adapters of brainmagick's golden cases."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pandas as pd
import torch

from bm.data import blocks, segments, split
from bm.data.gather import gather_windows, subtract_baseline
from bm.data.layout import sensor_layout
from bm.data.scale import Scaler, build_scaler
from bm.data.signal import bare, pad_channels
from bm.data.window_features import FeatureKind
from bm.data.window_rule import WindowRule
from bm.features import build_feature
from bm.features.builder import FeatureBuilder
from bm.metrics.online import OnlineAccuracy, OnlineCorrelation, OnlineSquaredError
from bm.metrics.retrieval import Ranker
from bm.metrics.words import word_retrieval_errors
from bm.nn.sinc import lowpass_sinc, resample_sinc
from bm.solvers.speech.feature_scaling import FeatureScaling
from bm.solvers.speech.rejection import accepted_windows
from bm.tests.reference.retrieval import words_at

from .running import Tensors, adapter


@adapter("clip", "top-k accuracy from probabilities")
def retrieval_accuracy(case: dict, data: Tensors, weights: Tensors) -> dict[str, Any]:
    # Estimates whose scores with one-hot candidates are the stored probabilities.
    probs, labels = torch.from_numpy(data["probs"]), torch.from_numpy(data["vocab_segment"])
    ranker = Ranker(torch.eye(probs.shape[1], dtype=probs.dtype), labels)
    ranking = ranker.rank(probs, torch.from_numpy(data["target_segment"]))
    topk = case["config"]["topk"]
    return {
        **{f"acc_top{k}": ranking.accuracy(k) for k in topk},
        "expect": {f"acc_top{k}": data[f"acc_top{k}"] for k in topk},
    }


@adapter("clip", "word retrieval error during training (wer, wer_vocab)")
def word_errors(case: dict, data: Tensors, weights: Tensors) -> dict[str, Any]:
    c = case["config"]
    track = data["word_hash_track"][:, 0].astype(np.int64)
    words = words_at(track, int(-c["tmin"] * c["sample_rate"]))
    assert c["negatives"] is None
    estimates, outputs = (torch.from_numpy(data[name]) for name in ("estimates", "outputs"))
    rates = word_retrieval_errors(
        estimates, outputs, torch.from_numpy(words), c["topx"], as_published=True
    )
    results = {"wer": rates.by_candidate, "wer_vocab": rates.by_word, "word_hash": words}
    return {**results, "expect": {name: data[name] for name in results}}


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
    results = {
        "resampled": slow,
        "highpassed": slow - low,
        "lowpass_task": lowpass_sinc(slow, c["task_lowpass_hz"] / rate, c["task_lowpass_zeros"]),
    }
    return {**results, "expect": {name: data[name] for name in results}}


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


def _finite(values: Any) -> list[float]:
    """Numbers with null and infinity as -1, so that they can be compared."""
    numbers = np.array([np.inf if v is None else v for v in values], float)
    return np.where(np.isfinite(numbers), numbers, -1.0).tolist()


def _renamed(rows: list[dict]) -> pd.DataFrame:
    return pd.DataFrame(rows).rename(columns={"start": "start_s", "duration": "duration_s"})


@adapter("clip", "block split assignment and merging")
def split_assignment(case: dict, data: Tensors, weights: Tensors) -> dict[str, Any]:
    config, expected = case["config"], case["blocks"]
    test, valid = config["ratios"]
    rule = {
        "key": "block_uid",
        "method": "published",
        "seed": config["seed"],
        "ratios": {"test": test, "valid": valid, "train": 1 - test - valid},
        "fixed": {},
        "min_keys": config["min_n_blocks_per_split"],
    }
    uids = [block["uid"] for block in expected]
    table = pd.DataFrame({"recording": 0, "block_uid": uids})
    names = split.assign(table, rule, config["remove_ratio"])
    numbers = {split.REMOVED: -1, **{n: i for i, n in enumerate(split.ORDERS["published"])}}
    unmerged = pd.DataFrame(case["merge"]["input"], columns=["uid", "start_s", "duration_s"])
    unmerged["duration_s"] = unmerged["duration_s"].fillna(np.inf)
    merged = blocks.merge_blocks(unmerged, config["min_block_duration"])
    rows = case["merge"]["output"]
    assert list(merged["uid"]) == [row[0] for row in rows]
    return {
        "score": [split.block_score(uid, config["seed"]) for uid in uids],
        "split": [numbers[name] for name in names],
        "start": merged["start_s"],
        "duration": _finite(merged["duration_s"]),
        "expect": {
            "score": [block["score"] for block in expected],
            "split": [block["split"] for block in expected],
            "start": [row[1] for row in rows],
            "duration": _finite([row[2] for row in rows]),
        },
    }


@adapter(
    "clip", "word sequence info, block creation by sentence, sound splitting at block boundaries"
)
def event_blocks(case: dict, data: Tensors, weights: Tensors) -> dict[str, Any]:
    events = blocks.add_sequence_info(_renamed(case["input_events"]))
    table = blocks.create_blocks(events, case["config"]["groupby"])
    bounds = pd.DataFrame(case["split_with_blocks"], columns=["start_s", "stop"])
    bounds["duration_s"] = bounds["stop"] - bounds["start_s"]
    sounds = events[events["kind"] == "sound"]
    pieces = blocks.split_sounds(sounds, bounds, case["margin"])
    sequences = [None if pd.isna(v) else v for v in events["word_sequence"]]
    assert sequences == case["word_sequence"]
    assert list(table["uid"]) == [block["uid"] for block in case["blocks"]]
    wanted = _renamed(case["blocks"]), _renamed(case["sounds"])
    indices = [None if pd.isna(v) else v for v in events["word_index"]]
    return {
        "word_index": _finite(indices),
        "blocks": [*table["start_s"], *_finite(table["duration_s"])],
        "sounds": pieces[["start_s", "duration_s", "offset"]].to_numpy(float),
        "expect": {
            "word_index": _finite(case["word_index"]),
            "blocks": [*wanted[0]["start_s"], *_finite(wanted[0]["duration_s"].fillna(np.inf))],
            "sounds": wanted[1][["start_s", "duration_s", "offset"]].to_numpy(float),
        },
    }


def _training_windows(batches: np.ndarray, least: int) -> torch.Tensor:
    """Whole batches (n, B, C, T) of a recording until there are `least` windows: (N, C, T)."""
    count = min(len(batches), -(-least // batches.shape[1]))
    return torch.from_numpy(batches[:count]).flatten(0, 1)


def _fitted_scaler(windows: list[torch.Tensor], clamp: float | None) -> Scaler:
    """The scaler of the data set, fitted on the training windows (N, C, T) of each recording."""
    length = windows[0].shape[-1]
    signals = [bare(one.transpose(1, 2).flatten(0, 1)) for one in windows]
    rows = [(r, i * length, length) for r, one in enumerate(windows) for i in range(len(one))]
    table = pd.DataFrame(rows, columns=["recording", "start", "length"]).assign(split="train")
    scaler = build_scaler({"kind": "robust_windows", "clamp": clamp})
    scaler.fit(signals, table, [0] * len(signals))
    return scaler


def _scaled(scaler: Scaler, windows: torch.Tensor) -> torch.Tensor:
    """Scale (B, C, T), window b by the statistics of recording b."""
    block = windows.transpose(1, 2).clone()
    return scaler.apply(block, torch.arange(len(windows))).transpose(1, 2)


def _fitted_features(config: dict, data: Tensors) -> FeatureScaling:
    """The scaling of features, fitted on the batches that the original takes."""
    kinds = [
        FeatureKind(
            f["name"], f["dimension"], f.get("kind") == "normalizable", f.get("cardinality", 0)
        )
        for f in config["features"]
    ]
    least = config["n_samples_per_recording"]
    features, masks = data["fit_features"], data["fit_mask"]
    count = -(-least // features.shape[2])
    pairs = [
        (torch.from_numpy(values), torch.from_numpy(mask)[:, 0].bool())
        for recording in zip(features[:, :count], masks[:, :count], strict=True)
        for values, mask in zip(*recording, strict=True)
    ]
    random.Random(1234).shuffle(pairs)  # the original's seed
    scaling = FeatureScaling(kinds, config["per_channel"])
    scaling.fit(iter(pairs[: -(-config["n_samples_features"] // features.shape[2])]))
    return scaling


@adapter("clip", "BatchScaler + ScaleReject")
def batch_scaler(case: dict, data: Tensors, weights: Tensors) -> dict[str, Any]:
    config = case["config"]
    fitting = [_training_windows(one, config["n_samples_per_recording"]) for one in data["fit_meg"]]
    scaler, clamped = (_fitted_scaler(fitting, clamp) for clamp in (None, config["clip_limit"]))
    windows = torch.from_numpy(data["meg"])
    scaled = _scaled(scaler, windows)
    scaling = _fitted_features(config, data)
    parts = {kind.name: (kind, rows) for kind, rows in scaling.rows()}
    normal = next(rows for kind, rows in parts.values() if kind.normalizable)
    classes = next(name for name, (kind, _) in parts.items() if kind.cardinality)
    if not config["per_channel"]:  # one statistic for all rows of a feature
        normal = slice(normal.start, normal.start + 1)
    outputs = {
        "scaled_meg": scaled,
        "clipped_meg": _scaled(clamped, windows),
        "keep_reject": accepted_windows(scaled, config["reject_limit"]),
        "scaled_features": scaling(torch.from_numpy(data["features"])),
        "class_weights": scaling.class_weights(classes),
        "meg_center": torch.stack(scaler.centres),
        "meg_scale": torch.stack(scaler.scales),
        "feature_center": scaling.centre[normal],
        "feature_scale": scaling.scale[normal],
    }
    return {**outputs, "expect": {name: data[name] for name in outputs}}


def _segment(options: dict) -> dict[str, Any]:
    """`dset.segment` of a published option set."""
    condition = options["condition"]
    segment = {
        "offset_s": options["tmin"],
        "duration_s": options["tmax"] - options["tmin"],
        "within": "block",
        "inclusive": True,
        "rounding": "event",
        "ignore_start": options.get("ignore_start_in_block", False),
        "ignore_end": options.get("ignore_end_in_block", False),
        "baseline": options["baseline"] is not None,
    }
    if isinstance(condition, float):
        return {**segment, "kind": "recording", "stride_s": condition}
    query = condition if "=" in condition else None
    return {**segment, "kind": "word" if query else condition, "query": query}


@adapter("clip", "segment extraction")
def segment_dataset(case: dict, data: Tensors, weights: Tensors) -> dict[str, Any]:
    """Chosen samples, bounds, signals, features and masks."""
    rate, signal = case["config"]["sample_rate"], torch.from_numpy(data["raw"].T.copy())
    held = pd.DataFrame(case["blocks"], columns=["start_s", "stop_s"]).astype(float)
    held["duration_s"] = held["stop_s"].fillna(np.inf) - held["start_s"]
    held = held.assign(kind="block", uid=[f"block{i}" for i in held.index])
    events = blocks.with_blocks(_renamed(case["events"]), held)
    results: dict[str, Any] = {"expect": {}}
    for name, variant in case["variants"].items():
        segment = _segment(variant["options"])
        rule = WindowRule.of(segment)
        table = segments.segments_of(0, events, len(signal), rate, segment)
        starts = table["start"].to_numpy()
        chosen, length = starts[variant["items"]], rule.length(rate)
        block = gather_windows([bare(signal)], np.zeros(len(chosen), int), chosen, length)
        if rule.baseline:
            block = subtract_baseline(block, rule.baseline_samples(rate))
        block = pad_channels(block, variant["options"].get("meg_dimension", block.shape[2]))
        values = {
            f"samples_{name}": starts - round(rule.offset_s * rate),
            f"meg_{name}": block.transpose(1, 2),
            f"bounds_{name}": np.stack([chosen, chosen + length], 1) / rate,
        }
        features = [build_feature(entry) for entry in variant["options"]["features"]]
        builder = FeatureBuilder(features, variant["options"]["event_mask"])
        builder.add(events, rate)
        series, mask = builder.gather(np.zeros(len(chosen), int), chosen, length)
        values[f"features_{name}"] = torch.cat(list(series.values()), 1)
        values[f"mask_{name}"] = mask[:, None]
        expected = {**data, f"bounds_{name}": variant["bounds"]}
        results |= values
        results["expect"] |= {key: expected[key] for key in values}
    return results
