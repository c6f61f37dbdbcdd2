"""Checks before a run: split, scaling, candidates and features of speech decoding, in lines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...data.dataset import Dataset
from ...data.segments import joined_ids
from ...data.split import KEYS, SPLITS
from .candidates import candidate_sets, chance_of_top, speech_of
from .feature_scaling import FeatureScaling


def split_lines(dataset: Dataset, rule: Mapping[str, Any]) -> list[str]:
    """Return how windows were split, and the keys, people and recordings of each split."""
    columns = KEYS[rule["key"]]
    method, seed = rule.get("method", "hash"), rule["seed"]
    lines = [f"split: by {rule['key']} ({', '.join(columns)}), {method}, seed {seed}"]
    if rule["fixed"]:
        lines.append(f"  not drawn: {dict(rule['fixed'])}")
    table = dataset.table
    present = [column for column in columns if column in table]
    # Joined as the split joins them, so that both count the same keys.
    keys = joined_ids(table, present)
    # With the study: many studies number their subjects from 1.
    people = table["study"] + "/" + table["subject"]
    keys_of: dict[str, set] = {}
    for name in SPLITS:
        rows = table["split"] == name
        keys_of[name] = set(keys[rows])
        lines.append(
            f"  {name}: {int(rows.sum())} windows, {len(keys_of[name])} keys, "
            f"{people[rows].nunique()} subjects, "
            f"{table['recording'][rows].nunique()} recordings"
        )
    # Drawn by key, splits share none; fixed rows, published splits and `auto` can.
    shared = len(keys_of["test"] & (keys_of["train"] | keys_of["valid"]))
    lines.append(f"  keys of test that train or valid hold too: {shared}")
    strangers = set(people[table["split"] == "test"]) - set(people[table["split"] == "train"])
    lines.append(f"  subjects of test that never train: {len(strangers)}")
    return lines


def scaler_line(dataset: Dataset) -> str:
    """Return how signals are scaled."""
    scaler = dataset.scaler
    clamp = "no clamp" if scaler.clamp is None else f"clamp {scaler.clamp:g}"
    baseline = "baseline subtracted" if scaler.baselines else "no baseline"
    if scaler.kind == "none":  # nothing is clamped then
        return f"signal scaling: NONE, {baseline}"
    shared = {"zscore": "over all recordings", "window": "per window"}.get(
        scaler.kind, "per recording"
    )
    return f"signal scaling: {scaler.kind} ({shared}), {clamp}, {baseline}"


def candidate_lines(dataset: Dataset, by: str) -> list[str]:
    """Return the number of test segments after de-duplication, and the chance it leaves."""
    rows = dataset.rows("test")
    if not len(rows):
        return ["candidates: no test window"]
    speech = speech_of(dataset, rows)
    owners = dataset.table["recording"].to_numpy()[rows]
    sets = candidate_sets(rows, speech, owners, by)
    sizes = [len(s.hashes) for s in sets]
    size = str(sizes[0]) if len(sizes) == 1 else f"{min(sizes)} to {max(sizes)} per recording"
    trained = set(speech_of(dataset, dataset.rows("train"))["segment_hash"])
    # A test segment that training holds too may be ranked first from memory.
    heard = len(set(speech["segment_hash"]) & trained)
    return [
        f"candidates: {size} distinct of {len(rows)} test windows, {speech['word'].nunique()} "
        f"words; chance top-10 {chance_of_top(sets, 10):.3%}, top-1 {chance_of_top(sets, 1):.3%}",
        f"  test segments heard in training: {heard}",
    ]


def preflight(
    dataset: Dataset, solver: Mapping[str, Any], scaling: FeatureScaling, rule: Mapping[str, Any]
) -> list[str]:
    """Return lines to read before a run.

    Args:
        dataset: with features.
        solver: plain `solver` section.
        scaling: of the features, fitted.
        rule: plain `dset.split` section.
    """
    warning = []
    if any(k.normalizable and not k.cardinality for k in scaling.kinds) is False:
        warning.append("features: none is standardised")
    return [
        *split_lines(dataset, rule),
        scaler_line(dataset),
        *candidate_lines(dataset, solver["candidates"]),
        *[f"feature {line}" for line in scaling.describe()],
        *warning,
        f"subjects: {len(dataset.facts.subjects)}; the signal is read "
        f"{solver['offset_ms']:g} ms later than the speech",
    ]
